# SPDX-License-Identifier: Apache-2.0
"""What a master file says, statement by statement."""

from __future__ import annotations

import pytest

from redesignate.model.rdata.base import MAX_TEXT
from redesignate.model.zonefile import MAX_STATEMENT, ZoneFileError, read
from tests.model.zonefile.texts import HEAD, ZONE, cut, one, records, refused


def test_a_record_is_read_to_name_ttl_type_text_and_wire() -> None:
    (record,) = records("Www 300 IN MX 010 Mail\n")
    assert record[:4] == (4, "Www.example.org.", 300, "MX")
    assert record.rdata.text == "10 Mail.example.org."
    assert record.rdata.wire == b"\0\x0a\x04Mail\x07example\x03org\0"


@pytest.mark.parametrize(
    ("line", "name", "ttl", "rrtype", "text"),
    [
        ("@ NS ns", ZONE, 60, "NS", "ns.example.org."),
        (" A 192.0.2.1", ZONE, 60, "A", "192.0.2.1"),
        ("a 1h30m A 192.0.2.1", "a.example.org.", 5400, "A", "192.0.2.1"),
        ("a IN 1W1d2H3M4s a 192.0.2.1", "a.example.org.", 698584, "A", "192.0.2.1"),
        ("a 0 class1 A 192.0.2.1", "a.example.org.", 0, "A", "192.0.2.1"),
        ("*.a CNAME b.example.net.", "*.a.example.org.", 60, "CNAME", "b.example.net."),
        ("a.b. AAAA 2001:DB8::1", "a.b.", 60, "AAAA", "2001:DB8::1"),
        (r"a\.b\;\032c\046 A 192.0.2.1", r"a\.b\;\032c\..example.org.", 60, "A", "192.0.2.1"),
        (r"a\. A 192.0.2.1", r"a\..example.org.", 60, "A", "192.0.2.1"),
        ('a TXT one "two; (3)" \\"4\\; c="d e" f', "a.example.org.", 60, "TXT",
         '"one" "two; (3)" "\\"4\\;" "c=" "d e" "f"'),
        ("a TXT b$c@d ; comment", "a.example.org.", 60, "TXT", "b$c@d"),
        ('a TXT "ü\t\\195"', "a.example.org.", 60, "TXT", '"ü\t\\195"'),
        ('a TXT ""', "a.example.org.", 60, "TXT", '""'),
        ("a TYPE1 \\# 4 C0000201", "a.example.org.", 60, "A", "192.0.2.1"),
        ("a type65280 \\# 3 aB c1 02", "a.example.org.", 60, "TYPE65280", "\\# 3 aB c1 02"),
        ("a AFSDB 1 b", "a.example.org.", 60, "TYPE18", "\\# 17 00010162076578616d706c65036f726700"),
        ('a HTTPS 01 . alpn="h2,h3" port=443', "a.example.org.", 60, "HTTPS", '1 . alpn="h2,h3" port=443'),
        ("a DS 1 rsasha256 sha-256 (aa\n" + "bb" * 31 + ")", "a.example.org.", 60, "DS",
         "1 RSASHA256 2 aa " + "bb" * 31),
        ("a CERT pkix 1 rsasha256 AAAA", "a.example.org.", 60, "CERT", "PKIX 1 RSASHA256 AAAA"),
        ("a CAA 00 issue ca\\;x=1", "a.example.org.", 60, "CAA", '0 issue "ca\\;x=1"'),
        ('a NAPTR 1 2 s x "" .', "a.example.org.", 60, "NAPTR", '1 2 s x "" .'),
        ("a CSYNC 1 3 a ns", "a.example.org.", 60, "CSYNC", "1 3 A NS"),
        ("( a TXT\n\n ; comment )\n ( x ) )", "a.example.org.", 60, "TXT", "x"),
        ("a TXT(x)", "a.example.org.", 60, "TXT", "x"),
        ("a A 192.0.2.1\r", "a.example.org.", 60, "A", "192.0.2.1"),
    ],
)  # fmt: skip
def test_a_line_says(line: str, name: str, ttl: int, rrtype: str, text: str) -> None:
    assert one(line + "\n") == one(line) == (name, ttl, rrtype, text)


def test_the_soa_may_be_written_over_lines_with_units() -> None:
    (soa,) = read(["$ORIGIN example.org.\n@ SOA ns root ( 007 ; serial\n 1h 10M\r\n 1w\n\t5m )\n"])
    assert soa.rdata.text == "ns.example.org. root.example.org. 7 3600 600 604800 300"
    assert soa.ttl == 300


