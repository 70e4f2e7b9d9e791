# SPDX-License-Identifier: Apache-2.0
"""A central that is stopped (SIGSTOP) and goes on: what it took with it is not carried out late."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.mariadb import MariaDB
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import until
from tests.support.system import DEFAULT_POOL, Process, Split

pytestmark = [pytest.mark.external, pytest.mark.timeout(240)]

ZONES = 8
OPTIONS = "[DEFAULT]\nrpc_response_timeout = 4\n"
COUNTS = {"mdns": 0, "worker": 0, "producer": 0}
OLD, NEW = "192.0.2.66", "192.0.2.99"


@pytest.fixture
def url(rabbitmq: RabbitMQ) -> str:
    return rabbitmq.transport_url()


@pytest.fixture
def system(tmp_path: Path, mariadb: MariaDB, url: str) -> Iterator[Split]:
    with Split(
        tmp_path / "system", database=mariadb.database(), transport_url=url, options=OPTIONS, counts=COUNTS
    ) as made:
        _pool(made)
        yield made


def _pool(system: Split) -> None:
    """A pool for zones that no worker will bring to its servers."""
    pool = {
        "id": DEFAULT_POOL,
        "name": "default",
        "ns_records": [{"hostname": "ns1.example.net.", "priority": 1}],
        "nameservers": [{"host": "127.0.0.1", "port": 9}],
        "targets": [{"type": "builtin", "options": {"host": "127.0.0.1", "port": 9}}],
    }
    file = system.folder / "pools.yaml"
    file.write_text(yaml.safe_dump([pool]))
    system.manage("pool", "update", "--file", str(file))


def stop(process: Process) -> None:
    os.kill(process.pid, signal.SIGSTOP)


def go_on(process: Process) -> None:
    os.kill(process.pid, signal.SIGCONT)


def put(system: Split, rrset: dict[str, Any], address: str) -> int:
    path = f"/v2/zones/{rrset['zone_id']}/recordsets/{rrset['id']}"
    return system.api.ask("PUT", path, {"records": [address]})[0]


def _put_until_taken(system: Split, rrset: dict[str, Any], address: str) -> None:
    until(lambda: put(system, rrset, address) == 202, deadline_s=60)


def records(system: Split, rrset: dict[str, Any]) -> list[str]:
    status, body = system.second_api.ask("GET", f"/v2/zones/{rrset['zone_id']}/recordsets/{rrset['id']}")
    assert status == 200
    found: list[str] = body["records"]
    return found


def test_an_old_change_that_a_stopped_central_held_does_not_undo_a_newer_one(
    system: Split, rabbitmq: RabbitMQ, url: str
) -> None:
    rrsets = []
    for n in range(ZONES):  # a zone each: changes of one zone travel together
        zone = system.api.zone(f"z{n}.example.")
        rrsets.append(system.api.rrset(zone["id"], f"www.z{n}.example.", "A", ["192.0.2.1"]))
    stopped = system.processes["central"][0]
    stop(stopped)
    try:
        with ThreadPoolExecutor(ZONES) as pool:
            olds = list(pool.map(lambda rrset: put(system, rrset, OLD), rrsets))
        assert olds.count(504), olds  # the stopped central has them
        assert olds.count(202), olds
        deadline = time.monotonic() + 60
        for rrset in rrsets:
            while put(system, rrset, NEW) != 202:
                assert time.monotonic() < deadline
    finally:
        go_on(stopped)
    until(lambda: rabbitmq.queues(url)["redesignate_questions_central"] == 0, deadline_s=30)
    for _ in range(10):
        assert [records(system, rrset) for rrset in rrsets] == [[NEW]] * ZONES
        time.sleep(0.2)  # whatever it still holds comes now


def test_a_change_that_was_under_way_when_its_central_was_stopped_does_not_undo_a_newer_one(system: Split) -> None:
    zone = system.api.zone("example.org.")
    made = [system.api.rrset(zone["id"], f"w{n}.example.org.", "A", ["192.0.2.1"]) for n in range(4)]
    stopped = system.processes["central"][0]
    for round_number in range(4):
        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(put, system, rrset, f"192.0.2.{round_number * 2 + 2}") for rrset in made]
            stop(stopped)
            time.sleep(6)  # longer than anybody waits for an answer
            go_on(stopped)
            heard = [future.result() for future in futures]
        assert set(heard) <= {202, 503, 504}
        newer = f"192.0.2.{round_number * 2 + 3}"
        for rrset in made:
            _put_until_taken(system, rrset, newer)
        assert [records(system, rrset) for rrset in made] == [[newer]] * 4
