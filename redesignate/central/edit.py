# SPDX-License-Identifier: Apache-2.0
"""An edit of a zone is a value: it lists the RRsets to store, the RRsets to delete, and the zone's members that change.

Nothing here reads or writes the database. A caller that wants to change a zone makes an `Edit`, or lets `difference`
find the changes, and passes it to `change.apply`, which alone writes rows, counts, serial, journal and outbox. Every
step in between is a function from edit to edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, NamedTuple, TypeVar

from redesignate.model.names import order_key
from redesignate.model.rrset import APART, Held, place
from redesignate.model.zone import Zone

W = TypeVar("W")
Key = tuple[str, str]
"""Owner name and type, which identify an RRset within its zone."""


class Change(NamedTuple):
    """One RRset before and after; None where it does not exist. Both have the same id, name and type."""

    before: Held | None
    after: Held | None


@dataclass(slots=True)
class Stored:
    """What one run stored ahead of the edit that publishes it: its part of the journal's row.

    run      the run's id
    full     not all that was stored is known, or it is too much to keep
    removed added octets   RRs, and how long they are
    """

    run: str | None
    full: bool = False
    removed: list[bytes] = field(default_factory=list)
    added: list[bytes] = field(default_factory=list)
    octets: int = 0

    def note(self, changes: Sequence[Change], most: int) -> None:
        """Add what a step stored, RRsets with a TTL of their own; beyond `most` octets nothing is kept."""
        for before, after in changes:
            for held, blobs in ((before, self.removed), (after, self.added)):
                if held is not None and not self.full:
                    blobs.append(held.wire)
                    self.octets += len(held.wire)
                    if self.octets > most:
                        self.full, self.removed, self.added = True, [], []


@dataclass(slots=True)
class Edit:
    """The changes of one zone, whose row is locked.

    zone     as it is stored; for a new zone (`is_new`), as it will be
    now      µs
    changes  by id, so that each RRset is in one change only, and its `before` is the stored RRset: of several puts the
             last one counts, a put after a drop is a change, a drop after a put is the drop alone, and no change at all
             where the RRset was not stored. The name and type of a dropped RRset are free for one that is put
    more     further changes that are never all in memory, each id once and none of `changes`; ordered by name and type
    fields   members of the zone that change. The serial rises by itself unless it is among them
    touched  the zone gets a new revision even if nothing that changes is visible in DNS
    apex_version  version of the pool's NS records that the zone has after this edit; None where it stays
    earlier  zones of the name that the pool had before, where the servers do not know of this one yet
    ahead    the RRsets are stored and counted, and a later edit publishes them: for a zone that no server has yet, or
             of which DNS serves a copy meanwhile
    stored   what was stored ahead of this edit, which publishes it
    """

    zone: Zone
    now: int
    _: KW_ONLY
    is_new: bool = False
    touched: bool = False
    apex_version: int | None = None
    earlier: Sequence[Zone] = ()
    ahead: bool = False
    stored: Stored | None = None
    more: Iterable[Change] = ()
    changes: dict[str, Change] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

    def put(self, wanted: Held, over: Held | None = None) -> Held:
        """Store an RRset, or replace the stored RRset `over` by it; return it as it will be stored."""
        known = self.changes.get(wanted.id)
        before = known.before if known else over
        after = self.stamped(wanted, before)
        self.changes[wanted.id] = Change(before, after)
        return after

    def drop(self, stored: Held) -> None:
        """Delete a stored RRset."""
        known = self.changes.get(stored.id)
        if known is None:
            self.changes[stored.id] = Change(stored, None)
        elif known.before is None:
            del self.changes[stored.id]
        else:
            self.changes[stored.id] = Change(known.before, None)

    def set(self, **fields: Any) -> None:
        """Change these members of the zone. Without any, the zone gets a new revision all the same."""
        self.fields.update(fields)
        self.touched = True

    def stamped(self, wanted: Held, before: Held | None) -> Held:
        """The RRset with this edit's revision, version and times. An RRset that is not served gets no new revision."""
        served = wanted.records or (before is not None and before.records)
        revision = self.zone.revision + 1 if served and not self.is_new else self.zone.revision
        key = order_key(wanted.name, self.zone.name) if wanted.records or wanted.type == "SOA" else None
        if wanted.type in APART and wanted.records:
            key = place(wanted.name, wanted.type, self.zone.name)
        if before is None:
            return wanted._replace(
                order_key=key, revision=revision, born=revision, version=1, created_at=self.now, updated_at=None
            )
        return wanted._replace(
            order_key=key,
            revision=revision if served else before.revision,
            born=before.born,
            version=before.version + 1,
            created_at=before.created_at,
            updated_at=self.now,
        )


def difference(
    stored: Iterable[Held], wanted: Iterable[tuple[Key, W]], same: Callable[[Held, W], bool]
) -> Iterator[tuple[Held | None, tuple[Key, W] | None]]:
    """Compare the stored RRsets with the wanted ones: pairs (stored, wanted) that differ; None where one is missing.

    Both inputs are ordered by name and type, have each key once, and are never all in memory; the result may be read
    in the same way.
    """
    left, right = iter(stored), iter(wanted)
    have, want = next(left, None), next(right, None)
    while have is not None or want is not None:
        if want is None or (have is not None and (have.name, have.type) < want[0]):
            yield have, None
            have = next(left, None)
        elif have is None or want[0] < (have.name, have.type):
            yield None, want
            want = next(right, None)
        else:
            if not same(have, want[1]):
                yield have, want
            have, want = next(left, None), next(right, None)


def inverse(edit: Edit, zone: Zone, now: int) -> Edit:
    """The edit that reverts this one, for the zone as it is now: it deletes what was added, restores what was deleted
    under its id, and restores what was changed. Not for an edit whose changes were never all in memory.

    It overwrites later changes of the same RRsets: check for those before you apply it.
    """
    back = Edit(zone, now, apex_version=edit.apex_version)
    for before, after in edit.changes.values():
        if before is not None:
            back.put(before, over=after)
        elif after is not None:
            back.drop(after)
    if edit.touched:
        numbered = ("serial", "revision", "confirmed", "action", "status", "version", "updated_at")
        back.set(**{name: getattr(edit.zone, name) for name in edit.fields if name not in numbered})
    return back
