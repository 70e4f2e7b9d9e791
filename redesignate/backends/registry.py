# SPDX-License-Identifier: Apache-2.0
"""Finds the backend that a target's `type` names. Ours are listed here; third parties register an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from stevedore.driver import DriverManager
from stevedore.exception import NoMatches

from redesignate.backends import bind9, builtin, fake
from redesignate.backends.port import Backend, BackendKind, TargetOptions
from redesignate.model.errors import Misconfigured
from redesignate.model.pool import Pool, Target

ENTRY_POINTS = "redesignate.backend"
KINDS: Mapping[str, BackendKind] = {kind.name: kind for kind in (bind9.KIND, builtin.KIND, fake.KIND)}
FIX = "correct it in pools.yaml and run 'redesignate manage pool update'"


def kind(name: str) -> BackendKind | None:
    """The backend of this name, ours first; None if there is none. Cost: reads entry points for names not ours.

    Raises Misconfigured if a third party's cannot be loaded.
    """
    if name in KINDS:
        return KINDS[name]
    try:
        plugin: Any = DriverManager(ENTRY_POINTS, name, invoke_on_load=False, on_load_failure_callback=_not_loaded)
    except NoMatches:
        return None
    found: object = plugin.driver
    if not isinstance(found, BackendKind):
        raise Misconfigured(
            f"entry point {name!r} of group {ENTRY_POINTS} is not a BackendKind; ask the author of the plug-in"
        )
    return found


def parse_options(pool: Pool, target: Target) -> TargetOptions:
    """The target's options, typed. Raises Misconfigured: one line with pool, key and fix."""
    found = kind(target.type)
    if found is None:
        known = ", ".join(sorted(KINDS))
        raise _wrong(pool, target, f"type: there is no backend of this name; known: {known}")
    try:
        return msgspec.convert(dict(target.options), found.options, strict=False)
    except msgspec.ValidationError as error:
        known = ", ".join(found.options.__struct_fields__)
        raise _wrong(pool, target, f"options: {error}; known: {known}") from None


def build(pool: Pool, target: Target) -> Backend:
    """The backend of one target. Raises Misconfigured: one line with pool, key and fix."""
    options = parse_options(pool, target)
    found = kind(target.type)
    assert found is not None  # parse_options refused otherwise
    try:
        return found.build(target, options)
    except Misconfigured as error:
        raise _wrong(pool, target, error.message) from None


def _wrong(pool: Pool, target: Target, what: str) -> Misconfigured:
    return Misconfigured(f"pool {pool.name!r}, target of type {target.type!r}: {what}; {FIX}")


def _not_loaded(_manager: object, entry_point: object, error: BaseException) -> None:
    raise Misconfigured(f"backend plug-in {entry_point} cannot be loaded: {error}")
