# SPDX-License-Identifier: Apache-2.0
"""Names: forms, limits, order, and which of them may stand where."""

from __future__ import annotations

from itertools import pairwise

import dns.exception
import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.model import names
from tests.model.texts import ascii_host, attempt, host, odd_name

LONGEST = ".".join(["l" * 63] * 3 + ["m" * 61]) + "."


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Example.ORG.", "example.org."),
        ("Bücher.Example.", "xn--bcher-kva.example."),
        ("faß.example.", "xn--fa-hia.example."),
        ("例え。テスト。", "xn--r8jz45g.xn--zckzah."),
        ("ｗｗｗ.example.", "www.example."),
        ("_dmarc.bücher.example.", "_dmarc.xn--bcher-kva.example."),
        ("*.bücher.example.", "*.xn--bcher-kva.example."),
        ("XN--BCHER-KVA.example.", "xn--bcher-kva.example."),
        ("\\087WW.example.", "www.example."),
        ("a\\.b.example.", "a\\.b.example."),
        ("a\\032b.example.", "a\\032b.example."),
        (".", "."),
        (LONGEST, LONGEST),
    ],
)
def test_a_name_has_one_form(text: str, form: str) -> None:
    assert names.canonical(text) == form
    assert names.canonical(form) == form


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("www.example.org", "Domain www.example.org does not end with a dot"),
        ("example.org\\.", "does not end with a dot"),
        ("", "is empty"),
        ("..", "empty label"),
        (".example.", "empty label"),
        ("a..b.", "empty label"),
        ("l" * 64 + ".", "at most 63 are allowed"),
        ("é" * 63 + ".", "is not a name of IDNA 2008"),
        (".".join(["l" * 63] * 3 + ["m" * 62]) + ".", "at most 255 octets are allowed"),
        ("x" * 5000, "too long"),
        ("a b.", "must be written as"),
        ("a\tb.", "must be written as"),
        ("a\n.", "must be written as"),
        ("a.\n", "does not end with a dot"),
        ("a;b.", "must be written as"),
        ("a\\256.", "is not an escape"),
        ("a\\1.", "is not an escape"),
        ("☃.example.", "is not a name of IDNA 2008"),
        ("bü\\.cher.example.", "mixes escapes"),
        ("-ü.example.", "is not a name of IDNA 2008"),
        ("\ud800.", "is not a name of IDNA 2008"),
        ("\u200b.example.", "is not a name of IDNA 2008|empty label"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(names.InvalidName, match=why) as refusal:
        names.canonical(text)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    "name",
    ["example.org.", "a.", "_tcp.example.org.", "a_b.c-d.example.", "1.2.3.4.", "0/25.2.0.192.in-addr.arpa.", LONGEST],
)
def test_a_zone_may_have_this_name(name: str) -> None:
    assert names.check_zone_name(name) == name
    assert names.check_host(name) == name
    assert names.check_rrset_name(name, "A") == name


@pytest.mark.parametrize(
    "name",
    [".", "*.example.org.", "*.", "a.*.example.", "-a.example.", "a-.example.", "a/b.example.", "a\\.b.example.",
     "/a.in-addr.arpa.", "a/.in-addr.arpa.", "0/25.2.0.192.in-addr.arpa.example.", "a+b.example.", "a\\010.example."],
)  # fmt: skip
def test_neither_zone_nor_target_may_have_this_name(name: str) -> None:
    for check in (names.check_zone_name, names.check_host, names.host):
        with pytest.raises(names.InvalidName):
            check(name)


@pytest.mark.parametrize(
    ("name", "rrtype"),
    [
        ("*.example.org.", "A"),
        ("*.Example.org.", "CNAME"),
        ("*.0/25.2.0.192.in-addr.arpa.", "PTR"),
        ("_sip._udp.example.org.", "SRV"),
        ("_sip-x._u_.example.", "SRV"),
        ("_443._tcp.example.org.", "TLSA"),
        ("_65535._UDP.example.org.", "TLSA"),
        ("_0._tcp.example.org.", "TLSA"),
        ("www.example.org.", "NS"),
        ("bücher.example.", "TXT"),
    ],
)
def test_an_rrset_may_have_this_name(name: str, rrtype: str) -> None:
    assert names.check_rrset_name(name, rrtype) == names.canonical(name)


@pytest.mark.parametrize(
    ("name", "rrtype"),
    [
        ("*.", "A"),
        (".", "A"),
        ("a.*.example.", "A"),
        ("*a.example.", "A"),
        ("*.*.example.", "A"),
        ("*.example.org.", "NS"),
        ("sip.example.org.", "SRV"),
        ("_sip.udp.example.org.", "SRV"),
        ("_sip._udp.", "SRV"),
        ("_._udp.example.org.", "SRV"),
        ("*._udp.example.org.", "SRV"),
        ("_65536._tcp.example.org.", "TLSA"),
        ("_x._tcp.example.org.", "TLSA"),
        ("_443._t0.example.org.", "TLSA"),
        ("443._tcp.example.org.", "TLSA"),
        ("*._tcp.example.org.", "TLSA"),
        ("www.example.org", "A"),
    ],
)
def test_no_rrset_of_the_type_may_have_this_name(name: str, rrtype: str) -> None:
    with pytest.raises(names.InvalidName):
        names.check_rrset_name(name, rrtype)


