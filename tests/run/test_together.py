# SPDX-License-Identifier: Apache-2.0
"""Changes that arrive over several connections at the same time share a thread, a transaction and a commit."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from redesignate.api.app import build
from redesignate.auth.noauth import NoAuth
from redesignate.bus.inproc import Bulkheads, Shares
from redesignate.config.settings import ApiSettings, CentralSettings
from redesignate.run.threaded import HEALTH, READ, THREADS, TOGETHER, Threaded
from redesignate.store import migrate
from tests.api.conftest import System
from tests.support.bind import free_port
from tests.support.servers import until

WAIT_S = 30


class Served:
    """The API with central on SQLite, and what was committed."""

    def __init__(self, folder: Path) -> None:
        migrate.upgrade(f"sqlite:///{folder / 'db'}")
        settings = ApiSettings(
            listen=(("127.0.0.1", free_port()),), healthcheck_disable_file=None, auth_strategy="noauth"
        )
        self.port = settings.listen[0][1]
        self.system = System(folder / "db", settings, CentralSettings())
        self.commits = 0
        event.listen(self.system.store.engine, "commit", self._committed)
        self.before: dict[str, Callable[[], object]] = {}
        self._app = build(Bulkheads(self.system.central, Shares.of_one_writer(THREADS)), settings, NoAuth())
        self.server = Threaded(self._answer, settings, threads=THREADS)
        self.server.turns._turn_s = 600.0  # a busy machine takes none away
        self.server.start()

    def _answer(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """As the API, after what is to be done `before` the answer of a path."""
        self.before.get(environ["PATH_INFO"], bool)()
        return self._app(environ, start)

    def _committed(self, _connection: object) -> None:
        self.commits += 1

    def send(self, requests: list[tuple[str, str, Any]]) -> list[tuple[int, Any]]:
        """Send each over a connection of its own, all before the server looks at one. Statuses and bodies of the
        answers."""
        with ExitStack() as end:
            clients = [
                end.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)) for _ in requests
            ]
            until(lambda: len(self.server.arrivals) == len(clients), deadline_s=WAIT_S)
            go, held = threading.Event(), threading.Event()
            arrive = self.server.arrivals.wait

            def wait() -> Any:
                held.set()
                assert go.wait(WAIT_S)
                return arrive()

            self.server.arrivals.wait = wait  # type: ignore[method-assign]  # so that all of them arrive at once
            self.server.arrivals.wake()
            assert held.wait(WAIT_S)
            for client, (method, path, body) in zip(clients, requests, strict=True):
                content = json.dumps(body).encode()
                head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                client.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            go.set()
            del self.server.arrivals.wait
            return [_answer(client) for client in clients]


def _answer(client: socket.socket) -> tuple[int, Any]:
    octets = b""
    while b"\r\n\r\n" not in octets:
        octets += client.recv(65536)
    head, _, body = octets.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65536)
    return int(head[9:12]), json.loads(body) if b"json" in head else body


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    one = Served(tmp_path)
    yield one
    one.server.stop()
    one.system.store.close()


@pytest.fixture
def zone(served: Served) -> str:
    ((status, made),) = served.send([("POST", "/v2/zones", {"name": "example.org.", "email": "a@example.org"})])
    assert status == 202
    return f"/v2/zones/{made['id']}/recordsets"


def rrset(name: str) -> dict[str, object]:
    return {"name": f"{name}.example.org.", "type": "A", "records": ["192.0.2.1"]}


def test_creates_that_arrive_at_the_same_time_share_a_commit(served: Served, zone: str) -> None:
    before = served.commits
    answers = served.send([("POST", zone, rrset(f"n{number}")) for number in range(TOGETHER)])
    assert [(status, body["name"]) for status, body in answers] == [
        (202, f"n{number}.example.org.") for number in range(TOGETHER)
    ]
    assert served.commits - before == 1


def test_one_that_is_refused_is_refused_alone(served: Served, zone: str) -> None:
    wanted = [rrset("a"), rrset("same"), rrset("same"), {"name": "not/a/name"}, rrset("b")]
    before = served.commits
    answers = served.send([("POST", zone, body) for body in wanted])
    assert [status for status, _ in answers] == [202, 202, 409, 400, 202]
    assert served.commits - before == 1


def test_changes_of_any_kind_arrive_together(served: Served, zone: str) -> None:
    before = served.commits
    answers = served.send(
        [
            ("POST", "/v2/zones", {"name": "one.example.net.", "email": "a@example.org"}),
            ("POST", zone, rrset("a")),
            ("DELETE", zone, None),
            ("POST", "/v2/zones", {"name": "two.example.net.", "email": "a@example.org"}),
        ]
    )
    assert [status for status, _ in answers] == [202, 202, 405, 202]
    assert served.commits - before == 1


def test_a_change_does_not_wait_for_what_arrived_behind_it_and_may_take_long(served: Served, zone: str) -> None:
    committed = threading.Event()
    event.listen(served.system.store.engine, "commit", lambda _connection: committed.set())
    served.before["/v2/limits"] = lambda: heard.append(committed.wait(WAIT_S / 3))
    served.before["/v2/zones/tasks/imports"] = lambda: heard.append(committed.wait(WAIT_S / 3))
    for wanted in (("GET", "/v2/limits", None), ("POST", "/v2/zones/tasks/imports", "x" * READ)):
        heard: list[bool] = []
        committed.clear()
        served.send([("POST", zone, rrset(f"a{len(wanted[0])}")), wanted])
        assert heard == [True], wanted[1]


def test_a_health_check_does_not_wait_for_what_arrived_before_it(served: Served, zone: str) -> None:
    healthy, heard = threading.Event(), list[bool]()
    with served.server.turns._changed:
        served.server.turns._turn_s = 0.02
        served.server.turns._changed.notify_all()  # one of them watches as long as it was
    served.before[zone] = lambda: heard.append(healthy.wait(WAIT_S / 3))
    served.before[HEALTH] = healthy.set
    answers = served.send([("GET", zone, None), ("GET", HEALTH, None), ("POST", zone, rrset("a"))])
    assert [status for status, _ in answers] == [200, 200, 202]
    assert heard == [True, True]


def test_more_changes_of_a_zone_than_it_has_places_are_all_made(served: Served, zone: str) -> None:
    answers = served.send([("POST", zone, rrset(f"n{number}")) for number in range(3 * TOGETHER + 1)])
    assert {status for status, _ in answers} == {202}
