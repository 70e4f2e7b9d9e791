# SPDX-License-Identifier: Apache-2.0
"""Chooses the pool of a new zone: the operator's filters are applied in order."""

from __future__ import annotations

from collections.abc import Callable

from redesignate.central.rules import Rules
from redesignate.model.caller import Caller
from redesignate.model.errors import Misconfigured, MultiplePoolsFound, NoValidPool
from redesignate.model.pool import Pool
from redesignate.model.zone import NewZone

_TRUE, _FALSE = frozenset({"true", "yes", "on", "1", "t", "y"}), frozenset({"false", "no", "off", "0", "f", "n"})
Filter = Callable[[Rules, Caller, NewZone, list[Pool], list[Pool]], list[Pool]]
"""`filter(rules, caller, zone, left, every)` returns the pools that are left."""


def _default_pool(rules: Rules, _c: Caller, _z: NewZone, _left: list[Pool], every: list[Pool]) -> list[Pool]:
    return [pool for pool in every if pool.id == rules.settings.default_pool_id]


def _fallback(rules: Rules, caller: Caller, zone: NewZone, left: list[Pool], every: list[Pool]) -> list[Pool]:
    return left or _default_pool(rules, caller, zone, left, every)


def _attribute(_r: Rules, _c: Caller, zone: NewZone, left: list[Pool], _every: list[Pool]) -> list[Pool]:
    wanted = {name: value for name, value in zone.attributes.items() if name != "pool_id"}
    if not wanted:
        return left
    return [
        pool
        for pool in left
        if not {name for name in pool.attributes if name != "pool_id"}
        or all(name in pool.attributes and _same(pool.attributes[name], value) for name, value in wanted.items())
    ]


def _same(a: str, b: str) -> bool:
    a, b = a.strip().lower(), b.strip().lower()
    return a == b or (a in _TRUE and b in _TRUE) or (a in _FALSE and b in _FALSE)


def _pool_id_attribute(rules: Rules, caller: Caller, zone: NewZone, left: list[Pool], every: list[Pool]) -> list[Pool]:
    wanted = zone.attributes.get("pool_id")
    if wanted is None:
        return left
    pool = next((pool for pool in every if pool.id == wanted), None)
    if pool is None:
        return []
    target = {"pool_id": pool.id, "name": pool.name, "project_id": pool.project_id, "tenant_id": pool.project_id}
    rules.policy.may("zone_create_forced_pool", caller, target)
    return [one for one in left if one.id == pool.id]


def _random(rules: Rules, _c: Caller, _z: NewZone, left: list[Pool], _every: list[Pool]) -> list[Pool]:
    return [rules.random.choice(left)] if left else []


def _in_doubt_default(rules: Rules, _c: Caller, _z: NewZone, left: list[Pool], _every: list[Pool]) -> list[Pool]:
    default = [pool for pool in left if pool.id == rules.settings.default_pool_id]
    return default if len(left) > 1 and default else left


FILTERS: dict[str, Filter] = {
    "default_pool": _default_pool,
    "fallback": _fallback,
    "attribute": _attribute,
    "pool_id_attribute": _pool_id_attribute,
    "random": _random,
    "in_doubt_default_pool": _in_doubt_default,
}


def schedule(rules: Rules, caller: Caller, zone: NewZone, pools: list[Pool]) -> Pool:
    """Return the one pool that the filters leave. Raises NoValidPool, MultiplePoolsFound, Misconfigured, Forbidden."""
    left = pools
    for name in rules.settings.scheduler_filters:
        chosen = FILTERS.get(name)
        if chosen is None:
            raise Misconfigured(
                f"[service:central] scheduler_filters names {name!r}; known are {', '.join(sorted(FILTERS))}"
            )
        left = chosen(rules, caller, zone, left, pools)
    if not left:
        raise NoValidPool("There are no valid pools for this request")
    if len(left) > 1:
        raise MultiplePoolsFound("Multiple pools found for this request")
    return left[0]
