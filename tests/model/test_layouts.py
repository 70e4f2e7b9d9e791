# SPDX-License-Identifier: Apache-2.0
"""Record data from a primary, of types that users may not write so: what is right is kept, what is not is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.model.rdata import NEVER_IN_ZONES, layouts, mnemonic, parse, received
from tests.model.octets import OCTETS, parameter
from tests.model.texts import attempt

SIGNED = bytes.fromhex("00010802000002587f000000000000011234")


def naptr(regexp: bytes) -> bytes:
    """The rdata of a NAPTR record with this substitution."""
    return b"abcd\1u\0" + bytes((len(regexp),)) + regexp + b"\0"


RIGHT: tuple[tuple[int, bytes], ...] = (
    (20, b"\x03123\0"), (25, b"\xc0\0\3\5"), (42, b""), (43, b"\0\1\x0d\2" + bytes(32)), (45, b"\1\0\2key"),
    (46, SIGNED + b"\7example\3org\0sig"), (47, b"\1b\0\0\1\x40"), (48, b"\1\1\3\x0dkey"),
    (50, b"\1\0\0\0\0\x14" + bytes(20)), (52, b"\3\1\1" + bytes(32)), (57, b"\0\0\3\1key"), (59, b"\0\0\0\0\0"),
    (65280, b""), (65281, b"\xc0\0"),
    *((35, naptr(regexp)) for regexp in (
        b"", b"axabai", b"!" + b"(x)" * 10 + rb"!\1\9!", b"!\xc3\xa9!\xe9!", b"!\t!\t!", b"!a{!!", b"!{x}!!",
        b"!]}!!", b"!a]!!", rb"!(a)\1!!", b"![[.a.]]!!", b"![[=a=]-]!!", b"!x!y!ii", b"!a)!!", b"!()!!", rb"!\!!!",
    )),
    *((64, b"\0\1\0" + parameters) for parameters in (
        b"", parameter(1, b"\2h2"), parameter(7, b"/{?dns}"), parameter(7, b"/q{?dns,x}"), parameter(7, b"/q?a{&dns}"),
        parameter(7, b"/\xc3\xa9{?dns}"), parameter(5, b"opaque"), parameter(8, b"x"), parameter(9, b""),
        parameter(7, b"/{dns:3,}"), parameter(7, b"/{dns:3,,x}"),
    )),
    (65, b"\0\1\0" + parameter(5, b"opaque") + parameter(7, b"/q{?dns,x}")),
)  # fmt: skip
WRONG: dict[str, tuple[int, bytes]] = {
    "WKS with a zero octet at its end": (11, b"abcd\6\1\0"),
    "X25 of letters": (19, b"\5a2345"),
    "ISDN of three strings": (20, b"\0\0\0"),
    "NSAP without data": (22, b""),
    "KEY without a key": (25, b"\0\0\3\5"),
    "GPOS of two strings": (27, b"\0\0"),
    "NXT with type 0": (30, b"\0\x80"),
    "NAPTR whose expression has no end": (35, b"abcd\1u\0\4!(a!\0"),
    "NAPTR with a NUL": (35, naptr(b"!a!\0!")),
    "NAPTR with two quantifiers": (35, naptr(b"!a*+!!")),
    "NAPTR whose groups are fewer than it names": (35, naptr(rb"!(a)!\2!")),
    "NAPTR with a range that is empty": (35, naptr(b"![b-a]!!")),
    "NAPTR with an empty bracket expression": (35, naptr(b"![]!!")),
    "CERT without a certificate": (37, b"\0\1\0\1\5"),
    "A6 of a prefix of 129 bits": (38, b"\x81\0"),
    "DS of half a digest": (43, b"\0\1\x0d\2" + bytes(16)),
    "DS without a digest": (43, b"\0\1\x0d\7"),
    "IPSECKEY without a key": (45, b"\1\1\2abcd"),
    "RRSIG without a signature": (46, SIGNED + b"\3org\0"),
    "RRSIG of a signer below its owner": (46, SIGNED + b"\1a\1b\1c\0sig"),
    "RRSIG of no type": (46, bytes(18) + b"\0sig"),
    "SIG(0)": (24, bytes(18) + b"\0sig"),
    "RRSIG whose signer is compressed": (46, SIGNED + b"\xc0\0sig"),
    "NSEC without types": (47, b"\0"),
    "DNSKEY without a key": (48, b"\1\1\3\x0d"),
    "DHCID without data": (49, b""),
    "NSEC3 of a short hash": (50, b"\1\0\0\0\0\1x"),
    "TLSA without data": (52, b"\3\1\1"),
    "HIP without a key": (55, b"\1\1\0\0x"),
    "RKEY with flags": (57, b"\0\1\3\1key"),
    "TALINK of one name": (58, b"\0"),
    "SVCB whose target is compressed": (64, b"\0\1\xc0\0"),
    "SVCB whose dohpath ends a list with an empty name": (64, b"\0\1\0" + parameter(7, b"/{dns:3,,}")),
    "SVCB whose dohpath has no variable": (64, b"\0\1\0\0\7\0\1/"),
    "SVCB whose dohpath is not UTF-8": (64, b"\0\1\0" + parameter(7, b"/\xe9{?dns}")),
    "SVCB with an unknown operator in dohpath": (64, b"\0\1\0" + parameter(7, b"/{=x}{?dns}")),
    "SVCB with an empty alpn": (64, b"\0\1\0" + parameter(1, b"")),
    "SVCB whose mandatory key is not there": (64, b"\0\1\0" + parameter(0, b"\0\3")),
    "HTTPS whose keys do not rise": (65, b"\0\1\0\0\3\0\2\0\1\0\3\0\2\0\1"),
    "LP whose target is compressed": (107, b"\0\1\xc0\0"),
    "DLV of half a digest": (32769, b"\0\1\x0d\2" + bytes(16)),
}


@pytest.mark.parametrize(("number", "octets"), RIGHT)
def test_well_formed_data_and_those_of_unknown_types_are_taken_as_they_are(number: int, octets: bytes) -> None:
    text = received(mnemonic(number), octets)
    assert text == f"\\# {len(octets)} {octets.hex()}".rstrip() or parse(mnemonic(number), text).wire == octets


@pytest.mark.parametrize(("number", "octets"), WRONG.values(), ids=WRONG)
def test_data_that_no_nameserver_loads_are_refused(number: int, octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w") as refusal:
        received(mnemonic(number), octets)
    assert str(refusal.value).isprintable()


@given(st.integers(1, 65534).filter(lambda number: number not in NEVER_IN_ZONES), st.binary(max_size=60))
def test_any_octets_of_any_type_are_taken_or_refused(number: int, octets: bytes) -> None:
    attempt(lambda: received(mnemonic(number), octets))


@given(st.sampled_from(sorted(OCTETS)).flatmap(lambda number: st.tuples(st.just(number), OCTETS[number])))
def test_nearly_right_octets_are_taken_or_refused(case: tuple[int, bytes]) -> None:
    attempt(lambda: received(mnemonic(case[0]), case[1]))


def test_every_layout_has_octets_that_are_right() -> None:
    assert {number for number in range(65536) if layouts.has(number)} == set(OCTETS)
