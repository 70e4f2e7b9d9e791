# SPDX-License-Identifier: Apache-2.0
"""The same system in separate processes, two of each: API → RabbitMQ → central → database → worker → two BINDs."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterator
from pathlib import Path

import dns.rcode
import pytest

from tests.support.bind import RealBind
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import until
from tests.support.system import Split

pytestmark = [pytest.mark.external, pytest.mark.timeout(300)]

OPTIONS = (
    "[DEFAULT]\nquota_zones = 5000\nquota_zone_recordsets = 5000\nquota_zone_records = 5000\n"
    "[service:worker]\npoll_retry_interval = 2\n"
)


@pytest.fixture
def binds(tmp_path: Path) -> Iterator[tuple[RealBind, RealBind]]:
    with RealBind(tmp_path / "bind1") as first, RealBind(tmp_path / "bind2") as second:
        yield first, second


@pytest.fixture(params=["mariadb", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    server: MariaDB | Postgres = request.getfixturevalue(request.param)
    return server.database()


@pytest.fixture
def system(tmp_path: Path, database: str, rabbitmq: RabbitMQ, binds: tuple[RealBind, RealBind]) -> Iterator[Split]:
    with Split(tmp_path / "system", database=database, transport_url=rabbitmq.transport_url(), options=OPTIONS) as made:
        made.use_binds(*binds)
        yield made


def served(binds: tuple[RealBind, RealBind], names: list[str], *, timeout: float = 45.0) -> None:
    """Wait until both servers answer every name."""
    deadline = time.monotonic() + timeout
    missing = [(bind, name) for bind in binds for name in names]
    while missing:
        missing = [(bind, name) for bind, name in missing if not bind.rdata(name, "A")]
        assert time.monotonic() < deadline, f"{len(missing)} answers missing: {missing[:3]}"


def test_a_change_goes_all_the_way_and_neither_api_nor_worker_holds_credentials(
    system: Split, binds: tuple[RealBind, RealBind]
) -> None:
    assert "connection" not in system.folder.joinpath("bare.conf").read_text()
    zone = system.api.zone("split.example.")
    rrset = system.second_api.rrset(zone["id"], "www.split.example.", "A", ["192.0.2.1"])
    path = f"/v2/zones/{zone['id']}"
    active = system.api.active(zone["id"])
    assert [bind.serial("split.example.") for bind in binds] == [active["serial"]] * 2
    assert [bind.rdata("www.split.example.", "A") for bind in binds] == [["192.0.2.1"]] * 2

    assert system.api.ask("PUT", f"{path}/recordsets/{rrset['id']}", {"records": ["192.0.2.2"]})[0] == 202
    system.second_api.active(zone["id"])
    assert [bind.rdata("www.split.example.", "A") for bind in binds] == [["192.0.2.2"]] * 2
    assert system.second_api.ask("DELETE", path)[0] == 202
    system.api.gone(path)
    assert [bind.ask("split.example.", "SOA").rcode() for bind in binds] == [dns.rcode.REFUSED] * 2
    status, body = system.api.ask("POST", "/v2/zones", {"name": "bad", "email": "a@example.org"})
    assert (status, body["type"]) == (400, "invalid_object")  # problems come over the bus as themselves
    check_a_zone_at_rest_that_a_server_has_lost_comes_back(system, binds[0])


def check_a_zone_at_rest_that_a_server_has_lost_comes_back(system: Split, bind: RealBind) -> None:
    """The audit, over the broker and the database of the system. Here, so that it needs no system of its own."""
    zone = system.api.zone("rests.example.")
    rrset = system.api.rrset(zone["id"], "www.rests.example.", "A", ["192.0.2.7"])
    system.api.active(zone["id"])
    peers = f"/v2/zones/{zone['id']}/peers"
    system.api.until(peers, lambda body: all(peer["state"] == "current" for peer in body["peers"]))
    bind.rndc("delzone", "-clean", "rests.example.")
    assert bind.ask("rests.example.", "SOA").rcode() == dns.rcode.REFUSED
    until(lambda: bind.rdata(rrset["name"], "A") == rrset["records"], deadline_s=60, what="the zone's return")
    found = system.api.until(  # figures come with a heartbeat, every ten seconds
        "/v2/service_statuses?service_name=worker",
        lambda body: any("audit" in one["stats"] for one in body["service_statuses"]),
    )
    assert found["service_statuses"][0]["stats"]["audit"]["late"] is False


def test_every_service_says_that_it_lives_and_the_api_that_it_stops(system: Split) -> None:
    found = system.api.until("/v2/service_statuses", lambda body: len(body["service_statuses"]) >= 5, timeout=30)[
        "service_statuses"
    ]

    assert {one["service_name"] for one in found} == {"api", "central", "mdns", "worker", "producer"}
    assert {one["status"] for one in found} == {"UP"}
    for process in system.processes["api"]:
        assert process.stop() == 0
    lines = [line.split() for line in system.manage("service", "list").splitlines()]
    assert {line[0]: line[2] for line in lines if line[1:2] == ["testhost"]} == dict.fromkeys(
        ("central", "mdns", "worker", "producer"), "UP"
    ) | {"api": "STOPPED"}


def test_kill_9_of_a_worker_with_200_zones_in_flight_loses_nothing(
    system: Split, binds: tuple[RealBind, RealBind]
) -> None:
    zones = {}

    def create(n: int) -> None:
        name = f"z{n}.kill.example."
        made = system.api.zone(name)
        system.api.rrset(made["id"], f"www.{name}", "A", ["192.0.2.1"])
        zones[name] = made["id"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        work = [pool.submit(create, n) for n in range(200)]
        concurrent.futures.wait(work[:120])
        system.processes["worker"][0].kill()
        for one in work:
            one.result()
    served(binds, [f"www.{name}" for name in zones])
    system.api.until("/v2/zones?status=PENDING&limit=1", lambda body: not body["zones"], timeout=45)


def test_a_broker_restart_in_the_middle_loses_no_acknowledged_write(
    tmp_path: Path, mariadb: MariaDB, binds: tuple[RealBind, RealBind]
) -> None:
    broker = RabbitMQ.create()
    try:
        with Split(
            tmp_path / "system",
            database=mariadb.database(),
            transport_url=broker.transport_url(),
            options=OPTIONS,
        ) as system:
            system.use_binds(*binds)
            zone = system.api.zone("broker.example.")
            system.api.active(zone["id"])
            acknowledged, refused = _write_through_an_outage(system, broker, zone["id"])
            assert refused, "the outage was not felt; the test proves nothing"
            assert {status for status, _ in refused} <= {503, 504}
            assert any(status == 503 and "Retry-After" in headers for status, headers in refused)
            served(binds, acknowledged, timeout=60)
            system.api.active(zone["id"], timeout=60)
    finally:
        broker.close()


def _write_through_an_outage(
    system: Split, broker: RabbitMQ, zone_id: str
) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Write on and on while the broker is restarted; what was answered 202, and how the others were refused.

    What is under way when the broker stops is asked again when it is back; what comes after is refused at once.
    """
    acknowledged: list[str] = []
    refused: list[tuple[int, dict[str, str]]] = []

    def write(name: str) -> None:
        body = {"name": f"{name}.broker.example.", "type": "A", "records": ["192.0.2.1"]}
        status, headers = system.api.ask_headers("POST", f"/v2/zones/{zone_id}/recordsets", body)
        if status == 202:
            acknowledged.append(body["name"])  # type: ignore[arg-type]  # a text
        else:
            refused.append((status, headers))

    for n in range(20):
        write(f"before{n}")
    broker.stop()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(write, "underway")
        until(lambda: system.second_api.ask("GET", f"/v2/zones/{zone_id}")[0] == 503)
        until(lambda: system.api.ask("GET", f"/v2/zones/{zone_id}")[0] == 503)
        write("during")
        broker.start()
        under_way.result(60)
    until(lambda: system.api.ask("GET", f"/v2/zones/{zone_id}")[0] == 200)
    for n in range(20):
        write(f"after{n}")
    assert len(acknowledged) >= 40
    return acknowledged, refused


def test_without_a_broker_processes_with_credentials_find_their_work_in_the_outbox(
    tmp_path: Path, postgres: Postgres, binds: tuple[RealBind, RealBind]
) -> None:
    with Split(tmp_path / "system", database=postgres.database(), transport_url=None, options=OPTIONS) as system:
        system.use_binds(*binds)
        zone = system.api.zone("nobroker.example.")
        system.second_api.rrset(zone["id"], "www.nobroker.example.", "A", ["192.0.2.1"])
        served(binds, ["www.nobroker.example."], timeout=10)
        system.api.active(zone["id"], timeout=10)
