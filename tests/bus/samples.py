# SPDX-License-Identifier: Apache-2.0
"""Arbitrary values of whatever type a message may hold, for Hypothesis."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    bytes: st.binary(max_size=20),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    type(None): st.none(),
    UnsetType: st.just(UNSET),
}


def values(wanted: Any, known: Mapping[Any, Any] = {}) -> st.SearchStrategy[Any]:
    """Values of a type; `known` resolves type variables."""
    if isinstance(wanted, TypeVar):
        return values(known[wanted])
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted in _PLAIN:
        return _PLAIN[wanted]
    if origin in (Union, types.UnionType):
        return st.one_of(*(values(member, known) for member in arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0], known), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(member, known) for member in arguments))
    return _keyed(wanted, origin, arguments)


def _keyed(wanted: Any, origin: Any, arguments: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin in (dict, Mapping):
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    return _built(origin or wanted, dict(zip(getattr(origin, "__parameters__", ()), arguments, strict=True)))


def _built(cls: Any, known: Mapping[Any, Any]) -> st.SearchStrategy[Any]:
    if issubclass(cls, Enum):
        return st.sampled_from(list(cls))
    hints = get_type_hints(cls)
    assert is_dataclass(cls) or issubclass(cls, msgspec.Struct), cls
    names = [field.name for field in fields(cls)] if is_dataclass(cls) else cls.__struct_fields__
    return st.builds(cls, **{name: values(hints[name], known) for name in names})
