# SPDX-License-Identifier: Apache-2.0
"""Resource record data: one value, two forms, and the written table of types.

A new type is a module that describes it and its line in `_ALL`. Everything else follows: the API accepts it, mdns
serves it, `docs/record-types.md` must name it. What needs an RRset's neighbours or its zone is central's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from redesignate.model.rdata import (
    address,
    caa,
    cert,
    csync,
    ds,
    generic,
    hinfo,
    hosts,
    layouts,
    loc,
    mx,
    naptr,
    openpgpkey,
    rp,
    soa,
    srv,
    sshfp,
    svcb,
    tlsa,
    txt,
    uri,
)
from redesignate.model.rdata.base import (
    BESIDE_CNAME,
    MAX_RDATA,
    MAX_TEXT,
    META,
    NEVER_IN_ZONES,
    Rdata,
    RecordType,
    joined,
    quote,
)

__all__ = [
    "BESIDE_CNAME",
    "CHECKED",
    "DEFAULT_SUPPORTED",
    "MAX_RDATA",
    "META",
    "NEVER_IN_ZONES",
    "TYPES",
    "Rdata",
    "RecordType",
    "check_entry",
    "from_wire",
    "is_supported",
    "key",
    "mnemonic",
    "number",
    "parse",
    "received",
    "same",
]

_ALL = (
    address.A,
    address.AAAA,
    hosts.CNAME,
    mx.MX,
    srv.SRV,
    txt.TXT,
    txt.SPF,
    hosts.NS,
    hosts.PTR,
    sshfp.SSHFP,
    soa.SOA,
    naptr.NAPTR,
    caa.CAA,
    cert.CERT,
    svcb.HTTPS,
    svcb.SVCB,
    tlsa.TLSA,
    ds.DS,
    hosts.DNAME,
    loc.LOC,
    uri.URI,
    openpgpkey.OPENPGPKEY,
    tlsa.SMIMEA,
    hinfo.HINFO,
    rp.RP,
    csync.CSYNC,
)

TYPES: Mapping[str, RecordType] = MappingProxyType({kind.name: kind for kind in _ALL})
"""Every type with a name of its own, by mnemonic."""

GENERIC = "TYPEnnn"
"""Stands in `supported_record_type` for all types that have no name here."""

DEFAULT_SUPPORTED: tuple[str, ...] = (*TYPES, GENERIC)
"""The default of the option `supported_record_type`, which can only narrow the table."""

_NUMBERS = {kind.number: kind.name for kind in _ALL}
_QUESTIONS = {"OPT": 41, "TKEY": 249, "TSIG": 250, "IXFR": 251, "AXFR": 252, "ANY": 255}
_NUMBERED = re.compile(r"TYPE(0|[1-9][0-9]{0,4})")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_BUT_TAB = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def parse(rrtype: str, text: str) -> Rdata:
    """Read one record's text, which stays as typed but for targets in Unicode, which become A-labels, and for line
    breaks between parentheses, which become spaces.

    Raises ValueError saying what is wrong and how to write it; for an unknown type as well.
    """
    kind = TYPES.get(rrtype) or generic.describe(number(rrtype))
    if kind.parentheses:
        text = joined(text)
    bad = (_CONTROL_BUT_TAB if kind.tabs else _CONTROL).search(text)
    if bad is not None:
        raise ValueError(f"character {bad.start() + 1} is a line break or control character (U+{ord(bad[0]):04X})")
    if len(text) > MAX_TEXT:
        raise ValueError(f"a record of {len(text)} characters is too long")
    rdata = kind.encode(text)
    if len(rdata.wire) > MAX_RDATA:
        raise ValueError(f"a record of {len(rdata.wire)} octets is too long; at most {MAX_RDATA} are allowed")
    return rdata


def from_wire(rrtype: str, wire: bytes) -> Rdata:
    """Read one record's uncompressed wire form; the text is fit for a zone file and parses to the same octets.

    Raises ValueError for what is malformed, and for what `parse` would not have let in.
    """
    kind = TYPES.get(rrtype) or generic.describe(number(rrtype))
    text = kind.decode(wire)
    if parse(rrtype, text).wire != wire:
        raise ValueError("the octets are not in the form that the record's text has")
    return Rdata(text, wire)


def received(rrtype: str, wire: bytes) -> str:
    r"""The text of a record that came from a primary, uncompressed: the type's own, or `\# length octets` (RFC 3597 §5)

    where it has none here or where users might not write it so, and a nameserver takes it all the same.
    Raises ValueError for what is malformed.
    """
    if rrtype in TYPES:
        kind = TYPES[rrtype].number
        if layouts.has(kind):  # users may write some that BIND refuses: NAPTR with the expression [], say
            layouts.check(kind, wire)
        try:
            return from_wire(rrtype, wire).text
        except ValueError:
            pass  # a name that our users may not have, say: whether it is well-formed is the next line's to tell
    return generic.received(number(rrtype), wire)


def key(rrtype: str, wire: bytes) -> bytes:
    """What two records of one type share when they are the same: names in lower case (RFC 4034 §6.2)."""
    kind = TYPES.get(rrtype)
    return wire if kind is None or kind.fold is None else kind.fold(wire)


def same(rrtype: str, a: Rdata, b: Rdata) -> bool:
    """Whether two records of one type say the same, however they are typed."""
    return key(rrtype, a.wire) == key(rrtype, b.wire)


CHECKED = frozenset({"HTTPS", "SVCB"})
"""Types of which `check_entry` refuses some records."""


def check_entry(name: str, rrtype: str, rdata: Rdata, alpn: Collection[str]) -> None:
    """Refuse what a user's record of a type in CHECKED may not say. Raises ValueError.

    alpn   ALPN ids that are allowed besides the registered ones; "*" stands for any. A misspelt id is a service that
           no client finds; records that come from elsewhere (a transfer) are not checked
    An SVCB record at a resolver's name has to say how to reach it (RFC 9461).
    """
    if rrtype == "SVCB":
        svcb.check_resolver(name, rdata.wire)
    if "*" not in alpn:
        svcb.check_alpn(rdata.wire, alpn)


def is_supported(rrtype: str, supported: Collection[str]) -> bool:
    """Whether users may have RRsets of this type, where `supported_record_type` lists these."""
    if rrtype in TYPES:
        return rrtype in supported
    try:
        generic.check_number(number(rrtype))
    except ValueError:
        return False
    # an operator may write the word in either case, as all of the list
    return rrtype in supported or GENERIC in supported or GENERIC.upper() in supported


def number(rrtype: str) -> int:
    """The type's number: "A" is 1, "TYPE65280" is 65280, and "AXFR" 252, though no record has it.

    Raises ValueError for an unknown mnemonic, and for TYPE1: a type has one name here, and that is A.
    """
    kind = TYPES.get(rrtype)
    if kind is not None:
        return kind.number
    if rrtype in _QUESTIONS:
        return _QUESTIONS[rrtype]
    found = _NUMBERED.fullmatch(rrtype)
    if found is None or int(found[1]) > 65535:
        raise ValueError(f"{quote(rrtype)} is not a record type; one without a name here is TYPE and its number")
    if int(found[1]) in _NUMBERS:
        raise ValueError(f"{rrtype} is written as {_NUMBERS[int(found[1])]}")
    return int(found[1])


def mnemonic(rrtype: int) -> str:
    """The type's name: 1 is "A", 65280 is "TYPE65280" (RFC 3597 §5). The inverse of `number`."""
    name = _NUMBERS.get(rrtype)
    return _NAMED_QUESTIONS.get(rrtype, f"TYPE{rrtype}") if name is None else name


_NAMED_QUESTIONS = {number: name for name, number in _QUESTIONS.items()}
