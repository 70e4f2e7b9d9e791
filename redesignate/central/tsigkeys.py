# SPDX-License-Identifier: Apache-2.0
"""TSIG keys: each is bound to a pool or a zone, and is in force from the commit that makes, changes or deletes it.

mdns reads a key from the database at each signed message. Workers keep the keys of a pool's servers with the pool, by
its version: so a change of such a key is a new version of the pool.
"""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import replace
from typing import Any

from msgspec import UNSET
from sqlalchemy.exc import IntegrityError

from redesignate.central.rules import Answers, Rules, fields
from redesignate.central.upkeep import peer_returned
from redesignate.commands.tsigkeys import CreateTSIGKey, DeleteTSIGKey, GetTSIGKey, ListTSIGKeys, UpdateTSIGKey
from redesignate.commands.work import PeerReturned
from redesignate.model.caller import Caller
from redesignate.model.clock import new_id
from redesignate.model.errors import DuplicateTSIGKey, InvalidTSIGKey, TSIGKeyNotFound
from redesignate.model.names import InvalidName
from redesignate.model.paging import ListQuery, Op, Page
from redesignate.model.tsigkey import (
    ALGORITHMS,
    LONGEST,
    Scope,
    TSIGKey,
    check_key_name,
    generated_secret,
    is_usable,
)
from redesignate.store.secrets import SEALED
from redesignate.store.unit import Work


def list_tsigkeys(rules: Rules, work: Work, command: ListTSIGKeys) -> Page[TSIGKey]:
    """Return a page of keys. Raises Forbidden, MarkerNotFound."""
    rules.policy.may("find_tsigkeys", command.caller, {})
    return work.tsigkeys.listed(_stored(command.query))


def get_tsigkey(rules: Rules, work: Work, command: GetTSIGKey) -> TSIGKey:
    """Return one key. Raises Forbidden, TSIGKeyNotFound."""
    rules.policy.may("get_tsigkey", command.caller, {})
    return _found(work.tsigkeys.get(command.key_id))


def create_tsigkey(rules: Rules, work: Work, command: CreateTSIGKey) -> TSIGKey:
    """Add a key. Raises Forbidden, InvalidObject, InvalidTSIGKey, DuplicateTSIGKey."""
    rules.policy.may("create_tsigkey", command.caller, {})
    new = command.new
    made = TSIGKey(
        id=new_id(),
        algorithm=_algorithm(new.algorithm),
        secret=_secret(new.secret),
        scope=new.scope,
        resource_id=_resource(work, new.scope, new.resource_id),
        created_at=work.now,
        **_name(new.name),
    )
    try:
        work.tsigkeys.add(made)
    except IntegrityError as error:
        raise DuplicateTSIGKey("Duplicate TsigKey") from error
    _warn(work, made)
    return made


def update_tsigkey(rules: Rules, work: Work, command: UpdateTSIGKey) -> TSIGKey:
    """Change a key. Raises Forbidden, TSIGKeyNotFound, InvalidObject, InvalidTSIGKey, DuplicateTSIGKey.

    Cost   four statements, and those of `_renew` for each pool that names the key
    """
    before, change = changeable(rules, work, command.caller, command.key_id, lock=True), command.change
    members: dict[str, Any] = {} if change.name is UNSET else _name(change.name)
    if change.algorithm is not UNSET:
        members["algorithm"] = _algorithm(change.algorithm)
    if change.secret is not UNSET:
        members["secret"] = _secret(change.secret)
    scope = before.scope if change.scope is UNSET else change.scope
    resource_id = before.resource_id if change.resource_id is UNSET else change.resource_id
    if (scope, resource_id) != (before.scope, before.resource_id):
        members |= {"scope": scope, "resource_id": _resource(work, scope, resource_id)}
    after = replace(before, **members)
    if after == before:
        return before
    after = replace(after, updated_at=work.now)
    try:
        work.tsigkeys.change(after)
    except IntegrityError as error:
        raise DuplicateTSIGKey("Duplicate TsigKey") from error
    _warn(work, after)
    _renew(rules, work, after.id)
    return after


