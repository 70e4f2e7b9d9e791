# SPDX-License-Identifier: Apache-2.0
"""TSIG keys: made and removed by operators, bound to a pool or a zone."""

from __future__ import annotations

import base64
import binascii

from sqlalchemy.exc import IntegrityError

from redesignate.bus.port import CreateTSIGKey
from redesignate.central.fields import refused
from redesignate.central.rules import Rules
from redesignate.model.caller import Caller
from redesignate.model.errors import DuplicateTSIGKey, InvalidTSIGKey, TSIGKeyNotFound
from redesignate.model.ids import new_id
from redesignate.model.names import InvalidName, canonical
from redesignate.model.tsig import ALGORITHMS, Scope, TSIGKey
from redesignate.store.unit import Work


def list_keys(rules: Rules, work: Work, caller: Caller) -> tuple[TSIGKey, ...]:
    """Every key. Raises Forbidden."""
    rules.policy.may("find_tsigkeys", caller, {})
    return work.tsigkeys.all()


def create_key(rules: Rules, work: Work, caller: Caller, new: CreateTSIGKey) -> TSIGKey:
    """Add a key. Raises Forbidden, InvalidObject, InvalidTSIGKey, DuplicateTSIGKey."""
    rules.policy.may("create_tsigkey", caller, {})
    if new.algorithm not in ALGORITHMS:
        raise refused(ValueError(f"{new.algorithm} is no TSIG algorithm; known are {', '.join(ALGORITHMS)}"))
    if len(new.name) > 160 or len(new.secret) > 160:
        raise refused(ValueError("A key's name and secret hold at most 160 characters"))
    try:
        name = canonical(new.name if new.name.endswith(".") else new.name + ".").rstrip(".")
        base64.b64decode(new.secret, validate=True)
    except InvalidName as error:
        raise refused(error) from error
    except binascii.Error as error:
        raise refused(ValueError("The secret is not base64")) from error
    there = work.pools.get(new.resource_id) if new.scope is Scope.POOL else work.zones.get(new.resource_id)
    if there is None:
        raise InvalidTSIGKey(f"There is no {new.scope.value.lower()} {new.resource_id}")
    made = TSIGKey(
        id=new_id(),
        name=name,
        algorithm=new.algorithm,
        secret=new.secret,
        scope=new.scope,
        resource_id=new.resource_id,
        created_at=work.now,
    )
    try:
        work.tsigkeys.add(made)
    except IntegrityError as error:
        raise DuplicateTSIGKey("Duplicate TsigKey") from error
    return made


def delete_key(rules: Rules, work: Work, caller: Caller, key_id: str) -> None:
    """Remove a key. Raises Forbidden, TSIGKeyNotFound."""
    rules.policy.may("delete_tsigkey", caller, {})
    if not work.tsigkeys.remove(key_id):
        raise TSIGKeyNotFound(f"Could not find TsigKey {key_id}")
