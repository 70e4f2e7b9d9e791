# SPDX-License-Identifier: Apache-2.0
"""The HTTP server of `redesignate serve` and its clients: slow, silent, hostile, gone, and very many."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import logging
import os
import resource
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.config.settings import ApiSettings
from redesignate.run import threaded
from redesignate.run.threaded import Threaded
from tests.support.bind import free_port
from tests.support.servers import until

WAIT_S = 30
LARGE = b"x" * 2**23
GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: a close that resets."""


class App:
    """An application that shows what it was asked, is slow, or says much, as its path demands."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(path)
        match path:
            case "/slow":
                assert self.go.wait(WAIT_S)
            case "/large":
                start("200 OK", [])
                return [LARGE]
            case "/none":
                start("204 No Content", [])
                return []
            case "/broken":
                raise RuntimeError
        start("200 OK", [("X-Method", environ["REQUEST_METHOD"])])
        shown = {name: value for name, value in environ.items() if isinstance(value, str)}
        return [json.dumps(shown | {"body": environ["wsgi.input"].read().decode("latin-1")}).encode()]


@contextlib.contextmanager
def served(app: WSGIApplication, **options: Any) -> Iterator[tuple[int, Threaded]]:
    """The port of a server, and the server; `most` octets of a body are taken."""
    port = free_port()
    settings = ApiSettings(listen=(("127.0.0.1", port),), max_request_body_size=options.pop("most", 1000))
    server = Threaded(app, settings, **options)
    server.start()
    try:
        yield port, server
    finally:
        if isinstance(app, App):
            app.go.set()
        server.stop()


@pytest.fixture(scope="module")
def shared() -> Iterator[int]:
    """The port of a server for whoever leaves it as it was."""
    with served(App()) as (port, _):
        yield port


def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S, source_address=(source, 0))


def ask(port: int, path: str = "/", source: str = "127.0.0.1") -> int:
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S, source_address=(source, 0))
    ) as client:
        client.request("GET", path)
        answer = client.getresponse()
        answer.read()
        return answer.status


def rest(client: socket.socket) -> bytes:
    """All that the server says until it closes the connection."""
    answer = b""
    while some := client.recv(2**20):
        answer += some
    return answer


def said(port: int, *pieces: bytes) -> bytes:
    """All that the server says to these, each sent by itself, until it closes the connection."""
    with connect(port) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            client.sendall(piece)
        return rest(client)


PIPELINE = (
    b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n"
    b"POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    b"PUT /three HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    b"HEAD /four HTTP/1.1\r\nHost: a\r\n\r\n"
    b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
    b"GET /last HTTP/1.0\r\n\r\n"
)


@settings(deadline=None, max_examples=60)
@given(places=st.lists(st.integers(0, len(PIPELINE)), max_size=6))
def test_however_a_pipeline_is_cut_it_is_answered_in_its_order(shared: int, places: list[int]) -> None:
    at = [0, *sorted(places), len(PIPELINE)]
    answer = said(shared, *(PIPELINE[one:two] for one, two in pairwise(at)))
    assert answer.count(b"HTTP/1.1 20") == 6
    order = [answer.index(word) for word in (b'"/one"', b'"hello"', b'"abc"', b"X-Method: HEAD", b"204 No", b'"/last"')]
    assert order == sorted(order)
    assert b'"/four"' not in answer
    assert answer.count(b"Connection: close") == 1


def test_a_hundred_half_sent_bodies_delay_nobody() -> None:
    with served(App(), threads=2) as (port, server), contextlib.ExitStack() as end:
        for _ in range(100):
            end.enter_context(connect(port)).sendall(HALF)
        ask(port)
        began = time.monotonic()
        assert [ask(port) for _ in range(20)] == [200] * 20
        assert time.monotonic() - began < 5  # on a busy machine; each takes a millisecond
        assert server.turns.in_hand <= 1


def files(count: int) -> Callable[[], None]:
    """Allow this process so many open files; undo it by the call that is returned."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, count), hard), hard))
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_two_thousand_idle_connections_keep_nobody_out() -> None:
    with served(App()) as (port, _), contextlib.ExitStack() as end:
        end.callback(files(8192))
        for number in range(2000):
            end.enter_context(connect(port, f"127.0.0.{2 + number % 5}"))
        for _ in range(3):
            assert ask(port, source="127.0.0.9") == 200


