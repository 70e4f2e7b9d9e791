# SPDX-License-Identifier: Apache-2.0
"""Prepares the zone in a worker's report before the transaction that publishes it, so that the transaction is short.

The zone is unpacked and its new records are parsed outside of any transaction. What differs of a large zone is stored
a few RRsets at a time, so that other writers get their turn in between (SQLite has one writer at a time):

    no server has the zone    its RRsets are stored, and it is published last
    the zone is served        it is copied (`store/kept.py`) · from one short transaction on DNS serves the copy · the
                              RRsets are changed · the transaction that publishes them ends the copy

A run may end at any point. What it stored stays: the next one goes on with the copy where this one ended, or, once the
copy is served, stores what still differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from redesignate.central.arrival import Content, Pair, Seen, Unacceptable, Unpacked, changes, differing, inflate, read
from redesignate.central.change import JOURNAL_ENTRY_MAX, apply
from redesignate.central.edit import Change, Edit, Stored
from redesignate.central.rules import Rules
from redesignate.central.takeover import ANOTHER_RUN, check
from redesignate.commands.inbound import ReportInbound
from redesignate.model.clock import new_id
from redesignate.model.errors import Unavailable
from redesignate.model.inbound import Inbound, Result
from redesignate.model.zone import Action, Zone
from redesignate.store.kept import Kept
from redesignate.store.unit import Store, Work
from redesignate.store.zones import Counts
from redesignate.threads.deadline import ASKING

AHEAD = 500
"""The number of RRsets that one transaction stores before the zone is published."""
AT_ONCE = 2000
"""The largest difference of a served zone that is stored in the one transaction that publishes it: the copy that steps
need costs as much as the zone is large."""
T = TypeVar("T")


class _Ousted(Exception):
    """The worker does not hold the zone any more: nothing else of its report is stored."""


def unpacked(rules: Rules, store: Store, said: ReportInbound) -> Unpacked:
    """Unpack the zone in a report, parse what is new in it, and store a large difference but for its end.

    Cost  six queries; 20 µs for each new record, 3 µs for each known one. For a large difference a transaction of
          ten statements for each AHEAD RRsets, and one of six for each 2,000 that the zone has
    Raises Unavailable where another report of this zone is being stored, or the deadline passes.
    """
    outcome = said.outcome
    if outcome.result is not Result.FETCHED:
        return Unpacked(worker=said.worker, said=said)
    _, zone = store.look(lambda work: work.zones.get(outcome.zone_id))
    if zone is None:
        return Unpacked(worker=said.worker, said=said, why="the zone is deleted")
    try:
        content = read(zone.name, inflate(outcome.content, rules.settings.xfr_max_bytes))
        pairs, seen = _differing(store, zone, content)
        for _, wanted in pairs:
            if wanted is not None:
                content.text(wanted[0])
        if len(pairs) > (AHEAD if zone.waiting else AT_ONCE):
            del pairs
            return _Loader(rules, store, said, content).run()
    except Unacceptable as fault:
        return Unpacked(worker=said.worker, said=said, why=str(fault))
    except _Ousted:
        return Unpacked(worker=said.worker, said=said, why="another worker holds the zone now")
    return Unpacked(worker=said.worker, said=said, content=content, pairs=pairs, seen=seen)


def _differing(store: Store, zone: Zone, content: Content) -> tuple[list[Pair], Seen | None]:
    """What differs, and of which state of the zone; None where it is being deleted."""

    def ask(work: Work) -> tuple[list[Pair], Seen | None]:
        now, row = work.zones.get(zone.id), work.inbound.get(zone.id, work.now)
        seen = (now.revision, row.version) if now is not None and row is not None else None
        return list(differing(work.rrsets.walk(zone.id), content)), seen

    return store.look(ask, deadline=ASKING.at)[1]


class _Loader:
    """One run that stores a large difference. A later run for the zone ends it."""

    def __init__(self, rules: Rules, store: Store, said: ReportInbound, content: Content) -> None:
        self._rules = rules
        self._store = store
        self._said = said
        self._content = content
        self._id = new_id()
        self._seen: Seen | None = None

    def run(self) -> Unpacked:
        """Store all but the last AHEAD RRsets that differ; return those. Raises Unacceptable, and then nothing was
        stored; _Ousted, Unavailable."""

        def begin(work: Work) -> tuple[Zone, Counts, Inbound]:
            zone, counts, row = self._held(work)
            check(self._rules, work, (zone, counts), row, self._content)
            return zone, counts, work.inbound.step(row, loader=self._id)

        zone, counts, row = self._store.transact(begin, deadline=ASKING.at)
        self._seen = zone.revision, row.version
        kept = row.kept_rrsets is not None
        if not kept and not zone.waiting:
            self._keep(zone, counts, begun=row.kept_revision == zone.revision)
        # read again: what another run stored until this one began is no difference any more
        pairs, seen = _differing(self._store, zone, self._content)
        if seen != self._seen:
            raise Unavailable(ANOTHER_RUN)
        stored = Stored(run=self._id, full=kept)
        rest = self._store_pairs(pairs, stored)
        return Unpacked(worker=self._said.worker, said=self._said, content=self._content, pairs=rest, seen=self._seen,
                        stored=stored)  # fmt: skip

    def _keep(self, zone: Zone, counts: Counts, *, begun: bool) -> None:
        """Copy the zone, and have the copy served. `begun`: an earlier run has copied a part of it as it still is."""
        while not begun and self._step(lambda work, _: Kept(work.conn).drop(zone.id)):
            pass
        while self._step(lambda work, _: Kept(work.conn).copy(zone.id), kept_revision=zone.revision):
            pass
        self._step(lambda *_: None, kept_rrsets=counts.rrsets, kept_records=counts.records)

    def _store_pairs(self, pairs: Sequence[Pair], stored: Stored) -> Sequence[Pair]:
        """Store these but for the last AHEAD, which it returns."""
        at = 0
        while len(pairs) - at > AHEAD:
            some = pairs[at : at + AHEAD]
            at += AHEAD

            def store_some(work: Work, zone: Zone, some: Sequence[Pair] = some) -> list[Change]:
                edit, done = Edit(zone, work.now, ahead=True), list[Change]()
                edit.more = _noted(changes(edit, self._content, some), done)
                apply(work, None, edit)
                return done

            stored.note(self._step(store_some), JOURNAL_ENTRY_MAX)
        return pairs[at:]

    def _step(self, do: Callable[[Work, Zone], T], **written: Any) -> T:
        """One transaction of this run, which also writes the zone's row of `inbound`. Raises _Ousted, Unavailable."""

        def one(work: Work) -> tuple[T, Seen]:
            zone, _, row = self._held(work)
            if row.loader != self._id:
                raise Unavailable(ANOTHER_RUN)
            row = work.inbound.step(row, **written)
            return do(work, zone), (zone.revision, row.version)

        done, self._seen = self._store.transact(one, deadline=ASKING.at)
        return done

    def _held(self, work: Work) -> tuple[Zone, Counts, Inbound]:
        """The zone, locked. Raises _Ousted where the worker does not hold it any more."""
        outcome = self._said.outcome
        found, row = work.zones.lock(outcome.zone_id), work.inbound.get(outcome.zone_id, work.now)
        if found is None or row is None or row.serial != outcome.since:
            raise _Ousted
        if (row.lease_owner, row.generation) != (self._said.worker, outcome.generation):
            raise _Ousted
        if found[0].action is Action.DELETE:
            raise _Ousted
        return *found, row


def _noted(some: Iterator[Change], done: list[Change]) -> Iterator[Change]:
    for change in some:
        done.append(change)
        yield change
