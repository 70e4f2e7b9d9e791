# SPDX-License-Identifier: Apache-2.0
"""A noun's JSON, from the table of its members: what is shown, what a POST takes, what a PUT or PATCH changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from redesignate.api.shapes.members import EMPTY, TIME, Body, Member, Null, Write
from redesignate.model.errors import InvalidObject

N = TypeVar("N")
C = TypeVar("C")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_LINKED = re.compile(r"\{(\w+)\}")

Present = Callable[[], Body]
"""Asks for the resource as it is now, shown as JSON; called only when a body holds members to compare."""


class Shape(Generic[N, C]):
    """The JSON of one noun; what a POST makes of it is an N, what a PUT or PATCH makes a C."""

    def __init__(
        self,
        noun: str,
        *members: Member,
        link: str = "",
        links: Mapping[str, str] = {},
        new: Callable[..., N] = dict,  # type: ignore[assignment]  # the fields themselves, where no model is named
        change: Callable[..., C] = dict,  # type: ignore[assignment]  # likewise
    ) -> None:
        """`members` in the order in which they are shown; `link`: the path of a resource, with the members that it
        needs as `{id}`, "" for what has no address; `links`: others to show beside it, by name; `new` and `change` take
        the fields that were sent."""
        self.noun, self.members, self.link = noun, members, link
        self._make, self._alter = new, change
        stored = [member for member in members if member.kind is not EMPTY]
        self._values = attrgetter(*[member.shown_as or member.field or member.name for member in stored])
        self._times = [at for at, member in enumerate(stored) if member.kind is TIME]
        self._link = _LINKED.sub("%s", link)
        self._linked = attrgetter(*_LINKED.findall(link)) if link else None
        self._beside = {
            name: (_LINKED.sub("%s", path), attrgetter(*_LINKED.findall(path))) for name, path in links.items()
        }
        self._out = _struct(noun, members, linked=bool(link))
        self._required = [member.name for member in members if member.required]
        taken = [member for member in members if member.write in (Write.ONCE, Write.ALWAYS)]
        self._taken = {member.name: (member.field or member.name, member.kind.read, member.null) for member in taken}
        self._new = self._taken.keys() | {member.name for member in members if member.write is Write.IGNORED}
        self._once = frozenset(member.name for member in members if member.write is Write.ONCE)
        self._fixed = frozenset(self.names) - self._taken.keys()

    @property
    def names(self) -> tuple[str, ...]:
        """Every member that is shown."""
        return self._out.__struct_fields__

    def shown(self, value: Any, base: str = "") -> Any:
        """A model value as JSON: a struct of the members. `base` is what links begin with."""
        return self.listed((value,), base)[0]

    def listed(self, found: Iterable[Any], base: str = "") -> list[Any]:
        """As `shown`, of many. Cost: two microseconds each, since a page may hold a thousand."""
        values, times, make, linked = self._values, self._times, self._out, self._linked
        link = base.replace("%", "%%") + self._link
        items = []
        for value in found:
            row = list(values(value))
            for at in times:
                if row[at] is not None:
                    row[at] = (_EPOCH + timedelta(0, 0, row[at])).isoformat("T", "microseconds")
            if linked is not None:
                row.append({"self": link % linked(value)})
                for name, (path, of) in self._beside.items():
                    row[-1][name] = base + path % of(value)
            items.append(make(*row))
        return items

    def compared(self, value: Any, base: str = "") -> Body:
        """What `shown` shows, as it stands in a body that is sent back."""
        shown: Body = msgspec.to_builtins(self.shown(value, base))
        return shown

    def created(self, body: Body) -> N:
        """A POST's body. Raises InvalidObject."""
        if not body.keys() <= self._new:
            self._refuse_others(body, self._new, dict.fromkeys(self._fixed))
        for name in self._required:
            if body.get(name) is None:
                raise self._lacking(body)
        given: dict[str, Any] = {}
        for name, value in body.items():
            if name not in self._taken:
                continue
            field, read, null = self._taken[name]
            if value is not None or null is Null.NEVER:
                given[field] = read(name, value)
            elif null is Null.VALUE:
                given[field] = None
        return self._make(**given)

    def changed(self, body: Body, present: Present) -> C:
        """A PUT's or PATCH's body: only what it holds changes.

        A member that is only given once goes to the change's `same_…`, for central to compare. Raises InvalidObject.
        Cost  `present` only where read-only members came back.
        """
        if not body.keys() <= self._taken.keys():
            known = present() if self._fixed & body.keys() else {}
            self._refuse_others(body, self._taken.keys(), known)
        given: dict[str, Any] = {}
        for name, value in body.items():
            if name not in self._taken:
                continue
            field, read, null = self._taken[name]
            field = f"same_{name}" if name in self._once else field
            given[field] = None if value is None and null is Null.VALUE else read(name, value)
        return self._alter(**given)

    def _refuse_others(self, body: Body, taken: Collection[str], known: Body) -> None:
        """Refuse members that the noun does not have, and the first that differs from what it already says."""
        wrong: list[str] = []
        for name, value in body.items():
            if name in taken:
                continue
            if name not in known:
                wrong.append(name)
            elif not _same(known[name], value):
                wrong.append(name)
                break
        if wrong:
            raise InvalidObject(f"Provided object does not match schema. Keys {wrong} are not valid for {self.noun}")

    def _lacking(self, body: Body) -> InvalidObject:
        """One field error a required member that is missing; null counts as missing."""
        faults = [
            {
                "path": ["records", 0, name],
                "message": f"'{name}' is a required property",
                "validator": "required",
                "validator_value": [name],
            }
            for name in self._required
            if body.get(name) is None
        ]
        return InvalidObject(errors={"errors": faults})


def _struct(noun: str, members: Sequence[Member], *, linked: bool) -> type[msgspec.Struct]:
    """What msgspec encodes: the members in order, the links, and then what is always empty."""
    stored: list[Any] = [(member.name, Any) for member in members if member.kind is not EMPTY]
    links: list[Any] = [("links", dict[str, str])] if linked else []
    empty: list[Any] = [(member.name, dict[str, str], {}) for member in members if member.kind is EMPTY]
    return msgspec.defstruct(noun, stored + links + empty)


def _same(known: object, sent: object) -> bool:
    # JSON's true is not 1, though Python's is
    if isinstance(known, bool) is not isinstance(sent, bool):
        return False
    return known == sent
