# SPDX-License-Identifier: Apache-2.0
"""Bringing a SECONDARY zone in: what a worker is to do, what came of it, and how primaries are written."""

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
    """What came of one look at a zone's primaries.

    FETCHED    a primary sent the zone whole
    CURRENT    a primary answered, and none has anything newer
    FAILED     nobody answered as a primary should; the old copy stays
    UNTOUCHED  broken off: nothing came of it
    """

    FETCHED = "fetched"
    CURRENT = "current"
    FAILED = "failed"
    UNTOUCHED = "untouched"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundTask:
    """Look at a SECONDARY zone's primaries and fetch it where they have something newer.

    serial       the primary's serial that we hold; None: nothing was ever fetched
    forced       fetch whatever the serial says
    asked        counts the wishes for a look; a report answers those up to this one
    notified_by  the primary's address that sent a NOTIFY: asked first, and believed
    key          signs what we ask, where the zone has a key
    """

    zone_id: str
    name: str
    primaries: tuple[str, ...]
    serial: int | None
    forced: bool
    asked: int
    notified_by: str | None = None
    key: TSIGKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundOutcome:
    """What came of a task.

    since    the task's `serial`: a zone that has moved on meanwhile takes nothing from this outcome
    primary  who answered, or who was asked last
    serial   what that primary says
    why      one line for a person, where something is wrong
    content  FETCHED: zlib over RRs in the form of `wire/rrset.py`, the SOA first, each once
    """

    zone_id: str
    asked: int
    since: int | None
    result: Result
    primary: str | None = None
    serial: int | None = None
    why: str | None = None
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """Where a SECONDARY zone stands with its primaries. Times in µs.

    due_at      when they are asked next
    forced      fetch then, whatever the serial says
    asked       how often a look was wished for
    attempts    looks in a row that failed; `error` says why the last one did
    loaded      a copy is there and has not expired: it may be served
    serial      of the primary that the copy is of; None: none was ever fetched
    expires_at  when the copy is too old, should no primary answer until then
    primary     who answered, or was asked, last
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


def endpoint(text: str) -> Endpoint:
    """A primary as users write it: `host`, `host:port`, an IPv6 address, `[IPv6]:port`. Port 53 where none is given.

    Raises ValueError saying how to write it.
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
    """Whether an IP address is that of a primary; one that is given as a host name never is."""
    try:
        return ipaddress.ip_address(address) == ipaddress.ip_address(endpoint(primary).host)
    except ValueError:
        return False
