# SPDX-License-Identifier: Apache-2.0
"""TSIG keys: what is stored, what is refused, and from when on a key is in force."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from msgspec import UNSET

from redesignate.commands.tsigkeys import CreateTSIGKey, DeleteTSIGKey, GetTSIGKey, ListTSIGKeys, UpdateTSIGKey
from redesignate.commands.work import Overdue, PoolForWork
from redesignate.config.settings import DEFAULT_POOL_ID
from redesignate.model import errors
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.tsigkey import NewTSIGKey, Scope, TSIGKey, TSIGKeyChange
from tests.central.driver import OPERATOR, OTHER_POOL, CentralDriver

NOWHERE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@pytest.fixture(autouse=True)
def _default(central: CentralDriver) -> None:
    central.pool()


def key(name: str = "Key.", **new: Any) -> CreateTSIGKey:
    given: dict[str, Any] = {
        "algorithm": "hmac-sha256",
        "secret": "c2VjcmV0",
        "scope": Scope.POOL,
        "resource_id": DEFAULT_POOL_ID,
    }
    return CreateTSIGKey(caller=OPERATOR, new=NewTSIGKey(name=name, **(given | new)))


def change(made: TSIGKey, **members: Any) -> UpdateTSIGKey:
    return UpdateTSIGKey(caller=OPERATOR, key_id=made.id, change=TSIGKeyChange(**members))


def listed(central: CentralDriver, *conditions: Condition, **query: Any) -> list[str]:
    page = central.call(ListTSIGKeys(caller=OPERATOR, query=ListQuery(conditions=conditions, **query)))
    return [one.name for one in page.items]


def test_keys_are_made_listed_and_removed(central: CentralDriver) -> None:
    made = central.call(key())
    assert (made.name, made.shown_name) == ("key", "Key.")
    assert central.call(ListTSIGKeys(caller=OPERATOR, query=ListQuery())).items == (made,)
    assert central.call(GetTSIGKey(caller=OPERATOR, key_id=made.id)) == made
    with pytest.raises(errors.DuplicateTSIGKey):
        central.call(key("KEY"))
    central.call(DeleteTSIGKey(caller=OPERATOR, key_id=made.id))
    with pytest.raises(errors.TSIGKeyNotFound):
        central.call(DeleteTSIGKey(caller=OPERATOR, key_id=made.id))
    with pytest.raises(errors.TSIGKeyNotFound):
        central.call(GetTSIGKey(caller=OPERATOR, key_id=made.id))


BROKEN = [
    ({"algorithm": "rot13"}, errors.InvalidObject),
    ({"secret": "x" * 161}, errors.InvalidObject),
    ({"secret": "sealed:gAAAA"}, errors.InvalidObject),
    ({"name": "a..b"}, errors.InvalidObject),
    ({"name": ""}, errors.InvalidObject),
    ({"name": "x" * 161}, errors.InvalidObject),
    ({"name": "\N{CYRILLIC SMALL LETTER YA} " * 60}, errors.InvalidObject),
    ({"resource_id": "nowhere"}, errors.InvalidTSIGKey),
    ({"resource_id": NOWHERE}, errors.InvalidTSIGKey),
    ({"scope": Scope.ZONE}, errors.InvalidTSIGKey),
]


@pytest.mark.parametrize(("members", "problem"), BROKEN)
def test_a_key_that_breaks_a_rule_is_refused_when_it_is_made_and_when_it_is_changed(
    central: CentralDriver, members: dict[str, Any], problem: type[errors.Problem]
) -> None:
    with pytest.raises(problem) as refused:
        central.call(key(**members))
    assert str(members.get("secret", "no secret")) not in str(refused.value)
    made = central.call(key())
    with pytest.raises(problem):
        central.call(change(made, **members))
    assert central.call(GetTSIGKey(caller=OPERATOR, key_id=made.id)) == made


@pytest.mark.parametrize("secret", [None, ""])
def test_whoever_sends_no_secret_gets_256_random_bits(central: CentralDriver, secret: str | None) -> None:
    first, second = central.call(key("a", secret=secret)), central.call(key("b", secret=secret))
    assert len(base64.b64decode(first.secret, validate=True)) == 32
    assert first.secret != second.secret
    again = central.call(change(first, secret=secret))
    assert len(base64.b64decode(again.secret, validate=True)) == 32
    assert again.secret not in (first.secret, second.secret)


def test_a_key_may_have_any_name_that_a_domain_name_can_hold(central: CentralDriver) -> None:
    made = central.call(key("Example key"))
    assert (made.name, made.shown_name) == (r"example\032key", "Example key")
    assert listed(central, Condition("name", Op.EQ, "EXAMPLE key.")) == [made.name]


def test_only_what_a_patch_names_changes(central: CentralDriver) -> None:
    made = central.call(key())
    central.pass_time(5)
    renamed = central.call(change(made, name="New"))
    assert (renamed.name, renamed.shown_name, renamed.secret) == ("new", "New", made.secret)
    assert renamed.updated_at == central.time
    central.pass_time(5)
    assert central.call(change(renamed)) == renamed
    assert central.call(change(renamed, name="New", scope=Scope.POOL, resource_id=DEFAULT_POOL_ID)) == renamed
    central.call(key("other"))
    with pytest.raises(errors.DuplicateTSIGKey):
        central.call(change(renamed, name="OTHER"))


def test_a_key_moves_to_a_zone_that_exists_alone(central: CentralDriver) -> None:
    made, zone = central.call(key()), central.zone()
    with pytest.raises(errors.InvalidTSIGKey, match=NOWHERE):
        central.call(change(made, scope=Scope.ZONE, resource_id=NOWHERE))
    moved = central.call(change(made, scope=Scope.ZONE, resource_id=zone.id.replace("-", "").upper()))
    assert (moved.scope, moved.resource_id) == (Scope.ZONE, zone.id)
    with pytest.raises(errors.InvalidTSIGKey):
        central.call(change(moved, scope=Scope.POOL))


def test_a_key_of_a_resource_that_is_gone_can_be_renamed(central: CentralDriver) -> None:
    zone = central.zone()
    made = central.call(key(scope=Scope.ZONE, resource_id=zone.id))
    central.delete(zone)
    assert central.call(change(made, name="later")).name == "later"


def test_keys_are_selected_and_ordered(central: CentralDriver) -> None:
    zone = central.zone()
    central.call(key("b"))
    central.call(key("a", algorithm="hmac-sha512"))
    central.call(key("c", scope=Scope.ZONE, resource_id=zone.id))
    assert listed(central) == ["b", "a", "c"]
    assert listed(central, sort_key="name", descending=True) == ["c", "b", "a"]
    assert listed(central, Condition("algorithm", Op.EQ, "hmac-sha512")) == ["a"]
    assert listed(central, Condition("scope", Op.EQ, "ZONE")) == ["c"]
    assert listed(central, Condition("name", Op.LIKE, "A*")) == ["a"]


# -- in force


def _signed_pool(central: CentralDriver, made: TSIGKey, **pool: Any) -> Any:
    return central.pool(nameservers=({"host": "192.0.2.1", "port": 53, "tsigkey_id": made.id},), **pool)


def test_a_worker_gets_the_keys_of_its_pools_peers(central: CentralDriver) -> None:
    made, _unused = central.call(key()), central.call(key("other"))
    _signed_pool(central, made)
    assert central.call(PoolForWork(pool_id=DEFAULT_POOL_ID)).keys == (made,)


@pytest.mark.parametrize("members", [{"secret": "bmV3"}, {"name": "new"}, {"algorithm": "hmac-sha512"}, None])
def test_a_key_that_signs_what_a_pools_servers_are_sent_is_a_new_version_of_that_pool_when_it_changes_or_goes(
    central: CentralDriver, members: dict[str, Any] | None
) -> None:
    made = central.call(key())
    other = central.pool(id=OTHER_POOL, name="other")
    pool = _signed_pool(central, made)
    after = None if members is None else central.call(change(made, **members))
    if members is None:
        central.call(DeleteTSIGKey(caller=OPERATOR, key_id=made.id))
    found = central.call(PoolForWork(pool_id=pool.id))
    assert (found.pool.version, found.keys) == (pool.version + 1, () if after is None else (after,))
    assert central.call(PoolForWork(pool_id=other.id)).pool.version == other.version


def test_what_waits_for_a_server_is_due_when_the_servers_key_changes(central: CentralDriver) -> None:
    made = central.call(key())
    _signed_pool(central, made)
    zone = central.zone()
    for _ in range(6):
        (task,) = central.begin(zone)
        target, server = central.as_wanted(task)
        central.said(task, [target, replace(server, ok=False, present=True, serial=None, why="BADKEY")])
        central.pass_time(20)
    central.begin(zone)
    central.said(task, [target, replace(server, ok=False, present=True, serial=None, why="BADKEY")])
    central.hints.clear()
    assert central.call(Overdue()) == ()
    central.call(change(made, secret="bmV3"))
    assert central.hints == [zone.id]
    assert central.call(Overdue()) == (zone.id,)


def test_unset_members_stay_unset_on_the_wire() -> None:
    assert TSIGKeyChange(name="x").secret is UNSET
    assert "bmV3" not in repr(TSIGKeyChange(secret="bmV3")) + repr(key().new) + repr(key(secret="bmV3"))
