# SPDX-License-Identifier: Apache-2.0
"""The schedule of SECONDARY zones, on every database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redesignate.model.inbound import Inbound
from redesignate.store.inbound import LONGEST_WAIT, InboundRows
from redesignate.store.unit import Store
from redesignate.store.zones import Stale
from tests.store.makers import new_id

NOW = 10**15
LASTING = 100_000_000


def added(store: Store, *, at: int = NOW) -> str:
    ident = new_id()
    store.transact(lambda work: work.inbound.add(ident, at))
    return ident


def row(store: Store, zone_id: str) -> Inbound:
    with store.read() as work:
        found = work.inbound.get(zone_id)
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
        lease_until=2**61,
    )  # fmt: skip
    store.transact(lambda work: work.inbound.save(row(store, ident), full))
    assert row(store, ident) == full
    store.transact(lambda work: work.inbound.forget(ident))
    with store.read() as work:
        assert work.inbound.get(ident) is None


def test_a_zone_is_due_when_its_time_has_come_and_nobody_holds_it(store: Store) -> None:
    ident = added(store)
    with store.read() as work:
        assert ident not in work.inbound.due(NOW - 1, 10_000)
        assert ident in work.inbound.due(NOW, 10_000)
    assert leased(store, ident, "w1", NOW)
    with store.read() as work:
        assert ident not in work.inbound.due(NOW + LASTING - 1, 10_000)
        assert ident in work.inbound.due(NOW + LASTING, 10_000) or not moves(store)


def test_of_two_workers_one_gets_a_zone_and_may_hold_on_to_it(store: Store) -> None:
    ident = added(store)
    assert not leased(store, ident, "w1", NOW - 1), "it is not due"
    assert leased(store, ident, "w1", NOW)
    half = LASTING // 2
    assert not leased(store, ident, "w2", NOW + half)
    assert leased(store, ident, "w1", NOW + half)
    assert not leased(store, ident, "w2", NOW + LASTING + half - 1)
    assert leased(store, ident, "w2", NOW + LASTING + half) or not moves(store)


def test_what_a_clock_ahead_of_ours_wrote_keeps_nothing_from_being_asked(store: Store) -> None:
    ident = added(store, at=NOW + LONGEST_WAIT + 1)
    with store.read() as work:
        assert ident in work.inbound.due(NOW, 10_000)
    assert leased(store, ident, "w1", NOW)


def test_a_wish_is_counted_and_a_report_that_did_not_know_of_it_is_written_anew(store: Store) -> None:
    ident = added(store)
    before = row(store, ident)
    store.transact(lambda work: work.inbound.wish([ident], NOW + 5, forced=True))
    after = row(store, ident)
    assert after == replace(before, due_at=NOW + 5, forced=True, asked=1)
    with store.engine.connect() as connection, pytest.raises(Stale):
        InboundRows(connection).save(before, replace(before, attempts=1))


@pytest.mark.parametrize(
    ("at", "rest", "due"), [(99, None, 5), (99, 3, 5), (99, 8, 8), (7, 8, 7), (2, 8, 2), (2, None, 2)]
)
def test_a_notify_makes_a_zone_due_now_or_when_its_rest_ends(store: Store, at: int, rest: int | None, due: int) -> None:
    ident = added(store, at=NOW + at)
    before = row(store, ident)
    resting = replace(before, rest_until=None if rest is None else NOW + rest)
    store.transact(lambda work: work.inbound.save(before, resting))
    assert store.transact(lambda work: work.inbound.notified([ident, "gone"], NOW + 5, "192.0.2.1")) == 1
    assert row(store, ident) == replace(resting, due_at=NOW + due, asked=1, notified_by="192.0.2.1")
    with store.read() as work:
        assert work.inbound.due_of([ident], NOW + 5) == ((ident,) if due <= 5 else ())


def test_a_release_frees_every_zone(store: Store) -> None:
    ident = added(store)
    assert leased(store, ident, "w1", NOW)
    assert store.transact(lambda work: work.inbound.release()) >= 1
    assert row(store, ident).lease_owner is None
    assert leased(store, ident, "w2", NOW)
