# SPDX-License-Identifier: Apache-2.0
"""The bench's own client: it counts every answer once, keeps to a rate, and takes no error for an answer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat

import pytest

from bench.client import Address, Request, percentile, run, until

GET: Request = ("GET", "/v2/x", None)


class Handler(BaseHTTPRequestHandler):
    """Answers each path in its own way."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, bytes]] = []  # noqa: RUF012  # emptied by the fixture

    def do_GET(self) -> None:
        """Answer."""
        self.seen.append((self.path, self.headers.get("X-Mine", ""), b""))
        body = b'{"large": "' + b"x" * 200_000 + b'"}' if "large" in self.path else b"{}"
        self.send_response(500 if "wrong" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        if "closing" in self.path:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Answer."""
        self.seen.append((self.path, "", self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Print nothing."""


@pytest.fixture
def address() -> Iterator[Address]:
    """A small server."""
    Handler.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Address.of(f"http://127.0.0.1:{server.server_port}/dns/v2/", ["X-Mine: yes"])
    server.shutdown()
    server.server_close()


def test_every_request_is_sent_once_and_every_answer_counted_once(address: Address) -> None:
    load = run(address, [("GET", f"/v2/zones/{n}", None) for n in range(50)], connections=4, keep=True)
    assert sorted(path for path, _, _ in Handler.seen) == sorted(f"/dns/v2/zones/{n}" for n in range(50))
    assert len(load.each) == len(load.at) == len(load.bodies) == 50
    assert {mine for _, mine, _ in Handler.seen} == {"yes"}


def test_a_body_is_sent_and_an_answer_without_one_is_taken(address: Address) -> None:
    load = run(address, [("POST", "/v2/zones", {"name": "é"})], connections=1)
    assert Handler.seen == [("/dns/v2/zones", "", b'{"name": "\\u00e9"}')]
    assert load.kinds == ["POST"]


def test_an_answer_longer_than_one_read_is_whole(address: Address) -> None:
    load = run(address, [("GET", "/v2/large", None)] * 3, connections=2, keep=True)
    assert {len(body) for body in load.bodies} == {200_013}


def test_a_connection_that_the_server_closes_is_opened_anew(address: Address) -> None:
    assert len(run(address, [("GET", "/v2/closing", None)] * 5, connections=1).each) == 5


def test_an_error_is_not_an_answer(address: Address) -> None:
    with pytest.raises(RuntimeError, match="GET: 500"):
        run(address, [GET, ("GET", "/v2/wrong", None)], connections=1)


def test_a_run_ends_with_its_time(address: Address) -> None:
    load = run(address, repeat(GET), connections=2, seconds=0.3)
    assert 0.3 <= load.seconds < 5
    assert load.each


def test_a_rate_is_not_exceeded(address: Address) -> None:
    load = run(address, repeat(GET), connections=4, seconds=0.5, rate=40)
    assert 0 < len(load.each) <= 21


def test_a_run_ends_when_it_is_told_to(address: Address) -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stop:
        threading.Timer(0.2, os.write, (theirs, b"x")).start()
        assert run(address, repeat(GET), connections=2, stop=stop).each
    os.close(theirs)


def test_the_longer_something_takes_the_less_often_it_is_asked_for() -> None:
    began, asked = time.perf_counter(), iter(range(1000))
    took = until(lambda: next(asked) < 0 or time.perf_counter() - began > 0.3, pause=0.001, most=0.1, share=0.5)
    assert took >= 0.3
    assert next(asked) < 40


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.95) == 1.0
    assert percentile([float(n) for n in range(100)], 0.95) == 95.0


@pytest.mark.parametrize("url", ["https://x/v2", "x:9001", "http://"])
def test_a_url_that_it_cannot_use_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not an http"):
        Address.of(url)
