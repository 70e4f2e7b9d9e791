# SPDX-License-Identifier: Apache-2.0
"""A small cloud for clients: keystone, two pools of a BIND each, three users, and the clients that they sit at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.api import Api
from tests.support.bind import RealBind
from tests.support.clients import Clients, with_keystone
from tests.support.keystone import Keystone, User
from tests.support.servers import until
from tests.support.system import DEFAULT_POOL, Sandbox

OTHER_POOL = "cf2e8eab-76cd-4162-bf76-8aeee3556de0"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ=="
SIGNS = f'key "second" {{ algorithm hmac-sha256; secret "{SECRET}"; }}; server 127.0.0.1 {{ keys {{ "second"; }}; }};'
OPTIONS = """\
[service:api]
auth_strategy = keystone
[service:worker]
denied_masters =
poll_retry_interval = 1
[keystone_authtoken]
"""


@dataclass
class Seat:
    """One user at the clients."""

    at: Mapping[str, str]
    project_id: str
    clients: Clients
    api: Api

    def __call__(self, words: str, *more: str) -> Any:
        """`openstack WORDS… MORE… -f json`, decoded. `words` is split at spaces."""
        return self.clients.openstack(self.at, *words.split(), *more)

    def plain(self, words: str, *more: str) -> str:
        """`openstack WORDS… MORE…` as a person sees it."""
        return self.clients.openstack_plain(self.at, *words.split(), *more)

    def script(self, text: str) -> Any:
        """A script on openstacksdk and designateclient; the JSON that it prints."""
        return self.clients.script(self.at, text)

    def active(self, zone_id: str) -> Any:
        """Wait until a zone is ACTIVE."""
        return self.api.active(zone_id)


@dataclass
class Cloud:
    """`bind` serves the default pool, `second` the other, which a TSIG key named "second" of SECRET lets transfer."""

    system: Sandbox
    bind: RealBind
    second: RealBind
    clients: Clients
    alice: Seat
    bob: Seat
    admin: Seat

    def served(self, name: str, rrtype: str, records: list[str]) -> None:
        """Wait until BIND answers with these records."""
        until(lambda: self.bind.rdata(name, rrtype) == records, what=f"{name} {rrtype} {records}")


@contextmanager
def cloud_of(keystone: Keystone, folder: Path, name: str) -> Iterator[Cloud]:
    """A cloud whose users and projects begin with the name."""
    service = keystone.service_user("designate")
    options = OPTIONS + "".join(f"{key} = {value}\n" for key, value in keystone.middleware(service).items())
    with (
        RealBind(folder / "bind1") as bind,
        RealBind(folder / "bind2", config=SIGNS) as second,
        Sandbox(folder / "system", options=options) as system,
        Clients() as clients,
    ):
        _use(system, {DEFAULT_POOL: ("default", bind), OTHER_POOL: ("second", second)})
        region = keystone.catalogue(system.api.url)

        def seat(user: User) -> Seat:
            token = keystone.token(user)
            project = user.project_id or keystone.request("GET", "/auth/tokens", token=token, subject=token)["token"][
                "project"]["id"]  # fmt: skip
            everywhere = {"X-Auth-All-Projects": "true"} if user.role == "admin" else {}
            api = Api(system.api.url, {"X-Auth-Token": token} | everywhere)
            return Seat(with_keystone(keystone, user, region), project, clients, api)

        alice, bob = (keystone.add_user(f"{name}-{who}", project=f"{name}-{who}") for who in ("alice", "bob"))
        seats = [seat(user) for user in (alice, bob, keystone.admin)]
        yield Cloud(system, bind, second, clients, *seats)
        for one in seats:
            one.api.close()


def _use(system: Sandbox, pools: Mapping[str, tuple[str, RealBind]]) -> None:
    described = [
        {
            "id": ident,
            "name": name,
            "ns_records": [{"hostname": f"ns.{name}.example.net.", "priority": 1}],
            "nameservers": [{"host": "127.0.0.1", "port": bind.port}],
            "targets": [
                {
                    "type": "bind9",
                    "masters": [{"host": "127.0.0.1", "port": system.dns_port}],
                    "options": bind.target_options(),
                }
            ],
        }
        for ident, (name, bind) in pools.items()
    ]
    file = system.folder / "pools.yaml"
    file.write_text(yaml.safe_dump(described))
    system.manage("pool", "update", "--file", str(file))
