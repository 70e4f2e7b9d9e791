# SPDX-License-Identifier: Apache-2.0
"""keystone's middleware before the API, against an identity service of a few lines that speaks v3 on loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIEnvironment

import pytest
from oslo_config import cfg

from redesignate.api.app import build
from redesignate.auth.choose import authenticator
from redesignate.auth.keystone import TIMEOUT_S, Keystone
from redesignate.auth.noauth import NoAuth
from redesignate.bus.port import R
from redesignate.commands.base import Command
from redesignate.config.settings import ApiSettings
from redesignate.model.caller import Caller
from redesignate.model.errors import Forbidden, IdentityUnavailable, Misconfigured, MissingProject, NotFound
from tests.api.client import Client, NeverAsked, api_client, is_fault

ZONE = "/v2/zones/6ba7b810-9dad-11d1-80b4-00c04fd430c8"


def _token(**scope: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    form = "%Y-%m-%dT%H:%M:%S.%fZ"
    return {
        "token": {
            "methods": ["password"],
            "user": {"id": "u1", "name": "ann", "domain": {"id": "d1", "name": "D"}, "password_expires_at": None},
            "audit_ids": ["x"],
            "issued_at": now.strftime(form),
            "expires_at": (now + timedelta(hours=1)).strftime(form),
            **scope,
        }
    }


TOKENS = {
    "project": _token(
        project={"id": "p1", "name": "P", "domain": {"id": "d2", "name": "E"}},
        roles=[{"id": "1", "name": "Member"}, {"id": "2", "name": "reader"}],
    ),
    "system": _token(system={"all": True}, roles=[{"id": "3", "name": "admin"}]),
    "domain": _token(domain={"id": "d1", "name": "D"}, roles=[{"id": "1", "name": "member"}]),
}


class _Identity(BaseHTTPRequestHandler):
    """As much of keystone as validating a token needs."""

    def do_GET(self) -> None:
        if "/auth/tokens" in self.path:
            token = TOKENS.get(self.headers.get("X-Subject-Token", ""))
            return self._say(200, token) if token else self._say(404, {"error": {"code": 404, "message": "no"}})
        base = f"http://{self.headers['Host']}/v3/"
        links = [{"rel": "self", "href": base}]
        version = {"id": "v3.14", "status": "stable", "links": links, "updated": "2020-04-07T00:00:00Z"}
        one = {"version": version}
        return self._say(200, one if self.path.startswith("/v3") else {"versions": {"values": [version]}})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = f"http://{self.headers['Host']}/v3"
        endpoints = [
            {"id": face, "interface": face, "region": "R", "region_id": "R", "url": url}
            for face in ("internal", "admin")
        ]
        catalog = [{"id": "c", "type": "identity", "name": "keystone", "endpoints": endpoints}]
        self._say(201, {"token": {**TOKENS["project"]["token"], "catalog": catalog}}, {"X-Subject-Token": "service"})

    def _say(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


class Recorder:
    """A central that keeps who asked and finds nothing."""

    caller: Caller | None = None

    def call(self, command: Command[R]) -> R:
        self.caller = command.caller  # type: ignore[attr-defined]  # every command of the API has one
        raise NotFound


CONF = """\
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:{port}/v3
www_authenticate_uri = http://keystone.example:5000
username = designate
password = x
project_name = service
user_domain_id = default
project_domain_id = default
http_request_max_retries = 0
service_token_roles_required = true
delay_auth_decision = true
"""


def _conf(folder: Path, port: int, more: str = "") -> cfg.ConfigOpts:
    file = folder / "designate.conf"
    file.write_text(CONF.format(port=port) + more)
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(file)], default_config_dirs=[])
    return conf


def _client(folder: Path, port: int, central: Recorder | None = None) -> Client:
    conf = _conf(folder, port)
    return api_client(central, auth=authenticator(ApiSettings(auth_strategy="keystone"), conf, NeverAsked()))


@pytest.fixture(scope="module")
def identity() -> Iterator[int]:
    """The port of the identity service."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Identity)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_no_token_and_a_wrong_one_are_the_middlewares_401(identity: int, tmp_path: Path) -> None:
    client = _client(tmp_path, identity)
    for headers in ({}, {"X-Auth-Token": "wrong"}):
        answer = client.ask("GET", "/v2/zones", headers=headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == 'Keystone uri="http://keystone.example:5000"'
        assert answer.headers["x-openstack-request-id"].startswith("req-")


def test_what_a_client_claims_of_itself_is_not_believed(identity: int, tmp_path: Path) -> None:
    forged = {"X-Identity-Status": "Confirmed", "X-User-Id": "root", "X-Project-Id": "p1", "X-Roles": "admin"}
    assert _client(tmp_path, identity).ask("GET", ZONE, headers=forged).status == 401
    central = Recorder()
    _client(tmp_path, identity, central).ask("GET", ZONE, headers={**forged, "X-Auth-Token": "project"})
    assert central.caller is not None
    assert (central.caller.user_id, central.caller.roles) == ("u1", ("member", "reader"))


def test_a_project_token_becomes_its_caller(identity: int, tmp_path: Path) -> None:
    central = Recorder()
    answer = _client(tmp_path, identity, central).ask("GET", ZONE, headers={"X-Auth-Token": "project"})
    assert is_fault(answer, 404, "not_found")
    assert central.caller == Caller(
        request_id=answer.headers["x-openstack-request-id"],
        user_id="u1",
        project_id="p1",
        roles=("member", "reader"),
        user_domain_id="d1",
        project_domain_id="d2",
    )


def test_system_and_domain_tokens_have_no_project(identity: int, tmp_path: Path) -> None:
    central = Recorder()
    client = _client(tmp_path, identity, central)
    client.ask("GET", ZONE, headers={"X-Auth-Token": "system"})
    assert central.caller is not None
    assert (central.caller.system_scope, central.caller.project_id) == ("all", None)
    client.ask("GET", ZONE, headers={"X-Auth-Token": "domain"})
    assert (central.caller.domain_id, central.caller.system_scope) == ("d1", None)


def test_sudo_keeps_the_roles_and_the_project_it_came_from(identity: int, tmp_path: Path) -> None:
    central = Recorder()
    headers = {"X-Auth-Token": "project", "X-Auth-Sudo-Tenant-ID": "other", "X-Auth-Sudo-Project-ID": "chosen"}
    _client(tmp_path, identity, central).ask("GET", ZONE, headers=headers)
    caller = central.caller
    assert caller is not None
    assert (caller.project_id, caller.original_project_id, caller.sudo) == ("chosen", "p1", True)


def test_health_and_versions_need_no_token(identity: int, tmp_path: Path) -> None:
    client = _client(tmp_path, identity)
    assert client.ask("GET", "/").status == client.ask("GET", "/healthcheck").status == 200


def test_an_identity_service_that_is_away_is_503_not_401(tmp_path: Path) -> None:
    with socket.socket() as unused:  # bound and not listening: nothing else can take the port meanwhile
        unused.bind(("127.0.0.1", 0))
        client = _client(tmp_path, unused.getsockname()[1])
        answer = client.ask("GET", "/v2/zones", headers={"X-Auth-Token": "project"})
        assert is_fault(answer, 503, "unavailable")
        assert "retry-after" in answer.headers
        assert client.ask("GET", "/healthcheck").status == 200


def test_keystone_is_asked_about_a_project_for_those_alone_who_may_set_its_quotas(
    identity: int, tmp_path: Path
) -> None:
    settings = ApiSettings(auth_strategy="keystone", quotas_verify_project_id=True)
    asked: list[str] = []

    class Refusing(Recorder):
        def call(self, command: Command[R]) -> R:
            raise Forbidden

    class Watched(Keystone):
        def check_project(self, environ: WSGIEnvironment, project_id: str) -> None:
            asked.append(project_id)

    login = Watched(_conf(tmp_path, identity))
    app = build(Refusing(), settings, login)
    answer = Client(app, **{"X-Auth-Token": "project"}).ask("PATCH", "/v2/quotas/p2", {"zones": 5})
    assert is_fault(answer, 403, "forbidden")
    assert not asked
    app = build(Recorder(), settings, login)
    assert is_fault(Client(app, **{"X-Auth-Token": "project"}).ask("PATCH", "/v2/quotas/p2", {}), 404, "not_found")


def test_a_keystone_that_does_not_answer_about_a_project_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        login = Keystone(
            _conf(tmp_path, port, f"[keystone]\nendpoint_override = http://127.0.0.1:{port}\ntimeout = 1\n")
        )
        with pytest.raises(IdentityUnavailable):
            login.check_project({"HTTP_X_AUTH_TOKEN": "t"}, "p1")
    conf = _conf(tmp_path, port)
    Keystone(conf)
    assert conf.keystone.timeout == conf.keystone_authtoken.http_connect_timeout == TIMEOUT_S


def test_an_unconfirmed_request_is_no_ones() -> None:
    with pytest.raises(MissingProject):
        Keystone(cfg.ConfigOpts()).identity({"HTTP_X_USER_ID": "root", "HTTP_X_IDENTITY_STATUS": "Invalid"})


def test_noauth_believes_its_headers_and_has_defaults() -> None:
    central = Recorder()
    client = api_client(central)
    client.ask("GET", ZONE)
    assert central.caller is not None
    assert (central.caller.user_id, central.caller.project_id, central.caller.roles) == (
        "noauth-user",
        "noauth-project",
        ("admin",),
    )
    client.ask("GET", ZONE, headers={"X-Auth-User-ID": "u", "X-Auth-Project-ID": "p", "X-Roles": "Member, reader,"})
    assert (central.caller.user_id, central.caller.project_id, central.caller.roles) == ("u", "p", ("member", "reader"))


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        ("", {}, (False, False, False)),
        ("", {"X-Auth-All-Projects": "True"}, (True, False, False)),
        ("?all_projects=yes", {}, (True, False, False)),
        ("?all_tenants=false", {"X-Auth-All-Projects": "True"}, (False, False, False)),
        ("?all_tenants=1&all_projects=0", {}, (True, False, False)),
        ("", {"X-Designate-Edit-Managed-Records": "t"}, (False, True, False)),
        ("?edit_managed_records=no", {"X-Designate-Edit-Managed-Records": "t"}, (False, False, False)),
        ("", {"X-Designate-Hard-Delete": "on"}, (False, False, True)),
    ],
)
def test_switches_come_by_query_or_by_header(
    query: str, headers: dict[str, str], expected: tuple[bool, bool, bool]
) -> None:
    central = Recorder()
    api_client(central).ask("GET", ZONE + query, headers=headers)
    caller = central.caller
    assert caller is not None
    assert (caller.all_projects, caller.edit_managed, caller.hard_delete) == expected


def test_a_way_to_authenticate_that_does_not_exist_is_named() -> None:
    assert isinstance(authenticator(ApiSettings(auth_strategy="noauth"), None, NeverAsked()), NoAuth)
    with pytest.raises(Misconfigured, match="auth_strategy: 'ldap'"):
        authenticator(ApiSettings(auth_strategy="ldap"), None, NeverAsked())
