# SPDX-License-Identifier: Apache-2.0
"""Inbound transfer of a SECONDARY zone: a worker's task, its outcome, and how primaries are written."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from enum import Enum

from redesignate.model.pool import Endpoint
from redesignate.model.tsigkey import TSIGKey

DNS_PORT = 53
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_HOST = re.compile(r"[A-Za-z0-9_.%-]+")


class Result(Enum):
    """The result of querying a zone's primaries once.

    FETCHED    a primary sent the whole zone
    CURRENT    a primary answered, and none has a newer serial
    FAILED     no primary gave a valid answer; the old copy stays
    UNTOUCHED  interrupted: there is no result
    """

    FETCHED = "fetched"
    CURRENT = "current"
    FAILED = "failed"
    UNTOUCHED = "untouched"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundTask:
    """Query a SECONDARY zone's primaries and fetch the zone where they have a newer one.

    serial       the primary's serial of our copy; None: nothing was ever fetched
    forced       fetch whatever the serial is
    asked        the number of requested queries; a report answers those up to this one
    generation   the number of the lease: a report counts for it alone
    notified_by  address of the primary that sent a NOTIFY: it is queried first, and believed
    key          signs our queries, where the zone has a key
    """

    zone_id: str
    name: str
    primaries: tuple[str, ...]
    serial: int | None
    forced: bool
    asked: int
    generation: int
    notified_by: str | None = None
    key: TSIGKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundOutcome:
    """The outcome of a task.

    asked generation   as in the task
    since    the task's `serial`: the outcome is ignored where the zone has another one meanwhile
    primary  the primary that answered, or was queried last
    serial   the serial of that primary
    why      one line for a person, where something is wrong
    content  FETCHED: zlib over RRs in the form of `wire/rrset.py`, the SOA first, each once
    """

    zone_id: str
    asked: int
    generation: int
    since: int | None
    result: Result
    primary: str | None = None
    serial: int | None = None
    why: str | None = None
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """The state of a SECONDARY zone's copy and of the queries to its primaries. Times in µs, by the database's clock.

    due_at      when the primaries are queried next
    forced      fetch then, whatever the serial is
    asked       the number of requested queries
    attempts    the number of failed queries in a row; `error` says why the last one failed
    loaded      the zone has a copy that has not expired: it may be served
    serial      the primary's serial of the copy; None: none was ever fetched
    expires_at  when the copy expires, unless a primary answers before
    primary     the primary that answered, or was queried, last
    loader      the run that may store parts of a transfer now; a later one takes its place
    kept_rrsets kept_records   the counts of the copy that is served while the zone's RRsets are changed in steps; None
                while the RRsets themselves are served
    kept_revision  the zone's revision whose content is in the copy, or is being copied; None: there is no copy, or its
                rows are left over
    version     rises with each report and each step of a run: what was read at one version is true while it stays
    rest_until  a NOTIFY has the primaries queried at this time at the earliest
    vain_notifies  how many queries in a row, each because of a NOTIFY, found nothing new
    generation  the number of the lease; see `store/inbound.py`
    read_at     when the row was read; not a part of it
    """

    zone_id: str
    due_at: int
    forced: bool = False
    asked: int = 0
    attempts: int = 0
    loaded: bool = False
    serial: int | None = None
    expires_at: int = 0
    notified_by: str | None = None
    primary: str | None = None
    error: str | None = None
    lease_owner: str | None = None
    lease_until: int = 0
    loader: str | None = None
    kept_rrsets: int | None = None
    kept_records: int | None = None
    kept_revision: int | None = None
    version: int = 0
    rest_until: int | None = None
    vain_notifies: int | None = None
    generation: int = 0
    read_at: int = field(default=0, compare=False)


def endpoint(text: str) -> Endpoint:
    """Parse a primary: `host`, `host:port`, an IPv6 address, or `[IPv6]:port`. The port is 53 where none is given.

    Raises ValueError that says how to write it.
    """
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        port = rest.removeprefix(":") if rest else str(DNS_PORT)
        if not closed or not _is_v6(host) or (rest and not rest.startswith(":")):
            raise _wrong(text)
    elif text.count(":") > 1:
        host, port = text, str(DNS_PORT)
        if not _is_v6(host):
            raise _wrong(text)
    else:
        host, colon, rest = text.partition(":")
        port = rest if colon else str(DNS_PORT)
    if not (_is_v6(host) or _HOST.fullmatch(host)) or _PORT.fullmatch(port) is None or int(port) > 65535:
        raise _wrong(text)
    return Endpoint(host, int(port))


def _is_v6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _wrong(text: str) -> ValueError:
    shown = "".join(c if c.isprintable() else "?" for c in text[:80])
    return ValueError(f"{shown!r} is not a valid master; use an IP address or host name, optionally followed by :port")


def same_host(address: str, primary: str) -> bool:
    """Whether an IP address is that of a primary; always False for a primary that is given as a host name."""
    try:
        return ipaddress.ip_address(address) == ipaddress.ip_address(endpoint(primary).host)
    except ValueError:
        return False
