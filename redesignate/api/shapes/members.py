# SPDX-License-Identifier: Apache-2.0
"""Members of a JSON object: their kinds, with type and bounds, and how each is read as v2 publishes it.

Lengths, names and all else that has a meaning are central's to check. Everything that is refused here is an
InvalidObject (400), in the two forms that clients know: a message, or field errors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from redesignate.model.errors import InvalidObject
from redesignate.model.limits import INT32_MAX, TTL_MAX

Body = Mapping[str, Any]

_WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,20}\s*\Z", re.ASCII)
_JSON_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
_SHOWN = 60
"""Characters of a bad value that its refusal repeats."""


class Kind(Protocol):
    """A type of JSON value, with its bounds."""

    def read(self, name: str, value: Any) -> Any:
        """The value of the member `name` as the model takes it. Raises InvalidObject."""
        ...

    def schema(self, given: bool, /) -> dict[str, Any]:
        """Its JSON Schema: as it is `given` in a body, else as it is shown."""
        ...


class Write(Enum):
    """When a member may be given. What may not be changed may always be sent back as it is."""

    NEVER = "never"
    ONCE = "once"
    ALWAYS = "always"
    IGNORED = "ignored"
    """Taken by a POST without any effect; later as NEVER."""


class Null(Enum):
    """What null means for a member that is given."""

    NEVER = "never"
    ABSENT = "absent"
    """In a POST as if the member had not been sent; in a change refused."""
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a JSON object.

    name       as v2 calls it
    about      what it is, in a sentence
    required   whether a POST must give it, other than as null
    field      what the model calls it, where that differs
    shown_as   what the model calls it to be shown, where that differs again
    unset      whether it is null as long as there is nothing to show; so is what may be given as null
    """

    name: str
    kind: Kind
    about: str
    write: Write = Write.NEVER
    required: bool = False
    null: Null = Null.NEVER
    field: str = ""
    shown_as: str = ""
    unset: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A string, at most `longest` characters long as far as central takes it; `form` is JSON Schema's `format`."""

    longest: int | None = None
    form: str | None = None

    def read(self, name: str, value: Any) -> str:
        """A string; a number is taken for its digits, as v2 does. NUL is refused: not every database can hold it."""
        if type(value) in (int, float):
            value = str(value)
        if not isinstance(value, str):
            raise refuse(f"{name} must be a string, not {json_type(value)}")
        if "\0" in value:
            raise refuse(f"{name} must not contain the character NUL")
        return value

    def schema(self, given: bool, /) -> dict[str, Any]:
        """A string; the bound is for what is given."""
        return _string(self.form, self.longest if given else None)


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer from `low` to `high`."""

    low: int
    high: int

    def read(self, name: str, value: Any) -> int:
        """A numeric string, a float or a boolean is taken for its whole number."""
        number = value if type(value) is int else _whole(value)
        if number is None:
            raise refuse(f"{name} must be an integer, not {json_type(value)}")
        if not self.low <= number <= self.high:
            raise refuse(f"{name} must be between {self.low} and {self.high}")
        return number

    def schema(self, _given: bool, /) -> dict[str, Any]:
        """An integer and its bounds."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value of an Enum; `offered` names those that a user may choose."""

    words: type[Enum]
    offered: tuple[str, ...] = ()

    def read(self, name: str, value: Any) -> Enum:
        """The Enum's member."""
        word = TEXT.read(name, value)
        try:
            return self.words(word)
        except ValueError:
            raise refuse(f"{name} must be one of {', '.join(self.offered)}, not {word[:_SHOWN]!r}") from None

    def schema(self, given: bool, /) -> dict[str, Any]:
        """The words that are offered, or all that there are."""
        words = self.offered if given and self.offered else [word.value for word in self.words]
        return {"type": "string", "enum": list(words)}


@dataclass(frozen=True, slots=True)
class Texts:
    """An array of strings. `called` is the name of the array in the field error for anything else, where v2 has one."""

    called: str = ""

    def read(self, name: str, value: Any) -> tuple[str, ...]:
        """The strings in the order given."""
        if isinstance(value, list):
            return tuple(
                [
                    item if type(item) is str and "\0" not in item else TEXT.read(f"{name}[{at}]", item)
                    for at, item in enumerate(value)
                ]
            )
        if self.called:
            text = f"'{str(value)[:_SHOWN]}' is not a valid {self.called}"
            raise InvalidObject.at([name], text, validator="type", value=["list"])
        raise refuse(f"{name} must be a list, not {json_type(value)}")

    def schema(self, _given: bool, /) -> dict[str, Any]:
        """An array of strings."""
        return {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True, slots=True)
class TextMap:
    """An object whose members are strings."""

    longest: int | None = None

    def read(self, name: str, value: Any) -> dict[str, str]:
        """The members as they are."""
        if not isinstance(value, dict):
            raise refuse(f"{name} must be an object, not {json_type(value)}")
        return {TEXT.read(name, key): TEXT.read(f"{name}.{key[:50]}", item) for key, item in value.items()}

    def schema(self, given: bool, /) -> dict[str, Any]:
        """An object of strings; the bound is for what is given."""
        return {"type": "object", "additionalProperties": _string(None, self.longest if given else None)}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the API only shows: a JSON Schema type (`form`: its `format`, `pattern`), `items` for an array's."""

    type: str
    form: str | None = None
    items: Mapping[str, Any] | None = None
    pattern: str | None = None

    def read(self, name: str, value: Any) -> Any:
        """Never asked: a member of this kind is compared, not read."""
        raise NotImplementedError(name)

    def schema(self, _given: bool, /) -> dict[str, Any]:
        """The type with what else is known."""
        known = {"type": self.type, "format": self.form, "items": self.items, "pattern": self.pattern}
        return {word: value for word, value in known.items() if value is not None}


TEXT = Text()
TTL = Whole(0, TTL_MAX)
"""The bounds of the type that v2 publishes; RFC 2181 §8 has the same."""
LIMIT = Whole(-1, INT32_MAX)
"""A quota; -1 means unlimited."""
ID = Shown("string", "uuid")
TIME = Shown("string", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$")
"""Microseconds since 1970 in the model; shown as `2026-01-31T12:00:00.000000`, UTC. Without an offset it is not JSON
Schema's `date-time` (RFC 3339 §5.6)."""
NUMBER = Shown("integer")
FLAG = Shown("boolean")
FIGURES = Shown("object")
EMPTY = Shown("object")
"""An object without members, whatever the model says."""


def refuse(why: str) -> InvalidObject:
    """A member of the wrong type or size."""
    return InvalidObject(f"Provided object is not valid. Got a ValueError error with message {why}")


def json_type(value: object) -> str:
    """What JSON calls a value's type; a string that does not fit is shown itself, cut short."""
    return _cut(value) if isinstance(value, str) else _JSON_NAMES.get(type(value), "number")


def _string(form: str | None, longest: int | None) -> dict[str, Any]:
    known = {"type": "string", "format": form, "maxLength": longest}
    return {word: value for word, value in known.items() if value is not None}


def _cut(value: object) -> str:
    return repr(value)[:_SHOWN]


def _whole(value: object) -> int | None:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    if isinstance(value, str) and _WHOLE_NUMBER.match(value):
        return int(value)
    return None
