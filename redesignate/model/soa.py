# SPDX-License-Identifier: Apache-2.0
"""The fields of an SOA record, out of its octets; how a zone's row becomes one: `model/zone.py`, `wire/rrset.py`."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from redesignate.model import names

_TIMES = struct.Struct("!LLLLL")


@dataclass(frozen=True, slots=True, kw_only=True)
class SOAData:
    """The fields of an SOA record's rdata, names in it with their case. Times in seconds.

    email   None where RNAME is not the mailbox of a mail address: it could not be made again
    """

    mname: str
    email: str | None
    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int


def read_soa(rdata: bytes) -> SOAData:
    """Parse an SOA's uncompressed rdata (RFC 1035 §3.3.13). Raises ValueError."""
    mname, at = names.from_wire(rdata)
    _, end = names.from_wire(rdata, at)
    if len(rdata) - end != _TIMES.size:
        raise ValueError(f"{len(rdata) - end} octets after the names of an SOA, where {_TIMES.size} are expected")
    serial, refresh, retry, expire, minimum = _TIMES.unpack_from(rdata, end)
    return SOAData(
        mname=mname,
        email=_email(rdata[at:end]),
        serial=serial,
        refresh=refresh,
        retry=retry,
        expire=expire,
        minimum=minimum,
    )


def _email(mailbox: bytes) -> str | None:
    """The mailbox as the mail address of which `wire/rrset.py` makes these octets; None where there is none."""
    size = mailbox[0]
    local, domain = mailbox[1 : 1 + size], mailbox[1 + size :]
    if not local or not domain or domain == b"\0" or b"@" in mailbox or not local.isascii():
        return None
    text = local.decode("ascii")
    host = names.from_wire(domain)[0].rstrip(".")
    return f"{text}@{host}" if text.isprintable() and "\\" not in host else None
