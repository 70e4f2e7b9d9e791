# SPDX-License-Identifier: Apache-2.0
"""What every noun of the API shares: the request (its sender with the switches it carries, its query, its JSON body,
what links begin with), where central is, and how an answer is written."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIEnvironment

import falcon
import msgspec

from redesignate.api.hosts import is_sane
from redesignate.api.shapes.members import json_type
from redesignate.auth.identity import Authenticator, Identity
from redesignate.bus.port import Central
from redesignate.commands.access import CheckAccess
from redesignate.commands.base import Match
from redesignate.config.settings import ApiSettings
from redesignate.model.caller import Caller, Repeat
from redesignate.model.errors import (
    BadInput,
    EmptyBody,
    InvalidJSON,
    InvalidObject,
    InvalidUUID,
    Problem,
    UnsupportedContentType,
)
from redesignate.model.etag import ANY, TAG, Versioned
from redesignate.model.limits import PROJECT_LENGTH, USER_LENGTH
from redesignate.model.zone import Status

REQUEST_ID = "redesignate.request_id"
BODY = "redesignate.body"
PROJECT = "redesignate.project"
"""Keys of the WSGI environment: the request's id, its body, which `api/door.py` has read and measured, and, once the
sender is known, the project that is asked for."""

NO_BODY = "Request Body is empty"
_DECODER = msgspec.json.Decoder()
ENCODER = msgspec.json.Encoder()
_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_HEX = re.compile(r"[0-9a-fA-F]{32}\Z")
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x2b\x2d-\x7e\x80-\xff]{0,100}"\Z')
"""Without commas, which ours do not have."""
TAGS = 100
KEY_LENGTH = 255
_JSON_RANGES = ("*/*", "application/*", "application/json")
ZONE_FILE = "text/dns"
_ZONE_FILES = frozenset(
    {
        "/v2/zones/{zone_id}",
        "/v2/zones/tasks/exports/{export_id}/export",
        "/v2/zones/tasks/export/{export_id}/export",
        "/admin/zones/export/{zone_id}",
    }
)
"""Paths that answer a GET with a zone file too."""
_ALL_PROJECTS = ("all_tenants", "all_projects")
_EDIT_MANAGED = "edit_managed_records"
_SWITCHES = frozenset({*_ALL_PROJECTS, _EDIT_MANAGED})
WAIT, TIMEOUT = "wait", "wait_timeout"
WAITING_ARGUMENTS = frozenset({WAIT, TIMEOUT})
"""Arguments that say what the answer waits for (`waiting.py`)."""
_NO_FILTERS = _SWITCHES | WAITING_ARGUMENTS
_SWITCH_HEADERS = frozenset(
    {
        "HTTP_X_AUTH_ALL_PROJECTS",
        "HTTP_X_DESIGNATE_EDIT_MANAGED_RECORDS",
        "HTTP_X_DESIGNATE_HARD_DELETE",
        "HTTP_X_DESIGNATE_DELETE_SHARES",
    }
)


class Request(falcon.Request):
    """Falcon's request with what every door of ours needs. `caller` and `base` are set before any door opens."""

    __slots__ = ("base", "caller")

    caller: Caller
    base: str

    @property
    def request_id(self) -> str:
        """ "req-<uuid>", as it stands in the answer's header."""
        found: str = self.env[REQUEST_ID]
        return found

    def arguments(self) -> dict[str, str]:
        """The query string without the switches and what the answer waits for. Raises BadInput where a name comes
        twice."""
        return {name: value for name, value in self._singles().items() if name not in _NO_FILTERS}

    def query_pairs(self) -> dict[str, str]:
        """The whole query string, for links that repeat it."""
        return self._singles()

    def no_arguments(self) -> None:
        """Refuse every filter: for resources that offer none. Raises BadInput."""
        refuse_filters(self.arguments())

    def flag(self, header: str) -> bool:
        """Whether a header of the WSGI environment says yes."""
        value = self.env.get(header)
        return value is not None and truth(value)

    def matching(self) -> Match:
        """The tags of If-Match, of which the resource must have one; None where there is no such header.

        Raises BadInput for what is not a list of at most `TAGS` entity tags (RFC 9110 §13.1.1).
        """
        text = self.env.get("HTTP_IF_MATCH")
        if text is None or text.strip() == ANY:
            return None if text is None else (ANY,)
        tags = tuple([tag.strip() for tag in text.split(",") if tag.strip()])
        if not tags or len(tags) > TAGS or not all(_TAG.match(tag) for tag in tags):
            raise BadInput(f"If-Match is neither * nor a list of at most {TAGS} entity tags in quotes")
        return tags

    @property
    def content_kind(self) -> str:
        """The media type of the body, without its parameters."""
        found: str = self.env.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        return found

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises UnsupportedContentType, EmptyBody, InvalidJSON, InvalidObject (a list, a number, a number too large).
        """
        declared = self.env.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        body: bytes = self.env[BODY]
        if declared != "application/json" and (declared or body):
            raise UnsupportedContentType(f"Content type {declared[:100]!r} is not application/json")
        if not body:
            raise EmptyBody(NO_BODY)
        try:
            value = _DECODER.decode(body)
        except msgspec.ValidationError as wrong:  # well-formed, but a number beyond what we hold
            raise InvalidObject(str(wrong).partition(" - at")[0]) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            raise InvalidJSON(str(wrong)) from None
        except RecursionError:
            raise InvalidJSON("JSON is nested too deeply") from None
        if value is None:
            raise EmptyBody(NO_BODY)
        if not isinstance(value, dict):
            raise InvalidObject(f"The body must be a JSON object, not {json_type(value)}")
        return value

    def _singles(self) -> dict[str, str]:
        twice = [name for name, value in self.params.items() if isinstance(value, list)]
        if twice:
            raise BadInput("Duplicate filters " + ", ".join(twice))
        return self.params  # type: ignore[return-value]  # no lists are left


def refuse_filters(names: object) -> None:
    """Raise BadInput naming all of `names`, if any."""
    listed = list(names) if isinstance(names, (dict, list)) else []
    if listed:
        raise BadInput("Invalid filters " + ", ".join(listed))


def truth(text: str) -> bool:
    """Whether a switch is on, as oslo reads booleans: 1, t, true, on, y, yes in any case; all else is off."""
    return text.strip().lower() in _TRUE


def parse_id(name: str, text: str) -> str:
    """An id of the path in the dashed form; 32 hex digits are taken too. Raises InvalidUUID."""
    if _UUID.match(text):
        return text
    found = uuid_or_none(text)
    if found is None:
        raise InvalidUUID(f"Invalid UUID {name}: {text}")
    return found


def uuid_or_none(text: str) -> str | None:
    """A UUID in lower case with its dashes, or None where the text is not a UUID."""
    if _UUID.match(text):
        return text
    digits = text.replace("-", "")
    return str(uuid.UUID(digits)) if _HEX.match(digits) else None


def link_base(environ: WSGIEnvironment) -> str:
    """Scheme and host that the client used, and the path under which a proxy or server has put us.

    A Host that could not stand in a link is as if none had been sent.
    """
    host = environ.get("HTTP_HOST", "")
    if not is_sane(host):
        host = f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return f"{environ['wsgi.url_scheme']}://{host}{environ.get('SCRIPT_NAME', '').rstrip('/')}"


def caller(request: Request, identity: Identity) -> Caller:
    """The sender and the switches. Central asks policy about each switch that is set.

    Raises BadInput for ids that no database column holds.
    """
    env = request.env
    sudo = env.get("HTTP_X_AUTH_SUDO_PROJECT_ID") or env.get("HTTP_X_AUTH_SUDO_TENANT_ID")
    if sudo == identity.project_id:
        sudo = None  # Terraform and openstacksdk name the caller's own project: to act as oneself takes no right
    ids = (("user", identity.user_id, USER_LENGTH), ("project", sudo or identity.project_id, PROJECT_LENGTH))
    # ids may come from a header alone: all of them with noauth, and the sudo project always
    for what, ident, longest in (*ids, ("project", identity.project_id, PROJECT_LENGTH)):
        if ident is not None and (len(ident) > longest or not ident.isprintable()):
            raise BadInput(f"A {what} id has at most {longest} characters, all of them printable")
    key = env.get("HTTP_IDEMPOTENCY_KEY") if env["REQUEST_METHOD"] == "POST" else None
    switched = not (_SWITCHES.isdisjoint(request.params) and _SWITCH_HEADERS.isdisjoint(env))
    return Caller(
        request_id=env[REQUEST_ID],
        user_id=identity.user_id,
        project_id=sudo or identity.project_id,
        roles=identity.roles,
        original_project_id=identity.project_id if sudo else None,
        user_domain_id=identity.user_domain_id,
        project_domain_id=identity.project_domain_id,
        domain_id=identity.domain_id,
        system_scope=identity.system_scope,
        all_projects=switched and _switch(request, "HTTP_X_AUTH_ALL_PROJECTS", *_ALL_PROJECTS),
        edit_managed=switched and _switch(request, "HTTP_X_DESIGNATE_EDIT_MANAGED_RECORDS", _EDIT_MANAGED),
        hard_delete=switched and _switch(request, "HTTP_X_DESIGNATE_HARD_DELETE"),
        sudo=bool(sudo),
        repeat=None if key is None else _repeat(key, env),
        delete_shares=switched and _switch(request, "HTTP_X_DESIGNATE_DELETE_SHARES"),
    )


def _repeat(key: str, env: WSGIEnvironment) -> Repeat:
    """A request that its client may send again. Raises BadInput for a key that is too long, or not of ASCII, and
    where the body is a stream."""
    if not 0 < len(key) <= KEY_LENGTH or not (key.isascii() and key.isprintable()):
        raise BadInput(f"An Idempotency-Key has 1 to {KEY_LENGTH} characters, all of them printable ASCII")
    query = env.get("QUERY_STRING", "")
    if WAIT in query:  # it says when the answer comes, and not what is done
        query = "&".join(one for one in query.split("&") if one.partition("=")[0] not in WAITING_ARGUMENTS)
    asked = hashlib.sha256(f"{env['PATH_INFO']}?{query}\0".encode("utf-8", "surrogateescape"))
    body: bytes | None = env.get(BODY)
    if body is None:
        raise BadInput("An Idempotency-Key needs a body that is compared as a whole: send the zone file as JSON")
    asked.update(body)
    return Repeat(key=key, digest=asked.hexdigest())


def _switch(request: Request, header: str, *names: str) -> bool:
    """Whether a switch is on: in the query, where the first of `names` wins over the next, or else in its header."""
    for name in names:
        value = request.params.get(name)
        if isinstance(value, str):
            return truth(value)
    return request.flag(header)


# -- what the doors share


class Gate:
    """Falcon's middleware: the caller, the base of links, and whether the client accepts JSON.

    wait   reads what the answer waits for, where the request says so. Raises BadInput
    """

    def __init__(self, settings: ApiSettings, authenticate: Authenticator, wait: Callable[[Request], object]) -> None:
        self._settings, self._authenticate, self._wait = settings, authenticate, wait

    def process_request(self, req: Request, resp: falcon.Response) -> None:
        """Set the request's caller and base; refuse all but operators during maintenance."""
        if req.method not in falcon.HTTP_METHODS:
            req.method = "TRACE"  # no path takes it, so that an unknown verb is 405 as well
        identity = self._authenticate.identity(req.env)
        settings = self._settings
        if settings.maintenance_mode and settings.maintenance_mode_role.lower() not in identity.roles:
            resp.status = 503
            resp.content_type = "text/html"
            resp.set_header("Retry-After", "60")
            resp.complete = True
            return
        req.caller = caller(req, identity)
        req.env[PROJECT] = req.caller.project_id
        req.base = link_base(req.env) if settings.enable_host_header else settings.api_base_uri.rstrip("/")

    def process_resource(self, req: Request, resp: falcon.Response, _resource: object, _params: object) -> None:
        """Refuse a client that does not read JSON, in words that any client reads."""
        if not WAITING_ARGUMENTS.isdisjoint(req.params):
            self._wait(req)
        accept = req.env.get("HTTP_ACCEPT", "").lower()
        if "/" not in accept or any(name in accept for name in _JSON_RANGES):  # missing, or not a list of media types
            return
        if ZONE_FILE in accept and req.method == "GET" and req.uri_template in _ZONE_FILES:
            return
        resp.status = 406
        resp.content_type = "text/plain"
        resp.text = "This resource is available as application/json only.\n"
        resp.complete = True


class Resource:
    """One noun of the API; a method a verb, with falcon's suffix telling a collection from a member."""

    def __init__(self, central: Central, settings: ApiSettings, authenticate: Authenticator) -> None:
        self.central, self.settings, self.authenticate = central, settings, authenticate

    def bad_body(self, fault: Problem, asked: CheckAccess) -> Problem:
        """A fault of the body, for a caller who may do what it was sent for.

        Raises what central raises for any other caller, who cannot tell a good body from a bad one.
        A good body costs no further question: central checks access when it carries out the command.
        """
        self.central.call(asked)
        return fault


def send(
    resp: falcon.Response,
    content: Any,
    status: int = 200,
    *,
    of: Status | None = None,
    location: str | None = None,
    tagged: Versioned | None = None,
) -> None:
    """Write an answer as JSON.

    of      the status of what is shown: where that is PENDING, the answer is 202, for nameservers have yet to follow
    tagged  what is shown, where the answer is to have its ETag
    """
    resp.status = 202 if of is Status.PENDING else status
    resp.data = ENCODER.encode(content)
    if location is not None:
        resp.set_header("Location", location)
    if tagged is not None:
        resp.set_header("ETag", TAG % (tagged.id, tagged.version))
