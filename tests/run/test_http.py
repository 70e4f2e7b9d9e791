# SPDX-License-Identifier: Apache-2.0
"""The API's HTTP servers, asked over a socket: that of `redesignate serve`, and that of `redesignate api`."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from redesignate.api.app import build
from redesignate.auth.noauth import NoAuth
from redesignate.config.settings import ApiSettings
from redesignate.run.threaded import Threaded
from tests.api.client import NeverAsked
from tests.support.bind import free_port


@pytest.fixture
def port() -> Iterator[int]:
    """Where an API without a central listens."""
    found = free_port()
    settings = ApiSettings(listen=(("127.0.0.1", found),), healthcheck_disable_file=None)
    server = Threaded(build(NeverAsked(), settings, NoAuth()), settings)
    server.start()
    yield found
    server.stop()


def test_a_client_that_names_no_host_gets_links_that_lead_here(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        versions = json.load(answer)["versions"]
    assert versions[0]["links"][0]["href"] == f"http://127.0.0.1:{port}/v2"


API = """
import sys
from redesignate.api.app import build
from redesignate.auth.noauth import NoAuth
from redesignate.config.settings import ApiSettings
from redesignate.run import threaded
from redesignate.run.http import run_gunicorn
from redesignate.observe.setup import setup_logging
from tests.api.client import NeverAsked
setup_logging(service="redesignate-api")
threaded.ARRIVAL_S = 1.0
settings = ApiSettings(listen=(("127.0.0.1", int(sys.argv[1])),), threads=2, healthcheck_disable_file=None)
run_gunicorn(lambda: build(NeverAsked(), settings, NoAuth()), settings, patience_s=1, end=lambda: None)
"""


@pytest.fixture
def api() -> Iterator[int]:
    """Where `redesignate api` listens, with two threads and little patience."""
    port = free_port()
    made = subprocess.Popen([sys.executable, "-c", API, str(port)], process_group=0, stderr=subprocess.PIPE, text=True)
    with made:
        try:
            assert made.stderr is not None
            while "Booting worker" not in (line := made.stderr.readline()):
                assert line, "gunicorn does not start"
            yield port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(made.pid, signal.SIGKILL)


EARLY = API.replace("patience_s=1", "patience_s=None").replace(
    "threaded.ARRIVAL_S",
    """import logging, os, signal, time
class Stops(logging.Handler):
    def emit(self, record):
        if "Booting worker" in record.getMessage():
            os.kill(os.getppid(), signal.SIGTERM)
            end = time.monotonic() + 3  # until the signal that is passed on has come, if it does not end this process
            while signal.SIGTERM not in signal.sigpending() and time.monotonic() < end:
                time.sleep(0.01)
logging.getLogger().addHandler(Stops())
threaded.ARRIVAL_S""",
)


def test_a_stop_while_a_worker_is_being_made_is_not_lost() -> None:
    made = subprocess.Popen([sys.executable, "-c", EARLY, str(free_port())], process_group=0)
    try:
        assert made.wait(20) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(made.pid, signal.SIGKILL)


def test_half_sent_requests_do_not_keep_the_api_from_others(api: int) -> None:
    head = b"POST /v2/zones HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    with contextlib.ExitStack() as open_ones:
        halves = [open_ones.enter_context(socket.create_connection(("127.0.0.1", api), timeout=20)) for _ in range(4)]
        for at, connection in enumerate(halves):
            connection.sendall(head if at % 2 else head[:30])
        began = time.monotonic()
        asked = open_ones.enter_context(contextlib.closing(http.client.HTTPConnection("127.0.0.1", api, timeout=20)))
        asked.request("GET", "/healthcheck")
        assert asked.getresponse().status == 200
        assert time.monotonic() - began < 15
        assert halves[1].recv(100).startswith(b"HTTP/1.1 408 ")


LARGE = 2**23
ECHOES = (
    API.replace("build(NeverAsked(), settings, NoAuth())", "app")
    .replace("patience_s=1", "patience_s=20")
    .replace("threaded.ARRIVAL_S = 1.0", "")
    .replace(
        "setup_logging(service",
        """def app(environ, start):
    start("200 OK", [("X-Body", str(len(environ["wsgi.input"].read())))])
    return [b"x" * (2**23 if environ["PATH_INFO"] == "/large" else 1)]
