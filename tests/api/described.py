# SPDX-License-Identifier: Apache-2.0
"""Whether an answer is what the API's own description says: every client of the tests asks this of every answer."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from redesignate.api.openapi import document

_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ANYWHERE = {"content-type", "content-length", "vary"} | {
    f"access-control-{name}" for name in ("allow-origin", "allow-credentials", "expose-headers")
}


@functools.cache
def strict() -> dict[str, Any]:
    """The description, with every object closed: what an answer has and the description has not is a fault of ours,
    while a client should bear it."""
    found: dict[str, Any] = _closed(document())
    return found


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    made = {name: _closed(each) for name, each in part.items()}
    if isinstance(part.get("allOf"), list):
        made["unevaluatedProperties"] = False
    elif part.get("type") == "object" and "properties" in part and "request_id" not in part["properties"]:
        made.setdefault("additionalProperties", False)
    return made


@functools.cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """The paths as patterns; those with the fewest parameters first."""
    templates = sorted(strict()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + r"\Z"), path) for path in templates]


def operation(method: str, address: str) -> tuple[str, dict[str, Any]] | None:
    """The template and the description of what was asked; None where that is not described."""
    for pattern, path in _paths():
        if pattern.match(address):
            found = strict()["paths"][path].get(method.lower())
            return (path, found) if found else None
    return None


@functools.cache
def _validator(path: str, method: str, status: str) -> Any:
    schema = strict()["paths"][path][method.lower()]["responses"][status]["content"]["application/json"]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": strict()["components"]})


def faults_of(method: str, target: str, status: int, headers: Mapping[str, str], content: Any) -> list[str]:
    """What an answer has that the description lacks, or the other way round. `content` is of JSON, else ignored."""
    address = target.partition("?")[0].rstrip("/") or "/"
    asked = operation(method, address) if method in _VERBS else None
    if asked is None:
        return []
    path, said = asked
    here = f"{method} {path} {status}"
    described = said["responses"].get(str(status))
    if described is None:
        return [f"{here}: the status is not described"]
    wrong = [
        f"{here}: the header {name} is missing"
        for name, header in described.get("headers", {}).items()
        if header["required"] and name.lower() not in headers and (name != "Retry-After" or _is_json(headers))
    ]
    more = set(headers) - {name.lower() for name in described.get("headers", {})} - _ANYWHERE
    wrong += [f"{here}: the header {name} is not described" for name in sorted(more)]
    kind = headers.get("content-type", "").partition(";")[0]
    kinds = described.get("content", {})
    if kind and kind not in kinds:
        return [*wrong, f"{here}: the content type {kind} is not described"]
    if kind == "application/json":
        wrong += [
            f"{here}: {'/'.join(map(str, error.instance_path))}: {error.message[:300]}"
            for error in _validator(path, method, str(status)).iter_errors(content)
        ]
    return wrong


def _is_json(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type") == "application/json"
