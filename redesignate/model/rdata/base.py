# SPDX-License-Identifier: Apache-2.0
"""What all record types are made of: the value, the description of a type, and the readers of common fields.

No type stands here. Text is one line: fields separated by exactly one space, no comments, no parentheses (RFC 1035
§5.1 has both; in a field of an API they could only hide something). It is kept as typed, for clients compare what they
sent with what they read; so it is not text for a zone file: that is what `decode` makes of the wire form.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

from redesignate.model import names

MAX_RDATA = 64_000
"""A record must fit into one message of 65,535 octets, with the question, its owner's name and a TSIG beside it;
a longer one could be stored and never be transferred."""

MAX_TEXT = 4 * MAX_RDATA + 8_000
"""The longest text that can stand for so much wire: every octet as an escape, and the quotes."""


META = range(128, 256)
"""Numbers of types that only questions and messages have (RFC 6895 §3.1)."""
NEVER_IN_ZONES = frozenset({0, 41, 65535, *META})
"""Numbers of types that no zone holds: these, OPT, and those that are reserved (RFC 6895 §3.1)."""
BESIDE_CNAME = frozenset({24, 25, 30, 46, 47})
"""SIG, KEY, NXT, RRSIG, NSEC: the types that a name with a CNAME may have too (RFC 2181 §10.1, RFC 4035 §2.5)."""


@dataclass(frozen=True, slots=True)
class Rdata:
    """The data of one record.

    text   presentation form, as the user typed it, names in it as A-labels (RFC 1035 §5.1)
    wire   uncompressed wire form, at most MAX_RDATA octets
    """

    text: str
    wire: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """One record type.

    name number rfc   mnemonic, type number, where it is specified
    usage             the fields in order, for messages and for the page
    examples          texts that are right
    encode            text → value; raises ValueError
    decode            wire form → its zone-file text; raises ValueError
    fold              wire form → the one that duplicates share: names lower-case (RFC 4034 §6.2); None: as it is
    tabs              whether a raw tab may stand between quotes
    parentheses       whether one pair may stand around the last field, with line breaks between them
    """

    name: str
    number: int
    rfc: str
    usage: str
    examples: tuple[str, ...]
    encode: Callable[[str], Rdata]
    decode: Callable[[bytes], str]
    fold: Callable[[bytes], bytes] | None = None
    tabs: bool = False
    parentheses: bool = False


# -- fields of a text


_BREAKS, _BLANKS = frozenset("\n\r\t"), re.compile(r"[ \t\r\n]+")
_INTEGER = re.compile(r"0|[1-9][0-9]{0,9}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def shown(text: str) -> str:
    """A piece of a text as it may stand in a one-line message; an empty one as a word, or it would not be seen."""
    if not text:
        return "an empty text"
    return "".join(c if c.isprintable() else f"\\{ord(c):03d}" for c in text[:80]) + ("…" if len(text) > 80 else "")


def quote(text: str) -> str:
    """A piece of a text as `shown`, in quotes where it is not empty."""
    return f"'{shown(text)}'" if text else shown(text)


def joined(text: str) -> str:
    """The text with the lines between its first pair of parentheses on one line (RFC 1035 §5.1)."""
    head, opened, rest = text.partition("(")
    inner, closed, tail = rest.partition(")")
    if not closed or not _BREAKS.intersection(inner):
        return text
    return head + opened + _BLANKS.sub(" ", inner) + closed + tail


def fields(text: str, count: int, usage: str, *, rest: bool = False) -> list[str]:
    """The fields of a text; with `rest` there may be more than `count`. Raises ValueError."""
    found = text.split(" ")
    if "" in found:
        raise ValueError("put exactly one space between two fields and none before or after them")
    if len(found) < count or (len(found) > count and not rest):
        raise ValueError(f"{len(found)} field{'s' * (len(found) != 1)} found; write {usage}")
    return found


def integer(text: str, most: int, what: str) -> int:
    """A decimal number from 0, without sign and leading zeros. Raises ValueError."""
    if _INTEGER.fullmatch(text) is None or int(text) > most:
        raise ValueError(f"{what} {quote(text)} is not a number between 0 and {most}")
    return int(text)


def hexadecimal(pieces: Iterable[str], what: str) -> bytes:
    """Octets in hexadecimal, which may be separated by spaces. Raises ValueError."""
    text = "".join(pieces)
    if _HEX.fullmatch(text) is None:
        raise ValueError(f"{what} is not an even number of hexadecimal digits")
    return bytes.fromhex(text)


def base64(pieces: Iterable[str], what: str) -> bytes:
    """Octets in base64 (RFC 4648 §4), which may be separated by spaces. Raises ValueError."""
    text = "".join(pieces)
    if not text or _BASE64.fullmatch(text) is None:
        raise ValueError(f"{what} is not base64; its length is a multiple of four, padded with =")
    return binascii.a2b_base64(text)


def to_base64(octets: bytes) -> str:
    """Octets as base64 in one piece."""
    return binascii.b2a_base64(octets, newline=False).decode("ascii")


def target(text: str, *, root: bool = False) -> str:
    """A name that the record points to, as A-labels; `root` allows "." (there is none). Raises InvalidName."""
    return text if root and text == "." else names.host(text)


# -- character-strings (RFC 1035 §5.1, §3.3)


_TOKEN = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"|((?=[^"\s])[^"\\\s]*(?:\\[^\s][^"\\\s]*)*)')
_ESCAPE = re.compile(rb"\\(?:([0-9]{3})|(.))", re.DOTALL)
_QUOTED = [f"\\{chr(n)}" if chr(n) in '"\\' else chr(n) if 0x20 <= n < 0x7F else f"\\{n:03d}" for n in range(256)]


def tokens(text: str) -> list[str]:
    """Fields of a text in which some may be quoted, quotes kept. Raises ValueError."""
    found = []
    at = 0
    while at <= len(text):
        token = _TOKEN.match(text, at)
        if token is None or not token[0]:
            _complain(text, at)
        found.append(token[0])
        at = token.end()
        if at == len(text):
            break
        if text[at] != " ":
            _complain(text, at)
        at += 1
    return found


def _complain(text: str, at: int) -> NoReturn:
    if text[at : at + 1] == '"':
        raise ValueError('a quote is not paired; write an inner one as \\"')
    if text[at : at + 1] == "\\":
        raise ValueError("a backslash has nothing to escape; write it as \\\\")
    raise ValueError(
        "put exactly one space between two fields and none before or after them; quote one that has spaces"
    )


def octets(token: str) -> bytes:
    r"""What a token stands for: quotes taken off, `\X` and `\DDD` resolved, the rest as UTF-8. Raises ValueError."""
    if token[0] == '"':
        token = token[1:-1]
    raw = token.encode("utf-8")
    return _ESCAPE.sub(_resolve, raw) if b"\\" in raw else raw


def _resolve(escape: re.Match[bytes]) -> bytes:
    digits, char = escape.groups()
    if digits is None:
        if b"0" <= char <= b"9":
            raise ValueError(
                "a backslash before digits needs exactly three digits, \\000 to \\255; write a backslash as \\\\"
            )
        return char
    if int(digits) > 255:
        raise ValueError(f"\\{digits.decode('ascii')} is not an octet; the highest is \\255")
    return bytes((int(digits),))


def string(token: str, what: str = "a string") -> bytes:
    """A character-string's wire form: its length and its octets. Raises ValueError beyond 255 octets."""
    content = octets(token)
    if len(content) > 255:
        raise ValueError(
            f"{what} has {len(content)} octets; at most 255 are allowed: split it into several quoted strings"
        )
    return bytes((len(content),)) + content


def quoted(content: bytes) -> str:
    """Octets as a quoted token."""
    return '"' + "".join([_QUOTED[octet] for octet in content]) + '"'


# -- pieces of a wire form


class Reader:
    """Takes a wire form apart from front to back; every method raises ValueError where it is cut short."""

    def __init__(self, wire: bytes) -> None:
        self.wire = wire
        self.at = 0

    def number(self, size: int) -> int:
        """An unsigned integer of `size` octets."""
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        """The next octets."""
        end = self.at + size
        if end > len(self.wire):
            raise ValueError("the record data is cut short")
        piece = self.wire[self.at : end]
        self.at = end
        return piece

    def string(self) -> bytes:
        """A character-string's content."""
        return self.take(self.number(1))

    def name(self) -> str:
        """An uncompressed name, as text."""
        name, self.at = names.from_wire(self.wire, self.at)
        return name

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self.wire) - self.at)

    def more(self) -> bool:
        """Whether anything is left."""
        return self.at < len(self.wire)

    def end(self) -> None:
        """Nothing may be left."""
        if self.more():
            raise ValueError(f"{len(self.wire) - self.at} octets follow the record data")
