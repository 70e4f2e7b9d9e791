# SPDX-License-Identifier: Apache-2.0
"""The schedule of SECONDARY zones, on every database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redesignate.model.clock import SECOND
from redesignate.model.inbound import Inbound
from redesignate.store.inbound import LONGEST_WAIT, InboundRows
from redesignate.store.unit import Store
from redesignate.store.zones import Stale
from tests.store.makers import add, new_id, zone

NOW = 10**15
LASTING = 100_000_000
HOUR = 3600 * SECOND


def added(store: Store, *, at: int = NOW) -> str:
    ident = new_id()
    store.transact(lambda work: work.inbound.add(ident, at))
    return ident


def row(store: Store, zone_id: str) -> Inbound:
    with store.read() as work:
        found = work.inbound.get(zone_id, NOW)
    assert found is not None
    return found


def leased(store: Store, zone_id: str, worker: str, now: int, *, lasting: int = LASTING) -> bool:
    return zone_id in store.transact(lambda work: work.inbound.lease(worker, [zone_id], now, now + lasting))


def moves(store: Store) -> bool:
    """Whether the clock of leases is the test's: SQLite's. The others' is their own (`test_leases.py`)."""
    return store.engine.dialect.name == "sqlite"


def test_rows_come_back_as_they_went_in(store: Store) -> None:
    ident = added(store)
    full = Inbound(
        zone_id=ident, due_at=2**62, forced=True, asked=0, attempts=7, loaded=True, serial=2**32 - 1, expires_at=2**60,
        notified_by="2001:db8::" + "f" * 20, primary="x" * 255, error="ü" * 255, lease_owner="w" * 128,
        lease_until=2**61, loader=new_id(), kept_rrsets=2**31 - 1, kept_records=0, kept_revision=2**62,
        generation=0, version=1,
    )  # fmt: skip
    store.transact(lambda work: work.inbound.save(row(store, ident), full))
    assert row(store, ident) == full
    store.transact(lambda work: work.inbound.forget(ident))
    with store.read() as work:
        assert work.inbound.get(ident, NOW) is None


def test_a_zone_is_due_when_its_time_has_come_and_nobody_holds_it(store: Store) -> None:
    ident = added(store)
    with store.read() as work:
        assert ident not in work.inbound.due(NOW - 1, 10_000) or not moves(store)
        assert ident in work.inbound.due(NOW, 10_000)
    assert leased(store, ident, "w1", NOW)
    with store.read() as work:
        assert ident not in work.inbound.due(NOW + LASTING - 1, 10_000)
        assert ident in work.inbound.due(NOW + LASTING, 10_000) or not moves(store)


def test_of_two_workers_one_gets_a_zone_and_may_hold_on_to_it(store: Store) -> None:
    ident = added(store)
    assert not leased(store, ident, "w1", NOW - 1) or not moves(store), "it is not due"
    assert leased(store, ident, "w1", NOW)
    half = LASTING // 2
    assert not leased(store, ident, "w2", NOW + half)
    assert leased(store, ident, "w1", NOW + half)
    assert not leased(store, ident, "w2", NOW + LASTING + half - 1)
    assert leased(store, ident, "w2", NOW + LASTING + half) or not moves(store)


def test_what_a_clock_ahead_of_ours_wrote_keeps_nothing_from_being_asked(store: Store) -> None:
    ident = added(store)
    before = row(store, ident)
    far = replace(before, due_at=before.read_at + LONGEST_WAIT + SECOND)
    store.transact(lambda work: work.inbound.save(before, far))
    with store.read() as work:
        assert ident in work.inbound.due(NOW, 10_000)
    assert leased(store, ident, "w1", NOW)


def test_a_wish_is_counted_and_a_report_that_did_not_know_of_it_is_written_anew(store: Store) -> None:
    ident = added(store)
    before = row(store, ident)
    store.transact(lambda work: work.inbound.wish([ident], NOW, wait=5, forced=True))
    after = row(store, ident)
    due_at = NOW + 5 if moves(store) else after.due_at
    assert after == replace(before, due_at=due_at, forced=True, asked=1)
    assert 0 <= after.due_at - before.due_at < 60 * SECOND
    with store.engine.connect() as connection, pytest.raises(Stale):
        InboundRows(connection).save(before, replace(before, attempts=1))


