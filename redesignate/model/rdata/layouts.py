# SPDX-License-Identifier: Apache-2.0
"""The fields of types that only a primary sends, or of which a primary may send more than users may write.

A nameserver checks them when it transfers a zone, and refuses the zone where they are wrong. So each row says what
nameservers (BIND) ask for: no less, or one record would stop its zone, and no more where that is known, or a zone that
is served elsewhere could not be served here. Tests hold NAPTR, SVCB and HTTPS against BIND in both directions, the
other rows in the first. What is not in the table is checked by its type, by dnspython, or by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from redesignate.model.rdata import substitution, svcparams
from redesignate.model.rdata.base import Reader

NAME, STRING, STRINGS, DIGITS, DATA, REST, TYPES = -1, -2, -3, -4, -5, -6, -7
"""In a layout: an uncompressed name; a character-string, one or more of them, one of four digits and more; octets to
the end, at least one or also none; a bitmap of types (RFC 4034 §4.1.2). A number from 0: so many octets."""

LAYOUTS: Mapping[int, tuple[int, ...]] = MappingProxyType({
    3: (NAME,), 4: (NAME,), 7: (NAME,), 8: (NAME,), 9: (NAME,), 14: (NAME, NAME),  # MD MF MB MG MR MINFO (RFC 1035)
    19: (DIGITS,), 22: (DATA,), 23: (NAME,),  # X25 (RFC 1183), NSAP, NSAP-PTR (RFC 1706)
    27: (STRING, STRING, STRING), 31: (DATA,), 32: (DATA,),  # GPOS, EID, NIMLOC
    37: (5, DATA), 40: (3, REST),  # CERT (RFC 4398), SINK
    47: (NAME, TYPES), 49: (DATA,), 52: (3, DATA), 53: (3, DATA),  # NSEC, DHCID, TLSA, SMIMEA
    58: (NAME, NAME), 61: (DATA,), 67: (DATA,), 68: (DATA,),  # TALINK OPENPGPKEY HHIT BRID
    263: (STRINGS,), 264: (8,),  # CLA, IPN
})  # fmt: skip


def has(number: int) -> bool:
    """Whether `check` knows the type."""
    return number in LAYOUTS or number in _OTHERS


def check(number: int, wire: bytes) -> None:
    """Refuse data that are not in the layout of a type that has one here. Raises ValueError.

    Cost  2 µs
    """
    reader = Reader(wire)
    if number in _OTHERS:
        _OTHERS[number](reader)
    for field in LAYOUTS.get(number, ()):
        if field < 0:
            _FIELDS[field](reader)
        else:
            reader.take(field)
    reader.end()


def _strings(reader: Reader) -> None:
    reader.string()
    while reader.more():
        reader.string()


def _digits(reader: Reader) -> None:
    text = reader.string()
    if len(text) < 4 or not text.isdigit():
        raise ValueError("the address does not consist of four or more digits")


def _data(reader: Reader) -> None:
    if not reader.more():
        raise ValueError("the record data is cut short")
    reader.rest()


def _types(reader: Reader) -> None:
    last = -1
    if not reader.more():
        raise ValueError("the bitmap of types is empty")
    while reader.more():
        window, bits = reader.number(1), reader.string()
        if window <= last or not 0 < len(bits) <= 32 or bits[-1] == 0:
            raise ValueError("the bitmap of types is malformed")
        last = window


def _wks(reader: Reader) -> None:
    """RFC 1035 §3.4.2: an address, a protocol and a bit for each of 65,536 ports at most."""
    reader.take(5)
    bits = reader.rest()
    if len(bits) > 8192 or (bits and bits[-1] == 0):
        raise ValueError("the bitmap of ports is malformed")


def _key(reader: Reader) -> None:
    """RFC 4034 §2.1: flags, protocol, algorithm and key; one of a private algorithm begins with a name."""
    reader.take(3)
    _public(reader, reader.number(1))


def _sig(reader: Reader) -> None:
    """RFC 2535 §4.1; one that covers no type is SIG(0), which signs a message (RFC 2931)."""
    if reader.number(2) == 0:
        raise ValueError("SIG(0) is not a record of a zone")
    reader.take(16)
    reader.name()
    _data(reader)


def _isdn(reader: Reader) -> None:
    """RFC 1183 §3.2: an address, and a part of it, or none."""
    reader.string()
    if reader.more():
        reader.string()


def _atma(reader: Reader) -> None:
    """ATMA: format 1 is a number of digits, any other octets."""
    digits = reader.number(1) == 1
    address = reader.rest()
    if not address or (digits and not address.isdigit()):
        raise ValueError("the address is empty or not a number")


def _old_key(reader: Reader) -> None:
    """KEY, RFC 2535 §3.1.2: two of its flags say that there is no key."""
    flags, _, algorithm = reader.number(2), reader.take(1), reader.number(1)
    if flags & 0xC000 != 0xC000:
        _public(reader, algorithm)


def _rkey(reader: Reader) -> None:
    """RKEY: as DNSKEY, with flags that are 0."""
    if reader.number(2):
        raise ValueError("the flags are not 0")
    reader.take(2)
    _data(reader)


def _public(reader: Reader, algorithm: int) -> None:
    if algorithm == 253:
        reader.name()
        reader.rest()
    else:
        _data(reader)


def _digest(reader: Reader) -> None:
    """DS and its kin (RFC 4034 §5.1): key tag, algorithm, digest type, digest."""
    reader.take(3)
    wanted = {1: 20, 2: 32, 4: 48}.get(reader.number(1))
    if wanted is None:
        _data(reader)
    else:
        reader.take(wanted)


def _nxt(reader: Reader) -> None:
    """RFC 2535 §5.2: a name, and the types from 1 to 127 as bits."""
    reader.name()
    bits = reader.rest()
    if bits and (bits[0] & 0x80 or len(bits) > 16 or bits[-1] == 0):
        raise ValueError("the bitmap of types is malformed")


def _rrsig(reader: Reader) -> None:
    """RFC 4034 §3.1: type, algorithm, labels, 14 octets, signer, signature. The owner is at or below the signer."""
    covered, labels = reader.number(2), reader.take(16)[1]
    if covered == 0:
        raise ValueError("the signature covers no type")
    if _labels(reader) > labels:
        raise ValueError("the signer's name has more labels than the owner's")
    _data(reader)


def _labels(reader: Reader) -> int:
    """How many labels an uncompressed name has, which is passed."""
    wire, start = reader.wire, reader.at
    reader.name()
    count = 0
    while wire[start]:
        start += wire[start] + 1
        count += 1
    return count


def _nsec3(reader: Reader) -> None:
    """RFC 5155 §3.2: algorithm, flags, iterations, salt, the next owner's hash, a bitmap, which may be empty."""
    sha1, _, _ = reader.number(1) == 1, reader.take(3), reader.string()
    size = len(reader.string())
    if size == 0 or (sha1 and size != 20):
        raise ValueError(f"the hash of the next owner has {size} octets")
    if reader.more():
        _types(reader)


