# SPDX-License-Identifier: Apache-2.0
"""Prepares the zone in a worker's report before the transaction that publishes it, so that the transaction is short.

The zone is unpacked and its new records are parsed outside of any transaction. A large zone that no server has yet is
stored a few RRsets at a time, so that other writers get their turn in between (SQLite has one writer at a time).
"""

from __future__ import annotations

from collections.abc import Sequence

from redesignate.central.arrival import (
    Content,
    Pair,
    Unacceptable,
    Unpacked,
    changes,
    check_quota,
    differing,
    inflate,
    read,
)
from redesignate.central.change import apply
from redesignate.central.edit import Edit
from redesignate.central.rules import Rules
from redesignate.commands.inbound import ReportInbound
from redesignate.model.inbound import Result
from redesignate.store.unit import Store, Work
from redesignate.store.zones import Counts

AHEAD = 500
"""The number of RRsets that one transaction stores before the zone is published."""


def unpacked(rules: Rules, store: Store, said: ReportInbound) -> Unpacked:
    """Unpack the zone in a report and parse what is new in it.

    Cost  two queries; 20 µs for each new record, 3 µs for each known one. For a zone of more than AHEAD RRsets that was
          never fetched: a transaction of nine statements for each AHEAD
    """
    outcome = said.outcome
    if outcome.result is not Result.FETCHED:
        return Unpacked(worker=said.worker, said=said)
    _, zone = store.look(lambda work: work.zones.get(outcome.zone_id))
    if zone is None:
        return Unpacked(worker=said.worker, said=said, why="the zone is deleted")
    try:
        content = read(zone.name, inflate(outcome.content, rules.settings.xfr_max_bytes))
        _, pairs = store.look(lambda work: list(differing(work.rrsets.walk(outcome.zone_id), content)))
        for _, wanted in pairs:
            if wanted is not None:
                content.text(wanted[0])
        if zone.waiting and len(pairs) > AHEAD:
            store.look(lambda work: check_quota(rules, work, zone, Counts(0, 0), content))
            _load(store, said, content, pairs)
    except Unacceptable as fault:
        return Unpacked(worker=said.worker, said=said, why=str(fault))
    return Unpacked(worker=said.worker, said=said, content=content)


def _load(store: Store, said: ReportInbound, content: Content, pairs: Sequence[Pair]) -> None:
    """Store all but the last AHEAD pairs; the transaction that publishes the zone writes what still differs then.

    Only the holder of the zone's lease changes its content, so the pairs stay valid while the lease is held.
    """
    for at in range(0, len(pairs) - AHEAD, AHEAD):
        some = pairs[at : at + AHEAD]

        def store_some(work: Work, some: Sequence[Pair] = some) -> bool:
            found, row = work.zones.lock(said.outcome.zone_id), work.inbound.get(said.outcome.zone_id)
            if found is None or row is None or row.lease_owner != said.worker or not found[0].waiting:
                return False
            edit = Edit(found[0], work.now, ahead=True)
            edit.more = changes(edit, content, some)
            apply(work, None, edit)
            return True

        if not store.transact(store_some):
            return
