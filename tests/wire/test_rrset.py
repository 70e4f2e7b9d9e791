# SPDX-License-Identifier: Apache-2.0
"""RRsets as blobs: what is packed is what dnspython reads in a message about the zone."""

from __future__ import annotations

import contextlib

import dns.message
import dns.rdata
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from redesignate.model.names import to_wire, to_wire_of
from redesignate.model.rdata import number
from redesignate.model.soa import SOAData, read_soa
from redesignate.model.zone import Action, Status, Zone, ZoneType, rname, soa_text
from redesignate.wire import message, rrset
from redesignate.wire.message import Malformed

ZONE = "example.org."
LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_*", min_size=1, max_size=63)
OWNERS = st.lists(LABEL, max_size=3).map(lambda found: "".join(label + "." for label in found) + ZONE)
RDATAS = st.lists(st.binary(max_size=300), min_size=1, max_size=5)
TTLS = st.integers(0, 2**31 - 1)


def zone(**fields: object) -> Zone:
    """A zone's row, as much of it as an SOA needs."""
    given_fields = {
        "id": "z",
        "name": ZONE,
        "type": ZoneType.PRIMARY,
        "pool_id": "p",
        "project_id": None,
        "email": "first.last@example.org",
        "ttl": 3600,
        "serial": 2**32 - 1,
        "revision": 1,
        "confirmed": 1,
        "mname": "ns1.example.net.",
        "refresh": 1,
        "retry": 2,
        "expire": 3,
        "minimum": 4,
        "action": Action.NONE,
        "status": Status.ACTIVE,
        "version": 1,
        "created_at": 1,
    }
    return Zone(**(given_fields | fields))  # type: ignore[arg-type]


def in_message(blob: bytes, count: int, zone_name: str = ZONE) -> dns.message.Message:
    """A message about the zone with the blob as its answer, read by dnspython."""
    asked = message.question(to_wire(zone_name).lower(), message.AXFR)
    return dns.message.from_wire(message.build(1, message.QR, asked, ((count, blob),)), one_rr_per_rrset=True)


@given(OWNERS, st.one_of(st.none(), TTLS), RDATAS)
def test_a_packed_rrset_reads_as_what_it_was(name: str, ttl: int | None, rdatas: list[bytes]) -> None:
    blob = rrset.pack(ZONE, name, "TYPE65280", ttl, rdatas)
    read = in_message(blob, len(rdatas))
    assert [found.name.to_text() for found in read.answer] == [name] * len(rdatas)
    assert {found.ttl for found in read.answer} == {ttl or 0}
    assert [found[0].to_wire() for found in read.answer] == rdatas


@given(OWNERS, RDATAS, TTLS)
def test_split_parts_join_to_the_whole_and_retiming_changes_nothing_else(
    name: str, rdatas: list[bytes], ttl: int
) -> None:
    blob = rrset.pack(ZONE, name, "A", None, rdatas)
    parts = rrset.split(blob)
    assert len(parts) == len(rdatas)
    assert b"".join(parts) == blob
    retimed = rrset.retime(blob, ttl)
    assert retimed == rrset.pack(ZONE, name, "A", ttl, rdatas)
    assert rrset.retime(retimed, 0) == blob
    assert rrset.ready(blob, ttl) == (len(rdatas), retimed)
    assert rrset.ready(blob, None) == (len(rdatas), blob)
    rrtype, bodies = rrset.bodies(blob, ttl)
    assert rrtype == number("A")
    assert b"".join(rrset.owner(ZONE, name) + body for body in bodies) == retimed


def test_retiming_no_records_gives_no_records() -> None:
    assert rrset.retime(b"", 7) == b""


@given(st.binary(max_size=80), TTLS)
def test_any_octets_are_read_or_refused(blob: bytes, ttl: int) -> None:
    for read in (lambda: rrset.split(blob), lambda: rrset.retime(blob, ttl), lambda: rrset.bodies(blob, ttl)):
        with contextlib.suppress(Malformed):
            read()
    try:
        count, _ = rrset.ready(blob, ttl)
    except Malformed:
        return
    assert count == len(rrset.split(blob))


@given(OWNERS, RDATAS, st.data())
def test_a_cut_or_altered_blob_never_breaks_the_reader(name: str, rdatas: list[bytes], data: st.DataObject) -> None:
    blob = bytearray(rrset.pack(ZONE, name, "A", 5, rdatas))
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] = data.draw(st.integers(0, 255))
    cut = bytes(blob[: data.draw(st.integers(1, len(blob)))])
    try:
        count, again = rrset.ready(cut, 7)
    except Malformed:
        return
    assert len(rrset.split(again)) == count


FIXED = b"\0\1\0\1\0\0\0\5\0\4"


@pytest.mark.parametrize(
    "blob",
    [
        pytest.param(b"\x03www\0" + FIXED + b"1234", id="an owner that ends at the root"),
        pytest.param(b"\x03www\xc0\x0d" + FIXED + b"1234", id="an owner that points elsewhere"),
        pytest.param(b"\0\xc0\x0c" + FIXED + b"1234", id="a root label before the pointer"),
        pytest.param(b"\x43www\xc0\x0c" + FIXED + b"1234", id="a label of unknown kind"),
        pytest.param(b"\xc0\x0c" + FIXED + b"123", id="rdata cut short"),
        pytest.param(b"\xc0\x0c" + FIXED[:-1], id="fields cut short"),
        pytest.param(b"\xc0\x0c" + FIXED + b"1234" + b"\xc0", id="the second owner cut short"),
        pytest.param(b"\x03ww", id="an owner cut short"),
    ],
)
def test_a_malformed_blob_is_refused(blob: bytes) -> None:
    for read in (rrset.split, lambda it: rrset.ready(it, None), lambda it: rrset.retime(it, 7)):
        with pytest.raises(Malformed):
            read(blob)
    with pytest.raises(Malformed):
        rrset.bodies(b"", None)