def changeable(rules: Rules, work: Work, caller: Caller, key_id: str, *, lock: bool = False) -> TSIGKey:
    """Return the key that the caller may change. Raises Forbidden, TSIGKeyNotFound."""
    rules.policy.may("update_tsigkey", caller, {"tsigkey_id": key_id})
    return _found(work.tsigkeys.get(key_id, lock=lock))


def delete_tsigkey(rules: Rules, work: Work, command: DeleteTSIGKey) -> None:
    """Remove a key. Raises Forbidden, TSIGKeyNotFound."""
    rules.policy.may("delete_tsigkey", command.caller, {})
    if not work.tsigkeys.remove(command.key_id):
        raise TSIGKeyNotFound("Could not find TsigKey")
    _renew(rules, work, command.key_id)


def _renew(rules: Rules, work: Work, key_id: str) -> None:
    """Give each pool whose servers' messages the key signs a new version, so that workers read the key again before
    their next attempt, and make due what waits for those servers.

    Every pool is locked: one that is changed at the same time to name the key is seen, or reads the key as it is now.
    Cost   one query; for each pool that names the key one statement, and up to four for each server that does
    """
    for pool in work.pools.all(lock=True):
        signed = [peer for peer, key in pool.peer_keys.items() if key == key_id]
        if signed:
            work.pools.change(replace(pool, version=pool.version + 1, updated_at=work.now), apex=False)
        for peer in signed:
            peer_returned(rules, work, PeerReturned(pool_id=pool.id, peer_id=peer))


def _name(text: str) -> dict[str, Any]:
    """A key's name in both forms. Raises InvalidObject."""
    try:
        name = check_key_name(text)
    except InvalidName as error:
        raise fields.refused(error) from error
    if len(text) > LONGEST:
        raise fields.refused(ValueError(f"A key's name has at most {LONGEST} characters"))
    return {"name": name, "typed_name": None if text == name else text}


def _algorithm(text: str) -> str:
    if text not in ALGORITHMS:
        raise fields.refused(
            ValueError(f"{text[:LONGEST]} is not a TSIG algorithm; use one of {', '.join(ALGORITHMS)}")
        )
    return text


def _secret(text: str | None) -> str:
    """The secret as given, or a generated one. Not every client sends base64; `_warn` says what follows."""
    if not text:
        return generated_secret()
    if len(text) > LONGEST:
        raise fields.refused(ValueError(f"A key's secret has at most {LONGEST} characters"))
    if text.startswith(SEALED):
        raise fields.refused(ValueError(f"A key's secret does not begin with {SEALED}"))
    return text


def _resource(work: Work, scope: Scope, resource_id: str) -> str:
    """The id of a pool or zone that exists. Raises InvalidTSIGKey."""
    with contextlib.suppress(ValueError):
        ident = str(uuid.UUID(resource_id))
        if (work.pools.get(ident) if scope is Scope.POOL else work.zones.get(ident)) is not None:
            return ident
    raise InvalidTSIGKey(f"There is no {scope.value.lower()} {resource_id[:LONGEST]}")


def _warn(work: Work, key: TSIGKey) -> None:
    if not is_usable(key.secret):
        work.events.append(("a tsig key's secret is not base64: it signs nothing", {"key": key.name}))


def _found(key: TSIGKey | None) -> TSIGKey:
    if key is None:
        raise TSIGKeyNotFound("Could not find TsigKey")
    return key


def _stored(query: ListQuery) -> ListQuery:
    """The query with names in stored form: a whole name is found in any spelling, a part in upper or lower case."""
    conditions = []
    for one in query.conditions:
        value = one.value
        if one.field == "name":
            value = value.lower()
            if one.op in (Op.EQ, Op.NE):
                with contextlib.suppress(InvalidName):  # a text that cannot be a key's name matches none
                    value = check_key_name(one.value)
        conditions.append(replace(one, value=value))
    return replace(query, conditions=tuple(conditions))


ANSWERS: Answers = {
    ListTSIGKeys: list_tsigkeys,
    GetTSIGKey: get_tsigkey,
    CreateTSIGKey: create_tsigkey,
    UpdateTSIGKey: update_tsigkey,
    DeleteTSIGKey: delete_tsigkey,
}
