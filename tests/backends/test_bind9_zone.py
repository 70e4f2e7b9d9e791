# SPDX-License-Identifier: Apache-2.0
"""A zone in BIND's words, without a BIND: names as operands, file names, and which zones are ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.backends.bind9_zone import ShownZone, clause, file_name, ours, quoted, read_shown
from redesignate.backends.port import BackendZone
from redesignate.model.pool import Endpoint

ID, OTHER_ID = "0199c0de-0001-7000-8000-00000000000a", "0199c0de-0002-7000-8000-00000000000b"
ZONE = BackendZone(ID, "example.org.")


@pytest.mark.parametrize(
    ("name", "operand"),
    [
        ("example.org.", '"example.org"'),
        ('a"b.org.', '"a\\034b.org"'),
        ("a\\;b.org.", '"a\\059b.org"'),
        ("a\\010b.org.", '"a\\010b.org"'),
        ("a\nb.org.", '"a\\010b.org"'),
    ],
)
def test_a_name_becomes_one_quoted_operand(name: str, operand: str) -> None:
    assert quoted(name) == operand


def test_the_file_stays_in_its_folder_and_has_room_for_its_name() -> None:
    ident = OTHER_ID
    assert file_name(BackendZone(ident, "example.org.")) == f"slave.example.org.{ident}"
    assert "/" not in file_name(BackendZone(ident, "../../etc/passwd."))
    assert len(file_name(BackendZone(ident, "x" * 255))) < 256


@given(st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1, max_size=254), st.uuids())
def test_a_zone_that_we_added_is_ours_whatever_its_name_and_whichever_earlier_id_it_had(name: str, old: object) -> None:
    zone, before = BackendZone(ID, name + "."), BackendZone(str(old), name + ".")
    shown = read_shown(f'zone "x" {clause(before, [Endpoint("192.0.2.1", 5354)])};')
    assert ours(shown, zone)
    assert shown.primaries == {Endpoint("192.0.2.1", 5354)}


def test_a_zone_that_designate_added_is_ours() -> None:
    shown = read_shown(
        f'zone "Example.org" {{ type slave; masters {{ 192.0.2.1 port 53; }}; file "slave.example.org.{OTHER_ID}"; }};'
    )
    assert ours(shown, ZONE)
    long = BackendZone(ID, "a." * 120 + "org.")
    assert ours(ShownZone("slave", f"slave.{long.name}{OTHER_ID}"), long)


@pytest.mark.parametrize(
    "shown",
    [
        'zone "example.org" { type primary; file "db.example.org"; };',
        f'zone "example.org" {{ type primary; file "slave.example.org.{ID}"; }};',
        'zone "example.org" { type secondary; primaries { 192.0.2.1; }; file "slave.example.org."; };',
        'zone "example.org" { type secondary; primaries { 192.0.2.1; }; };',
        f'zone "example.org" {{ type secondary; file "slave.example.net.{ID}"; }};',
        f'zone "example.org" {{ type secondary; file "slaves/slave.example.org.{ID}"; }};',
        f'zone "example.org" {{ type secondary; file "slave.example.org.{ID}.bak"; }};',
        f'zone "example.org" {{ type secondary; file "slave.example.org.{ID[:-1]}"; }};',
        f'zone "example.org" {{ type static-stub; file "slave.example.org.{ID}"; }};',
        f'zone "a" {{ }}; zone "example.org" {{ type slave; file "slave.example.org.{ID}"; }};',
        'zone "example.org" {',
        "",
    ],
)
def test_a_zone_of_any_other_look_is_not_ours(shown: str) -> None:
    assert not ours(read_shown(shown), ZONE)


@given(st.text(max_size=200))
def test_any_text_that_is_shown_is_read_and_not_ours(shown: str) -> None:
    assert not ours(read_shown(shown), ZONE)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("masters { 192.0.2.1 port 5354; 2001:db8::1; };", {("192.0.2.1", 5354), ("2001:db8::1", 53)}),
        ("primaries port 5300 { 192.0.2.1; 192.0.2.2 port 53; };", {("192.0.2.1", 5300), ("192.0.2.2", 53)}),
        ('primaries { 192.0.2.1 key "k" tls ephemeral; };', {("192.0.2.1", 53)}),
        ("", set()),
    ],
)
def test_the_primaries_are_read_in_every_spelling(written: str, read: set[tuple[str, int]]) -> None:
    shown = read_shown(f'zone "example.org" {{ type slave; {written} }};')
    assert shown.primaries == {Endpoint(host, port) for host, port in read}