setup_logging(service""",
    )
)


def whole(client: socket.socket) -> bytes:
    """All that the server says until it closes the connection."""
    said = b""
    while some := client.recv(2**20):
        said += some
    return said


@pytest.mark.parametrize("signals", [(signal.SIGTERM,), (signal.SIGHUP, signal.SIGTERM)], ids=["stop", "reload"])
def test_a_stop_cuts_off_no_answer_no_request_and_no_kept_connection(signals: tuple[signal.Signals, ...]) -> None:
    """Also where new processes take over, as at a reload."""
    with running(ECHOES) as (port, made), contextlib.ExitStack() as end:
        slow, half, kept = (
            end.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)) for _ in range(3)
        )
        slow.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(5) == b"HTTP/"
        half.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n")
        assert half.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(2**16).startswith(b"HTTP/1.1 200 ")
        os.kill(made.pid, signals[0])
        answer = b""
        while b"Connection: close" not in answer:
            kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = kept.recv(2**16)
            assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"x" in answer[-1:] + whole(kept)
        half.sendall(b"abcdef")
        assert b"X-Body: 6" in whole(half)
        assert whole(slow).endswith(b"x" * LARGE)
        os.kill(made.pid, signals[-1])
        assert made.wait(20) == 0


HANGS = API.replace("build(NeverAsked(), settings, NoAuth())", "build(Hangs(), settings, NoAuth())").replace(
    "from tests.api.client import NeverAsked",
    """import sys, time
class Hangs:
    def call(self, command):
        sys.stdout.write("asked " + type(command).__name__ + chr(10))  # one write: several threads ask
        sys.stdout.flush()
        time.sleep(60)
""",
)


@contextlib.contextmanager
def running(script: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The port of the API that this script runs, and its process."""
    port = free_port()
    made = subprocess.Popen(
        [sys.executable, "-c", script, str(port)],
        process_group=0,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with made:
        try:
            assert made.stderr is not None
            while "Booting worker" not in (line := made.stderr.readline()):
                assert line, "gunicorn does not start"
            yield port, made
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(made.pid, signal.SIGKILL)


def test_a_health_check_is_answered_while_every_thread_hangs() -> None:
    with running(HANGS) as (port, made), contextlib.ExitStack() as asked:
        assert made.stdout is not None
        for n in range(6):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            asked.enter_context(contextlib.closing(connection))
            connection.request("GET", f"/v2/zones/{n:08d}-0000-4000-8000-000000000000")
        assert made.stdout.readline().startswith("asked")
        assert made.stdout.readline().startswith("asked")
        for _ in range(5):
            began = time.monotonic()
            health = asked.enter_context(contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)))
            health.request("GET", "/healthcheck")
            assert health.getresponse().status == 200
            assert time.monotonic() - began < 5  # on a busy machine; it waited for a minute


def test_a_change_whose_client_has_gone_is_not_carried_out_when_the_api_was_stopped() -> None:
    with running(HANGS) as (port, made):
        assert made.stdout is not None
        child = int(Path(f"/proc/{made.pid}/task/{made.pid}/children").read_text().split()[0])
        os.kill(child, signal.SIGSTOP)
        body = b'{"name": "example.org.", "email": "a@example.org"}'
        head = b"POST /v2/zones HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as impatient:
            impatient.sendall(head % len(body) + body)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as patient:
            patient.sendall(b"GET /v2/zones HTTP/1.1\r\nHost: x\r\n\r\n")
            os.kill(child, signal.SIGCONT)
            assert made.stdout.readline() == "asked ListZones\n"
