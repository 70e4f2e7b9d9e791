# SPDX-License-Identifier: Apache-2.0
"""The API's description as a page: `python -m redesignate.api.reference > docs/api/reference.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from redesignate.api import faults
from redesignate.api.openapi import ARGUMENTS, SWITCHES, document
from redesignate.model.errors import PROBLEMS, Problem

_HEAD = """\
# Reference

Every call of the API with what it takes and answers. This page is made from the API's own description
([`/v2/openapi.json`](README.md#the-description)) by `python -m redesignate.api.reference > docs/api/reference.md`; a
test holds it. What the members and calls mean is on the [other pages](README.md).

"""
_EVERYWHERE = """\
Any call may be answered with {kinds} ([kinds of failure](errors.md)), and with 406 or 413 in plain text. A call with an
id in its path may also be answered with `invalid_uuid`. `Location` and `ETag` stand where an answer has these headers.

Any call may carry the headers {headers}, and the query arguments {arguments}.
"""
_ALL: tuple[type[Problem], ...] = (*PROBLEMS, Problem)
_PAGING = {"limit", "marker", "sort_key", "sort_dir"}
_EVERY = {problem.kind for problem in faults.EVERY} | {problem.kind for problem in faults.IDENTS}
_KINDS = {problem.__name__: problem.kind for problem in _ALL}
Part = dict[str, Any]


def page() -> str:
    """The page, in Markdown."""
    said = document()
    parts = [_HEAD, _everywhere()]
    for tag in said["tags"]:
        calls = [
            (verb.upper(), path, call)
            for path, verbs in said["paths"].items()
            for verb, call in verbs.items()
            if call.get("tags") == [tag["name"]]
        ]
        about = f"{tag['description']}\n\n" if "description" in tag else ""
        parts += [f"\n## {tag['name']}\n\n{about}", *_calls(calls)]
        names = dict.fromkeys(name for _, _, call in calls for name in _nouns(call))
        for name in names:
            parts += _members(name, said["components"]["schemas"])
    return "".join(parts)


def _everywhere() -> str:
    return _EVERYWHERE.format(
        kinds=_listed(problem.kind for problem in faults.EVERY),
        headers=_listed(iter(SWITCHES)),
        arguments=_listed(iter(ARGUMENTS)),
    )


def _calls(calls: list[tuple[str, str, Part]]) -> Iterator[str]:
    yield "| call | | takes | answers | failures beside those of every call |\n| --- | --- | --- | --- | --- |\n"
    for verb, path, call in calls:
        about = call["summary"] + (" (An older name.)" if call.get("deprecated") else "")
        yield f"| `{verb} {path}` | {about} | {_takes(call)} | {_answers(call)} | {_failures(call)} |\n"
    for verb, path, call in calls:
        sort = [one["schema"]["enum"] for one in call["parameters"] if one.get("name") == "sort_key"]
        known = _PAGING if sort else set()
        query = [one for one in call["parameters"] if one.get("in") == "query" and one["name"] not in known]
        if not query and not sort:
            continue
        yield f"\n`{verb} {path}` reads " + _listed(one["name"] for one in query)
        yield f"; it is sorted by {_listed(iter(sort[0]))}.\n" if sort else ".\n"


def _takes(call: Part) -> str:
    content = call.get("requestBody", {}).get("content", {})
    kinds = [_name(each["schema"]) if kind == "application/json" else f"`{kind}`" for kind, each in content.items()]
    return ", or ".join(kinds)


def _answers(call: Part) -> str:
    found = []
    for status, response in call["responses"].items():
        if int(status) >= HTTPStatus.BAD_REQUEST:
            continue
        shown = [
            _name(each["schema"]) if kind == "application/json" else f"`{kind}`"
            for kind, each in response.get("content", {}).items()
        ]
        headers = [f"`{name}`" for name in response["headers"] if name in ("Location", "ETag")]
        found.append(", ".join([f"{status} " + " or ".join(shown), *headers]).strip())
    return "; ".join(found)


def _failures(call: Part) -> str:
    kinds = []
    for response in call["responses"].values():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        kinds += [_KINDS[_ref(one)] for one in schema.get("oneOf", []) if _ref(one) in _KINDS]
    return _listed(kind for kind in kinds if kind not in _EVERY)


def _nouns(call: Part) -> Iterator[str]:
    """The schemas that a call shows or takes."""
    contents = [call.get("requestBody", {}), *call["responses"].values()]
    for content in contents:
        for each in content.get("content", {}).values():
            schema = each["schema"]
            members = [one.get("items", {}) for one in schema.get("properties", {}).values()]
            yield from (_ref(one) for one in (schema, *members) if _ref(one) and _ref(one) not in _KINDS)


def _members(name: str, schemas: Part) -> Iterator[str]:
    schema = schemas[name]
    required = schema.get("required", []) if name.startswith("new_") else []
    yield f"\n### {name}\n\n| member | type | |\n| --- | --- | --- |\n"
    for member, said in schema["properties"].items():
        words = [*(["required"] if member in required else []), *(["read-only"] if said.get("readOnly") else [])]
        about = said.get("description", "") + (f" ({', '.join(words)})" if words else "")
        yield f"| `{member}` | {_type(said)} | {about} |\n"


def _type(schema: Part) -> str:
    kinds = schema.get("type", "any")
    text = " or ".join(kinds) if isinstance(kinds, list) else kinds
    if "enum" in schema:
        return _listed(str(word) for word in schema["enum"] if word is not None) + (
            " or null" if "null" in text else ""
        )
    bounds = [
        *([f"{schema['minimum']} to {schema['maximum']}"] if "maximum" in schema else []),
        *([f"at most {schema['maxLength']} characters"] if "maxLength" in schema else []),
        *([schema["format"]] if "format" in schema else []),
    ]
    return text + (f", {', '.join(bounds)}" if bounds else "")


def _name(schema: Part) -> str:
    """What a body is: a noun, a list of one, or an object of its own."""
    if _ref(schema):
        return f"[{_ref(schema)}](#{_ref(schema)})"
    for member, said in schema.get("properties", {}).items():
        if _ref(said.get("items", {})):
            return f"`{member}`: a list of {_name(said['items'])}"
    return "an empty string" if schema.get("const") == "" else "an object"


def _ref(schema: Part) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _listed(names: Iterator[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.stdout.write(page())
