# SPDX-License-Identifier: Apache-2.0
"""kill -9 of each service in the middle of a task that changes a zone as a whole: a move to another pool, and a
transfer of a large zone to another project. It goes on by itself, and at every moment it is whole or not at all.

One of each service, so that what is killed is nowhere else; over RabbitMQ and MariaDB, and with --long PostgreSQL too.
"""

from __future__ import annotations

import http.client
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dns.exception
import dns.rcode
import pytest
import yaml
from sqlalchemy import Engine, NullPool, create_engine, select

from redesignate.store import schema, sharing_schema
from redesignate.store.engine import normalised
from tests.faults import drills
from tests.faults.agreement import settle
from tests.support.api import Api
from tests.support.bind import RealBind
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import until
from tests.support.system import DEFAULT_POOL, Split

pytestmark = [pytest.mark.external, pytest.mark.timeout(300)]

SERVICES = ("api", "central", "mdns", "producer", "worker")
OTHER = "cf2e8eab-76cd-4162-bf76-8aeee3556de0"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ=="
SIGNS = f'key "second" {{ algorithm hmac-sha256; secret "{SECRET}"; }}; server 127.0.0.1 {{ keys {{ "second"; }}; }};'
OPTIONS = (
    "[DEFAULT]\nquota_zone_recordsets = -1\nquota_zone_records = -1\n"
    "[service:worker]\npoll_retry_interval = 2\n"
    "[producer_task:zone_handover]\ninterval = 1\nbatch_size = 20\n"
)
LARGE = 3000
"""Record sets of the zone that changes hands: three runs of the producer and more."""
PATIENCE_S = 60.0


@dataclass
class Stage:
    """One system with a pool for each BIND, and a zone in one of them."""

    system: Split
    engine: Engine
    binds: tuple[RealBind, RealBind]
    apis: list[Api] = field(default_factory=list)

    def kill(self, service: str) -> None:
        drills.kill_and_start(*self.system.processes[service])

    def api(self, project: str) -> Api:
        made = Api(self.system.api.url, {"X-Auth-Project-ID": project, "X-Roles": "admin,member,reader"})
        self.apis.append(made)
        return made

    def close(self) -> None:
        self.engine.dispose()
        for api in self.apis:
            api.close()


@pytest.fixture(scope="module", params=["mariadb", pytest.param("postgres", marks=pytest.mark.long)])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    server: MariaDB | Postgres = request.getfixturevalue(request.param)
    folder, database = tmp_path_factory.mktemp("tasks"), server.database()
    counts = dict.fromkeys(SERVICES, 1)
    with (
        closing(RabbitMQ.create()) as broker,
        RealBind(folder / "bind1") as first,
        RealBind(folder / "bind2", config=SIGNS) as second,
        Split(
            folder / "system", database=database, transport_url=broker.transport_url(), counts=counts, options=OPTIONS
        ) as system,
    ):
        use_pools(system, first, second)
        with closing(Stage(system, create_engine(normalised(database), poolclass=NullPool), (first, second))) as made:
            yield made


def use_pools(system: Split, *binds: RealBind) -> None:
    """A pool a BIND; the second one signs what it asks."""
    pools = [
        {
            "id": ident,
            "name": name,
            "ns_records": [{"hostname": f"ns.{name}.example.", "priority": 1}],
            "nameservers": [{"host": "127.0.0.1", "port": bind.port}],
            "targets": [
                {
                    "type": "bind9",
                    "masters": [{"host": "127.0.0.1", "port": system.dns_port}],
                    "options": bind.target_options(),
                }
            ],
        }
        for ident, name, bind in zip((DEFAULT_POOL, OTHER), ("default", "second"), binds, strict=True)
    ]
    file = system.folder / "two.yaml"
    file.write_text(yaml.safe_dump(pools))
    system.manage("pool", "update", "--file", str(file))
    key = {"name": "second", "algorithm": "hmac-sha256", "secret": SECRET, "scope": "POOL", "resource_id": OTHER}
    assert system.api.ask("POST", "/v2/tsigkeys", key)[0] == 201


@dataclass
class Watch:
    """Looks at something over and over until the end of the block. `wrong`: what it saw that may never be."""

    look: Callable[[], str | None]
    wrong: list[str] = field(default_factory=list)
    looks: int = 0

    @contextmanager
    def on(self) -> Iterator[None]:
        ending = threading.Event()

        def run() -> None:
            while not ending.wait(0.02):
                said = self.look()
                self.looks += 1
                if said is not None:
                    self.wrong.append(said)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join(60)
        assert self.looks
        assert not self.wrong, self.wrong[:3]


def in_flight(act: Callable[[], tuple[int, Any]], strike: Callable[[], None]) -> int | None:
    """Ask for something, and strike while the answer is awaited; the status, None where there was none."""
    got: list[int] = []

    def ask() -> None:
        with suppress(OSError, http.client.HTTPException):
            got.append(act()[0])

    thread = threading.Thread(target=ask)
    thread.start()
    strike()
    thread.join(90)
    assert not thread.is_alive(), "a request has had no answer for 90 s"
    return got[0] if got else None


def answered(api: Api, path: str) -> Any:
    """The body of a 200, once there is one."""
    found: list[Any] = []

    def ask() -> bool:
        try:
            status, body = api.ask("GET", path)
        except (OSError, http.client.HTTPException):
            return False
        found.append(body)
        assert status in (200, 503, 504), (status, body)
        return status == 200

    until(ask, deadline_s=PATIENCE_S, what=path)
    return found[-1]


# -- a move to another pool