@pytest.mark.parametrize(
    ("head", "ttls"),
    [
        ("@ SOA ns h 1 2 3 4 5\na A 192.0.2.1\n", [5, 5]),
        ("@ 9 SOA ns h 1 2 3 4 5\na A 192.0.2.1\nb 7 A 192.0.2.1\nc A 192.0.2.1\n", [9, 9, 7, 7]),
        ("@ SOA ns h 1 2 3 4 5\na 8 A 192.0.2.1\nb A 192.0.2.1\n", [5, 8, 5]),
        ("$TTL 1m\n@ SOA ns h 1 2 3 4 5\na 8 A 192.0.2.1\nb A 192.0.2.1\n", [60, 8, 60]),
        ("@ 9 SOA ns h 1 2 3 4 5\n$TTL 7\na A 192.0.2.1\n$ttl 6\nb A 192.0.2.1\n", [9, 7, 6]),
    ],
)
def test_a_ttl_that_is_not_written_is_the_default_else_the_last_one_else_the_soas_minimum(
    head: str, ttls: list[int]
) -> None:
    assert [record.ttl for record in read([head], origin=ZONE)] == ttls


def test_origin_may_come_again_and_be_relative() -> None:
    found = records(
        "$ORIGIN b.a\nx A 192.0.2.1\n A 192.0.2.2\n$ORIGIN .\nc.org MX 1 d.org\n$origin c.org\n A 192.0.2.3\n"
    )
    assert [record.name for record in found] == ["x.b.a.example.org.", "x.b.a.example.org.", "c.org.", "c.org."]
    assert found[2].rdata.text == "1 d.org."


def test_generate_counts() -> None:
    found = records("a A 192.0.2.9\n$GENERATE 1-5/2 h${0,3,d} 7 IN A 192.0.2.$\n A 192.0.2.8\n")
    assert [(record.name, record.ttl, record.rdata.text, record.line) for record in found[1:]] == [
        ("h001.example.org.", 7, "192.0.2.1", 5),
        ("h003.example.org.", 7, "192.0.2.3", 5),
        ("h005.example.org.", 7, "192.0.2.5", 5),
        ("a.example.org.", 60, "192.0.2.8", 6),
    ]
    (mx,) = records('$GENERATE 31-31 ${-1}\\$${0,0,x} MX "${-21} m${0,4,N}"\n')
    assert (mx.name, mx.rdata.text) == ("30\\$1f.example.org.", "10 mF.1.example.org.")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("$INCLUDE /etc/passwd", "line 4: $INCLUDE is not allowed: a file sent here cannot name a file of the server"),
        ("$FOO 1", "'$FOO' is not a directive; there are $ORIGIN, $TTL and $GENERATE"),
        ("$TTL", "$TTL takes one argument, not 0"),
        ("$TTL 1 2", "$TTL takes one argument, not 2"),
        ("$TTL 1y", "'1y' is not a time; write seconds, or numbers with the units w, d, h, m, s"),
        ("$TTL 2147483648", "'2147483648' is longer than 2147483647 seconds"),
        ("$ORIGIN a..b", "has an empty label"),
        ("a", "the line ends before the record's type; a record is: name TTL IN type data"),
        ("a 5 IN", "the line ends before the record's type"),
        ("a A", "there is no data after the type A"),
        ("a A 192.0.2.256", "A: '192.0.2.256' is not an IPv4 address"),
        ("a A 192.0.2.1 b", "A: '192.0.2.1 b' is not an IPv4 address"),
        ("a MX 1 2 b", "MX: 3 fields found; write preference exchanger."),
        ("a MX b", "MX: 1 field found; write preference exchanger."),
        ("a 5 5 A 192.0.2.1", "'5' is not a record type; a record is: name TTL IN type data"),
        ("a IN IN A 192.0.2.1", "'IN' is not a record type"),
        ("a FOO bar", "'FOO' is not a record type"),
        ("a TYPE65536 \\# 0", "'TYPE65536' is not a record type"),
        ("a CH TXT x", "class 'CH' is not served; write IN, or leave the class out"),
        ("a CLASS3 TXT x", "class 'CLASS3' is not served"),
        ("a AXFR x", "TYPE252 is a query or meta type"),
        ("a RRSIG A 8 2 60 1 1 1 a. AAAA", "TYPE46 is generated by DNSSEC signing"),
        ("a A \\# 4 0a0001", "the data has 3 octets, not 4"),
        ("a A \\# 5 0a00010203", "an IPv4 address has 4 octets, not 5"),
        ("a TYPE65280 abc", "can be written as \\# length octets (RFC 3597)"),
        ("a AFSDB x y z", "can be written as \\# length octets (RFC 3597)"),
        ('a TXT "b', 'the quote at character 7 has no other on its line; write one that is meant as such as \\"'),
        ("a TXT b\\", "the backslash at the end of the line has nothing to escape"),
        ("a TXT x)", "the ) at character 8 has no ( before it"),
        ("a TXT (x\n b", "line 4: a parenthesis that opens in this statement is not closed before the file ends"),
        ("a TXT x\0y", "line 4: character 8 is a control character (U+0000)"),
        ("a TXT x\ry", "character 8 is a control character (U+000D)"),
        ("bücher A 192.0.2.1", "the name 'bücher.example.org.' is not ASCII; write its labels as A-labels (xn--…)"),
        ("a CNAME bücher", "CNAME: the name 'bücher.example.org.' is not ASCII"),
        ("a URI 1 2 https://x/", "URI: 'https://x/' needs double quotes"),
        ("a CNAME b*c", "has a label that is not made of letters"),
        ("$GENERATE 1-2 a A", "write $GENERATE start-stop[/step] name [TTL] [IN] type data"),
        ("$GENERATE 2-1 a$ A 192.0.2.$", "'2-1' is not a range"),
        ("$GENERATE 1-2/0 a$ A 192.0.2.$", "'1-2/0' is not a range"),
        ("$GENERATE 0-65536 a$ TXT $", "the range stands for 65537 records; at most 65536 are allowed"),
        ("$GENERATE 0-1 a${x} TXT $", "${ begins no modifier"),
        ("$GENERATE 0-1 a${-1} TXT $", "${-1} is negative for 0; write an offset of at least -0"),
        ("$GENERATE 254-300 a$ A 192.0.2.$", "A: '192.0.2.256' is not an IPv4 address"),
    ],
)
def test_a_line_is_refused_with_its_number_and_the_reason(line: str, why: str) -> None:
    error = refused(line + "\n")
    assert why in str(error)
    assert error.line == 4
    assert str(error).isprintable()


