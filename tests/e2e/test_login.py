# SPDX-License-Identifier: Apache-2.0
"""Logins of `redesignate serve`: none on loopback, tokens for a network, keystone where a file says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.bind import free_port
from tests.support.clients import ClientFailed, openstack, sdk, with_keystone, with_token
from tests.support.keystone import Keystone
from tests.support.servers import until
from tests.support.system import Process, Sandbox

pytestmark = pytest.mark.external

ZONE = {"name": "example.org.", "email": "a@example.org"}


def test_without_a_login_only_this_machines_own_requests_are_answered(tmp_path: Path) -> None:
    """DNS rebinding: a page in a browser here has a name of its own lead to 127.0.0.1."""
    with Sandbox(tmp_path) as system:
        assert system.api.ask("GET", "/v2/zones")[0] == 200
        assert system.api.ask("GET", "/v2/zones", headers={"Host": f"localhost:{system.port}"})[0] == 200
        status, body = system.api.ask("GET", "/v2/zones", headers={"Host": f"evil.example:{system.port}"})
        assert (status, body["type"]) == (400, "bad_request")


def test_no_login_and_every_address_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.conf").write_text("[service:api]\nauth_strategy = noauth\n")
    words = ["--config-file", str(tmp_path / "own.conf"), "serve", "--port", str(free_port()), "--dns-port", "0"]
    process = Process([*words, "--state-dir", str(tmp_path / "state"), "--listen", "0.0.0.0"], tmp_path / "log")
    process.start()
    assert process.wait_code() == 1
    assert process.said().count("\n") == 1
    assert "auth_strategy = noauth" in process.said()
    assert not (tmp_path / "state").exists()


def test_a_network_is_served_by_token(tmp_path: Path) -> None:
    with Sandbox(tmp_path, words=["--listen", "0.0.0.0"]) as system:
        assert "There is no token yet" in system.process.said()
        assert system.api.ask("GET", "/v2/zones")[0] == 401
        mine, other, reader = (
            system.manage("token", "create", "--project", project, "--role", role, "--quiet").strip()
            for project, role in (("home", "member"), ("guests", "member"), ("home", "reader"))
        )
        at = with_token(system.api.url, mine)
        made = openstack(at, "zone", "create", "--email", "a@example.org", "example.org.")
        openstack(at, "recordset", "create", "--type", "A", "--record", "192.0.2.1", "example.org.", "www")
        assert made["project_id"] == "home"
        api = Api(system.api.url, {"Authorization": f"Bearer {mine}"})
        api.active(made["id"])
        assert sdk(at, "print(json.dumps([zone.name for zone in dns.zones()]))") == ["example.org."]
        assert openstack(with_token(system.api.url, other), "zone", "list") == []
        assert [zone["name"] for zone in openstack(with_token(system.api.url, reader), "zone", "list")] == [
            "example.org."
        ]
        with pytest.raises(ClientFailed):
            openstack(with_token(system.api.url, reader), "zone", "delete", "example.org.")

        listed = system.manage("token", "list")
        (ident,) = [line.split()[0] for line in listed.splitlines() if " guests " in line]
        system.manage("token", "revoke", ident)
        bare = Api(system.api.url, {"X-Auth-Token": other})
        until(lambda: bare.ask("GET", "/v2/zones")[0] == 401, deadline_s=5, what="the end of a revoked token")
        api.close()
        bare.close()


def test_serve_asks_keystone_where_a_file_says_so(tmp_path: Path, keystone: Keystone) -> None:
    service = keystone.service_user("designate-serve")
    middleware = "\n".join(f"{name} = {value}" for name, value in keystone.middleware(service).items())
    options = f"[service:api]\nauth_strategy = keystone\n[keystone_authtoken]\n{middleware}\n"
    alice, bob = (keystone.add_user(f"serve-{name}", project=f"serve-{name}") for name in ("alice", "bob"))
    with Sandbox(tmp_path, options=options) as system:
        assert system.api.ask("GET", "/v2/zones")[0] == 401
        token = {"X-Auth-Token": keystone.token(alice)}
        status, zone = system.api.ask("POST", "/v2/zones", ZONE, headers=token)
        assert (status, zone["project_id"]) == (202, alice.project_id)
        other = {"X-Auth-Token": keystone.token(bob)}
        assert system.api.ask("GET", "/v2/zones", headers=other)[1]["zones"] == []
        at = with_keystone(keystone, alice, keystone.catalogue(system.api.url))
        assert [one["name"] for one in openstack(at, "zone", "list")] == ["example.org."]


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        ("", True),
        ("[service:worker]\ndenied_masters = loopback\n", False),
        ("[service:api]\nauth_strategy = token\n", False),
        ("[service:api]\nauth_strategy = token\n[service:worker]\ndenied_masters =\n", True),
    ],
)
def test_tenants_who_log_in_may_not_have_this_machines_own_servers_asked(
    tmp_path: Path, options: str, allowed: bool
) -> None:
    """A server on loopback often sends its zones to whoever asks from there, and its ports are not for tenants."""
    with Sandbox(tmp_path, options=options) as system:
        token = system.manage("token", "create", "--project", "home", "--quiet").strip().splitlines()[-1]
        api = Api(system.api.url, {"X-Auth-Token": token})
        zone = {"name": "corp.example.", "type": "SECONDARY", "masters": [f"127.0.0.1:{free_port()}"]}
        status, made = api.ask("POST", "/v2/zones", zone)
        assert status == 202, made

        def why() -> str:
            peers = api.get(f"/v2/zones/{made['id']}/peers")["peers"]
            return str(next(peer["error"] for peer in peers if peer["role"] == "primary") or "")

        until(lambda: bool(why()), what="the master's error")
        said = why()
        api.close()
        assert ("is not allowed as a master" not in said) == allowed, said