def test_the_apex_is_the_bare_pointer() -> None:
    assert rrset.owner(ZONE, ZONE) == b"\xc0\x0c"
    assert rrset.owner(ZONE, "a.b.example.org.") == b"\x01a\x01b\xc0\x0c"


@pytest.mark.parametrize("name", ["example.com.", "xexample.org.", r"x\.example.org.", "org."])
def test_a_name_outside_the_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not in zone"):
        rrset.pack(ZONE, name, "A", None, [b"1234"])


def test_an_unknown_type_and_an_overlong_rdata_are_refused() -> None:
    with pytest.raises(ValueError):
        rrset.pack(ZONE, ZONE, "NOSUCH", None, [b""])
    with pytest.raises(ValueError, match="65535"):
        rrset.pack(ZONE, ZONE, "TXT", None, [b"x" * 65536])


def test_the_soa_is_that_of_its_text() -> None:
    row = zone()
    (read,) = in_message(rrset.soa(row), 1).answer
    assert read[0] == dns.rdata.from_text("IN", "SOA", soa_text(row))
    assert read.ttl == row.ttl
    assert rname(row.email) == read[0].rname.to_text()


@pytest.mark.parametrize("email", ["nobody", "@example.org", f"{'x' * 64}@example.org"])
def test_a_mail_address_that_fits_in_no_soa_is_refused(email: str) -> None:
    with pytest.raises(ValueError, match="mail address"):
        rrset.soa(zone(email=email))


LOCALS = st.text("abcXYZ019.-_+ ", min_size=1, max_size=63).filter(str.strip)
HOSTS = st.lists(LABEL.filter(lambda label: "*" not in label), min_size=1, max_size=3).map(".".join)
UINT32 = st.integers(0, 2**32 - 1)


@given(LOCALS, HOSTS, OWNERS, st.tuples(UINT32, UINT32, UINT32, UINT32, UINT32))
def test_a_packed_soa_reads_as_what_it_was(local: str, host: str, mname: str, numbers: tuple[int, ...]) -> None:
    named = dict(zip(("serial", "refresh", "retry", "expire", "minimum"), numbers, strict=True))
    row = zone(email=f"{local}@{host}", mname=mname, **named)
    ((*_, rdata),) = rrset.records(rrset.soa(row))
    assert read_soa(rdata) == SOAData(mname=mname, email=row.email, **named)


LABELS = st.lists(
    st.lists(st.sampled_from([b"a", b"B", b"@", b".", b"\\", b" ", b"\n", b"\xff"]), min_size=1, max_size=3).map(
        b"".join
    ),
    max_size=3,
)


@given(LABELS, LABELS)
@example([], [b"\xff", b"example"])
@example([b"NS1"], [b"first.last", b"Example"])
@example([], [b"host", b"a.b"])
@example([], [b"host", b"a@b"])
@example([], [b"host"])
def test_an_email_is_read_only_where_it_makes_the_same_mailbox(mname: list[bytes], mailbox: list[bytes]) -> None:
    rdata = to_wire_of(mname) + to_wire_of(mailbox) + bytes(20)
    found = read_soa(rdata)
    if found.email is not None:
        row = zone(mname=found.mname, email=found.email, serial=0, refresh=0, retry=0, expire=0, minimum=0)
        ((*_, again),) = rrset.records(rrset.soa(row))
        assert again == rdata


@given(st.binary(max_size=60))
def test_an_soa_of_any_octets_is_read_or_refused(rdata: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_soa(rdata)


def test_an_soa_that_is_cut_short_or_too_long_is_refused() -> None:
    for rdata in (b"\0\0" + bytes(19), b"\0\0" + bytes(21)):
        with pytest.raises(ValueError, match="where 20 are expected"):
            read_soa(rdata)


def test_the_longest_rr_fits_with_the_longest_question_and_a_signature() -> None:
    longest = ".".join(["a" * 63] * 3 + ["b" * 61]) + "."
    rr = rrset.pack(longest, longest, "TYPE65280", 1, [b"x" * (rrset.MAX_RR - 12)])
    assert rrset.fits(rr)
    assert not rrset.fits(rr + b"x")
    asked = message.question(to_wire(longest), message.AXFR)
    assert len(message.build(1, 0, asked, ((1, rr),))) + rrset.TSIG_ROOM == 65535


@given(OWNERS, TTLS, RDATAS)
def test_the_records_of_a_blob_are_what_was_packed(name: str, ttl: int, rdatas: list[bytes]) -> None:
    blob = rrset.pack(ZONE, name, "A", ttl, rdatas)
    labels = to_wire(name)[: -len(to_wire(ZONE))]
    assert list(rrset.records(blob)) == [(labels, 1, ttl, rdata) for rdata in rdatas]


@given(OWNERS, RDATAS, st.data())
def test_a_blob_that_is_cut_has_no_records_to_give(name: str, rdatas: list[bytes], data: st.DataObject) -> None:
    blob = rrset.pack(ZONE, name, "A", 60, rdatas)
    cut = data.draw(st.integers(1, len(blob) - 1))
    whole = {len(rrset.pack(ZONE, name, "A", 60, rdatas[:n])) for n in range(len(rdatas))}
    if cut in whole:
        assert len(list(rrset.records(blob[:cut]))) < len(rdatas)
    else:
        with pytest.raises(Malformed):
            list(rrset.records(blob[:cut]))
