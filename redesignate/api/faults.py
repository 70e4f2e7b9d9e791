# SPDX-License-Identifier: Apache-2.0
"""What a request of the API may be answered that is no success, as OpenAPI's responses."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from redesignate.api.answers import JSON, Answers
from redesignate.model import errors
from redesignate.model.errors import PROBLEMS, Problem

EVERY: tuple[type[Problem], ...] = (
    errors.BadInput,
    errors.InvalidProject,
    errors.Unauthorized,
    errors.MissingProject,
    errors.Forbidden,
    errors.InvalidTokenScope,
    errors.NotFound,
    errors.Misconfigured,
    Problem,
    errors.Unavailable,
    errors.TimedOut,
)
"""What any request may be told."""
IDENTS = (errors.InvalidUUID,)
"""A path with an id."""
LISTS = (
    errors.InvalidLimit,
    errors.InvalidMarker,
    errors.MarkerNotFound,
    errors.InvalidSortKey,
    errors.InvalidSortDir,
)
"""A list."""
BODIES = (errors.InvalidObject, errors.EmptyBody, errors.InvalidJSON, errors.UnsupportedContentType)
"""A request with a body."""

_ALL: tuple[type[Problem], ...] = (*PROBLEMS, Problem)
_TEXT: dict[str, Any] = {"schema": {"type": "string"}}
_OTHERS = {
    400: {},
    # keystone's own words, where there is no token or one that is not valid
    401: {JSON: {"schema": {"type": "object"}}, "text/plain": _TEXT, "text/html": _TEXT},
    404: {"text/plain": _TEXT},  # v2 is switched off
    406: {"text/plain": _TEXT},
    413: {"text/plain": _TEXT},
    503: {"text/html": _TEXT},  # maintenance
}
_WHEN = {
    404: "No such resource that the caller may see; empty text where the whole API is switched off.",
    406: "The client does not accept what this path answers with.",
    413: "A quota is reached; in plain text, the request is larger than this server accepts.",
    503: "Unavailable, or maintenance (`text/html`).",
}
_LOG_IN = {
    "WWW-Authenticate": {
        "description": "How to log in (RFC 9110 §11.6.1).",
        "schema": {"type": "string"},
        "required": False,
    }
}
RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "string"},
        "required": True,
    }
}
REQUEST_ID = {
    "X-Openstack-Request-Id": {
        "description": "The request's own id, `req-` and a UUID; the same is in the log and in the body of a failure.",
        "schema": {"type": "string", "pattern": "^req-[0-9a-f-]{36}$"},
        "required": True,
    }
}
FAULT = {
    "type": "object",
    "description": "A failure. `code` and `type` are published and do not change; the text is for people.",
    "properties": {
        "code": {"type": "integer", "description": "The status."},
        "type": {"type": "string", "description": "The kind of failure."},
        "message": {"type": "string"},
        "errors": {
            "type": "object",
            "properties": {
                "errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "path": {"type": "array", "items": {"type": ["string", "integer"]}},
                            "message": {"type": "string"},
                            "validator": {"type": "string"},
                            "validator_value": {},
                        },
                        "required": ["path", "message", "validator"],
                    },
                }
            },
            "description": "One entry for each fault of the body.",
        },
        "request_id": {"type": "string"},
    },
    "required": ["code", "type", "request_id"],
}


def schemas() -> dict[str, Any]:
    """Every kind of failure, by the name of its class."""
    found: dict[str, Any] = {"Fault": FAULT}
    for problem in _ALL:
        known = {"code": {"const": problem.status}, "type": {"const": problem.kind}}
        about = "The service failed; its log has why." if problem is Problem else _sentence(problem)
        found[problem.__name__] = {"description": about, "allOf": [_refer("Fault")], "properties": known}
    return found


def of(path: str, verb: str, said: Answers) -> set[type[Problem]]:
    """Every kind of failure that may be the answer."""
    found: set[type[Problem]] = {*EVERY, *said.raises}
    if "_id}" in path.replace("{project_id}", ""):
        found |= {*IDENTS}
    if said.listing is not None:
        found |= {*LISTS}
    if said.takes is not None:
        found |= {*BODIES}
    if verb == "POST":
        found |= {errors.KeyReused}
    if said.conditional:
        found |= {errors.PreconditionFailed}
    return found


def responses(kinds: Iterable[type[Problem]]) -> dict[str, Any]:
    """The responses of these failures, by status, beside those that have no kind (406, and the request's size)."""
    by_status: dict[int, list[str]] = {}
    for problem in sorted(kinds, key=_ALL.index):
        by_status.setdefault(problem.status, []).append(problem.__name__)
    return {str(status): _response(status, by_status.get(status, [])) for status in sorted({*by_status, 406, 413})}


def _response(status: int, names: list[str]) -> dict[str, Any]:
    content = dict(_OTHERS.get(status, {}))
    if names and status != HTTPStatus.UNAUTHORIZED:
        content = {JSON: {"schema": {"oneOf": [_refer(name) for name in names]}}, **content}
    elif names:
        content[JSON] = {"schema": {"anyOf": [*(_refer(name) for name in names), {"type": "object"}]}}
    more = {401: _LOG_IN, 503: RETRY_AFTER}.get(status, {})
    return {
        "description": _WHEN.get(status, HTTPStatus(status).phrase + "."),
        "headers": REQUEST_ID | more,
        "content": content,
    }


def _sentence(problem: type[Problem]) -> str:
    return " ".join((problem.__doc__ or problem.kind).split())


def _refer(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
