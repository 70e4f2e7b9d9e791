# SPDX-License-Identifier: Apache-2.0
"""The API's description as an OpenAPI 3.1 document, made from the routes, what their methods say, and the shapes.

Nothing of it is written by hand that the code says elsewhere; `answers.py` is what a method says of itself. It is built
once a process, when it is first asked for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from redesignate import __version__
from redesignate.api import faults
from redesignate.api.answers import JSON, Also, Answers, said_of
from redesignate.api.paging import Listing
from redesignate.api.published import PUBLISHED
from redesignate.api.request import TIMEOUT, WAIT
from redesignate.api.routes import ALL, Route
from redesignate.api.schemas import Schemas, argument
from redesignate.api.shapes.shape import Shape
from redesignate.api.waiting import DEFAULT_S, HEADER, LONGEST_S
from redesignate.commands.reports import COUNTED

PATH = "/v2/openapi.json"
Part = dict[str, Any]

SWITCHES = {
    "X-Auth-All-Projects": ("see every project's resources (policy `all_tenants`)", "boolean"),
    "X-Auth-Sudo-Project-ID": ("act as this project (policy `use_sudo`)", "string"),
    "X-Auth-Sudo-Tenant-ID": ("the older name of X-Auth-Sudo-Project-ID, which wins", "string"),
    "X-Designate-Edit-Managed-Records": (
        "change records that the service made (policy `edit_managed_records`)",
        "boolean",
    ),
    "X-Designate-Hard-Delete": ("delete a zone's files on the servers too (policy `hard_delete`)", "boolean"),
    "X-Designate-Delete-Shares": ("delete a zone's shares with it", "boolean"),
    "X-Openstack-Request-Id": ("an id of the client's own, which the log shows beside ours", "string"),
}
"""Headers that every request under /v2 may carry."""
ARGUMENTS = {
    "all_projects": "as X-Auth-All-Projects, which it overrules",
    "all_tenants": "as all_projects, which it overrules",
    "edit_managed_records": "as X-Designate-Edit-Managed-Records, which it overrules",
}
"""Query arguments that every request under /v2 may carry."""
_IF_MATCH = {"If-Match": "ETags, one of which the resource must still have, else 412; `*` for any."}
_KEY = {"Idempotency-Key": "The client's name for the request, which is carried out once however often it is sent."}
_WAITS: dict[str, tuple[str, dict[str, Any]]] = {
    WAIT: (
        "Answer once it is so: `served` by all nameservers of its zone, or `active`, by as many as make its status "
        "ACTIVE; of what is deleted, once they have dropped it.",
        {"type": "string", "enum": ["served", "active"]},
    ),
    TIMEOUT: (
        "Seconds after which the answer comes all the same; only with `wait`.",
        {"type": "integer", "minimum": 1, "maximum": LONGEST_S, "default": DEFAULT_S},
    ),
}
_WORDS_OF_WAIT = ["served", "active", "timeout", "error", "gone", "busy", "unsupported"]
_OPERATORS = (
    " Whole value, or `*` for any characters; a leading `!`, `<`, `<=`, `>`, `>=` compares, `BETWEEN a,b` is a range."
)
_ABOUT = """\
OpenStack's DNS API v2. A switch that policy does not allow is 403, whatever is asked. A verb that a path does not have
is 405 (`method_not_allowed`), with the header Allow. 202 means that the change is stored and the nameservers are being
updated; the resource's `status` says how far that is. Times are UTC."""
_WORDS = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}
_PARAMETER = re.compile(r"\{(\w+)\}")
_NO_UUID: Mapping[str, Part] = {"project_id": {}, "what": {"enum": list(COUNTED)}}
"""What parameters of paths are that are no UUIDs."""
_ADMIN = "Admin API"
_TAGS = {_ADMIN: "Reports, quotas and zone files of all projects; off unless the operator switches it on."}


def document(routes: tuple[Route, ...] = ALL) -> Part:
    """The whole document of some paths, but for `servers`: those depend on how a client reaches us."""
    schemas = Schemas()
    paths = {route.path: {verb.lower(): _operation(route, verb, schemas) for verb in route.verbs} for route in routes}
    _name(paths)
    _link(paths, routes)
    tags = dict.fromkeys(tag(route.path) for route in routes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Redesignate",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name} | ({"description": _TAGS[name]} if name in _TAGS else {}) for name in tags],
        "security": [{"token": []}, {"bearer": []}],
        "paths": paths | _unguarded(),
        "components": {
            "schemas": faults.schemas() | schemas.named,
            "parameters": _switches(),
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Where `[service:api] auth_strategy` is `token`.",
                },
            },
        },
    }