def test_the_line_is_that_where_the_statement_begins() -> None:
    assert refused("a TXT (x\n\n y )\nb TXT (\n z ) w\n\n c MX 1\n").line == 10
    assert refused("a TXT (x\n\n y\0 )\n").line == 6


def test_octets_that_are_not_utf_8_are_refused_with_line_and_place() -> None:
    error = refused(b'a TXT x\nb TXT "gr\xfcn"\n')
    assert str(error) == ("line 5: octet 10 (0xFC) is not UTF-8; save the file as UTF-8, or write the octet as \\252")
    assert "not UTF-8" in str(refused("a TXT \ud800\n".encode("utf-8", "surrogatepass")))


def test_a_record_without_name_needs_one_before_it() -> None:
    with pytest.raises(ZoneFileError, match="takes that of the record before it, and there is none"):
        list(read(["$TTL 5\n A 192.0.2.1\n"], origin=ZONE))


def test_without_any_ttl_the_first_record_is_refused() -> None:
    with pytest.raises(ZoneFileError, match="line 1: no TTL is known for the record; write one, or put \\$TTL before"):
        list(read(["a A 192.0.2.1\n@ SOA ns h 1 2 3 4 5\n"], origin=ZONE))


ENDLESS = {
    "line": "x",
    "comment": ";",
    "blank line between parentheses": "(\n" + "\n" * 99_998,
    "parentheses": "(",
    "words": "a " * 50_000,
    "quoted string": '"' + "x" * 99_999,
}


@pytest.mark.parametrize("piece", ENDLESS.values(), ids=ENDLESS.keys())
def test_what_has_no_end_is_refused_in_bounded_memory(piece: str) -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        yield HEAD + "a TXT ("
        while True:
            yield piece * (100_000 // len(piece))
            taken += 1

    with pytest.raises(ZoneFileError, match="line 4: "):
        list(read(endless()))  # type: ignore[arg-type]  # an iterator that never ends
    assert taken * 100_000 < 8 * MAX_STATEMENT


def test_the_longest_record_fits_in_a_statement() -> None:
    wire = records(f"a TYPE65280 \\# 64000 ({'00 ' * 64_000})\n")[0].rdata.wire
    assert len(wire) == 64_000
    longest = " ".join(['"' + "\\001" * 255 + '"'] * 250)
    assert len(longest) < MAX_TEXT
    assert len(records(f"a TXT {longest}\n")[0].rdata.wire) == 64_000


def test_a_file_may_come_in_pieces_of_any_size_and_kind() -> None:
    text = HEAD + "".join(f'h{n} TXT "ü{n}" ( x ) ; ü\r\n' for n in range(3000))
    wanted = list(read([text]))
    assert len(wanted) == 3001
    octets = text.encode()
    for pieces in (cut(octets, [1]), cut(octets, [7, 65536, 0, 100_000, 3]), octets.splitlines(keepends=True)):
        assert list(read(pieces)) == wanted
    assert list(read(text.splitlines(keepends=True))) == wanted
