# SPDX-License-Identifier: Apache-2.0
"""Zone files for tests: a head, shorthands for what is read, and files drawn by Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from redesignate.model.zonefile import Found, Record, ZoneFileError, gather, read
from tests.model.texts import LEGAL

ZONE = "example.org."
HEAD = "$ORIGIN example.org.\n$TTL 60\n@ IN SOA ns first\\.last.example.net. 7 1h 10m 1W 5m\n"
Texts = st.SearchStrategy[str]


def records(text: str | bytes, *, head: str = HEAD) -> list[Record]:
    """The records after the head."""
    chunk = head.encode() + text if isinstance(text, bytes) else head + text
    return list(read([chunk]))[1 if head == HEAD else 0 :]


def one(text: str) -> tuple[str, int, str, str]:
    """Name, TTL, type and text of the one record that a line after the head makes."""
    ((_, name, ttl, rrtype, rdata),) = records(text)
    return name, ttl, rrtype, rdata.text


def refused(text: str | bytes, *, head: str = HEAD) -> ZoneFileError:
    """Why a file with these lines after the head is not a zone."""
    chunk = head.encode() + text if isinstance(text, bytes) else head + text
    try:
        with gather([chunk]) as content:
            list(content.rrsets())
    except ZoneFileError as error:
        return error
    raise AssertionError("it was read")


def found(text: str, *, head: str = HEAD, room: int = 2**20) -> list[Found]:
    """The RRsets of a file with these lines after the head."""
    with gather([head + text], room=room) as content:
        return list(content.rrsets())


def cut(text: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The octets in pieces of these sizes, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        pieces.append(text[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


# -- drawn files: each line is right by itself, and no two are of one name


_TYPES = sorted(set(LEGAL) - {"SOA"})
_OWNERS: dict[str, str] = {"SRV": "_s._tcp.", "TLSA": "_443._tcp."}
_BLANKS: Texts = st.sampled_from((" ", "\t", "  \t "))
_COMMENTS: Texts = st.sampled_from(("", "", "", ' ; a comment (with "odd" signs', "\t;"))
_PREFIXES: Texts = st.sampled_from(("", "IN ", "in ", "300 ", "1h30m IN ", "IN 1W ", "CLASS1 ", "0 "))


def owner(rrtype: str, number: int) -> str:
    """A name for the line of this number, as records of the type need it."""
    return f"{_OWNERS.get(rrtype, '')}r{number}"


@st.composite
def legal(draw: st.DrawFn) -> tuple[str, str]:
    """A type and a text of it that a zone file may hold as it is."""
    rrtype = draw(st.sampled_from(_TYPES))
    text = draw(LEGAL[rrtype].filter(_fits))
    return rrtype, text if rrtype != "URI" or ' "' in text else '10 1 "https://www.example.org/"'


def _fits(text: str) -> bool:
    """Names in Unicode and words with signs of their own are not for files, nor are line breaks."""
    quoted = '"' in text
    plain = text.isascii() and text.isprintable() and "ohttp" not in text  # BIND 9.18 does not know that key
    return bool(text) and plain and (quoted or not set(";()") & set(text))


@st.composite
def files(draw: st.DrawFn, size: int = 12) -> str:
    """A file that is right, as people write them."""
    lines = []
    for number, (rrtype, text) in enumerate(draw(st.lists(legal(), min_size=1, max_size=size))):
        blank, comment, prefix = draw(_BLANKS), draw(_COMMENTS), draw(_PREFIXES)
        break_ = draw(st.sampled_from((" ", "\n\t", " ; x\n  ", "\r\n ")))
        head = f"{owner(rrtype, number)}{blank}{prefix}{rrtype}{blank}"
        body = f"({break_}{text}\n )" if break_ != " " else text
        lines.append(f"{head}{body}{comment}{draw(st.sampled_from(('', chr(13))))}\n")
        if draw(st.booleans()):
            lines.append(draw(st.sampled_from(("\n", "   \n", "; only words\n", "$TTL 5m\n", " \t; blank\n"))))
    return "".join(lines)
