# SPDX-License-Identifier: Apache-2.0
"""The operators' list of top-level domains; what it means for a zone's name is in `rules/allowed.py`."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from msgspec import UNSET, structs
from sqlalchemy.exc import IntegrityError

from redesignate.central.rules import Answers, Rules, fields
from redesignate.commands.tlds import (
    CreateTLD,
    DeleteTLD,
    GetTLD,
    ImportedTLDs,
    ImportTLDs,
    ListTLDs,
    UpdateTLD,
)
from redesignate.model.caller import Caller
from redesignate.model.clock import new_id
from redesignate.model.errors import BadInput, DuplicateTLD, InvalidObject, TLDNotFound
from redesignate.model.names import InvalidName
from redesignate.model.paging import ListQuery, Op, Page
from redesignate.model.tld import TLD, NewTLD, check_tld_name
from redesignate.store.tlds import TLDs
from redesignate.store.unit import Work
from redesignate.store.zones import Stale

MOST = 1000
"""The most entries of one import."""


def list_tlds(rules: Rules, work: Work, command: ListTLDs) -> Page[TLD]:
    """Return a page of the list. Raises Forbidden, MarkerNotFound."""
    rules.policy.may("find_tlds", command.caller, {})
    return TLDs(work.conn).listed(_stored(command.query))


def get_tld(rules: Rules, work: Work, command: GetTLD) -> TLD:
    """Return one entry. Raises Forbidden, TLDNotFound."""
    rules.policy.may("get_tld", command.caller, {})
    return _found(TLDs(work.conn).get(command.tld_id))


def create_tld(rules: Rules, work: Work, command: CreateTLD) -> TLD:
    """Add an entry. The first one makes every name that no entry covers unacceptable for new zones.

    Raises Forbidden, InvalidObject, DuplicateTLD.
    """
    rules.policy.may("create_tld", command.caller, {})
    made = _made(work, command.new)
    try:
        TLDs(work.conn).add(made)
    except IntegrityError as error:
        raise DuplicateTLD("Duplicate Tld") from error
    return made


def update_tld(rules: Rules, work: Work, command: UpdateTLD) -> TLD:
    """Change an entry; zones that exist stay. Raises Forbidden, TLDNotFound, InvalidObject, DuplicateTLD."""
    before, change = changeable(rules, work, command.caller, command.tld_id, lock=True), command.change
    members: dict[str, Any] = {}
    if change.name is not UNSET:
        members["name"] = _name(change.name)
    if change.description is not UNSET:
        members["description"] = fields.description(change.description)
    if not members:
        return before
    after = structs.replace(before, updated_at=work.now, **members)
    try:
        TLDs(work.conn).change(after)
    except IntegrityError as error:
        raise DuplicateTLD("Duplicate Tld") from error
    return after


def changeable(rules: Rules, work: Work, caller: Caller, tld_id: str, *, lock: bool = False) -> TLD:
    """Return the entry that the caller may change. Raises Forbidden, TLDNotFound."""
    rules.policy.may("update_tld", caller, {"tld_id": tld_id})
    return _found(TLDs(work.conn).get(tld_id, lock=lock))


def delete_tld(rules: Rules, work: Work, command: DeleteTLD) -> None:
    """Remove an entry; zones below it stay. Raises Forbidden, TLDNotFound."""
    rules.policy.may("delete_tld", command.caller, {})
    if not TLDs(work.conn).remove(command.tld_id):
        raise TLDNotFound("Could not find Tld")


def import_tlds(rules: Rules, work: Work, command: ImportTLDs) -> ImportedTLDs:
    """Add the entries that are valid and not in the list; those that are there stay as they are.

    Raises Forbidden, BadInput for more than MOST entries.
    Cost   two statements.
    """
    rules.policy.may("create_tld", command.caller, {})
    if len(command.entries) > MOST:
        raise BadInput(f"At most {MOST} TLDs are imported at once")
    valid: dict[str, TLD] = {}
    refused: dict[int, str] = {}
    for at, new in enumerate(command.entries):
        try:
            made = _made(work, new)
        except InvalidObject as fault:
            refused[at] = fault.message
        else:
            valid.setdefault(made.name, made)
    there = TLDs(work.conn).named(valid)
    fresh = [made for name, made in valid.items() if name not in there]
    if fresh:
        try:
            TLDs(work.conn).add(*fresh)
        except IntegrityError as error:  # another import was faster
            raise Stale from error
    return ImportedTLDs(added=len(fresh), present=len(command.entries) - len(fresh) - len(refused), refused=refused)


def _made(work: Work, new: NewTLD) -> TLD:
    name, description = _name(new.name), fields.description(new.description)
    return TLD(id=new_id(), name=name, description=description, created_at=work.now)


def _name(text: str) -> str:
    try:
        return check_tld_name(text)
    except InvalidName as error:
        raise fields.refused(error) from error


def _found(entry: TLD | None) -> TLD:
    if entry is None:
        raise TLDNotFound("Could not find Tld")
    return entry


def _stored(query: ListQuery) -> ListQuery:
    """The query with names in stored form: a whole name is found in any spelling, a part in upper or lower case."""
    conditions = []
    for one in fields.by_name(query).conditions:
        value = one.value
        if one.field == "name" and one.op in (Op.EQ, Op.NE):
            with contextlib.suppress(InvalidName):  # a text that is not a TLD's name matches none
                value = check_tld_name(value)
        conditions.append(replace(one, value=value))
    return replace(query, conditions=tuple(conditions))


ANSWERS: Answers = {
    ListTLDs: list_tlds,
    GetTLD: get_tld,
    CreateTLD: create_tld,
    UpdateTLD: update_tld,
    DeleteTLD: delete_tld,
    ImportTLDs: import_tlds,
}
