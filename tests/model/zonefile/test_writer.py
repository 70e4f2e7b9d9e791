# SPDX-License-Identifier: Apache-2.0
"""A zone's file is what any reader reads as the same records."""

from __future__ import annotations

from itertools import islice, repeat

import dns.rdataclass
import dns.rdatatype
import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.model import rdata
from redesignate.model.zonefile import Entry, gather, write
from redesignate.model.zonefile import writer as internals
from tests.model.texts import LEGAL
from tests.model.zonefile.texts import ZONE, owner

SOA = Entry(ZONE, "SOA", None, ("ns.example.org. h.example.org. 1 2 3 4 5",))


def test_the_form_is_the_published_one() -> None:
    entries = [SOA, Entry("*.Www.example.org.", "A", 5, ("192.0.2.1", "192.0.2.2"))]
    assert "".join(write(ZONE, 300, entries)) == (
        "$ORIGIN example.org.\n"
        "$TTL 300\n"
        "\n"
        "example.org. IN SOA ns.example.org. h.example.org. 1 2 3 4 5\n"
        "*.Www.example.org. 5 IN A 192.0.2.1\n"
        "*.Www.example.org. 5 IN A 192.0.2.2\n"
    )


@pytest.mark.parametrize(
    ("rrtype", "text", "written"),
    [
        ("TXT", "a;b(c", '"a;b(c"'),
        ("TXT", "", '""'),
        ("TXT", '"ü"', '"\\195\\188"'),
        ("TXT", "\\#", '"#"'),
        ("TXT", '"as typed; $x @ (y)"', '"as typed; $x @ (y)"'),
        ("TLSA", "3 1 1 (" + "aB" * 32 + ")", "3 1 1 " + "ab" * 32),
        ("CAA", "0 issue ca.example; x=y", '0 issue "ca.example; x=y"'),
        ("A", "\\# 4 0a000001", "\\# 4 0a000001"),
        ("CSYNC", "1 3 A", "\\# 9 000000010003000140"),
        ("TYPE65280", "\\# 0", "\\# 0"),
        ("URI", "1 2 https://x/", '1 2 "https://x/"'),
        ("HTTPS", "1 . ohttp", "\\# 7 00010000080000"),
        ("DS", "1 RSASHA256 2 " + "aB" * 32, "1 8 2 " + "ab" * 32),
    ],
)
def test_a_text_is_written_so_that_a_file_may_hold_it(rrtype: str, text: str, written: str) -> None:
    *_, line = "".join(write(ZONE, 1, [Entry(ZONE, rrtype, None, (text,))])).splitlines()
    assert line == f"example.org. IN {rrtype} {written}"


def test_a_large_zone_is_written_in_pieces_as_it_is_asked_for() -> None:
    endless = repeat(Entry("a.example.org.", "A", None, ("192.0.2.1",)))
    pieces = list(islice(write(ZONE, 1, endless), 3))
    assert all(60_000 < len(piece) < 70_000 for piece in pieces)


ENTRIES = st.lists(
    st.sampled_from(sorted(set(LEGAL) - {"SOA"})).flatmap(
        lambda rrtype: st.tuples(st.just(rrtype), LEGAL[rrtype], st.none() | st.integers(0, 2**31 - 1))
    ),
    max_size=12,
)


def entries_of(drawn: list[tuple[str, str, int | None]]) -> list[Entry]:
    """An RRset for each, at a name of its own."""
    return [
        Entry(f"{owner(rrtype, n)}.{ZONE}", rrtype, ttl, (rdata.parse(rrtype, text).text,))
        for n, (rrtype, text, ttl) in enumerate(drawn)
    ]


@settings(max_examples=150, deadline=None)
@given(ENTRIES)
def test_what_is_written_is_read_as_the_same_records(drawn: list[tuple[str, str, int | None]]) -> None:
    entries = entries_of(drawn)
    with gather(write(ZONE, 77, [SOA, *entries])) as content:
        again = {(one.name, one.rrtype): (one.ttl, [each.wire for each in one.records]) for one in content.rrsets()}
    assert again == {
        (one.name, one.rrtype): (77 if one.ttl is None else one.ttl, [rdata.parse(one.rrtype, one.records[0]).wire])
        for one in entries
    }


@settings(max_examples=60, deadline=None)
@given(ENTRIES)
def test_another_reader_reads_the_same_octets(drawn: list[tuple[str, str, int | None]]) -> None:
    entries = entries_of(drawn)
    text = "".join(write(ZONE, 77, [SOA, *entries]))
    zone = dns.zone.from_text(text, relativize=False, check_origin=False)
    for one in entries:
        (read,) = zone.find_rdataset(one.name, one.rrtype)
        assert read.to_wire() == rdata.parse(one.rrtype, one.records[0]).wire


@pytest.mark.parametrize("rrtype", sorted(LEGAL))
def test_a_text_that_is_kept_means_what_is_written_from_its_octets(rrtype: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(LEGAL[rrtype])
    def check(text: str) -> None:
        value = rdata.parse(rrtype, text)
        soa = SOA if rrtype != "SOA" else Entry(ZONE, "SOA", None, (value.text,))
        name = ZONE if rrtype == "SOA" else f"{owner(rrtype, 1)}.{ZONE}"
        head = "".join(write(ZONE, 1, [soa] if rrtype != "SOA" else []))
        written = internals._written(rrtype, value.text)  # the general way, of which the kept text is the fast one
        with gather([f"{head}{name} IN {rrtype} {written}\n"]) as content:
            wires = [one.records[0].wire for one in content.rrsets()]
            assert wires == [value.wire] if rrtype != "SOA" else content.soa.serial == int(value.text.split()[2])

    check()
