# SPDX-License-Identifier: Apache-2.0
"""HTTP servers with an application that does nothing, and the bench's own client."""

from __future__ import annotations

import select
import socket
import uuid
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from bench.beside import companion
from bench.client import Address, Request
from bench.figures import Figure, say
from bench.requests import Creates, Gets
from bench.running import Running
from bench.work import in_words, rated
from redesignate.config.settings import ApiSettings
from redesignate.run.http import run_gunicorn
from redesignate.run.threaded import Threaded
from tests.support.api import Api
from tests.support.servers import accepts, free_port, until

THREADS = 16
"""Of gunicorn, as in the deployment that the group `split` measures."""
ANSWER = b'{"id":"' + b"x" * 600 + b'"}'
"""About as long as a record set."""
ZONE = str(uuid.UUID(int=0)), "floors.example."
_HEAD = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER)


def figures(_: Path, seconds: float) -> Iterator[Figure]:
    """Requests answered with nothing done for them."""
    for name, server, gets, loads in (
        ("octets back at once", octets_back, False, (8,)),
        ("gunicorn", gunicorn, True, (1, 8)),
        ("the HTTP server of serve", own, True, (1, 8)),
    ):
        port = free_port()
        with companion(server, port) as other:
            other.hear()
            until(lambda port=port: accepts(port), what=f"the start of {name}")  # type: ignore[misc]
            where = _running(port, other.pid)
            for count in loads:
                yield _rated(where, f"a record set create, {name}", Creates([ZONE], "c"), count, seconds)
            if gets:
                yield _rated(where, f"GET, {name}", Gets([f"/v2/zones/{ZONE[0]}"]), 8, seconds)


def _rated(where: Running, what: str, requests: Iterable[Request], count: int, seconds: float) -> Figure:
    words = f"{what}, {in_words(count)}"
    say(words)
    return rated(where, lambda _: requests, None, connections=count, seconds=seconds).figure(words)


def _running(port: int, pid: int) -> Running:
    roots = {"server": [pid]}
    return Running(Address("127.0.0.1", port), Api(f"http://127.0.0.1:{port}"), [], roots=lambda: roots)


def nothing(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Read the request and answer as a change is answered."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start("202 Accepted", [("Content-Type", "application/json"), ("Content-Length", str(len(ANSWER)))])
    return [ANSWER]


def _settings(port: int) -> ApiSettings:
    return ApiSettings(listen=(("127.0.0.1", port),), threads=THREADS)


def gunicorn(pipe: Connection, port: int) -> None:
    """gunicorn, as the API runs with it."""
    pipe.send("begun")
    run_gunicorn(lambda: nothing, _settings(port), patience_s=1.0, end=lambda: None)


def own(pipe: Connection, port: int) -> None:
    """The server of `redesignate serve`."""
    server = Threaded(nothing, _settings(port))
    server.start()
    pipe.send("begun")
    pipe.recv()


def octets_back(pipe: Connection, port: int) -> None:
    """Answer whatever arrives, unread, so that the client is the slower of the two."""
    pipe.send("begun")
    waiting = select.epoll()
    with socket.create_server(("127.0.0.1", port)) as listening:
        clients = {listening.fileno(): listening}
        waiting.register(listening, select.EPOLLIN)
        while True:
            for number, _ in waiting.poll():
                if number == listening.fileno():
                    made, _ = listening.accept()
                    clients[made.fileno()] = made
                    waiting.register(made, select.EPOLLIN)
                elif clients[number].recv(1 << 16):
                    clients[number].sendall(_HEAD + ANSWER)
                else:
                    clients.pop(number).close()
