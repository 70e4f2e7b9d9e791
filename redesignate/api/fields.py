# SPDX-License-Identifier: Apache-2.0
"""Members of a JSON body, read one by one: type and coercion as v2 publishes them. Lengths, names and all else
that has a meaning are central's to judge.

Everything refused here is an InvalidObject (400), in the two forms that clients know: a message, or field errors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from redesignate.model.errors import InvalidObject

INT32_MAX = 2**31 - 1

Body = Mapping[str, Any]

_WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,20}\s*\Z", re.ASCII)
_JSON_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def refuse(why: str) -> InvalidObject:
    """A member of the wrong type or size."""
    return InvalidObject(f"Provided object is not valid. Got a ValueError error with message {why}")


def check_keys(noun: str, body: Body, writable: Collection[str], read_only: Body) -> None:
    """Refuse members that `noun` does not have, or that may only repeat what it already says.

    read_only   name → present value; sending that value back is tolerated
    """
    wrong: list[str] = []
    for key, value in body.items():
        if key in writable:
            continue
        if key not in read_only:
            wrong.append(key)
        elif not _same(read_only[key], value):
            wrong.append(key)
            break
    if wrong:
        raise InvalidObject(f"Provided object does not match schema. Keys {wrong} are not valid for {noun}")


def require(body: Body, *names: str) -> None:
    """Refuse a body that lacks one of `names`; null counts as lacking."""
    faults = [
        {
            "path": ["records", 0, name],
            "message": f"'{name}' is a required property",
            "validator": "required",
            "validator_value": [name],
        }
        for name in names
        if body.get(name) is None
    ]
    if faults:
        raise InvalidObject(errors={"errors": faults})


def text(name: str, value: object) -> str:
    """A string. NUL is refused: not every database can hold it."""
    if not isinstance(value, str):
        raise refuse(f"{name} must be a string, not {kind(value)}")
    if "\0" in value:
        raise refuse(f"{name} must not contain the character NUL")
    return value


def optional_text(name: str, value: object) -> str | None:
    """As `text`, or null."""
    return None if value is None else text(name, value)


def whole(name: str, value: object, low: int, high: int) -> int:
    """An integer from `low` to `high`; a numeric string, a float or a boolean is taken for its whole number."""
    number = _whole(value)
    if number is None:
        raise refuse(f"{name} must be an integer, not {kind(value)}")
    if not low <= number <= high:
        raise refuse(f"{name} must be between {low} and {high}")
    return number


def ttl(value: object) -> int:
    """Seconds. The bounds are those of the type that v2 publishes (RFC 2181 §8 has the same)."""
    return whole("ttl", value, 0, INT32_MAX)


def texts(name: str, value: object) -> tuple[str, ...]:
    """A list of strings, in the order given."""
    if not isinstance(value, list):
        raise refuse(f"{name} must be a list, not {kind(value)}")
    return tuple(text(f"{name}[{n}]", item) for n, item in enumerate(value))


def text_map(name: str, value: object) -> dict[str, str]:
    """An object whose members are strings."""
    if not isinstance(value, dict):
        raise refuse(f"{name} must be an object, not {kind(value)}")
    return {text(name, key): text(f"{name}.{key[:50]}", item) for key, item in value.items()}


def kind(value: object) -> str:
    """How JSON calls a value's type; a string or number that does not fit is shown itself, cut short."""
    named = _JSON_NAMES.get(type(value), "number")
    return repr(value)[:60] if isinstance(value, str) else named


def _whole(value: object) -> int | None:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    if isinstance(value, str) and _WHOLE_NUMBER.match(value):
        return int(value)
    return None


def _same(known: object, sent: object) -> bool:
    # JSON's true is not 1, though Python's is
    if isinstance(known, bool) is not isinstance(sent, bool):
        return False
    return known == sent
