# SPDX-License-Identifier: Apache-2.0
"""JSON Schema of a noun, from the same table of members by which bodies are read and answers are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from redesignate.api.answers import Also, Inside, Paged, Shown, Under
from redesignate.api.paging import Listing
from redesignate.api.shapes.members import Member, Null, Write
from redesignate.api.shapes.shape import Shape

Schema = dict[str, Any]
AnyShape = Shape[Any, Any]

_LINK = {"type": "string", "format": "uri"}
_LINKS = {"type": "object", "additionalProperties": _LINK, "required": ["self"], "description": "Where it is."}
_PAGE_LINKS = {
    "type": "object",
    "properties": {"self": _LINK, "next": {**_LINK, "description": "The next page; missing on the last one."}},
    "required": ["self"],
}
_METADATA = {
    "type": "object",
    "properties": {"total_count": {"type": "integer", "minimum": 0}},
    "description": "How many there are; empty where counts are hidden.",
}


class Schemas:
    """The nouns' schemas, each under one name; a body refers to them."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}

    def answer(self, shows: Shown, listing: Listing | None) -> Schema:
        """The schema of an answer's body."""
        match shows:
            case Shape():
                noun = self._refer(key(shows), shown(shows))
                return noun if listing is None else page(listing, noun)
            case Under(name, shape):
                items = {"type": "array", "items": self._refer(key(shape), shown(shape))}
                return {"type": "object", "properties": {name: items}, "required": [name]}
            case Inside(name, shape):
                return _alone(name, self._refer(key(shape), shown(shape)))
            case Paged(name, shapes):
                nouns = [self._refer(key(shape), shown(shape)) for shape in shapes]
                return page(Listing(name, frozenset(), (), counted=True), {"anyOf": nouns})
            case Also(shape, members):
                noun = shown(shape)
                noun = {**noun, "properties": {**noun["properties"], **members}}
                return noun if listing is None else page(listing, noun)
            case _:
                return dict(shows or {})

    def body(self, takes: AnyShape | Inside, *, new: bool) -> Schema:
        """The schema of a request's body."""
        if isinstance(takes, Inside):
            return _alone(takes.name, self.body(takes.shape, new=new)) | {"additionalProperties": False}
        if new:
            return self._refer(f"new_{key(takes)}", created(takes))
        return self._refer(f"{key(takes)}_change", changed(takes))

    def _refer(self, name: str, schema: Schema) -> Schema:
        known = self.named.setdefault(name, schema)
        if known != schema:
            raise ValueError(f"two schemas are called {name}")
        return {"$ref": f"#/components/schemas/{name}"}


def key(shape: AnyShape) -> str:
    """What a noun is called among the schemas."""
    return shape.noun.replace(" ", "_")


def shown(shape: AnyShape) -> Schema:
    """A noun as it is shown: always with every member."""
    members = {member.name: _member(member, given=False) for member in shape.members}
    if "links" in shape.names:
        members["links"] = dict(_LINKS)
    return {"type": "object", "properties": members, "required": list(members)}


def created(shape: AnyShape) -> Schema:
    """What a POST takes."""
    taken = [member for member in shape.members if member.write is not Write.NEVER]
    schema = _given(taken) | {"additionalProperties": False}
    required = [member.name for member in taken if member.required]
    return schema | ({"required": required} if required else {})


def changed(shape: AnyShape) -> Schema:
    """What a PUT or PATCH takes: members that may be changed. The others may come back as they are."""
    about = "Only the members that are given change; one that is read-only may be sent back as it is."
    return _given(member for member in shape.members if member.write is Write.ALWAYS) | {"description": about}


def page(listing: Listing, noun: Schema) -> Schema:
    """A page of a collection."""
    members: Schema = {listing.name: {"type": "array", "items": noun}, "links": dict(_PAGE_LINKS)}
    if listing.counted:
        members["metadata"] = dict(_METADATA)
    return {"type": "object", "properties": members, "required": list(members)}


def _alone(name: str, noun: Schema) -> Schema:
    """An object with one member."""
    return {"type": "object", "properties": {name: noun}, "required": [name]}


def argument(member: Member) -> Schema:
    """A query argument's schema."""
    return member.kind.schema(True)


def _given(members: Iterable[Member]) -> Schema:
    return {"type": "object", "properties": {member.name: _member(member, given=True) for member in members}}


def _member(member: Member, *, given: bool) -> Schema:
    schema = member.kind.schema(given)
    null = member.null is not Null.NEVER if given else member.unset or member.null is Null.VALUE
    if null:
        schema = _or_null(schema)
    about = member.about
    if given and member.write is Write.IGNORED:
        about += " Taken without effect."
    return schema | {"description": about} | ({"readOnly": True} if not given and member.write is Write.NEVER else {})


def _or_null(schema: Mapping[str, Any]) -> Schema:
    found = {**schema, "type": [schema["type"], "null"]}
    if "enum" in found:
        found["enum"] = [*found["enum"], None]
    return found
