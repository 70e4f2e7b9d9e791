# SPDX-License-Identifier: Apache-2.0
"""A client of the WSGI application, and two centrals for what never reaches, or always fails in, the real one."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from wsgiref.types import WSGIApplication
from wsgiref.validate import validator

from redesignate.api.app import build
from redesignate.auth.identity import Authenticator
from redesignate.auth.noauth import NoAuth
from redesignate.bus.port import Central, R
from redesignate.commands.access import CheckAccess
from redesignate.commands.base import Command
from redesignate.config.settings import ApiSettings
from tests.api.described import faults_of

HOST = "dns.example.net"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Client:
    """Asks a WSGI application, through wsgiref's checker of the WSGI rules.

    described   whether answers must be as the API describes them
    """

    def __init__(self, app: WSGIApplication, **headers: str) -> None:
        self._app, self._checked, self._headers = app, validator(app), headers
        self.described = True

    def ask(
        self,
        method: str,
        path: str,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        checked: bool = True,
        **environ: Any,
    ) -> Answer:
        """One request, whose answer must be as the API describes it. `content`: bytes as they are, anything else as
        JSON; `environ` overrides the WSGI environment.

        checked   False for what no WSGI server would let through, and the checker therefore not either
        """
        body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        address, _, query = path.partition("?")
        env: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": address,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "9001",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": HOST,
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if content is not None:
            env |= {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json"}
        for name, value in {**self._headers, **(headers or {})}.items():
            key = name.upper().replace("-", "_")
            env[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        env |= environ
        app = self._checked if checked else self._app
        answer = self._run(app, {name: value for name, value in env.items() if value is not None})
        if self.described:
            shown = answer.json if answer.headers.get("content-type") == "application/json" and answer.content else None
            wrong = faults_of(method, address, answer.status, answer.headers, shown)
            assert not wrong, "\n".join(wrong)
        return answer

    @staticmethod
    def _run(app: WSGIApplication, env: dict[str, Any]) -> Answer:
        told: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            told.append((status, headers))
            return lambda data: None

        found = app(env, start)
        try:
            content = b"".join(found)
        finally:
            getattr(found, "close", bool)()
        status, headers = told[-1]
        return Answer(int(status[:3]), {name.lower(): value for name, value in headers}, content)


class NeverAsked:
    """A central for requests that must not get that far. Whether the caller may send a bad body at all, he may."""

    def call(self, command: Command[R]) -> R:
        if isinstance(command, CheckAccess):
            return None  # type: ignore[return-value]  # its reply
        raise AssertionError(f"central was asked {type(command).__name__}")


class Failing:
    """A central that always raises the same."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def call(self, command: Command[R]) -> R:
        raise self.error


def api_client(
    central: Central | None = None, settings: ApiSettings | None = None, auth: Authenticator | None = None
) -> Client:
    """The API over a central (none: nobody may ask it), with noauth unless told otherwise."""
    chosen = settings or ApiSettings(healthcheck_disable_file=None)
    client = Client(build(central or NeverAsked(), chosen, auth or NoAuth()))
    client.described = not isinstance(central, Failing)  # which fails as the real one may not
    return client


def is_fault(answer: Answer, status: int, kind: str) -> bool:
    """Whether an answer is a failure as v2 publishes them."""
    body = answer.json
    known = {"code", "type", "message", "errors", "request_id"}
    return (
        answer.status == status
        and answer.headers["content-type"] == "application/json"
        and body["code"] == status
        and body["type"] == kind
        and set(body) <= known
        and body["request_id"] == answer.headers["x-openstack-request-id"]
    )
