# SPDX-License-Identifier: Apache-2.0
"""What the records of a zone's file must be to each other, and how they become RRsets."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from itertools import chain

import pytest

from redesignate.model.soa import SOAData
from redesignate.model.zonefile import ZoneFileError, gather
from redesignate.model.zonefile.content import MAX_RRSET
from tests.model.zonefile.texts import HEAD, ZONE, found, refused

SOA = "@ 77 SOA ns first\\.last.example.net. 7 1h 10m 1W 5m\n"


def test_the_soa_gives_the_zones_fields() -> None:
    with gather(["$ORIGIN Example.org.\n" + SOA]) as content:
        assert (content.zone, content.typed_name, content.ttl, content.line) == (ZONE, "Example.org.", 77, 2)
        assert content.soa == SOAData(
            mname="ns.Example.org.",
            email="first.last@example.net",
            serial=7,
            refresh=3600,
            retry=600,
            expire=604800,
            minimum=300,
        )
        assert list(content.rrsets()) == []


def test_a_mailbox_that_is_no_mail_address_gives_none() -> None:
    with gather(["$ORIGIN example.org.\n@ SOA ns . 1 1 1 1 1\n"]) as content:
        assert content.soa.email is None


def test_rrsets_come_in_canonical_order_with_their_records_in_the_files() -> None:
    sets = found("b A 192.0.2.2\nz.a A 192.0.2.9\nB TXT x\nA A 192.0.2.7\n@ NS ns\nb A 192.0.2.1\n*.a A 192.0.2.9\n")
    assert [(one.name, one.rrtype) for one in sets] == [
        ("example.org.", "NS"),
        ("a.example.org.", "A"),
        ("*.a.example.org.", "A"),
        ("z.a.example.org.", "A"),
        ("b.example.org.", "A"),
        ("b.example.org.", "TXT"),
    ]
    assert [record.text for record in sets[4].records] == ["192.0.2.2", "192.0.2.1"]
    assert [one.typed_name for one in sets] == [None, "A.example.org.", None, None, None, "B.example.org."]
    assert [one.line for one in sets] == [8, 7, 10, 5, 4, 6]


def test_equal_records_are_one() -> None:
    (mx,) = found("a MX 1 b\na MX 01 B.Example.org.\na MX 2 b\n")
    assert [record.text for record in mx.records] == ["1 b.example.org.", "2 b.example.org."]


def test_an_rrset_has_the_lowest_ttl_of_its_records_and_says_where_they_differ() -> None:
    same, differing = found("a 5 A 192.0.2.1\na 5 A 192.0.2.2\nb 9 A 192.0.2.1\nb 7 A 192.0.2.2\nb 8 A 192.0.2.3\n")
    assert (same.ttl, same.other_ttl) == (5, None)
    assert (differing.ttl, differing.other_ttl) == (7, 7)


@pytest.mark.parametrize(
    "text",
    ["; a comment\n\n$TTL 60\n" + HEAD,
     "$ORIGIN .\n$TTL 9\nexample.org SOA ns.a. h.a. 1 1 1 1 1\n$ORIGIN example.org.\n",
     "$ORIGIN org.\nexample SOA ns.a. h.a. 1 1 1 1 1\n$ORIGIN example\n",
     "$ORIGIN example.org.\n$TTL 9\nb A 192.0.2.1\n@ SOA ns.a. h.a. 1 1 1 1 1\n"],
    ids=["comments and $TTL first", "as BIND writes it", "origin above the zone", "the SOA is not the first"],
)  # fmt: skip
def test_the_zone_is_that_of_the_soa(text: str) -> None:
    with gather([text + "a A 192.0.2.1\n"]) as content:
        assert content.zone == ZONE
        assert next(content.rrsets()).name == "a.example.org."


@pytest.mark.parametrize("text", ["", "; only words\n\n", "$TTL 5\n", "@ SOA a b 1 1 1 1 1\n", "a. 5 A 192.0.2.1\n"])
def test_without_origin_the_refusal_is_the_published_one(text: str) -> None:
    error = refused(text, head="")
    assert str(error) == "The $ORIGIN statement is required and must be the first statement in the zonefile."


@pytest.mark.parametrize("text", ["", "a 5 A 192.0.2.1\n", "@ 5 NS ns\n"])
def test_without_soa_the_refusal_is_the_published_one(text: str) -> None:
    assert str(refused(text, head="$ORIGIN example.org.\n")) == "An SOA record is required."


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a A 192.0.2.1\nb.example.net. A 192.0.2.1\n", 5, "b.example.net. is not in the zone example.org."),
        ("badexample.org. A 192.0.2.1\n", 4, "badexample.org. is not in the zone example.org."),
        (r"bad\.example.org. A 192.0.2.1", 4, "is not in the zone example.org."),
        ("@ SOA ns h 1 2 3 4 5\n", 4, "a zone has one SOA record, and another one is in line 3"),
        ("a SOA ns h 1 2 3 4 5\n", 4, "an SOA record stands below the apex of the zone example.org."),
        ("a CNAME b\nc A 192.0.2.1\na A 192.0.2.1\n", 6, "a.example.org. has a CNAME in line 4 and A in line 6"),
        ("a TXT b\na CNAME b\n", 5, "a.example.org. has a CNAME in line 5 and TXT in line 4; a CNAME stands alone"),
        ("@ CNAME b\n", 4, "example.org. has a CNAME in line 4 and SOA in line 3"),
        ("a CNAME b\na CNAME c\n", 4, "CNAME at a.example.org. has 2 records, where one is allowed"),
        ("a DNAME b\na DNAME c\n", 4, "DNAME at a.example.org. has 2 records, where one is allowed"),
        ("a-.b A 192.0.2.1\n", 4, "Domain a-.b.example.org. has a label that is not made of letters"),
        ("*.a NS b\n", 4, "is a wildcard; an NS record set is not allowed there"),
        ("a SRV 1 2 3 b\n", 4, "write _service._proto.name."),
    ],
)
def test_what_no_zone_may_hold_is_refused_with_its_line(text: str, line: int, why: str) -> None:
    error = refused(text)
    assert why in str(error)
    assert error.line == line


def test_the_root_is_not_a_zone_of_a_user() -> None:
    assert "line 2: the zone's name: The root . is not allowed here" in str(
        refused("@ SOA ns h 1 2 3 4 5\n", head="$ORIGIN .\n")
    )


def test_an_soa_that_stands_again_is_the_same_and_a_cname_that_does_too() -> None:
    (cname,) = found("@ SOA NS First\\.last.example.net. 7 1h 10m 1W 5m\na CNAME b\na CNAME B\n")
    assert len(cname.records) == 1


def test_an_rrset_that_fits_in_no_answer_is_refused() -> None:
    lines = "".join(f"a TXT {n:0{200}d}\n" for n in range(MAX_RRSET // 213))
    assert len(found(lines)[0].records) == MAX_RRSET // 213
    assert "TXT at a.example.org. has too many records for an answer" in str(refused(lines + f"a TXT {'x' * 200}\n"))


@pytest.mark.parametrize("room", [0, 2000, 10**7])
def test_the_rrsets_are_the_same_whatever_memory_they_have(room: int) -> None:
    text = "".join(
        f"h{n * 7919 % 997} {rrtype}\n" for n in range(997) for rrtype in ("A 192.0.2.1", "TXT x", "A 192.0.2.0")
    )
    sets = found(text, room=room)
    assert len(sets) == 2 * 997
    assert sets == found(text)
    assert [record.text for record in sets[0].records] == ["192.0.2.1", "192.0.2.0"]


def big(count: int) -> Iterator[bytes]:
    """A file of so many records, in no order."""
    yield HEAD.encode()
    for start in range(0, count, 500):
        yield "".join(f"h{n * 7919 % count} A 192.0.2.1\n" for n in range(start, start + 500)).encode()


def test_memory_does_not_grow_with_the_file() -> None:
    peaks = []
    for count in (4_000, 16_000):
        tracemalloc.start()
        try:
            with gather(big(count), room=2**19) as content:
                assert sum(1 for _ in content.rrsets()) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0] < 8 * 2**20


def test_memory_does_not_grow_with_the_size_of_records_either() -> None:
    head = f"{HEAD}$TTL 5\n"
    record = "00" * 20_000
    lines = (f"h{n * 61 % 400} TYPE65280 \\# 20000 {record}\n" for n in range(400))
    tracemalloc.start()
    try:
        with gather(chain([head], lines), room=2**20) as content:
            assert sum(1 for _ in content.rrsets()) == 400
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_a_file_has_no_more_records_than_are_allowed_however_they_are_written() -> None:
    with pytest.raises(ZoneFileError, match="line 4: the file has more than 100 records"):
        gather([HEAD + "$GENERATE 1-60000 h$ A 192.0.2.1\n"], most=100)
    gather([HEAD + "$GENERATE 1-100 h$ A 192.0.2.1\n"], most=100).close()


def test_a_file_has_no_more_octets_than_are_allowed_however_they_are_written() -> None:
    record = " ".join(['"' + "x" * 255 + '"'] * 200)
    with pytest.raises(ZoneFileError, match="line 4: the names and records of the file take more than 1000000 octets"):
        gather([HEAD + f"$GENERATE 1-60000 h$ TXT {record}\n"], octets=1_000_000)
    name = ".".join(["y" * 60] * 3)
    with pytest.raises(ZoneFileError, match="line 4: the names and records of the file take more than 1000000 octets"):
        gather([HEAD + f"$GENERATE 1-60000 h$.{name} A 192.0.2.1\n"], octets=1_000_000)
    gather([HEAD + "$GENERATE 1-1000 h$ A 192.0.2.1\n"], octets=100_000).close()


def test_an_soa_that_stands_again_and_again_is_refused() -> None:
    with pytest.raises(ZoneFileError, match="line 3: the SOA record stands more than twice"):
        gather(["$ORIGIN example.org.\n$TTL 5\n$GENERATE 1-65535 @ SOA a b 1 1 1 1 1\n"])


def test_a_reader_is_called_while_one_piece_is_read_and_while_one_rrset_is() -> None:
    calls: list[int] = []
    text = HEAD + "$GENERATE 1-2000 h A 192.0.2.1\n"
    with gather([text], room=50_000, alive=lambda: calls.append(1)) as content:
        assert len(calls) > 5
        calls.clear()
        assert sum(1 for _ in content.rrsets()) == 1
        assert len(calls) > 5


def test_a_byte_order_mark_is_named() -> None:
    assert str(refused("\ufeff" + HEAD, head="")) == (
        "line 1: the file begins with a byte order mark; save it as UTF-8 without one"
    )


class Spool(io.BytesIO):
    """A temporary file that says whether it is still open."""


def test_nothing_is_left_of_a_file_that_is_refused_or_closed() -> None:
    files: list[Spool] = []

    def spool() -> Spool:
        files.append(Spool())
        return files[-1]

    text = HEAD + "".join(f"h{n} A 192.0.2.1\n" for n in range(100))
    gather([text], room=1000, spool=spool).close()
    with pytest.raises(ZoneFileError):
        gather([text, "h A x\n"], room=1000, spool=spool)
    assert [file.closed for file in files] == [True, True]
