# SPDX-License-Identifier: Apache-2.0
"""Answers in parts, by the HTTP server of `redesignate serve`: a slow client holds a connection and nothing else."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from redesignate.api.app import build
from redesignate.auth.noauth import NoAuth
from redesignate.commands.base import Command
from redesignate.commands.exports import ReadZoneFile
from redesignate.config.settings import ApiSettings
from redesignate.model.errors import Unavailable
from redesignate.model.zonetask import Place, ZoneFilePart
from redesignate.run.threaded import Threaded
from redesignate.threads.deadline import current
from tests.support.bind import free_port
from tests.support.servers import until

WAIT_S = 30
GET = "GET /v2/zones/6ba7b810-9dad-11d1-80b4-00c04fd430c8 HTTP/1.{} \r\nHost: 127.0.0.1\r\nAccept: text/dns\r\n\r\n"
PART = "x" * 50_000 + "\n"


class Long:
    """A central with one zone, whose file has so many parts; asked for the part `breaks` it fails."""

    def __init__(self, parts: int, breaks: int | None = None) -> None:
        self.parts, self.breaks, self.asked, self.others = parts, breaks, 0, 0
        self.deadlines: list[bool] = []

    def call(self, command: Command[Any]) -> Any:
        if not isinstance(command, ReadZoneFile):
            self.others += 1
            return {}
        number = int(command.at.name) if command.at else 0
        if number == self.breaks:
            raise Unavailable("The zone changes too much while it is read; retry.")
        self.asked += 1
        self.deadlines.append(current() is not None)
        last = number + 1 == self.parts
        return ZoneFilePart(
            text=f"{number} {PART}", after=None if last else Place(revision=1, began=0, name=str(number + 1), type="A")
        )


@contextlib.contextmanager
def served(central: Long) -> Iterator[int]:
    port = free_port()
    settings = ApiSettings(listen=(("127.0.0.1", port),), healthcheck_disable_file=None)
    server = Threaded(build(central, settings, NoAuth()), settings, threads=1)
    server.start()
    try:
        yield port
    finally:
        server.stop()


def connected(port: int) -> contextlib.closing[http.client.HTTPConnection]:
    return contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S))


def fetched(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    connection.request("GET", "/v2/zones/6ba7b810-9dad-11d1-80b4-00c04fd430c8", headers={"Accept": "text/dns"})
    return connection.getresponse()


def test_all_parts_arrive_and_the_connection_stays() -> None:
    central = Long(40)
    with served(central) as port, connected(port) as connection:
        for _ in range(2):
            answer = fetched(connection)
            assert answer.headers["Transfer-Encoding"] == "chunked"
            assert answer.headers["Content-Length"] is None
            assert answer.read().decode() == "".join(f"{number} {PART}" for number in range(40))
    assert all(central.deadlines)


def test_a_file_of_one_part_has_a_length() -> None:
    with served(Long(1)) as port, connected(port) as connection:
        answer = fetched(connection)
        assert answer.headers["Content-Length"] == str(len(PART) + 2)
        assert answer.read().decode() == f"0 {PART}"


def test_an_old_client_gets_the_file_until_the_connection_ends() -> None:
    with served(Long(5)) as port, socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as client:
        client.sendall(GET.replace(" \r", "\r").format(0).encode())
        answer = b""
        while some := client.recv(65536):
            answer += some
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"Connection: close" in head
    assert body.decode() == "".join(f"{number} {PART}" for number in range(5))


def test_a_client_that_reads_nothing_holds_no_thread_and_few_parts() -> None:
    central = Long(10_000)
    with served(central) as port, contextlib.ExitStack() as stack:
        for _ in range(3):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=WAIT_S))
            client.sendall(GET.replace(" \r", "\r").format(1).encode())
        seen = [-1]

        def settled() -> bool:
            seen.append(central.asked)
            return len(seen) > 20 and seen[-20] == seen[-1] > 3

        until(settled, deadline_s=WAIT_S)
        assert central.asked < 1000  # what three sockets hold, and a part each
        connection = stack.enter_context(connected(port))
        connection.request("GET", "/v2/limits")
        assert connection.getresponse().status == 200
        assert central.asked == seen[-1]


def test_a_part_that_fails_ends_the_connection_before_the_last_chunk() -> None:
    central = Long(10, breaks=3)
    with served(central) as port, connected(port) as connection, connected(port) as other:
        with pytest.raises(http.client.IncompleteRead) as cut:
            fetched(connection).read()
        assert cut.value.partial.decode() == "".join(f"{number} {PART}" for number in range(3))
        assert fetched(other).status == 200


def test_others_are_answered_between_the_parts() -> None:
    central = Long(2000)
    with served(central) as port, connected(port) as connection, connected(port) as other:
        download = threading.Thread(target=lambda: fetched(connection).read())
        download.start()
        until(lambda: central.asked > 5, deadline_s=WAIT_S)
        other.request("GET", "/v2/limits")
        assert other.getresponse().status == 200
        assert central.asked < 2000
        download.join(WAIT_S)
    assert central.asked == 2000
