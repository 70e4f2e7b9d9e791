# SPDX-License-Identifier: Apache-2.0
"""Answers from memory: the bytes that a server without memory gives, whatever was committed meanwhile."""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import event, update

from redesignate.config.settings import MdnsSettings, transfer_list
from redesignate.mdns.access import REFRESH_S, Access, Servers
from redesignate.mdns.answer import Answerer, Transfer
from redesignate.mdns.batch import Batches
from redesignate.mdns.memory import Memory, key
from redesignate.model.names import order_key
from redesignate.model.pool import Catalog
from redesignate.model.zone import ZoneType
from redesignate.store import serving
from redesignate.store.schema import inbound, rrsets
from redesignate.store.served_zone import ServedZone
from redesignate.wire import denial, message
from redesignate.wire.message import Rcode
from redesignate.wire.server import Datagram
from tests.mdns.test_access import BASE, CATALOG, CATALOG_SECRET, change
from tests.mdns.test_faults import corpus, mutants
from tests.mdns.test_lookup import RECORDS
from tests.mdns.test_tsig import NOW
from tests.mdns.test_unplaced import forget
from tests.mdns.zones import POOL, Key, StoredZone, StoredZones, served

ZONE = "example.org."
CHILDREN = ("sub.example.org.", "www.example.org.", "x.wild.example.org.", "old.example.org.", "org.")
SIGNED: dict[Key, tuple[str, ...]] = {
    (ZONE, "TYPE47"): (f"www.{ZONE} NS SOA NSEC",),
    (f"www.{ZONE}", "TYPE47"): (f"{ZONE} A NSEC",),
}
NAMES = [*sorted({name for name, _ in RECORDS} | set(CHILDREN)), ZONE, "example.net.", "."]
NAMES += [f"{name}.{ZONE}" for name in ("nx", "b.nx", "between", "a.b.sub", "deep.old", "y.aliases", "y.x.wild")]
TYPES = ("A", "AAAA", "TXT", "NS", "SOA", "DS", "CNAME", "MX", "NSEC", "ANY", "IXFR", "TYPE65", "TYPE97")


ROW = ServedZone("id", ZONE, 1, 1, 3600, "a@example.org", f"ns1.{ZONE}", POOL, 1, 1, 1, 1)


def clock() -> int:
    return NOW * 1_000_000


class Pair:
    """What answers from memory, and what makes each answer anew, over one database."""

    def __init__(self, stored: StoredZones, servers: Servers | None = None, octets: int = 2**20) -> None:
        options = MdnsSettings()
        access = Access(transfer_list(options.allow_transfer), servers or Servers())
        self.stored = stored
        self.memory = Memory(octets)
        self.answerer = Answerer(options, clock, access=access, memory=self.memory)
        self.batches = Batches(self.answerer, access, self.memory)
        self.plain = Answerer(options, clock, access=access)

    def answers(self, batch: Sequence[Datagram]) -> list[bytes | Transfer | None]:
        """As `service.py` answers a batch."""
        with self.stored.source.read() as view:
            ready = self.batches.prepare(view, batch)
            return [
                one if isinstance(one, bytes) else self.answerer.answer(view, packet, tcp=False, peer=peer, client=one)
                for one, (packet, peer) in zip(ready, batch, strict=True)
            ]

    def check(self, batch: Sequence[Datagram]) -> list[bytes | Transfer | None]:
        """Ask both; the answers."""
        found = self.answers(batch)
        with self.stored.source.read() as view:
            for one, (packet, peer) in zip(found, batch, strict=True):
                assert one == self.plain.answer(view, packet, tcp=False, peer=peer)
        return found


@pytest.fixture
def pair(stored: StoredZones) -> Pair:
    return Pair(stored)


def ask(name: str, rrtype: str = "A", **options: object) -> Datagram:
    return dns.message.make_query(name, rrtype, **options).to_wire(), "192.0.2.1"  # type: ignore[arg-type]


