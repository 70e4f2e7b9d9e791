# SPDX-License-Identifier: Apache-2.0
"""TSIG keys: operators create and remove them; each is bound to a pool or a zone."""

from __future__ import annotations

import base64
import binascii

from sqlalchemy.exc import IntegrityError

from redesignate.central.rules import Answers, Rules
from redesignate.central.rules.fields import refused
from redesignate.commands.tsigkeys import CreateTSIGKey, DeleteTSIGKey, ListTSIGKeys
from redesignate.model.clock import new_id
from redesignate.model.errors import DuplicateTSIGKey, InvalidTSIGKey, TSIGKeyNotFound
from redesignate.model.names import InvalidName, canonical
from redesignate.model.tsigkey import ALGORITHMS, Scope, TSIGKey
from redesignate.store.unit import Work


def list_tsigkeys(rules: Rules, work: Work, command: ListTSIGKeys) -> tuple[TSIGKey, ...]:
    """List every key. Raises Forbidden."""
    rules.policy.may("find_tsigkeys", command.caller, {})
    return work.tsigkeys.all()


def create_tsigkey(rules: Rules, work: Work, command: CreateTSIGKey) -> TSIGKey:
    """Add a key. Raises Forbidden, InvalidObject, InvalidTSIGKey, DuplicateTSIGKey."""
    rules.policy.may("create_tsigkey", command.caller, {})
    if command.algorithm not in ALGORITHMS:
        raise refused(ValueError(f"{command.algorithm} is not a TSIG algorithm; use one of {', '.join(ALGORITHMS)}"))
    if len(command.name) > 160 or len(command.secret) > 160:
        raise refused(ValueError("A key's name and secret hold at most 160 characters"))
    try:
        name = canonical(command.name if command.name.endswith(".") else command.name + ".").rstrip(".")
        base64.b64decode(command.secret, validate=True)
    except InvalidName as error:
        raise refused(error) from error
    except binascii.Error as error:
        raise refused(ValueError("The secret is not base64")) from error
    there = work.pools.get(command.resource_id) if command.scope is Scope.POOL else work.zones.get(command.resource_id)
    if there is None:
        raise InvalidTSIGKey(f"There is no {command.scope.value.lower()} {command.resource_id}")
    made = TSIGKey(
        id=new_id(),
        name=name,
        algorithm=command.algorithm,
        secret=command.secret,
        scope=command.scope,
        resource_id=command.resource_id,
        created_at=work.now,
    )
    try:
        work.tsigkeys.add(made)
    except IntegrityError as error:
        raise DuplicateTSIGKey("Duplicate TsigKey") from error
    return made


def delete_tsigkey(rules: Rules, work: Work, command: DeleteTSIGKey) -> None:
    """Remove a key. Raises Forbidden, TSIGKeyNotFound."""
    rules.policy.may("delete_tsigkey", command.caller, {})
    if not work.tsigkeys.remove(command.key_id):
        raise TSIGKeyNotFound("Could not find TsigKey")


ANSWERS: Answers = {
    ListTSIGKeys: list_tsigkeys,
    CreateTSIGKey: create_tsigkey,
    DeleteTSIGKey: delete_tsigkey,
}