def test_kill_9_of_each_service_while_a_zone_moves_to_another_pool(stage: Stage) -> None:
    api, binds = stage.api("p1"), dict(zip((DEFAULT_POOL, OTHER), stage.binds, strict=True))
    zone = api.zone("moves.example.")
    api.rrset(zone["id"], "www.moves.example.", "A", ["192.0.2.1"])
    api.active(zone["id"], timeout=PATIENCE_S)
    path = f"/v2/zones/{zone['id']}"

    def served() -> str | None:
        return None if any(_has(bind) for bind in stage.binds) else "no nameserver answers for the zone"

    here, there = DEFAULT_POOL, OTHER
    with Watch(served).on():
        for service in SERVICES:
            ask = partial(api.ask, "POST", f"{path}/tasks/pool_move", {"pool_id": there})
            status = in_flight(ask, partial(stage.kill, service))
            pool = answered(api, path)["pool_id"]
            assert pool == there if status == 202 else pool in (here, there), (service, status)
            if pool == here:  # not at all: it is asked for again
                assert ask()[0] == 202
            _moved(api, path, there)
            stage.kill(service)
            assert binds[there].rdata("www.moves.example.", "A") == ["192.0.2.1"]
            assert binds[here].ask("moves.example.", "SOA").rcode() == dns.rcode.REFUSED
            here, there = there, here
    settle(api, stage.engine, timeout=PATIENCE_S)


def _has(bind: RealBind) -> bool:
    try:
        return bind.rdata("www.moves.example.", "A") == ["192.0.2.1"]
    except (dns.exception.DNSException, OSError):
        return False


def _moved(api: Api, path: str, pool: str) -> None:
    until(lambda: answered(api, f"{path}/moves")["status"] == "COMPLETE", deadline_s=PATIENCE_S, what="the move")
    until(lambda: answered(api, path)["status"] == "ACTIVE", deadline_s=PATIENCE_S, what="the zone")
    assert answered(api, path)["pool_id"] == pool


# -- a transfer to another project


def large_zone(api: Api, project: str) -> Any:
    """A zone of LARGE record sets, imported."""
    text = "$ORIGIN large.example.\n$TTL 900\n@ IN SOA ns. admin.large.example. 2026112201 7200 900 86400 60\n"
    text += "".join(f"h{n} IN A 192.0.2.{n % 250}\n" for n in range(LARGE))
    headers = {"Content-Type": "text/dns", "X-Auth-Project-ID": project, "X-Roles": "member,reader"}
    sent = urllib.request.Request(f"{api.url}/v2/zones/tasks/imports", text.encode(), headers)
    with urllib.request.urlopen(sent, timeout=60) as answer:
        assert answer.status == 202
    (task,) = api.get("/v2/zones/tasks/imports")["imports"]
    path = f"/v2/zones/tasks/imports/{task['id']}"
    done = api.until(path, lambda one: one["status"] != "PENDING", timeout=PATIENCE_S)
    assert done["status"] == "COMPLETE", done
    return api.active(done["zone_id"], timeout=PATIENCE_S)


def test_kill_9_of_each_service_while_a_large_zone_changes_hands(stage: Stage) -> None:
    projects = {name: stage.api(name) for name in ("p1", "p2")}
    zone = large_zone(projects["p1"], "p1")

    def lists() -> str | None:
        """Either project lists all of the record sets, or none."""
        for name, api in projects.items():
            try:
                status, body = api.ask("GET", "/v2/recordsets?limit=1&name=h*.large.example.")
            except (OSError, http.client.HTTPException):
                continue
            if status == 200 and body["metadata"]["total_count"] not in (0, LARGE):
                return f"{name} has {body['metadata']['total_count']} of the record sets"
        return None

    giver, taker = "p1", "p2"
    with Watch(lists).on():
        for service in SERVICES:
            _change_hands(stage, projects[giver], projects[taker], zone["id"], service)
            until(lambda: not handed(stage, zone["id"]), deadline_s=PATIENCE_S, what="the handover")
            with stage.engine.connect() as connection:
                owner = select(schema.rrsets.c.project_id).where(schema.rrsets.c.zone_id == zone["id"]).distinct()
                assert list(connection.execute(owner).scalars()) == [taker], service
            giver, taker = taker, giver
    settle(stage.api("p1"), stage.engine, timeout=PATIENCE_S)


def _change_hands(stage: Stage, giver: Api, taker: Api, zone_id: str, service: str) -> None:
    """A transfer; the service is killed while the acceptance is answered, and amid the handover."""
    request = giver.post(f"/v2/zones/{zone_id}/tasks/transfer_requests", {})
    body = {"key": request["key"], "zone_transfer_request_id": request["id"]}
    accept = partial(taker.ask, "POST", "/v2/zones/tasks/transfer_accepts", body)
    status = in_flight(accept, partial(stage.kill, service))
    offered = answered(giver, f"/v2/zones/tasks/transfer_requests/{request['id']}")["status"]
    assert offered == "COMPLETE" if status == 201 else offered in ("ACTIVE", "COMPLETE"), (service, status)
    if offered == "ACTIVE":  # not at all: it is asked for again
        assert accept()[0] == 201
    if handed(stage, zone_id):
        stage.kill(service)
    assert answered(taker, f"/v2/zones/{zone_id}")["id"] == zone_id
    assert giver.ask("GET", f"/v2/zones/{zone_id}")[0] == 404


def handed(stage: Stage, zone_id: str) -> bool:
    """Whether record sets are left to be written over."""
    table = sharing_schema.zone_handovers
    with stage.engine.connect() as connection:
        return connection.execute(select(table.c.zone_id).where(table.c.zone_id == zone_id)).first() is not None
