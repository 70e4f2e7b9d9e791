# SPDX-License-Identifier: Apache-2.0
"""The HTTP server of `redesignate serve`, and what one lock that somebody holds does to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import resource
import select
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from redesignate.api.app import build
from redesignate.auth.noauth import NoAuth
from redesignate.commands.base import Command
from redesignate.config.settings import ApiSettings
from redesignate.run.threaded import CONNECTIONS, THREADS, Threaded
from tests.support.bind import free_port
from tests.support.servers import until
from tests.support.system import Sandbox

WAIT_S = 30
ZONE = b'{"name": "example.org.", "email": "a@example.org"}'
POST = b"POST /v2/zones HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Slow:
    """A central that answers nothing before it is let go, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()

    def call(self, command: Command[Any]) -> Any:
        self.asked.append(type(command).__name__)
        assert self.go.wait(WAIT_S)


@contextlib.contextmanager
def served(central: Slow, connections: int = CONNECTIONS) -> Iterator[int]:
    """The port of a server with one thread."""
    port = free_port()
    settings = ApiSettings(listen=(("127.0.0.1", port),), healthcheck_disable_file=None)
    server = Threaded(build(central, settings, NoAuth()), settings, threads=1, connections=connections)
    server.start()
    try:
        yield port
    finally:
        central.go.set()
        server.stop()


def test_a_change_whose_client_left_while_it_waited_for_a_thread_is_not_carried_out() -> None:
    central = Slow()
    with served(central) as port, socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as first:
        first.sendall(b"GET /v2/zones HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        until(lambda: central.asked == ["ListZones"], deadline_s=WAIT_S)
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as impatient:
            impatient.sendall(POST % len(ZONE) + ZONE)
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as patient:
            patient.sendall(b"GET /v2/limits HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            central.go.set()
            until(lambda: len(central.asked) > 1, deadline_s=WAIT_S)
    assert "CreateZone" not in central.asked


def answers(requests: bytes) -> bytes:
    """All that the server says to these until it closes the connection."""
    with served(Slow()) as port, socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as client:
        client.sendall(requests)
        answer = b""
        while some := client.recv(4096):
            answer += some
    return answer


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\n: nothing\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /healthcheck HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"GET /healthcheck HTTP/1.1\r\n\r\n",  # RFC 9112 §3.2
        b"GET /healthcheck HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
        b"PUT /v2/quotas HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: x\r\n\r\n",
        b"PUT /v2/quotas HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"GET /healthcheck HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET /healthcheck HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
def test_a_malformed_request_is_answered_and_leaves_no_trace_in_the_log(
    request_text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = answers(request_text)
    assert answer.startswith(b"HTTP/1."), answer
    assert b" 400 " in answer, answer
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    "head",
    [
        b"POST /healthcheck HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /healthcheck HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\nHost: a\r\n\r\n",
        b"POST /healthcheck HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /healthcheck HTTP/1.2\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_follows_a_body_of_two_lengths_is_never_taken_for_a_request(head: bytes) -> None:
    """RFC 9112 §6.1: such a request is refused, and the connection is closed after the answer."""
    smuggled = b"GET /healthcheck HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = answers(head + b"0\r\n\r\n" + smuggled)
    assert answer.startswith(b"HTTP/1."), answer
    assert answer.count(b"HTTP/1.") == 1, answer
    assert b" 400 " in answer, answer


def test_a_chunked_body_and_a_request_after_it_are_served_over_one_connection() -> None:
    chunked = b"POST /healthcheck HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    last = b"GET /healthcheck HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert answers(chunked + last).count(b"HTTP/1.1 200 ") == 2


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process has more open files than select() can name: the nameserver's connections count too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    yield
    for one in held:
        os.close(one)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def healthy(port: int, source: str = "127.0.0.1", path: str = "/healthcheck") -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S, source_address=(source, 0))
    try:
        client.request("GET", path)
        return client.getresponse().status == 200
    finally:
        client.close()


def test_health_is_answered_while_every_other_thread_waits_for_central() -> None:
    central = Slow()
    with served(central) as port, socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as waiting:
        waiting.sendall(b"GET /v2/zones HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        until(lambda: central.asked == ["ListZones"], deadline_s=WAIT_S)
        assert healthy(port)
        assert healthy(port, path="/healthcheck/")
        waiting.setblocking(False)
        with pytest.raises(BlockingIOError):  # it waits still
            waiting.recv(1)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_application_is_told_whether_other_processes_answer_beside_it(processes: int) -> None:
    told: list[object] = []

    def app(environ: Any, start: Any) -> list[bytes]:
        told.append(environ["wsgi.multiprocess"])
        start("204 No Content", [])
        return []

    port = free_port()
    settings = ApiSettings(listen=(("127.0.0.1", port),), healthcheck_disable_file=None)
    server = Threaded(app, settings, threads=1, processes=processes)
    server.start()
    try:
        assert not healthy(port)
    finally:
        server.stop()
    assert told == [processes > 1]


@pytest.mark.usefixtures("many_files")
def test_connections_beyond_the_thousandth_open_file_are_served() -> None:
    with served(Slow()) as port:
        assert healthy(port)
        assert healthy(port)


def test_one_address_holds_half_of_the_connections_at_most() -> None:
    with served(Slow(), connections=20) as port, contextlib.ExitStack() as end:
        held = [end.enter_context(socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)) for _ in range(30)]
        for one in held:
            with contextlib.suppress(OSError):
                one.sendall(b"GET /v2/zones HTTP/1.1\r\n")  # and never the rest
        assert healthy(port, "127.0.0.2")
        closed = [one for one in held if select.select([one], [], [], 0)[0]]
        assert len(closed) >= 20


def test_a_database_locked_by_somebody_else_holds_up_changes_and_nothing_else(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as system, ThreadPoolExecutor(4 * THREADS) as pool:
        zone = system.api.zone("example.org.")["id"]
        database = sqlite3.connect(system.state / "redesignate.db", timeout=WAIT_S, isolation_level=None)

        def ask(method: str, path: str, body: object = None) -> tuple[int, str | None]:
            connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=2 * WAIT_S)
            with contextlib.closing(connection):
                headers = {} if body is None else {"Content-Type": "application/json"}
                connection.request(method, path, None if body is None else json.dumps(body), headers)
                answer = connection.getresponse()
                answer.read()
                return answer.status, answer.headers["Retry-After"]

        def change(number: int) -> Future[tuple[int, str | None]]:
            body = {"name": f"w{number}.example.org.", "type": "A", "records": ["192.0.2.1"]}
            return pool.submit(ask, "POST", f"/v2/zones/{zone}/recordsets", body)

        with contextlib.closing(database):
            database.execute("BEGIN IMMEDIATE")
            changes = [change(number) for number in range(2 * THREADS)]
            until(lambda: any(one.done() for one in changes), deadline_s=WAIT_S)  # the first is refused
            for path in ("/v2/zones", f"/v2/zones/{zone}", "/healthcheck"):
                began = time.monotonic()
                assert ask("GET", path)[0] == 200
                assert time.monotonic() - began < 5  # on a busy machine; each waited for the lock
            refused = [one.result(WAIT_S) for one in changes if one.done()]
            assert set(refused) == {(503, refused[0][1])}
            assert refused[0][1] is not None
            database.execute("ROLLBACK")
        answers = [one.result(WAIT_S)[0] for one in changes]
        assert set(answers) == {202, 503}
