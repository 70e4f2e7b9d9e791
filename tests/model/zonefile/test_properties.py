# SPDX-License-Identifier: Apache-2.0
"""Any octets are read or refused with one line; a right file means one thing however it is written or cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import dns.zone
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redesignate.model.names import to_wire
from redesignate.model.rdata import mnemonic
from redesignate.model.zonefile import Record, ZoneFileError, gather, read
from redesignate.model.zonefile.lines import _gathered, statements
from tests.model.zonefile.texts import HEAD, ZONE, cut, files

_PIECES = st.sampled_from(
    ["a", "www", "@", ".", "*", " ", "  ", "\t", "\n", "\r\n", "\r", "\0", '"', "(", ")", ";", "\\", "\\000", "\\300",
     "$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE", "1-3", "${0,3,d}", "$", "IN", "CH", "1h", "300", "99999999999", "A",
     "192.0.2.1", "AAAA", "::1", "CNAME", "MX", "10", "TXT", "SOA", "ns h 1 2 3 4 5", "\\#", "4", "0a000001",
     "TYPE1", "TYPE65280", "RRSIG", "AFSDB", "LOC", "HTTPS", "alpn=\"h2\"", "ü", "\u2028", "example.org.", "\ud800"]
)  # fmt: skip
_LINES = st.lists(st.one_of(_PIECES, st.just(" "), st.just("\n")), max_size=60).map("".join)
ANY = st.one_of(
    st.binary(max_size=300),
    _LINES.map(lambda text: text.encode("utf-8", "surrogatepass")),
    _LINES.map(lambda text: HEAD.encode() + text.encode("utf-8", "surrogatepass")),
    st.text(max_size=200).map(lambda text: HEAD.encode() + text.encode("utf-8", "surrogatepass")),
)


def outcome(chunks: list[bytes]) -> tuple[object, ...]:
    """The RRsets of a file, or why it is none."""
    try:
        with gather(chunks, room=1000) as content:
            return content.zone, content.soa, list(content.rrsets())
    except ZoneFileError as error:
        return error.line, error.why


@settings(max_examples=700, deadline=None)
@given(ANY, st.lists(st.integers(1, 50), min_size=1, max_size=4))
@example(b"\xef\xbb\xbf$ORIGIN example.org.\n", [1])
@example(HEAD.encode() + b"a AFSDB 70000 b\n", [9])
@example(HEAD.encode() + b"a APL 1:192.168.32.0/99\n", [9])
@example(HEAD.encode() + b"a IPSECKEY ( \n ) 10 1 2 x y", [9])
def test_any_octets_are_read_or_refused_in_the_same_way_however_they_are_cut(octets: bytes, sizes: list[int]) -> None:
    whole = outcome([octets])
    assert outcome(cut(octets, sizes)) == whole
    if len(whole) == 2:
        assert str(whole[1]).isprintable()
        assert len(str(whole[1])) < 1000


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES.filter(lambda piece: piece.isascii()), max_size=12).map(" ".join))
def test_a_plain_line_has_the_tokens_that_the_general_way_finds(line: str) -> None:
    line = line.replace("\n", "").replace("\r", "")
    general = told(lambda: _gathered(1, line, iter(())))
    assert told(lambda: [token for _, _, tokens in statements([line]) for token in tokens]) == general


def told(read: Callable[[], list[str]]) -> list[str] | str:
    """The tokens, or why there are none."""
    try:
        return read()
    except ZoneFileError as error:
        return str(error)


def plain(record: Record) -> tuple[str, int, str, bytes]:
    """What a record says."""
    return record.name, record.ttl, record.rrtype, record.rdata.wire


@settings(max_examples=150, deadline=None)
@given(files(), st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_a_file_reads_as_dnspython_reads_it(text: str, sizes: list[int]) -> None:
    whole = HEAD + text
    ours = Counter(plain(record) for record in read(cut(whole.encode(), sizes)))
    # its lexer wants \n, and has no CLASS1
    theirs = dns.zone.from_text(
        whole.replace("\r", "").replace("CLASS1", "IN"), origin=ZONE, relativize=False, check_origin=False
    )
    other = Counter(
        (name.to_text(), ttl, mnemonic(int(one.rdtype)), one.to_wire()) for name, ttl, one in theirs.iterate_rdatas()
    )
    assert ours == other


@settings(max_examples=100, deadline=None)
@given(files(size=6))
def test_a_file_is_refused_where_any_of_its_lines_would_be(text: str) -> None:
    bad = outcome([(HEAD + text + "zz CNAME a..b\n").encode()])
    assert bad[0] == (HEAD + text).count("\n") + 1


def test_the_names_of_records_are_wire_names() -> None:
    for record in read([HEAD + r"a\000b.\255 A 192.0.2.1" + "\n"]):
        assert to_wire(record.name)