@functools.cache
def _body(routes: tuple[Route, ...]) -> bytes:
    return msgspec.json.encode(document(routes))


def served(base: str, routes: tuple[Route, ...]) -> bytes:
    """The document of the paths that are switched on, for clients that reach us at `base`, as JSON."""
    return b'{"servers":' + msgspec.json.encode([{"url": base}]) + b"," + _body(routes)[1:]


def tag(path: str) -> str:
    """The heading under which a path stands: that of the published path with which it has most in common."""
    if path.startswith("/admin/"):
        return _ADMIN
    best = max(PUBLISHED, key=lambda one: (path.startswith(one.path)) * len(one.path))
    return best.what


# -- one operation


def _operation(route: Route, verb: str, schemas: Schemas) -> Part:
    method = getattr(route.resource, route.method(verb))
    said = said_of(method) or Answers(statuses=(HTTPStatus.OK,))
    about = " ".join((method.__doc__ or "").split())
    operation: Part = {
        "operationId": name_of(route.path, verb, said),
        "tags": [tag(route.path)],
        "summary": about,
        "parameters": [*_in_path(route.path), *_in_query(said), *_in_headers(verb, said), *_shared()],
    }
    if said.takes is not None:
        body = schemas.body(said.takes, new=verb == "POST")
        kinds = {kind: {"schema": body if kind == JSON else {"type": "string"}} for kind in said.reads}
        operation["requestBody"] = {"required": not said.optional, "content": kinds}
    operation["responses"] = _successes(said, schemas) | faults.responses(faults.of(route.path, verb, said))
    return operation


def name_of(path: str, verb: str, said: Answers) -> str:
    """What code that is made from the document calls the operation: `list_zones`, `create_zone_recordset`, …"""
    parts = path.removeprefix("/v2").split("/")[1:]
    one = said.takes is not None and verb == "POST"
    words = [
        singular(part) if one or following == "tasks" or following.startswith("{") else part
        for part, following in zip(parts, [*parts[1:], ""], strict=True)
        if part != "tasks" and not part.startswith("{")
    ]
    if verb == "GET":
        return "_".join(["list" if said.listing else "get", *words])
    return "_".join([_WORDS[verb] if said.takes or verb != "POST" else "start", *words])


def singular(word: str) -> str:
    """One of what a part of a path names."""
    for many, one in (("ies", "y"), ("uses", "us"), ("s", "")):
        if word.endswith(many) and not word.endswith("us"):
            return word.removesuffix(many) + one
    return word


def _successes(said: Answers, schemas: Schemas) -> Part:
    content = None
    if said.shows is not None or said.writes != (JSON,):
        shown = schemas.answer(said.shows, said.listing)
        content = {kind: {"schema": shown if kind == JSON else {"type": "string"}} for kind in said.writes}
    return {str(status): _success(status, said, content) for status in sorted(said.statuses)}


def _success(status: int, said: Answers, content: Part | None) -> Part:
    headers: Part = dict(faults.REQUEST_ID)
    if status in said.located:
        place = {"type": "string", "format": "uri"}
        headers["Location"] = {"description": "Where it is.", "schema": place, "required": True}
    if said.tagged:
        about = "Of what is shown, for If-Match; a zone file has none."
        always = said.writes == (JSON,)
        headers["ETag"] = {"description": about, "schema": {"type": "string"}, "required": always}
    if said.waits:
        about, words = "How the wait has ended, where there was one.", {"type": "string", "enum": _WORDS_OF_WAIT}
        headers[HEADER] = {"description": about, "schema": words, "required": False}
    return {"description": _phrase(status), "headers": headers} | ({"content": content} if content else {})


def _phrase(status: int) -> str:
    if status == HTTPStatus.ACCEPTED:
        return "Accepted: stored, and the nameservers are being updated."
    return HTTPStatus(status).phrase + "."


# -- parameters


def _in_path(path: str) -> list[Part]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"} | _NO_UUID.get(name, {"format": "uuid"}),
        }
        for name in _PARAMETER.findall(path)
    ]


def _in_query(said: Answers) -> list[Part]:
    listed = [] if said.listing is None else _paging(said.listing)
    waits = _WAITS.items() if said.waits else ()
    return [
        *listed,
        *(
            _query(member.name, member.about, argument(member)) | ({"required": True} if member.required else {})
            for member in said.arguments
        ),
        *(_query(name, about, schema) for name, (about, schema) in waits),
    ]


