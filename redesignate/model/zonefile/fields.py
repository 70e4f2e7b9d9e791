# SPDX-License-Identifier: Apache-2.0
r"""The fields of a record in a master file, as `model/rdata` reads them.

A file may say more than an API: names relative to the origin, numbers with leading zeros, times with units, several
words as strings, mnemonics in any case, and any type's data as octets (`\# 4 0a000001`, RFC 3597 §5). What a record may
hold in the end is the type's to say.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from redesignate.model import names, rdata
from redesignate.model.limits import TTL_MAX
from redesignate.model.rdata import Rdata, generic
from redesignate.model.rdata.base import quote

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TIME = re.compile(r"[0-9]{1,10}|(?:[0-9]{1,10}[smhdw])+", re.IGNORECASE)
_PART = re.compile(r"([0-9]+)([smhdw]?)", re.IGNORECASE)
_NUMBERED = re.compile(r"TYPE(0|[1-9][0-9]{0,4})")
_OCTETS = "\\#"


@lru_cache(maxsize=512)  # files repeat a few; one that is refused, which may be long, is not kept
def seconds(text: str) -> int:
    """A TTL, or a time of the SOA: seconds, or numbers with units: "1h30m", "1W". Raises ValueError."""
    if len(text) > 63 or _TIME.fullmatch(text) is None:
        raise ValueError(f"{quote(text)} is not a time; write seconds, or numbers with the units w, d, h, m, s")
    found = sum(int(number) * _UNITS.get(unit.lower(), 1) for number, unit in _PART.findall(text))
    if found > TTL_MAX:
        raise ValueError(f"{quote(text)} is longer than {TTL_MAX} seconds (RFC 2181 §8)")
    return found


def absolute(token: str, origin: str) -> str:
    """A name as a file has it, made absolute, with the case as typed: `@` is the origin. Raises ValueError."""
    if token == "@":
        return origin
    if token[-1] != "." or _is_escaped(token):
        token = f"{token}.{origin}" if origin != "." else token + "."
    if not token.isascii():
        raise ValueError(
            f"the name {quote(token)} is not ASCII; write its labels as A-labels (xn--…) or its octets as \\DDD"
        )
    return names.absolute(token)


def _is_escaped(token: str) -> bool:
    """Whether the last character stands behind a backslash that counts."""
    head = token[:-1]
    return (len(head) - len(head.rstrip("\\"))) % 2 == 1


# -- types


@lru_cache(maxsize=512)
def type_of(token: str) -> str:
    """The type that a token names, in any case; one without a name here is TYPE and its number. Raises ValueError."""
    word = token.upper()
    found = _NUMBERED.fullmatch(word)
    if word in rdata.TYPES:
        return word
    if found is not None and int(found[1]) < 65536:
        rrtype = rdata.mnemonic(int(found[1]))
    elif (number := _known(word)) is not None:
        rrtype = rdata.mnemonic(number)
    else:
        raise ValueError(f"{quote(token)} is not a record type; a record is: name TTL IN type data")
    if rrtype not in rdata.TYPES:
        generic.check_number(rdata.number(rrtype))
    return rrtype


def _known(word: str) -> int | None:
    """The number of a type that only the library has a name for: AFSDB, RRSIG, ANY."""
    try:
        return int(dns.rdatatype.from_text(word))
    except (dns.exception.DNSException, ValueError):
        return None


def record(rrtype: str, tokens: list[str], origin: str) -> Rdata:
    """Parse the data of one record, given as the tokens after its type. Raises ValueError."""
    form = _FORMS.get(rrtype)
    if form is None or tokens[0] == _OCTETS:
        return _of_octets(rrtype, tokens, origin)
    return rdata.parse(rrtype, form(tokens, origin))


def _of_octets(rrtype: str, tokens: list[str], origin: str) -> Rdata:
    """RFC 3597 §5; of a type that has no form here also the one that the library reads."""
    if tokens[0] != _OCTETS:
        return rdata.parse(rrtype, _by_library(rdata.number(rrtype), tokens, origin))
    text = " ".join(tokens)
    if rrtype not in rdata.TYPES:
        return rdata.parse(rrtype, text)
    return rdata.from_wire(rrtype, generic.octets(text))


def _by_library(number: int, tokens: list[str], origin: str) -> str:
    rrtype = dns.rdatatype.RdataType.make(number)
    try:
        read = dns.rdata.from_text(
            dns.rdataclass.IN, rrtype, " ".join(tokens), origin=dns.name.from_text(origin), relativize=False
        )
        wire = read.to_wire() or b""
    except (dns.exception.DNSException, ValueError, OverflowError, struct.error) as error:
        raise ValueError(f"{error}; the data of such a type can be written as \\# length octets (RFC 3597)") from error
    return f"\\# {len(wire)} {wire.hex()}"


# -- forms: a function a field, the rest of the tokens as they are

Field = Callable[[str, str], str]
Form = Callable[[list[str], str], str]


def _as_is(token: str, _origin: str) -> str:
    return token


def _number(token: str, _origin: str) -> str:
    return token.lstrip("0") or "0" if token[0] == "0" and token.isdigit() else token


def _time(token: str, _origin: str) -> str:
    return str(seconds(token))


def _string(token: str, _origin: str) -> str:
    """Quoted where a backslash stands in it, for the types read escapes between quotes best."""
    return f'"{token}"' if "\\" in token and token[0] != '"' else token


def _quoted(token: str, _origin: str) -> str:
    if token[0] != '"':
        raise ValueError(f"{quote(token)} needs double quotes")
    return token


def _word(token: str, _origin: str) -> str:
    return token.upper()


def _digest(token: str, _origin: str) -> str:
    return {"SHA-1": "1", "SHA1": "1", "SHA-256": "2", "SHA256": "2", "SHA-384": "4", "SHA384": "4"}.get(
        token.upper(), _number(token, "")
    )


def _fields(*fields: Field, rest: Field = _as_is) -> Form:
    count = len(fields)

    def form(tokens: list[str], origin: str) -> str:
        found = [field(token, origin) for field, token in zip(fields, tokens, strict=False)]
        found += [rest(token, origin) for token in tokens[count:]]
        return " ".join(found)

    return form


def _plain(tokens: list[str], _origin: str) -> str:
    return tokens[0] if len(tokens) == 1 else " ".join(tokens)


def _strings(tokens: list[str], _origin: str) -> str:
    """TXT; a word may end in a quoted piece after an equals sign, which is a string of its own here."""
    if len(tokens) == 1 and tokens[0][0] == '"':
        return tokens[0]
    pieces = [piece for token in tokens for piece in _pieces(token)]
    if len(pieces) == 1 and "\\" not in pieces[0]:
        return pieces[0]
    return " ".join([piece if piece[0] == '"' else f'"{piece}"' for piece in pieces])


def _pieces(token: str) -> list[str]:
    if token[0] == '"' or token[-1] != '"' or _is_escaped(token):
        return [token]
    at = token.index('="') + 1
    return [token[:at], token[at:]]


_FORMS: Mapping[str, Form] = MappingProxyType({
    "A": _plain, "AAAA": _plain, "LOC": _plain, "OPENPGPKEY": _plain,
    "TXT": _strings, "SPF": _strings,
    "NS": _fields(absolute), "CNAME": _fields(absolute), "PTR": _fields(absolute), "DNAME": _fields(absolute),
    "MX": _fields(_number, absolute), "SRV": _fields(_number, _number, _number, absolute),
    "SOA": _fields(absolute, absolute, _number, _time, _time, _time, _time), "RP": _fields(absolute, absolute),
    "NAPTR": _fields(_number, _number, _string, _string, _string, absolute),
    "HINFO": _fields(_string, _string), "URI": _fields(_number, _number, _quoted),
    "CAA": _fields(_number, _as_is, _string), "SSHFP": _fields(_number, _number),
    "TLSA": _fields(_number, _number, _number), "SMIMEA": _fields(_number, _number, _number),
    "DS": _fields(_number, _word, _digest), "CERT": _fields(_word, _number, _word),
    "SVCB": _fields(_number, absolute), "HTTPS": _fields(_number, absolute),
    "CSYNC": _fields(_number, _number, rest=_word),
})  # fmt: skip
"""Every type of `rdata.TYPES`."""
