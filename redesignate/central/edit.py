# SPDX-License-Identifier: Apache-2.0
"""An edit of a zone is a value: what is to be there, what is to be gone, which facts of the zone change.

Nothing here reads or writes anything. Whoever wants a zone changed makes an `Edit` of it, or lets `difference` find
one, and hands it to `change.apply`, which alone writes rows, counts, serial, journal and outbox. Whatever lies between
wish and writing is a function from edit to edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, NamedTuple, TypeVar

from redesignate.model.names import order_key
from redesignate.model.rrset import Held
from redesignate.model.zone import Zone

W = TypeVar("W")
Key = tuple[str, str]
"""Owner name and type: what an RRset is known by within its zone."""


class Change(NamedTuple):
    """One RRset before and after; None: it is not there. Both have one id, name and type."""

    before: Held | None
    after: Held | None


@dataclass(slots=True)
class Edit:
    """What is to become of one zone, whose row is held.

    zone     as it is stored; of a new zone (`is_new`): as it will be
    now      µs
    changes  by id, so that an RRset is in one change only, and its `before` is what is stored: put after put is the
             last one, put after drop a change, drop after put what the drop alone would have been, and nothing at all
             where the RRset was not stored. Of what is dropped the name and type are free for what is put
    more     further changes that are never all in memory, each id once and none of `changes`; ordered by name and type
    fields   members of the zone that change. The serial rises by itself unless it is among them
    touched  the zone moves on to a next revision even if nothing of it is seen in DNS
    apex_version  of the pool's NS records that this brings the zone to; None: it stays
    earlier  zones of the name that the pool had before, where the servers have not been told of this one yet
    ahead    the RRsets are stored and counted, and a later edit publishes them: for a zone that nobody serves yet
    """

    zone: Zone
    now: int
    _: KW_ONLY
    is_new: bool = False
    touched: bool = False
    apex_version: int | None = None
    earlier: Sequence[Zone] = ()
    ahead: bool = False
    more: Iterable[Change] = ()
    changes: dict[str, Change] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

    def put(self, wanted: Held, over: Held | None = None) -> Held:
        """Have an RRset there, in the place of `over` where it is stored already; as it will be stored."""
        known = self.changes.get(wanted.id)
        before = known.before if known else over
        after = self.stamped(wanted, before)
        self.changes[wanted.id] = Change(before, after)
        return after

    def drop(self, stored: Held) -> None:
        """Have an RRset gone."""
        known = self.changes.get(stored.id)
        if known is None:
            self.changes[stored.id] = Change(stored, None)
        elif known.before is None:
            del self.changes[stored.id]
        else:
            self.changes[stored.id] = Change(known.before, None)

    def set(self, **fields: Any) -> None:
        """Have these members of the zone changed. Without any: have it move on to its next revision all the same."""
        self.fields.update(fields)
        self.touched = True

    def stamped(self, wanted: Held, before: Held | None) -> Held:
        """The RRset with revision, version and times of this edit. What is not served has no part in a revision."""
        served = wanted.records or (before is not None and before.records)
        revision = self.zone.revision + 1 if served and not self.is_new else self.zone.revision
        key = order_key(wanted.name, self.zone.name) if wanted.records or wanted.type == "SOA" else None
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
    """What makes of the stored RRsets the wanted ones: pairs of which the first is to go, or to become the second.

    Both come in the order of name and type, each once, and are never held whole: so may the result be used.
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
    """The edit that takes this one back, for the zone as it is now: what it put is gone, what it dropped is there
    again under its id, what it changed is as it was. Not of an edit whose changes were never all in memory.

    What others did since to the same RRsets is theirs: look at it before you apply this.
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
