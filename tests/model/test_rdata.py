# SPDX-License-Identifier: Apache-2.0
"""Record data: the vectors of every type, and what holds for all types."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from redesignate.model import rdata
from tests.model.texts import attempt
from tests.model.vectors import FOLDER, Vector, vectors

PAGE = Path(__file__).parents[2] / "docs" / "record-types.md"
GENERIC = "TYPE65280"
CASES = [(file.stem, vector) for file in sorted(FOLDER.glob("*.txt")) for vector in vectors(file.stem)]
RIGHT = [case for case in CASES if case[1].refused is None]
WRONG = [case for case in CASES if case[1].refused is not None]


def of(case: tuple[str, Vector]) -> str:
    return f"{case[0]}-{case[1].text[:30]!r}"


@pytest.mark.parametrize(("rrtype", "vector"), RIGHT, ids=map(of, RIGHT))
def test_a_right_text_has_this_wire_form(rrtype: str, vector: Vector) -> None:
    value = rdata.parse(rrtype, vector.text)
    assert value.wire == vector.wire
    assert value.text == (vector.text if vector.kept is None else vector.kept)
    assert rdata.from_wire(rrtype, value.wire).wire == vector.wire


@pytest.mark.parametrize(("rrtype", "vector"), WRONG, ids=map(of, WRONG))
def test_a_wrong_text_is_refused_with_the_reason(rrtype: str, vector: Vector) -> None:
    with pytest.raises(ValueError) as refusal:
        rdata.parse(rrtype, vector.text)
    assert (vector.refused or "") in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_every_type_has_vectors_and_a_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for rrtype, kind in rdata.TYPES.items():
        assert any(case[0] == rrtype and case[1].refused is None for case in CASES), f"no right text of {rrtype}"
        assert any(case[0] == rrtype and case[1].refused for case in CASES), f"no wrong text of {rrtype}"
        assert f"\n## {rrtype}\n" in page, f"{rrtype} is not in {PAGE.name}"
        section = page.partition(f"\n## {rrtype}\n")[2].partition("\n## ")[0]
        assert kind.rfc in section, f"{rrtype}: {PAGE.name} does not name {kind.rfc}"
        for example in kind.examples:
            assert f"\n    {example}\n" in section, f"{rrtype}: {PAGE.name} does not show {example}"


@pytest.mark.parametrize("rrtype", rdata.TYPES)
def test_the_examples_are_right(rrtype: str) -> None:
    for example in rdata.TYPES[rrtype].examples:
        assert rdata.parse(rrtype, example).text == example


@pytest.mark.parametrize("rrtype", [*rdata.TYPES, GENERIC])
@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x0b", "\x1b", "\x7f", "\x85", "\u2028", "\ud800"])
def test_no_control_character_is_ever_accepted(rrtype: str, character: str) -> None:
    kind = rdata.TYPES.get(rrtype)
    for example in kind.examples if kind else ("\\# 4 0a000001",):
        for at in range(len(example) + 1):
            with pytest.raises(ValueError, match=r"control character \(U\+"):
                rdata.parse(rrtype, example[:at] + character + example[at:])


def test_a_record_that_no_message_can_carry_is_refused() -> None:
    string = '"' + "x" * 255 + '"'
    assert len(rdata.parse("TXT", " ".join([string] * 250)).wire) == rdata.MAX_RDATA
    with pytest.raises(ValueError, match="64256 octets is too long"):
        rdata.parse("TXT", " ".join([string] * 251))
    with pytest.raises(ValueError, match="too long"):
        rdata.parse("TXT", '"' * 10_000_000)
    with pytest.raises(ValueError, match="too long"):
        rdata.parse("TYPE65280", f"\\# 65000 {'00' * 65000}")


def test_the_default_holds_the_published_list_and_the_new_types() -> None:
    published = "A AAAA CNAME MX SRV TXT SPF NS PTR SSHFP SOA NAPTR CAA CERT HTTPS SVCB TLSA"
    new = "DS DNAME LOC URI OPENPGPKEY SMIMEA HINFO RP CSYNC TYPEnnn"
    assert " ".join(rdata.DEFAULT_SUPPORTED) == f"{published} {new}"


def test_a_type_is_supported_where_the_list_has_it() -> None:
    assert rdata.is_supported("A", ["A"])
    assert not rdata.is_supported("AAAA", ["A"])
    assert rdata.is_supported("TYPE65280", rdata.DEFAULT_SUPPORTED)
    assert rdata.is_supported("TYPE65280", ["TYPE65280"])
    assert rdata.is_supported("TYPE65280", ["TYPENNN"])
    assert not rdata.is_supported("TYPE65281", ["TYPE65280"])
    for wrong in (
        "a",
        "TYPE1",
        "TYPE0",
        "TYPE41",
        "TYPE46",
        "TYPE255",
        "ANY",
        "TYPE65535",
        "TYPE01",
        "TYPEnnn",
        "",
        "X",
    ):
        assert not rdata.is_supported(wrong, rdata.DEFAULT_SUPPORTED), wrong


def test_a_type_has_one_name() -> None:
    assert [rdata.number(name) for name in ("A", "CAA", "TYPE65280", "AXFR", "ANY")] == [1, 257, 65280, 252, 255]
    for number in range(65536):
        assert rdata.number(rdata.mnemonic(number)) == number
    with pytest.raises(ValueError, match="TYPE1 is written as A"):
        rdata.number("TYPE1")


@pytest.mark.parametrize("rrtype", ["TYPE65536", "TYPE01", "TYPE", "type65280", "ALIAS", "a", "", "A\n", "TYPE１"])
def test_what_is_no_type_is_refused(rrtype: str) -> None:
    with pytest.raises(ValueError, match="is not a record type"):
        rdata.parse(rrtype, "192.0.2.1")


@pytest.mark.parametrize("number", [0, 24, 25, 30, 41, 46, 47, 48, 50, 51, 59, 60, 63, 128, 249, 250, 251, 252, 255])
def test_types_of_questions_and_of_dnssec_are_not_for_users(number: int) -> None:
    with pytest.raises(ValueError, match=r"query or meta type|generated by DNSSEC"):
        rdata.parse(rdata.mnemonic(number), "\\# 0")


def test_the_octets_of_an_assigned_type_are_checked() -> None:
    assert rdata.parse("TYPE108", "\\# 6 00005e0053ff").wire == bytes.fromhex("00005e0053ff")
    with pytest.raises(ValueError, match="not data of EUI48"):
        rdata.parse("TYPE108", "\\# 5 00005e0053")
    with pytest.raises(ValueError, match="cannot be checked here"):
        rdata.parse("TYPE3", "\\# 1 00")


@pytest.mark.parametrize(
    ("rrtype", "one", "other", "alike"),
    [
        ("CNAME", "WWW.example.org.", "www.EXAMPLE.org.", True),
        ("MX", "10 A.example.", "10 a.example.", True),
        ("MX", "16705 a.", "24929 a.", False),
        ("SRV", "1 1 16705 a.", "1 1 24929 a.", False),
        ("SOA", "A. B. 1094795585 1 1 1 1", "a. b. 1094795585 1 1 1 1", True),
        ("SOA", "a. b. 1094795585 1 1 1 1", "a. b. 1633771873 1 1 1 1", False),
        ("NAPTR", '1 1 "U" "" "" A.', '1 1 "U" "" "" a.', True),
        ("NAPTR", '1 1 "U" "" "" a.', '1 1 "u" "" "" a.', False),
        ("TXT", '"a"', "a", True),
        ("TXT", '"A"', '"a"', False),
        ("AAAA", "2001:DB8::1", "2001:db8:0::1", True),
        ("CAA", "0 issue ca.example.net", '0 issue "ca.example.net"', True),
        ("SVCB", "1 A. port=1 alpn=h2", "1 A. alpn=h2 port=1", True),
        ("SVCB", "1 A.", "1 a.", False),
    ],
)
def test_records_are_the_same_when_their_wire_is_with_names_in_lower_case(
    rrtype: str, one: str, other: str, alike: bool
) -> None:
    assert rdata.same(rrtype, rdata.parse(rrtype, one), rdata.parse(rrtype, other)) is alike


@pytest.mark.parametrize(
    ("name", "text", "right"),
    [
        ("_dns.example.org.", "1 dns.example.org. alpn=dot", True),
        ("_dns.example.org.", "1 dns.example.org. alpn=h2 dohpath=/q{?dns}", True),
        ("_dns.example.org.", "0 dns.example.org.", True),
        ("_dns.example.org.", "1 dns.example.org.", False),
        ("_53._dns.example.org.", "1 dns.example.org. alpn=h2", False),
        ("_dnsx.example.org.", "1 dns.example.org.", True),
    ],
)
def test_a_resolver_must_say_how_it_speaks(name: str, text: str, right: bool) -> None:
    value = rdata.parse("SVCB", text)
    if right:
        rdata.check_entry(name, "SVCB", value, ["*"])
    else:
        with pytest.raises(ValueError, match="_dns"):
            rdata.check_entry(name, "SVCB", value, ["*"])


@pytest.mark.parametrize("rrtype", [*rdata.TYPES, GENERIC])
def test_wire_that_is_cut_short_or_goes_on_is_refused_or_means_something_else(rrtype: str) -> None:
    for vector in vectors(rrtype):
        if vector.wire is None:
            continue
        for wrong in (vector.wire[:-1], vector.wire + b"\0"):
            value = attempt(partial(rdata.from_wire, rrtype, wrong))
            if isinstance(value, ValueError):
                assert str(value).isprintable()
            else:
                assert value.wire == rdata.parse(rrtype, value.text).wire == wrong


@pytest.mark.parametrize("rrtype", [*rdata.TYPES, GENERIC])
def test_no_text_takes_more_than_linear_time(rrtype: str) -> None:
    """A quadratic reader needs minutes for these, and the test's time limit ends it."""
    hostile = [
        '"' * 200_000,
        "\\" * 200_001,
        "a." * 100_000,
        "1 " * 100_000,
        "3 1 1 " + " " * 200_000,
        '0 issue "a;' + "a= ; " * 30_000 + '"',
        '0 issue "' + " " * 60_000 + 'x"',
        '0 iodef "mailto:' + "a." * 60_000 + '"',
        '1 1 "U" "" "![a' + "-a" * 110 + '" .',
        '1 . dohpath="/' + "{" * 60_000 + '"',
        '1 . key9="' + "\\1" * 60_000,
        "\\# 5" + " 00" * 60_000 + "x",
    ]
    for text in hostile:
        assert isinstance(attempt(partial(rdata.parse, rrtype, text)), rdata.Rdata | ValueError)
