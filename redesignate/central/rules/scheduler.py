# SPDX-License-Identifier: Apache-2.0
"""Chooses the pool of a new zone: the operator's filters, ours and installed ones, are applied in order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

from redesignate.central.rules import Rules
from redesignate.model.caller import Caller
from redesignate.model.errors import Misconfigured, MultiplePoolsFound, NoValidPool
from redesignate.model.pool import Pool
from redesignate.model.zone import NewZone

_TRUE, _FALSE = frozenset({"true", "yes", "on", "1", "t", "y"}), frozenset({"false", "no", "off", "0", "f", "n"})


@dataclass(frozen=True, slots=True)
class Choice:
    """What a filter chooses from, and for whom.

    left    the pools that the filters before it left; `every`: all of them
    """

    rules: Rules
    caller: Caller
    zone: NewZone
    left: list[Pool]
    every: list[Pool]


Filter = Callable[[Choice], list[Pool]]
"""Returns the pools that are left."""


def _default_pool(choice: Choice) -> list[Pool]:
    return [pool for pool in choice.every if pool.id == choice.rules.settings.default_pool_id]


def _fallback(choice: Choice) -> list[Pool]:
    return choice.left or _default_pool(choice)


def _attribute(choice: Choice) -> list[Pool]:
    wanted = {name: value for name, value in choice.zone.attributes.items() if name != "pool_id"}
    if not wanted:
        return choice.left
    return [
        pool
        for pool in choice.left
        if not {name for name in pool.attributes if name != "pool_id"}
        or all(name in pool.attributes and _same(pool.attributes[name], value) for name, value in wanted.items())
    ]


def _same(a: str, b: str) -> bool:
    a, b = a.strip().lower(), b.strip().lower()
    return a == b or (a in _TRUE and b in _TRUE) or (a in _FALSE and b in _FALSE)


def _pool_id_attribute(choice: Choice) -> list[Pool]:
    wanted = choice.zone.attributes.get("pool_id")
    if wanted is None:
        return choice.left
    pool = next((pool for pool in choice.every if pool.id == wanted), None)
    if pool is None:
        return []
    target = {"pool_id": pool.id, "name": pool.name, "project_id": pool.project_id, "tenant_id": pool.project_id}
    choice.rules.policy.may("zone_create_forced_pool", choice.caller, target)
    return [one for one in choice.left if one.id == pool.id]


def _random(choice: Choice) -> list[Pool]:
    return [choice.rules.random.choice(choice.left)] if choice.left else []


def _in_doubt_default(choice: Choice) -> list[Pool]:
    default = [pool for pool in choice.left if pool.id == choice.rules.settings.default_pool_id]
    return default if len(choice.left) > 1 and default else choice.left


FILTERS: dict[str, Filter] = {
    "default_pool": _default_pool,
    "fallback": _fallback,
    "attribute": _attribute,
    "pool_id_attribute": _pool_id_attribute,
    "random": _random,
    "in_doubt_default_pool": _in_doubt_default,
}


GROUP = "redesignate.scheduler.filters"
"""Installed packages offer further filters as entry points of this group, each a `Filter`; our names win."""


def check_filters(names: Sequence[str]) -> None:
    """Raise Misconfigured for a filter that does not exist or cannot be loaded; asked when central starts."""
    for name in names:
        _filter(name)


@functools.cache
def _filter(name: str) -> Filter:
    known = FILTERS.get(name)
    if known is not None:
        return known
    for found in entry_points(group=GROUP, name=name):
        try:
            loaded: Filter = found.load()
        except (ImportError, AttributeError) as error:
            raise Misconfigured(
                f"[service:central] scheduler_filters names {name!r}, and {found.value} cannot be loaded: {error}"
            ) from error
        if not callable(loaded):
            raise Misconfigured(
                f"[service:central] scheduler_filters names {name!r}, and {found.value} is not a function"
            )
        return loaded
    raise Misconfigured(
        f"[service:central] scheduler_filters names {name!r}; known are {', '.join(sorted(FILTERS))}, and entry points"
        f" of the group {GROUP} in installed packages"
    )


def schedule(rules: Rules, caller: Caller, zone: NewZone, pools: list[Pool]) -> Pool:
    """Return the one pool that the filters leave. Raises NoValidPool, MultiplePoolsFound, Misconfigured, Forbidden."""
    left = pools
    for name in rules.settings.scheduler_filters:
        left = _filter(name)(Choice(rules, caller, zone, left, pools))
    if not left:
        raise NoValidPool("There are no valid pools for this request")
    if len(left) > 1:
        raise MultiplePoolsFound("Multiple pools found for this request")
    return left[0]
