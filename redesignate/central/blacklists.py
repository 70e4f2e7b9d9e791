# SPDX-License-Identifier: Apache-2.0
"""The operators' blacklist of zone names; what it means for a zone's name is in `rules/allowed.py`."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, structs
from sqlalchemy.exc import IntegrityError

from redesignate.central.rules import Answers, Rules, fields
from redesignate.commands.blacklists import (
    CreateBlacklist,
    DeleteBlacklist,
    GetBlacklist,
    ListBlacklists,
    UpdateBlacklist,
)
from redesignate.model.blacklist import Blacklist
from redesignate.model.caller import Caller
from redesignate.model.clock import new_id
from redesignate.model.errors import BlacklistNotFound, DuplicateBlacklist, InvalidOperation
from redesignate.model.paging import Page
from redesignate.model.pattern import InvalidPattern, grams, needles_of
from redesignate.store.blacklists import Blacklists
from redesignate.store.unit import Work

MOST = 50_000
"""Patterns of the blacklist."""
MOST_ALIKE = 200
"""Needles of one gram, so many of which a name with this gram is compared with; and patterns without any needle, all of
which every name is compared with. Requests at the same moment may go a little beyond."""


def list_blacklists(rules: Rules, work: Work, command: ListBlacklists) -> Page[Blacklist]:
    """Return a page of the patterns. Raises Forbidden, MarkerNotFound."""
    rules.policy.may("find_blacklists", command.caller, {})
    return Blacklists(work.conn).listed(command.query)


def get_blacklist(rules: Rules, work: Work, command: GetBlacklist) -> Blacklist:
    """Return one pattern. Raises Forbidden, BlacklistNotFound."""
    rules.policy.may("get_blacklist", command.caller, {})
    return _found(Blacklists(work.conn).get(command.blacklist_id))


def create_blacklist(rules: Rules, work: Work, command: CreateBlacklist) -> Blacklist:
    """Add a pattern; zones that exist stay. Raises Forbidden, InvalidObject, InvalidOperation, DuplicateBlacklist."""
    rules.policy.may("create_blacklist", command.caller, {})
    new, rows = command.new, Blacklists(work.conn)
    needles = _needles(new.pattern)
    description = fields.description(new.description)
    if rows.count() >= MOST:
        raise InvalidOperation(f"The blacklist holds {MOST} patterns; join some of them with |")
    made = Blacklist(id=new_id(), pattern=new.pattern, description=description, created_at=work.now)
    try:
        rows.add(made, _marked(rows, needles))
    except IntegrityError as error:
        raise DuplicateBlacklist("Duplicate Blacklist") from error
    return made


def update_blacklist(rules: Rules, work: Work, command: UpdateBlacklist) -> Blacklist:
    """Change a pattern; zones that exist stay.

    Raises Forbidden, BlacklistNotFound, InvalidObject, InvalidOperation, DuplicateBlacklist.
    """
    before, change = changeable(rules, work, command.caller, command.blacklist_id, lock=True), command.change
    members: dict[str, Any] = {}
    rows = Blacklists(work.conn)
    if change.description is not UNSET:
        members["description"] = fields.description(change.description)
    if change.pattern is not UNSET:
        members["pattern"] = change.pattern
        needles = _needles(change.pattern)
        rows.unmark(before.id)  # it does not count among those that are like it
        rows.mark(before.id, _marked(rows, needles))
    if not members:
        return before
    after = structs.replace(before, updated_at=work.now, **members)
    try:
        rows.change(after)
    except IntegrityError as error:
        raise DuplicateBlacklist("Duplicate Blacklist") from error
    return after


def changeable(rules: Rules, work: Work, caller: Caller, blacklist_id: str, *, lock: bool = False) -> Blacklist:
    """Return the pattern that the caller may change. Raises Forbidden, BlacklistNotFound."""
    rules.policy.may("update_blacklist", caller, {"blacklist_id": blacklist_id})
    return _found(Blacklists(work.conn).get(blacklist_id, lock=lock))


def delete_blacklist(rules: Rules, work: Work, command: DeleteBlacklist) -> None:
    """Remove a pattern. Raises Forbidden, BlacklistNotFound."""
    rules.policy.may("delete_blacklist", command.caller, {})
    if not Blacklists(work.conn).remove(command.blacklist_id):
        raise BlacklistNotFound("Could not find Blacklist")


def _needles(pattern: str) -> tuple[str, ...]:
    try:
        return needles_of(pattern)
    except InvalidPattern as error:
        raise fields.refused(error) from error


def _marked(rows: Blacklists, needles: tuple[str, ...]) -> dict[str, str]:
    """The gram of each needle: the one that the fewest others have. Raises InvalidOperation where each has too many."""
    choice = {needle: grams(needle) for needle in needles}
    numbers = rows.alike(set().union(*choice.values()))
    marked = {needle: min(some, key=lambda gram: (numbers.get(gram, 0), gram)) for needle, some in choice.items()}
    for needle, gram in marked.items():
        if numbers.get(gram, 0) >= MOST_ALIKE:
            lacks = f"hold {needle!r} or a part of it" if gram else "have no fixed text of three characters or more"
            raise InvalidOperation(f"{MOST_ALIKE} patterns {lacks} as this one does; join some of them with |")
    return marked


def _found(entry: Blacklist | None) -> Blacklist:
    if entry is None:
        raise BlacklistNotFound("Could not find Blacklist")
    return entry


ANSWERS: Answers = {
    ListBlacklists: list_blacklists,
    GetBlacklist: get_blacklist,
    CreateBlacklist: create_blacklist,
    UpdateBlacklist: update_blacklist,
    DeleteBlacklist: delete_blacklist,
}
