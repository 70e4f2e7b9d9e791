# SPDX-License-Identifier: Apache-2.0
"""What a method of a resource takes and answers, said beside it: `openapi.py` describes the API by it.

    @answers(200, shows=ZONE, listing=ZONES)
    def on_get(self, req, resp): ...

The method itself is not changed. What every request may be told (a token that is not valid, an id that is not a UUID, a
fault of the body, of a list's arguments) is not repeated here: `faults.py` knows it from the rest. A test reads which
failures the use-cases behind a method raise, and another compares each answer of the other tests with the description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from redesignate.api.paging import Listing
from redesignate.api.shapes.members import Member
from redesignate.api.shapes.shape import Shape
from redesignate.model.errors import Problem

JSON = "application/json"
_MARK = "answers"
M = TypeVar("M", bound=Callable[..., None])


@dataclass(frozen=True, slots=True)
class Under:
    """A body with one member: a list of all there are of a noun, without pages."""

    name: str
    shape: Shape[Any, Any]


@dataclass(frozen=True, slots=True)
class Also:
    """A noun with members beside it that are not always shown, by their JSON Schema."""

    shape: Shape[Any, Any]
    members: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Inside:
    """A body with one member: the noun."""

    name: str
    shape: Shape[Any, Any]


@dataclass(frozen=True, slots=True)
class Paged:
    """A page, with its links, of a list whose items have one of several forms."""

    name: str
    shapes: tuple[Shape[Any, Any], ...]


Shown = Shape[Any, Any] | Under | Also | Inside | Paged | Mapping[str, Any] | None
"""A body: a noun, one of the above, a JSON Schema, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a method takes and answers.

    statuses   of success, the usual one first
    shows      what is in the answer
    listing    the collection that the answer is a page of
    takes      the noun in the request's body: of a POST as it is created, else as it is changed
    raises     the failures that not every such request has
    arguments  query arguments, beside those of a listing
    headers    request headers that this method alone reads, each with what it means
    located    statuses with a Location
    tagged     whether the answer has an ETag (not where it is no JSON)
    conditional  whether If-Match is read
    waits      whether the answer may wait for nameservers (`waiting.py`)
    optional   whether the request's body may be left out
    reads      content types of the request's body
    writes     content types of the answer; what is not JSON is text
    """

    statuses: tuple[int, ...]
    shows: Shown = None
    listing: Listing | None = None
    takes: Shape[Any, Any] | Inside | None = None
    raises: tuple[type[Problem], ...] = ()
    arguments: tuple[Member, ...] = ()
    headers: Mapping[str, str] | None = None
    located: tuple[int, ...] = ()
    tagged: bool = False
    conditional: bool = False
    waits: bool = False
    optional: bool = False
    reads: tuple[str, ...] = (JSON,)
    writes: tuple[str, ...] = (JSON,)


def answers(*statuses: int, **rest: Any) -> Callable[[M], M]:
    """Say of a method what it takes and answers; `rest` are the members of `Answers`."""
    said = Answers(statuses=statuses, **rest)

    def mark(method: M) -> M:
        setattr(method, _MARK, said)
        return method

    return mark


def said_of(method: Callable[..., None]) -> Answers | None:
    """What was said of a method, if anything."""
    found: Answers | None = getattr(method, _MARK, None)
    return found