def test_parts_of_a_name() -> None:
    assert names.labels("www.example.org.") == ["www", "example", "org"]
    assert names.labels(".") == []
    assert names.labels("a\\.b.\\\\.c\\000.") == ["a\\.b", "\\\\", "c\\000"]
    assert names.parent("www.example.org.") == "example.org."
    assert names.parent("a\\.b.org.") == "org."
    assert names.parent("org.") == names.parent(".") == "."
    assert names.ancestors("www.example.org.") == ["www.example.org.", "example.org.", "org."]
    assert names.ancestors(".") == []
    assert names.reverse_key("www.example.org.") == "org.example.www."
    assert names.reverse_key("a\\.b.org.") == "org.a\\.b."
    assert names.reverse_key(".") == "."


def test_below_means_at_whole_labels() -> None:
    assert names.is_below("example.org.", "example.org.")
    assert names.is_below("a.b.example.org.", "example.org.")
    assert names.is_below("org.", ".")
    assert not names.is_below("badexample.org.", "example.org.")
    assert not names.is_below("org.", "example.org.")
    assert not names.is_below("x\\.example.org.", "example.org.")


@pytest.mark.parametrize("text", ["", "a", "a..", "l" * 64 + ".", "é.", "a b.", "a\n.", "a\\", "a" * 300 + "."])
def test_no_wire_form_of_what_is_no_name(text: str) -> None:
    with pytest.raises(names.InvalidName):
        names.to_wire(text if text != "é." else "\u2603.")


@pytest.mark.parametrize(
    "wire",
    [b"", b"\x01", b"\x01a", b"\x03ab\0", b"\xc0\x0c", b"\x40" + b"a" * 64 + b"\0", (b"\x3f" + b"l" * 63) * 4 + b"\0"],
)
def test_a_malformed_wire_form_is_refused(wire: bytes) -> None:
    with pytest.raises(names.InvalidName):
        names.from_wire(wire, 0)


@given(st.one_of(ascii_host, odd_name))
def test_a_name_has_the_wire_form_that_the_library_gives_it(text: str) -> None:
    wire = names.to_wire(text)
    assert wire == dns.name.from_text(text).to_wire()
    back, end = names.from_wire(b"??" + wire + b"!", 2)
    assert end == len(wire) + 2
    assert back == names.absolute(text)
    assert names.to_wire(back) == wire


@given(st.one_of(host, odd_name))
def test_the_canonical_form_is_stable_and_lower_case(text: str) -> None:
    form = names.canonical(text)
    assert names.canonical(form) == form
    assert form.isascii()
    assert names.to_wire(form) == names.to_wire(names.absolute(text)).lower()
    assert "".join(f"{label}." for label in names.labels(form)) == (form if form != "." else "")


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_refused_with_a_line(text: str) -> None:
    form = attempt(lambda: names.canonical(text))
    if isinstance(form, ValueError):
        assert isinstance(form, names.InvalidName)
        assert str(form).isprintable()
    else:
        assert names.from_wire(names.to_wire(form)) == (form, len(names.to_wire(form)))
        assert dns.name.from_text(form).to_wire() == names.to_wire(form)


@given(st.text("aA0-_*./\\ ;é", max_size=20))
def test_only_what_has_a_form_passes_a_check(text: str) -> None:
    for check in (names.check_zone_name, names.check_host, lambda t: names.check_rrset_name(t, "A")):
        try:
            form = check(text)
        except names.InvalidName:
            continue
        assert form == names.canonical(text)
        assert "\\" not in form


@given(st.lists(odd_name.map(names.canonical), min_size=2, max_size=8))
def test_all_below_a_name_share_the_prefix_of_its_reverse_key(found: list[str]) -> None:
    for name, zone in pairwise([*found, names.parent(found[-1])]):
        if zone != ".":
            below = names.to_wire(name).endswith(names.to_wire(zone)) and names.is_below(name, zone)
            assert names.is_below(name, zone) == names.reverse_key(name).startswith(names.reverse_key(zone))
            assert below == dns.name.from_text(name).is_subdomain(dns.name.from_text(zone))
        assert names.is_below(name, name)
        assert all(names.is_below(name, above) for above in names.ancestors(name))


@given(st.lists(odd_name.map(names.canonical), min_size=2, max_size=8), odd_name.map(names.canonical))
def test_order_keys_sort_as_the_names_do_and_lead_back_to_them(found: list[str], zone: str) -> None:
    """RFC 4034 §6.1, as dnspython compares names."""
    inside = [
        name + zone for name in found if len(names.to_wire(name)) + len(names.to_wire(zone)) < 256 and name != "."
    ]
    keys = {name: names.order_key(name, zone) for name in [*inside, zone] if zone != "."}
    assert sorted(keys, key=keys.__getitem__) == sorted(keys, key=dns.name.from_text)
    for name, key in keys.items():
        assert names.from_order_key(key, zone) == name
        assert len(key) <= 512
        for other, its in keys.items():
            assert its.startswith(key) == names.is_below(other, name)


def library_name(wire: bytes) -> bytes | None:
    """The wire form of the uncompressed name that dnspython finds; None where it finds none."""
    try:
        found, used = dns.name.from_wire(wire, 0)
    except (dns.exception.DNSException, IndexError):
        return None
    again = found.to_wire()
    return again if again is not None and len(again) == used else None


@given(st.one_of(st.binary(max_size=300), odd_name.map(names.to_wire), ascii_host.map(lambda t: names.to_wire(t)[:-1])))
def test_any_octets_are_a_name_exactly_if_the_library_says_so(wire: bytes) -> None:
    value = attempt(lambda: names.from_wire(wire))
    assert library_name(wire) == (None if isinstance(value, ValueError) else names.to_wire(value[0]))