def test_who_has_waited_longest_for_its_client_makes_room_and_never_a_request_in_hand() -> None:
    app = App()
    with served(app, connections=6) as (port, _), contextlib.ExitStack() as end:
        slow = end.enter_context(connect(port, "127.0.0.2"))
        slow.sendall(GET % b"slow")
        until(lambda: app.asked == ["/slow"], deadline_s=WAIT_S)
        idle = [end.enter_context(connect(port, f"127.0.0.{3 + number}")) for number in range(5)]
        assert ask(port, source="127.0.0.9") == 200
        until(lambda: select.select(idle, [], [], 0)[0] == idle[:1], deadline_s=WAIT_S)
        app.go.set()
        assert slow.recv(100).startswith(b"HTTP/1.1 200 ")


def test_one_address_makes_room_for_its_further_connections_among_its_own() -> None:
    with served(App(), connections=6) as (port, _), contextlib.ExitStack() as end:
        other = end.enter_context(connect(port, "127.0.0.3"))
        idle = [end.enter_context(connect(port, "127.0.0.2")) for _ in range(3)]
        assert ask(port, source="127.0.0.2") == 200
        until(lambda: select.select([other, *idle], [], [], 0)[0] == idle[:1], deadline_s=WAIT_S)


def test_there_are_files_for_all_connections_and_for_the_rest_of_the_process() -> None:
    undo = files(0)
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, hard))
        with served(App()):
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= threaded.CONNECTIONS + threaded.FILES
    finally:
        undo()


def test_a_client_that_does_not_read_its_answer_delays_nobody_and_costs_nothing() -> None:
    with served(App(), threads=1) as (port, _), connect(port) as slow:
        slow.sendall(GET % b"large" + GET % b"next")
        assert [ask(port) for _ in range(5)] == [200] * 5
        used = time.process_time()
        time.sleep(0.5)  # is what is measured
        assert time.process_time() - used < 0.25
        answer = b""
        while not answer.endswith(b"}"):
            answer += slow.recv(2**20)
        first, _, second = answer.partition(b"HTTP/1.1 200 OK\r\nX-Method")
        assert first.endswith(LARGE)
        assert b'"/next"' in second


def test_a_client_that_sends_on_while_its_request_is_in_hand_costs_nothing() -> None:
    app = App()
    with served(app) as (port, _), connect(port) as client:
        client.sendall(GET % b"slow")
        until(lambda: app.asked == ["/slow"], deadline_s=WAIT_S)
        client.sendall(GET % b"next" * 3)
        ask(port)
        used = time.process_time()
        time.sleep(0.5)  # is what is measured
        assert time.process_time() - used < 0.25
        app.go.set()
        answer = b""
        while answer.count(b'"/next"') < 3:
            answer += client.recv(2**16)
    assert app.asked.count("/next") == 3


@pytest.mark.parametrize("resets", [False, True])
def test_a_client_that_left_before_its_answer_leaves_no_trace(resets: bool, caplog: pytest.LogCaptureFixture) -> None:
    app = App()
    with served(app, threads=1) as (port, server):
        with connect(port) as client:
            client.sendall(GET % b"slow")
            until(lambda: app.asked == ["/slow"], deadline_s=WAIT_S)
            if resets:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        app.go.set()
        assert ask(port) == 200
        until(lambda: len(server.arrivals) == 0, deadline_s=WAIT_S)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_breaks_in_the_application_ends_its_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    with served(App(), threads=1) as (port, _):
        answer = said(port, GET % b"broken" + GET % b"next")
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"RuntimeError" not in answer
        assert answer.count(b"HTTP/1.1 ") == 1
        assert ask(port) == 200
    assert [record.exc_info is not None for record in caplog.records if record.levelno >= logging.ERROR] == [True]


def test_whoever_is_slow_is_refused_and_whoever_is_silent_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded, "ARRIVAL_S", 0.2)
    with served(App()) as (port, _), connect(port) as silent, connect(port) as kept:
        kept.sendall(GET % b"")
        assert said(port, HALF).startswith(b"HTTP/1.1 408 ")
        assert said(port, b"GET / HT").startswith(b"HTTP/1.1 408 ")
        assert rest(silent) == b""
        assert rest(kept).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_sends_an_octet_now_and_then_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded, "ARRIVAL_S", 1.0)
    with served(App()) as (port, _), connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        until(lambda: bool(client.send(b"X-A: b\r\n") and select.select([client], [], [], 0.05)[0]), deadline_s=WAIT_S)
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_reads_too_slowly_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded, "ARRIVAL_S", 0.2)
    with served(App()) as (port, server), connect(port) as client:
        client.sendall(GET % b"large")
        until(lambda: len(server.arrivals) == 1, deadline_s=WAIT_S)
        until(lambda: len(server.arrivals) == 0, deadline_s=WAIT_S)