@pytest.mark.parametrize(
    ("at", "rest", "due"), [(94, None, 0), (94, -2, 0), (94, 3, 3), (2, 3, 2), (-3, 3, -3), (-3, None, -3)]
)
def test_a_notify_makes_a_zone_due_now_or_when_its_rest_ends(store: Store, at: int, rest: int | None, due: int) -> None:
    """Times in hours from now on."""
    ident = added(store)
    before = row(store, ident)
    now = before.read_at
    rest_until = None if rest is None else now + rest * HOUR
    resting = replace(before, due_at=now + at * HOUR, rest_until=rest_until)
    store.transact(lambda work: work.inbound.save(before, resting))
    assert store.transact(lambda work: work.inbound.notified([ident, "gone"], now, "192.0.2.1")) == 1
    after = row(store, ident)
    assert after == replace(resting, due_at=after.due_at, asked=1, notified_by="192.0.2.1", version=1)
    assert after.due_at == now + due * HOUR or (due == 0 and 0 <= after.due_at - now < 60 * SECOND)
    with store.read() as work:
        assert work.inbound.due_of([ident], now) == ((ident,) if due <= 0 else ())


def test_a_release_frees_every_zone(store: Store) -> None:
    ident = added(store)
    assert leased(store, ident, "w1", NOW)
    assert store.transact(lambda work: work.inbound.release()) >= 1
    assert row(store, ident).lease_owner is None
    assert leased(store, ident, "w2", NOW)


def test_each_lease_has_its_number_and_a_report_of_an_earlier_one_is_not_written(store: Store) -> None:
    ident = added(store)
    assert leased(store, ident, "w1", NOW)
    first = row(store, ident)
    store.transact(lambda work: work.inbound.lease("w1", [ident], NOW, NOW + LASTING, renew=True))
    assert row(store, ident).generation == first.generation
    store.transact(lambda work: work.inbound.revoke(ident))
    assert not store.transact(lambda work: work.inbound.lease("w1", [ident], NOW, NOW + LASTING, renew=True))
    assert leased(store, ident, "w1", NOW)
    again = row(store, ident)
    assert (again.lease_owner, again.generation) == (first.lease_owner, first.generation + 2)
    with store.engine.connect() as connection, pytest.raises(Stale):
        InboundRows(connection).save(first, replace(first, serial=5, lease_owner=None))
    assert row(store, ident) == again


@pytest.mark.parametrize(("of", "strays"), [(None, True), (1, True), (2, False)])
def test_a_zone_strays_from_a_served_copy_of_another_revision(store: Store, of: int | None, strays: bool) -> None:
    one = zone(revision=2)
    add(store, one)
    store.transact(lambda work: work.inbound.add(one.id, NOW))
    before = row(store, one.id)
    later = before.read_at + HOUR
    store.transact(lambda work: work.inbound.save(before, replace(before, due_at=later, kept_revision=of)))
    assert not strayed(store, one.id, before.read_at), "no copy is served"
    store.transact(lambda work: work.inbound.step(row(store, one.id), kept_rrsets=7, kept_records=7))
    assert strayed(store, one.id, before.read_at) == strays
    store.transact(lambda work: work.inbound.wish([one.id], before.read_at))
    assert not strayed(store, one.id, before.read_at), "it is due"


def strayed(store: Store, zone_id: str, now: int) -> bool:
    with store.read() as work:
        return zone_id in work.inbound.strayed(now, 0, 4095, 1000)


def test_of_two_steps_from_one_version_one_is_undone(store: Store) -> None:
    ident = added(store)
    before = row(store, ident)
    after = store.transact(lambda work: work.inbound.step(before, loader="first"))
    assert row(store, ident) == after == replace(before, loader="first", version=1)
    with store.engine.connect() as connection, pytest.raises(Stale):
        InboundRows(connection).step(before, loader="second")
    with store.engine.connect() as connection, pytest.raises(Stale):
        InboundRows(connection).save(before, replace(before, attempts=1))