def _a6(reader: Reader) -> None:
    """RFC 2874 §3.1: the length of a prefix, the octets of the address after it, and the prefix's name."""
    prefix = reader.number(1)
    if prefix > 128:
        raise ValueError("the prefix is longer than 128 bits")
    suffix = reader.take((128 - prefix + 7) // 8)
    if suffix and suffix[0] >> 8 - prefix % 8:
        raise ValueError("the address has bits within its prefix")
    if prefix:
        reader.name()


def _naptr(reader: Reader) -> None:
    """RFC 3403 §4.1; a nameserver parses the regular expression."""
    reader.take(4)
    reader.string(), reader.string()
    substitution.check(reader.string())
    reader.name()


def _ipseckey(reader: Reader) -> None:
    """RFC 4025 §2: precedence, the gateway's type, algorithm, gateway, key."""
    reader.take(1)
    kind, _ = reader.number(1), reader.take(1)
    if kind > 3:
        raise ValueError("the type of the gateway is unknown")
    if kind == 3:
        reader.name()
    else:
        reader.take((0, 4, 16)[kind])
    _data(reader)


def _hip(reader: Reader) -> None:
    """RFC 8005 §5: lengths of the identity tag and the key, both, and names of servers."""
    tag, _, key = reader.number(1), reader.take(1), reader.number(2)
    if tag == 0 or key == 0:
        raise ValueError("the identity tag or the key is empty")
    reader.take(tag + key)
    while reader.more():
        reader.name()


def _svcb(reader: Reader) -> None:
    """RFC 9460 §2.2: priority, target, parameters by rising key."""
    reader.take(2)
    reader.name()
    params: dict[int, bytes] = {}
    last = -1
    while reader.more():
        key, value = reader.number(2), reader.take(reader.number(2))
        if key <= last:
            raise ValueError("the parameters are not in rising order")
        if key in _AS_BIND_READS:
            svcparams.decode(key, value)
        elif key == svcparams.KEYS["dohpath"]:
            svcparams.check_template(value)
        last, params[key] = key, value
    svcparams.check_together(params)


def _doa(reader: Reader) -> None:
    """DOA: enterprise, type, location, media type, data."""
    reader.take(9)
    reader.string()
    reader.rest()


_AS_BIND_READS = frozenset(
    svcparams.KEYS[key] for key in ("mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ipv6hint")
)
_FIELDS: dict[int, Callable[[Reader], object]] = {
    NAME: Reader.name, STRING: Reader.string, STRINGS: _strings, DIGITS: _digits, DATA: _data, REST: Reader.rest,
    TYPES: _types,
}  # fmt: skip
_OTHERS: dict[int, Callable[[Reader], None]] = {
    11: _wks, 20: _isdn, 24: _sig, 25: _old_key, 30: _nxt, 34: _atma, 35: _naptr, 38: _a6, 43: _digest, 45: _ipseckey,
    46: _rrsig, 48: _key, 50: _nsec3, 55: _hip, 57: _rkey, 59: _digest, 60: _key, 64: _svcb, 65: _svcb, 259: _doa,
    32768: _digest, 32769: _digest,
}  # fmt: skip
