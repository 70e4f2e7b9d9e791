# SPDX-License-Identifier: Apache-2.0
"""Who may transfer a zone: the pool's own servers, loopback, keys, and whom `allow_transfer` names; catalogs by key."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import dns.message
import pytest

from redesignate.config.settings import MdnsSettings, transfer_list
from redesignate.mdns.access import REFRESH_S, RESOLVE_S, SIGNED_S, Access, Servers
from redesignate.mdns.answer import Answerer, Transfer
from redesignate.mdns.service import publication
from redesignate.model.pool import Catalog, Endpoint, Nameserver, Pool, Target
from redesignate.model.tsigkey import Scope
from redesignate.model.zone import ZoneType
from redesignate.store.serving import Snapshot
from redesignate.wire import message
from redesignate.wire.message import Rcode
from tests.mdns.test_tsig import NOW, ring, signed
from tests.mdns.zones import POOL, SECRET, StoredZones

ZONE, CATALOG = "example.org.", "catalog.example."
CATALOG_SECRET = base64.b64encode(b"catalog-secret-catalog-secret-32").decode()
BASE = Pool(
    id=POOL,
    name="default",
    version=1,
    created_at=1,
    nameservers=(Nameserver(id="n1", host="192.0.2.1", port=53), Nameserver(id="n2", host="ns2.example.net", port=53)),
    targets=(Target(id="t1", type="bind9", options={"host": "2001:db8::2"}),),
    also_notifies=(Endpoint("192.0.2.3", 53),),
)


@dataclass
class Counting:
    """A view that counts what is asked about pools."""

    view: Snapshot
    asked: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        if "pool" in name:
            self.asked.append(name)
        return getattr(self.view, name)


@dataclass
class Socketless:
    """A nameserver without sockets, whose clock and name service are moved by the test."""

    stored: StoredZones
    now: float = 0.0
    names: dict[str, list[str]] = field(default_factory=lambda: {"ns2.example.net": ["192.0.2.2", "2001:db8::22"]})
    asked: list[str] = field(default_factory=list)
    resolved: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.servers = Servers(self.resolve, clock=lambda: self.now)
        self.listen()

    def listen(self, *allowed: str) -> None:
        """Begin with this `allow_transfer`."""
        settings = MdnsSettings(allow_transfer=allowed) if allowed else MdnsSettings()
        self.access = Access(transfer_list(settings.allow_transfer), self.servers, clock=lambda: self.now)
        self.answerer = Answerer(settings, clock=lambda: NOW * 1_000_000, access=self.access)

    def resolve(self, host: str) -> list[str]:
        self.resolved.set()
        return self.names[host]

    def ask(self, packet: bytes, peer: str) -> int:
        """The rcode of the answer; NOERROR for a transfer that begins."""
        with self.stored.source.read() as view:
            counting = Counting(view)
            answer = self.answerer.answer(counting, packet, tcp=True, peer=peer)  # type: ignore[arg-type]  # a wrapper
            self.asked += counting.asked
        assert answer is not None
        return Rcode.NOERROR if isinstance(answer, Transfer) else message.read(answer).rcode

    def settled(self) -> None:
        """Wait for the thread that resolves names: while it writes, questions take what was known before."""
        self.servers._resolver.submit(int).result(5)

    def axfr(self, peer: str, zone: str = ZONE) -> int:
        return self.ask(dns.message.make_query(zone, "AXFR").to_wire(), peer)


@pytest.fixture
def server(stored: StoredZones) -> Socketless:
    stored.add_zone(ZONE)
    stored.store.transact(lambda work: work.pools.add(BASE))
    return Socketless(stored)


def wait(condition: Callable[[], bool]) -> None:
    """Until another thread has done it."""
    deadline = threading.Event()
    for _ in range(500):
        if condition():
            return
        deadline.wait(0.01)
    raise AssertionError("it did not happen within 5 s")


def change(stored: StoredZones, pool: Pool) -> None:
    stored.store.transact(lambda work: work.pools.change(pool, apex=False))


def test_a_stranger_gets_no_zone_and_the_pools_own_servers_do(server: Socketless) -> None:
    for stranger in ("198.51.100.1", "2001:db8::99", "192.0.2.99"):
        assert server.axfr(stranger) == Rcode.REFUSED
    for own in ("192.0.2.1", "2001:db8::2", "192.0.2.3", "127.0.0.1", "127.8.8.8", "::1"):
        assert server.axfr(own) == Rcode.NOERROR, own


def test_questions_are_answered_to_strangers_as_before(server: Socketless) -> None:
    for rrtype in ("SOA", "NS", "A"):
        assert server.ask(dns.message.make_query(ZONE, rrtype).to_wire(), "198.51.100.1") == Rcode.NOERROR


def test_ixfr_is_a_transfer_too(server: Socketless) -> None:
    query = dns.message.make_query(ZONE, "IXFR")
    query.authority.append(dns.rrset.from_text(ZONE, 0, "IN", "SOA", ". . 999 0 0 0 0"))
    assert server.ask(query.to_wire(), "198.51.100.1") == Rcode.REFUSED
    assert server.ask(query.to_wire(), "192.0.2.1") == Rcode.NOERROR


def test_another_pools_servers_are_strangers(server: Socketless) -> None:
    other = replace(BASE, id="another", name="another", nameservers=(Nameserver(id="x", host="192.0.2.50", port=53),))
    server.stored.store.transact(lambda work: work.pools.add(other))
    assert server.axfr("192.0.2.50") == Rcode.REFUSED


def test_servers_given_by_name_are_known_once_the_name_is_resolved(server: Socketless) -> None:
    server.axfr("192.0.2.1")
    wait(lambda: server.axfr("192.0.2.2") == Rcode.NOERROR)
    assert server.axfr("2001:db8::22") == Rcode.NOERROR
    server.names["ns2.example.net"] = ["192.0.2.77"]
    server.now += RESOLVE_S + 1
    wait(lambda: server.axfr("192.0.2.77") == Rcode.NOERROR)
    assert server.axfr("192.0.2.2") == Rcode.REFUSED


def test_a_name_that_cannot_be_resolved_keeps_its_last_addresses(server: Socketless) -> None:
    server.axfr("192.0.2.1")
    wait(lambda: server.axfr("192.0.2.2") == Rcode.NOERROR)

    def fail(_host: str) -> list[str]:
        server.resolved.set()
        raise OSError("no answer")

    server.resolved.clear()
    server.servers._resolve = fail
    server.now += RESOLVE_S + 1
    assert server.axfr("192.0.2.1") == Rcode.NOERROR
    assert server.resolved.wait(5)
    assert server.axfr("192.0.2.2") == Rcode.NOERROR


def test_a_change_of_the_pool_counts_within_seconds_and_questions_cost_no_statement(server: Socketless) -> None:
    assert server.axfr("192.0.2.60") == Rcode.REFUSED
    change(server.stored, replace(BASE, version=2, also_notifies=(Endpoint("192.0.2.60", 53),)))
    server.asked.clear()
    for _ in range(20):
        assert server.axfr("192.0.2.60") == Rcode.REFUSED
    assert server.asked == []
    server.settled()
    server.now += REFRESH_S
    assert server.axfr("192.0.2.60") == Rcode.NOERROR
    assert server.axfr("192.0.2.3") == Rcode.REFUSED
    assert server.asked == ["pool_versions", "pools"]
    server.settled()
    server.now += REFRESH_S
    server.axfr("192.0.2.60")
    assert server.asked == ["pool_versions", "pools", "pool_versions"]


@pytest.mark.parametrize(
    ("allowed", "served", "refused"),
    [
        (("any",), ("198.51.100.1", "2001:db8::99"), ()),
        (("198.51.100.0/24", "2001:db8:1::/48"), ("198.51.100.1", "2001:db8:1::5"), ("192.0.2.1", "127.0.0.1")),
        (("198.51.100.7", "loopback"), ("198.51.100.7", "::1"), ("198.51.100.8", "192.0.2.1")),
        (("pool",), ("192.0.2.1",), ("127.0.0.1",)),
        (("keys",), (), ("192.0.2.1", "127.0.0.1")),
    ],
)
def test_the_list_says_who(
    server: Socketless, allowed: tuple[str, ...], served: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    server.listen(*allowed)
    assert {peer: server.axfr(peer) for peer in (*served, *refused)} == (
        dict.fromkeys(served, Rcode.NOERROR) | dict.fromkeys(refused, Rcode.REFUSED)
    )


@pytest.mark.parametrize(
    ("allowed", "served"), [((), True), (("key:key1",), True), (("key:key2",), False), (("pool", "loopback"), False)]
)
def test_a_key_opens_its_zones_where_keys_are_listed(
    server: Socketless, allowed: tuple[str, ...], served: bool
) -> None:
    server.stored.add_key("key1", Scope.POOL, POOL)
    server.listen(*allowed)
    assert (server.ask(signed(ring(), rrtype="AXFR"), "198.51.100.1") == Rcode.NOERROR) is served


@pytest.fixture
def catalogued(server: Socketless) -> Socketless:
    server.stored.add_zone(CATALOG, {(f"version.{CATALOG}", "TXT"): ('"2"',)}, kind=ZoneType.CATALOG)
    change(
        server.stored,
        replace(BASE, version=2, catalog=Catalog(name=CATALOG, algorithm="hmac-sha256", secret=CATALOG_SECRET)),
    )
    return server


@pytest.mark.parametrize("rrtype", ["AXFR", "SOA", "TXT"])
def test_a_catalog_with_a_key_is_shown_to_that_key_alone(catalogued: Socketless, rrtype: str) -> None:
    catalogued.listen("any")
    catalogued.stored.add_key("key1", Scope.POOL, POOL)
    plain = dns.message.make_query(CATALOG, rrtype).to_wire()
    for peer in ("127.0.0.1", "192.0.2.1", "198.51.100.1"):
        assert catalogued.ask(plain, peer) == Rcode.REFUSED
        assert catalogued.ask(signed(ring(), CATALOG, rrtype), peer) == Rcode.REFUSED
        wrong = signed(ring(CATALOG, SECRET), CATALOG, rrtype)
        assert catalogued.ask(wrong, peer) == Rcode.NOTAUTH
        assert catalogued.ask(signed(ring(CATALOG, CATALOG_SECRET), CATALOG, rrtype), peer) == Rcode.NOERROR


def test_a_catalogs_key_opens_nothing_else(catalogued: Socketless) -> None:
    assert catalogued.ask(signed(ring(CATALOG, CATALOG_SECRET), ZONE, "SOA"), "192.0.2.1") == Rcode.REFUSED
    assert catalogued.ask(signed(ring(CATALOG, CATALOG_SECRET), ZONE, "AXFR"), "192.0.2.1") == Rcode.REFUSED


def test_a_catalog_without_a_key_is_sent_as_other_zones_are(catalogued: Socketless) -> None:
    change(catalogued.stored, replace(BASE, version=3, catalog=Catalog(name=CATALOG)))
    assert catalogued.axfr("192.0.2.1", CATALOG) == Rcode.NOERROR
    assert catalogued.axfr("198.51.100.1", CATALOG) == Rcode.REFUSED


@pytest.mark.parametrize("wrong", ["192.0.2.0/33", "pools", "key:", "example.org", ""])
def test_a_list_that_cannot_be_read_says_what_may_stand_there(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"is not an address or a network; write one such as .* pool, key:NAME"):
        transfer_list((wrong,))


def test_no_limit_concerns_the_pools_servers_loopback_and_listed_addresses(server: Socketless) -> None:
    server.listen("pool", "198.51.100.0/24")
    server.axfr("192.0.2.1")
    for peer, trusted in {"192.0.2.1": True, "::1": True, "198.51.100.9": True, "203.0.113.1": False}.items():
        assert server.access.trusts(peer) is trusted
    change(server.stored, replace(BASE, version=2, nameservers=()))
    server.settled()
    server.now += REFRESH_S
    server.axfr("192.0.2.1")
    assert not server.access.trusts("192.0.2.1")
    server.listen("any")
    assert not server.access.trusts("203.0.113.1"), "any trusts nobody with more than zones"


@pytest.mark.parametrize(
    ("rrtype", "peer", "first"),
    [
        *((rrtype, peer, True) for rrtype in ("SOA", "IXFR", "AXFR") for peer in ("192.0.2.1", "::1", "198.51.100.9")),
        *((rrtype, "203.0.113.1", False) for rrtype in ("SOA", "IXFR", "AXFR")),
        ("A", "192.0.2.1", False),
        ("ANY", "127.0.0.1", False),
    ],
)
def test_questions_by_which_trusted_peers_follow_a_zone_go_first_and_nobody_elses(
    server: Socketless, rrtype: str, peer: str, first: bool
) -> None:
    server.listen("pool", "198.51.100.0/24")
    server.axfr("192.0.2.1")
    question = dns.message.make_query(ZONE, rrtype).to_wire()
    assert publication(server.access)(question, peer) is first


def test_the_questions_of_who_signed_one_go_first_for_a_while(server: Socketless) -> None:
    """A pool's server that comes from another address than the pool names; limits concern it still."""
    server.stored.add_key("key1", Scope.POOL, POOL)
    first, packet = publication(server.access), signed(ring(), ZONE, "SOA")
    assert not first(packet, "203.0.113.1"), "anybody can write a key's name"
    assert server.ask(signed(ring("key1", CATALOG_SECRET), ZONE, "SOA"), "203.0.113.1") == Rcode.NOTAUTH
    assert not first(packet, "203.0.113.1")
    assert server.ask(packet, "203.0.113.1") == Rcode.NOERROR
    assert first(packet, "203.0.113.1")
    assert not server.access.trusts("203.0.113.1")
    assert not first(packet, "203.0.113.2")
    server.now += SIGNED_S
    assert not first(packet, "203.0.113.1")


def test_of_few_addresses_is_remembered_that_they_sign(server: Socketless, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redesignate.mdns.access.MOST_SIGNED", 3)
    for n in range(10):
        server.access.signed(f"203.0.113.{n}")
    assert sum(server.access.signs(f"203.0.113.{n}") for n in range(10)) <= 3
    assert server.access.signs("203.0.113.9")


def test_a_packet_without_a_question_does_not_go_first(server: Socketless) -> None:
    assert not publication(server.access)(b"\0" * 12, "127.0.0.1")