def test_a_client_that_waits_for_100_continue_gets_it_or_the_refusal(shared: int) -> None:
    head = b"POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with connect(shared) as client:
        client.sendall(head % 5)
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        assert b'"hello"' in rest(client)
    assert said(shared, head % 5000).count(b"HTTP/1.1 ") == 1


def test_the_answer_to_a_body_that_is_too_large_arrives(shared: int) -> None:
    for head, body in (
        (b"Content-Length: 3000000", b"a" * 3_000_000),
        (b"Transfer-Encoding: chunked", b"2dc6c0\r\n" + b"a" * 3_000_000 + b"\r\n0\r\n\r\n"),
    ):
        answer = said(shared, b"POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + head + b"\r\n\r\n" + body)
        assert b'"CONTENT_LENGTH": "3000000"' in answer
        assert b'"body": ""' in answer


def test_a_refusal_arrives_although_the_client_sends_on(shared: int) -> None:
    assert said(shared, b"GET / HTTP/3\r\n\r\n" + b"a" * 1_000_000).startswith(b"HTTP/1.1 400 ")


def test_a_stop_ends_requests_in_hand_and_closes_every_connection() -> None:
    app = App()
    with served(app) as (port, server), connect(port) as idle, connect(port) as slow:
        idle.sendall(GET % b"")
        assert idle.recv(2**16).startswith(b"HTTP/1.1 200 ")
        slow.sendall(GET % b"slow")
        until(lambda: "/slow" in app.asked, deadline_s=WAIT_S)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        until(lambda: _refuses(port), deadline_s=WAIT_S)
        app.go.set()
        answer = rest(slow)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"Connection: close" in answer
        assert rest(idle) == b""
        stopping.join(WAIT_S)
        assert not stopping.is_alive()


def test_a_stop_cuts_off_no_answer_and_no_request_that_has_begun_to_arrive() -> None:
    app = App()
    with served(app) as (port, server), connect(port) as slow, connect(port) as half:
        half.sendall(HALF)
        slow.sendall(GET % b"large")
        until(lambda: app.asked == ["/large"], deadline_s=WAIT_S)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        until(lambda: _refuses(port), deadline_s=WAIT_S)
        half.sendall(b" " * 7 + b"}")
        assert rest(half).startswith(b"HTTP/1.1 200 ")
        assert rest(slow).endswith(LARGE)
        stopping.join(WAIT_S)
        assert not stopping.is_alive()


def _refuses(port: int) -> bool:
    try:
        connect(port).close()
    except OSError:
        return True
    return False


def test_a_health_check_is_answered_while_every_thread_hangs() -> None:
    app = App()
    with served(app, threads=3) as (port, _), contextlib.ExitStack() as end:
        for _ in range(5):
            end.enter_context(connect(port)).sendall(GET % b"slow")
        until(lambda: len(app.asked) == 3, deadline_s=WAIT_S)
        assert [ask(port, "/healthcheck") for _ in range(5)] == [200] * 5
        assert app.asked.count("/slow") == 3
        app.go.set()
        until(lambda: app.asked.count("/slow") == 5, deadline_s=WAIT_S)


def test_where_files_run_out_connections_wait_or_make_room_and_are_served_later() -> None:
    with served(App()) as (port, _), contextlib.ExitStack() as end:
        end.callback(files(512))
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        client = end.enter_context(socket.socket())
        client.settimeout(WAIT_S)
        held: list[int] = []
        try:
            with contextlib.suppress(OSError):
                while True:
                    held.append(os.open(os.devnull, os.O_RDONLY))
            client.connect(("127.0.0.1", port))
            client.sendall(GET % b"late")
            used = time.process_time()
            time.sleep(0.5)  # is what is measured
            assert time.process_time() - used < 0.25
        finally:
            for one in held:
                os.close(one)
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_an_address_in_use_leaves_none_of_the_others_bound() -> None:
    one, other = free_port(), free_port()
    with socket.create_server(("127.0.0.1", other)):
        with pytest.raises(OSError) as refused:
            Threaded(App(), ApiSettings(listen=(("127.0.0.1", one), ("127.0.0.1", other))))
        assert refused.value.errno == errno.EADDRINUSE
        socket.create_server(("127.0.0.1", one)).close()