@st.composite
def questions(draw: st.DrawFn) -> Datagram:
    """A question of some client: its id, its case, its flags, its EDNS."""
    name = draw(st.sampled_from(NAMES))
    query = dns.message.make_query(name, draw(st.sampled_from(TYPES)), id=draw(st.integers(0, 65535)))
    edns = draw(st.sampled_from([None, 0, 512, 900, 1232, 4096]))
    if edns is not None:
        query.use_edns(0, draw(st.sampled_from([0, 0x8000])), edns)
    packet = bytearray(query.to_wire())
    packet[2] = draw(st.sampled_from([0, 1, 1, 1, 2, 4, 0x28]))
    packet[3] = draw(st.sampled_from([0, 0x10, 0x20, 0xFF]))
    if draw(st.booleans()):
        end = 12 + len(name.encode()) + 1
        packet[12:end] = bytes(packet[12:end]).upper()
    return bytes(packet), "127.0.0.1"


EDITS = ("change", "remove", "row", "child", "childless", "leave", "return", "expire", "empty")


class Edited:
    """A zone with children that come and go, of every kind that a zone can be."""

    def __init__(self, stored: StoredZones, kind: ZoneType) -> None:
        self.stored = stored
        self.zone = stored.add_zone(ZONE, RECORDS | SIGNED, kind=kind)
        if kind is ZoneType.SECONDARY:
            stored.store.transact(lambda work: work.inbound.add(self.zone.zone.id, 0))
            self.loaded(True)
        self.children: dict[str, StoredZone] = {}
        self.kind = kind

    def loaded(self, valid: bool) -> None:
        self.stored.store.transact(lambda work: work.conn.execute(inbound.update().values(loaded=valid)))

    def edit(self, what: str, draw: random.Random) -> None:
        at = draw.choice(sorted(RECORDS))
        child = draw.choice(CHILDREN)
        match what:
            case "change":
                self.stored.edit(self.zone, {at: (draw.choice([None, 5]), RECORDS[at][::-1])})
            case "remove":
                self.stored.edit(self.zone, {at: None})
            case "empty":
                self.stored.edit(self.zone, {at: (None, ())})
            case "row":  # what no revision tells of
                self.stored.mark(self.zone, ttl=draw.randrange(1, 9999), email=f"a{draw.randrange(9)}@example.net")
            case "child" if child not in self.children:
                self.children[child] = self.stored.add_zone(child, {(child, "A"): ("192.0.2.99",)})
            case "childless" if child in self.children:
                gone = self.children.pop(child)
                self.stored.mark(gone, deleted=gone.zone.id)
            case "leave":
                self.stored.mark(self.zone, pool_id="another")
            case "return":
                self.stored.mark(self.zone, pool_id=BASE.id)
                self.loaded(True)
            case "expire":
                self.loaded(False)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from([ZoneType.PRIMARY, ZoneType.SECONDARY]),
    asked=st.lists(st.lists(questions(), min_size=1, max_size=8), min_size=1, max_size=4),
    edits=st.lists(st.sampled_from(EDITS), max_size=6),
    seed=st.integers(0, 10**6),
)
def test_the_bytes_are_those_of_a_server_without_memory(
    kind: ZoneType, asked: list[list[Datagram]], edits: list[str], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stored = StoredZones.in_folder(Path(folder))
        pair, edited, draw = Pair(stored), Edited(stored, kind), random.Random(seed)
        for what in ["", *edits]:
            if what:
                edited.edit(what, draw)
            for batch in (*asked, *asked):
                pair.check(batch)
        stored.close()


@pytest.mark.parametrize("child", CHILDREN)
def test_a_zone_that_comes_and_goes_changes_every_answer_that_depends_on_it(
    stored: StoredZones, pair: Pair, child: str
) -> None:
    """At names that are asked about, that aliases lead to, at a delegation, and above."""
    stored.add_zone(ZONE, RECORDS | SIGNED)
    asked = [ask(name, rrtype) for name in NAMES for rrtype in TYPES if rrtype != "IXFR"]
    for _ in range(2):
        for _ in range(3):
            pair.check(asked)
        assert len(pair.memory) > len(asked) / 2
        gone = stored.add_zone(child, {(child, "A"): ("192.0.2.99",)})
        for _ in range(3):
            pair.check(asked)
        stored.mark(gone, deleted=gone.zone.id)


def test_types_that_differ_as_letters_do_are_not_confused(stored: StoredZones, pair: Pair) -> None:
    """65 is A and 97 is a: only the name is compared without case."""
    stored.add_zone(ZONE, {(f"www.{ZONE}", "HTTPS"): ("1 .",)})
    for _ in range(3):
        answers = pair.check([ask(f"www.{ZONE}", "TYPE65"), ask(f"www.{ZONE}", "TYPE97")])
    assert [message.read(answer).answer != () for answer in answers if isinstance(answer, bytes)] == [True, False]


def test_a_mutated_packet_gets_no_other_packets_answer(stored: StoredZones, pair: Pair) -> None:
    """What of a packet is compared decides what it is answered: nothing that an answer depends on is left out."""
    stored.add_zone(ZONE, RECORDS)
    packets = corpus()
    for _ in range(3):
        pair.check([(packet, "127.0.0.1") for packet in packets])
    kept = len(pair.memory)
    assert kept > len(packets) / 2
    broken = list(mutants(packets, 3000, seed=4))
    for at in range(0, len(broken), 30):
        pair.check([(packet, "127.0.0.1") for packet in broken[at : at + 30]] * 2)


@contextmanager
def counted(stored: StoredZones) -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    ran: list[str] = []

    def note(_connection: object, _cursor: object, sql: str, *_rest: object) -> None:
        ran.append(sql)

    for engine in stored.store.engines:
        event.listen(engine, "before_cursor_execute", note)
    yield ran
    for engine in stored.store.engines:
        event.remove(engine, "before_cursor_execute", note)


def test_a_batch_costs_one_statement_from_memory_and_three_without(stored: StoredZones, pair: Pair) -> None:
    stored.add_zone(ZONE, {(f"h{n}.{ZONE}", "A"): ("192.0.2.1",) for n in range(20)})
    pair.check([ask(ZONE, "SOA")])  # the pools are read first, and what the zone lacks
    pair.check([ask(f"x.{ZONE}")])
    fresh = [*[ask(f"h{n}.{ZONE}") for n in range(20)], *[ask(f"nx{n}.{ZONE}") for n in range(12)]]
    for expected in (3, 3, 1):
        with counted(stored) as ran:
            pair.answers(fresh)
        assert len(ran) == expected, "\n".join(ran)
    stored.add_zone(f"h3.{ZONE}")
    pair.check(fresh)


def test_an_answer_is_kept_when_it_is_asked_for_again(stored: StoredZones, pair: Pair) -> None:
    stored.add_zone(ZONE, RECORDS)
    pair.check([ask("www.example.org."), ask("nx.example.org.")])
    assert len(pair.memory) == 0
    pair.check([ask("WWW.example.org.")])
    assert len(pair.memory) == 1


@pytest.mark.parametrize(
    "asked",
    [
        ask("www.example.org.", "AXFR"),
        ask("www.example.net."),
        ask("loop.example.org."),
        (dns.message.make_query(ZONE, "SOA").to_wire()[:20], "192.0.2.1"),
    ],
    ids=["a transfer", "a refusal", "a server failure", "a malformed packet"],
)
def test_what_is_no_answer_of_a_zone_is_not_kept(stored: StoredZones, pair: Pair, asked: Datagram) -> None:
    stored.add_zone(ZONE, RECORDS)
    for _ in range(3):
        pair.check([asked])
    assert len(pair.memory) == 0


def test_a_catalog_that_gets_a_key_is_no_longer_shown_from_memory(stored: StoredZones) -> None:
    stored.add_zone(CATALOG, {(f"version.{CATALOG}", "TXT"): ('"2"',)}, kind=ZoneType.CATALOG)
    stored.store.transact(lambda work: work.pools.add(BASE))
    at = [0.0]
    pair = Pair(stored, Servers(lambda _: [], clock=lambda: at[0]))

    def rcode() -> int:
        (answer,) = pair.check([ask(f"version.{CATALOG}", "TXT")])
        assert isinstance(answer, bytes)
        return message.read(answer).rcode

    assert [rcode() for _ in range(3)] == [Rcode.NOERROR] * 3
    assert len(pair.memory) == 1
    catalog = Catalog(name=CATALOG, algorithm="hmac-sha256", secret=CATALOG_SECRET)
    change(stored, dataclasses.replace(BASE, version=2, catalog=catalog))
    at[0] += REFRESH_S
    assert rcode() == Rcode.REFUSED


def test_nothing_is_kept_that_is_answered_before_every_name_is_known(
    stored: StoredZones, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys are filled in without a revision, and a name that had no data then turns out not to exist."""
    zone = stored.add_zone(ZONE, RECORDS)
    forget(stored, zone)
    monkeypatch.setattr(serving, "MOST_UNPLACED", 3)
    for _ in range(3):
        pair.check([ask("nx.example.org."), ask("x.wild.example.org."), ask("www.example.org.", "AAAA")])
    assert len(pair.memory) == 1, "no data at a name that has records needs no other name"


def test_a_denial_whose_proof_is_not_found_is_not_kept(
    stored: StoredZones, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of an NSEC3 record that stands among those of names is repaired without a revision."""
    missing, hashed = f"nx.{ZONE}", denial.Chain(0, b"").hashed
    before = (int.from_bytes(hashed(missing), "big") - 1).to_bytes(20, "big")
    apex, gap = denial.label(hashed(ZONE)), denial.label(before)
    chain = {
        (f"{one}.{ZONE}", "TYPE50"): (f"1 0 0 - {following.upper()}",) for one, following in ((apex, gap), (gap, apex))
    }
    zone = stored.add_zone(ZONE, RECORDS | chain | {(ZONE, "TYPE51"): ("1 0 0 -",)})
    monkeypatch.setattr(serving, "MOST_PASSED", 0)

    def place(prefix: bytes) -> None:
        there = update(rrsets).where(rrsets.c.zone_id == zone.zone.id, rrsets.c.name == f"{gap}.{ZONE}")
        moved = there.values(order_key=prefix + order_key(f"{gap}.{ZONE}", ZONE))
        stored.store.transact(lambda work: work.conn.execute(moved) and None)

    def proven() -> bool:
        (answer,) = pair.check([ask(missing, want_dnssec=True)])
        assert isinstance(answer, bytes)
        return f"{gap}.{ZONE}" in [str(one.name) for one in dns.message.from_wire(answer).authority]

    place(b"")
    assert [proven() for _ in range(3)] == [False] * 3
    place(b"\0")
    assert [proven() for _ in range(3)] == [True] * 3
    assert len(pair.memory) == 1


def test_an_answer_of_an_older_version_is_not_given(stored: StoredZones, pair: Pair) -> None:
    """A wrong answer is planted, for the version that is served and for another."""
    written = stored.add_zone(ZONE, RECORDS)
    packet, peer = ask("www.example.org.")
    with stored.source.read() as view:
        now = served(view, written.zone)
    stale = structs.replace(now, revision=now.revision - 1)
    wrong = b"\0\0\x84\0" + b"\0\1\0\0\0\0\0\0" + packet[12:]
    for zone, given_out in ((stale, False), (now, True)):
        for _ in range(2):
            pair.memory.keep(packet, wrong, len(packet), zone, ("www.example.org.",))
        (answer,) = pair.answers([(packet, peer)])
        assert isinstance(answer, bytes)
        assert (answer[4:] == wrong[4:]) is given_out


# -- the memory


def kept(answers: Memory, name: str, size: int = 100, zone: ServedZone = ROW) -> bool:
    """Ask for a name, and keep its answer where there is none; whether there was one."""
    packet, _ = ask(name)
    found = answers.get(packet)
    if found is None:
        answers.keep(packet, bytes(12) + packet[12:] + bytes(size), len(packet), zone, (name,))
    return found is not None


def test_names_at_random_push_out_nothing_and_stay_within_bounds() -> None:
    answers = Memory(100_000)
    useful = [f"h{n}.{ZONE}" for n in range(50)]
    assert [sum(kept(answers, name) for name in useful) for _ in range(3)] == [0, 0, 50]
    for n in range(50_000):
        assert not kept(answers, f"r{n}.{ZONE}")
    assert sum(kept(answers, name) for name in useful) == 50
    assert len(answers) == 50


def test_what_is_asked_twice_is_bounded_and_the_least_used_goes() -> None:
    answers = Memory(100_000)
    for _ in range(2):
        kept(answers, f"useful.{ZONE}")
    for n in range(2000):
        assert kept(answers, f"useful.{ZONE}")
        for _ in range(2):
            kept(answers, f"h{n}.{ZONE}", 500)
    assert 0 < answers.octets <= 100_000
    assert 50 < len(answers) < 200


def test_no_room_keeps_nothing(stored: StoredZones) -> None:
    stored.add_zone(ZONE, RECORDS)
    pair = Pair(stored, octets=0)
    for _ in range(3):
        pair.check([ask("www.example.org.")])
    assert len(pair.memory) == 0


@given(st.binary(max_size=60))
def test_any_octets_have_a_key_or_none(packet: bytes) -> None:
    found = key(packet)
    assert found is None or len(found) == len(packet) - 4