def _paging(listing: Listing) -> list[Part]:
    text = {"type": "string"}
    filters = [_query(name, f"Those whose {name} is this.{_OPERATORS}", text) for name in sorted(listing.filters)]
    limit = {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "max"}], "default": 20}
    return [
        _query("limit", "How many a page holds; `max` for as many as the operator allows.", limit),
        _query("marker", "The id of the last one of the page before.", {**text, "format": "uuid"}),
        _query(
            "sort_key", "What to sort by; ties by id.", {**text, "enum": [*listing.sort_keys], "default": "created_at"}
        ),
        _query("sort_dir", "The direction.", {**text, "enum": ["asc", "desc"], "default": "asc"}),
        *filters,
    ]


def _query(name: str, about: str, schema: Mapping[str, Any]) -> Part:
    return {"name": name, "in": "query", "description": about, "schema": dict(schema)}


def _in_headers(verb: str, said: Answers) -> list[Part]:
    known = (_KEY if verb == "POST" else {}) | (_IF_MATCH if said.conditional else {}) | dict(said.headers or {})
    return [
        {"name": name, "in": "header", "description": about, "schema": {"type": "string"}}
        for name, about in known.items()
    ]


def _shared() -> Iterable[Part]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in (*SWITCHES, *ARGUMENTS)]


def _switches() -> Part:
    headers = {
        name: {"name": name, "in": "header", "description": about, "schema": {"type": kind}}
        for name, (about, kind) in SWITCHES.items()
    }
    return headers | {name: _query(name, about, {"type": "boolean"}) for name, about in ARGUMENTS.items()}


# -- the rest


def _name(paths: Mapping[str, Part]) -> None:
    """Tell the older name of a path from the one that took its place: both would be called the same."""
    named: set[str] = set()
    for operation in (one for verbs in paths.values() for one in verbs.values()):
        if operation["operationId"] in named:
            operation |= {"operationId": f"{operation['operationId']}_alias", "deprecated": True}
        named.add(operation["operationId"])


def _link(paths: Mapping[str, Part], routes: Iterable[Route]) -> None:
    """Say of what is created where it is asked for: wherever its id, and those of the request's own path, are all that
    a path needs."""
    for route in routes:
        method = getattr(route.resource, route.method("POST"), None)
        said = said_of(method) if method else None
        shown = said.shows if said is not None else None
        shown = shown.shape if isinstance(shown, Also) else shown
        place = shown.link if isinstance(shown, Shape) else ""
        item = next((path for path in paths if place and _pattern(path) == _pattern(place)), None)
        if said is None or item is None:
            continue
        own = _PARAMETER.findall(item)[-1]
        known = {name: f"$request.path.{name}" for name in _PARAMETER.findall(route.path)}
        known[own] = "$response.body#/id"
        links = {
            operation["operationId"]: {
                "operationId": operation["operationId"],
                "parameters": {name: known[name] for name in _PARAMETER.findall(path)},
            }
            for path, verbs in paths.items()
            for operation in verbs.values()
            if own in (needed := _PARAMETER.findall(path)) and known.keys() >= set(needed)
        }
        for status in said.statuses:
            paths[route.path]["post"]["responses"][str(status)]["links"] = links


def _pattern(path: str) -> str:
    return _PARAMETER.sub("{}", path)


def _unguarded() -> dict[str, Part]:
    """What is asked without a login."""
    text = {"text/plain": {"schema": {"type": "string"}}}
    anything = {JSON: {"schema": {"type": "object"}}}
    fault = {JSON: {"schema": {"$ref": "#/components/schemas/Fault"}}}
    closed = {
        "description": "Maintenance.",
        "headers": faults.REQUEST_ID | faults.RETRY_AFTER,
        "content": {"text/html": text["text/plain"]},
    }
    return {
        "/": _open("list_versions", "Versions of the API.", {"200": anything, "400": fault, "503": closed}),
        PATH: _open("get_description", "This document.", {"200": anything, "400": fault, "404": text, "503": closed}),
        "/healthcheck": _open("get_health", "Whether this host takes requests.", {"200": text, "503": text}),
    }


def _open(name: str, about: str, statuses: Mapping[str, Part]) -> Part:
    responses = {
        status: found
        if "description" in found
        else {
            "description": HTTPStatus(int(status)).phrase + ".",
            "headers": faults.REQUEST_ID,
            "content": found,
        }
        for status, found in statuses.items()
    }
    return {"get": {"operationId": name, "summary": about, "security": [], "responses": responses}}
