# SPDX-License-Identifier: Apache-2.0
"""`wait=served` from the client to real BINDs and back, in one process and in many; and what a thousand take."""

from __future__ import annotations

import contextlib
import json
import resource
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.api import Api
from tests.support.bind import RealBind, free_port
from tests.support.mariadb import MariaDB
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import until
from tests.support.system import DEFAULT_POOL, Sandbox, Split

pytestmark = [pytest.mark.external, pytest.mark.timeout(300)]

MANY = 1000
MOST_BYTES = 20 * 10**6


@pytest.fixture
def binds(tmp_path: Path) -> Iterator[tuple[RealBind, RealBind]]:
    with RealBind(tmp_path / "bind1") as first, RealBind(tmp_path / "bind2") as second:
        yield first, second


def waited(api: Api, verb: str, path: str, body: object = None) -> tuple[int, str | None, Any]:
    """Status, how the wait ended, and the body."""
    response, text = api._exchange(verb, path, body, None)
    return response.status, response.headers["X-Redesignate-Wait"], json.loads(text)


def check(api: Api, binds: tuple[RealBind, RealBind]) -> None:
    """Each answer comes when both servers serve what it says, and not before."""
    status, word, zone = waited(api, "POST", "/v2/zones?wait=served", {"name": "w.example.", "email": "a@b.example"})
    assert (status, word, zone["status"]) == (201, "served", "ACTIVE")
    assert [bind.serial("w.example.") for bind in binds] == [zone["serial"]] * 2
    path = f"/v2/zones/{zone['id']}"
    for number in range(5):
        name, address = f"h{number}.w.example.", f"192.0.2.{number}"
        body = {"name": name, "type": "A", "records": [address]}
        status, word, rrset = waited(api, "POST", f"{path}/recordsets?wait=served", body)
        assert (status, word, rrset["status"]) == (201, "served", "ACTIVE")
        assert [bind.rdata(name, "A") for bind in binds] == [[address]] * 2
    api.rrset(zone["id"], "late.w.example.", "A", ["192.0.2.99"])
    status, word, shown = waited(api, "GET", f"{path}?wait=served")
    assert (status, word, shown["status"]) == (200, "served", "ACTIVE")
    assert [bind.serial("w.example.") for bind in binds] == [shown["serial"]] * 2
    status, word, gone = waited(api, "DELETE", f"{path}/recordsets/{rrset['id']}?wait=served")
    assert (status, word, gone["status"]) == (202, "served", "DELETED")
    assert [bind.rdata(rrset["name"], "A") for bind in binds] == [[]] * 2
    soa = "@ 60 IN SOA ns.i.example. a.b.example. 7 2 3 4 5"
    file = f"$ORIGIN i.example.\n{soa}\n@ 60 IN NS ns.other.\nw 60 IN A 192.0.2.8\n"
    status, word, task = waited(api, "POST", "/v2/zones/tasks/imports?wait=served", {"zonefile": file})
    assert (status, word, task["status"]) == (202, "served", "COMPLETE")
    assert [bind.rdata("w.i.example.", "A") for bind in binds] == [["192.0.2.8"]] * 2
    status, word, gone = waited(api, "DELETE", f"{path}?wait=served")
    assert (status, word, gone["status"]) == (202, "served", "DELETED")
    assert [bind.serial("w.example.") for bind in binds] == [None] * 2


def test_in_one_process(tmp_path: Path, binds: tuple[RealBind, RealBind]) -> None:
    with Sandbox(tmp_path / "system") as system:
        system.use_binds(*binds)
        check(system.api, binds)


def test_over_the_broker_and_the_api_that_stops_answers(
    tmp_path: Path, mariadb: MariaDB, rabbitmq: RabbitMQ, binds: tuple[RealBind, RealBind]
) -> None:
    database, url = mariadb.database(), rabbitmq.transport_url()
    with Split(tmp_path / "system", database=database, transport_url=url, options=PATIENT) as system:
        system.use_binds(*binds)
        check(system.api, binds)
        zone = nowhere(system)
        before = [listening(system.ports[0], f"{zone}?wait=served&wait_timeout=60") for _ in range(3)]
        with listening(system.ports[0], "/healthcheck") as last:  # accepted after the others
            assert last.recv(1)
        assert system.processes["api"][0].stop(signal.SIGTERM) == 0
        for client in before:
            answer = client.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"x-redesignate-wait: timeout" in answer
            client.close()


PATIENT = "[service:worker]\npoll_max_retries = 100000\n"


def nowhere(system: Sandbox | Split) -> str:
    """The path of a zone that is never served, for its nameserver does not exist."""
    dead = free_port()
    target = {"type": "fake", "masters": [{"host": "127.0.0.1", "port": system.dns_port}]}
    pool = {
        "id": DEFAULT_POOL,
        "name": "default",
        "ns_records": [{"hostname": "ns1.example.net.", "priority": 1}],
        "nameservers": [{"host": "127.0.0.1", "port": dead}],
        "targets": [target | {"options": {"host": "127.0.0.1", "port": str(dead)}}],
    }
    file = system.folder / "nowhere.yaml"
    file.write_text(yaml.safe_dump([pool]))
    system.manage("pool", "update", "--file", str(file))
    return f"/v2/zones/{system.api.zone('nowhere.example.')['id']}"


def listening(port: int, path: str) -> socket.socket:
    """A connection on which a GET was sent."""
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a test\r\nAccept: */*\r\n\r\n".encode())
    return client


def answered(clients: list[socket.socket]) -> int:
    """How many of these have an answer, or were closed."""
    poll = select.poll()
    for client in clients:
        poll.register(client.fileno(), select.POLLIN)
    return len(poll.poll(0))


def taken(pid: int) -> tuple[int, int]:
    """Octets of its own memory, and threads, of a process."""
    found = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(found["RssAnon"].split()[0]) * 1024, int(found["Threads"])


def test_a_thousand_that_wait_hold_no_thread_and_twenty_megabytes(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * MANY)), hard))
    with Sandbox(tmp_path / "system", options=PATIENT) as system, contextlib.ExitStack() as end:
        path = nowhere(system)
        for _ in range(300):
            system.api.get(path)
        memory, threads = taken(system.process.pid)
        clients: list[socket.socket] = []
        for number in range(MANY):
            clients.append(end.enter_context(listening(system.port, f"{path}?wait=served&wait_timeout=200")))
            assert not answered(clients)
            if number % 100 == 99:  # not all at once: until it is read, a connection counts among those of its address
                system.api.get(path)
        with listening(system.port, "/healthcheck") as last:  # accepted after all others
            assert last.recv(1)
        one_more = f"{path}?wait=served&wait_timeout=1"
        until(lambda: waited(system.api, "GET", one_more)[1] == "busy", deadline_s=30)  # all of the others wait
        more, now = taken(system.process.pid)
        assert now <= threads + 1  # the one that asks for all
        assert more - memory <= MOST_BYTES, more - memory
