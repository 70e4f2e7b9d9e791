# SPDX-License-Identifier: Apache-2.0
"""A request that waits for keystone or memcached lets the other requests of `serve` run."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from oslo_config import cfg

from redesignate.auth.keystone import Keystone
from tests.api.client import Client
from tests.api.test_keystone import CONF, _Identity
from tests.support.servers import until
from tests.threads.test_turns import Crew

WAIT_S = 20


def app(environ: WSGIEnvironment, start: StartResponse) -> Sequence[bytes]:
    start("200 OK", [("Content-Type", "text/plain")])
    return [b""]


def login(folder: Path, port: int, more: str = "") -> Keystone:
    file = folder / "designate.conf"
    file.write_text(CONF.format(port=port) + more)
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(file)], default_config_dirs=[])
    return Keystone(conf)


@contextlib.contextmanager
def identity(go: threading.Event, asked: threading.Event, *, pauses_at: str) -> Iterator[int]:
    """The port of an identity service that answers requests with this in their path only when it is let go."""

    class Pausing(_Identity):
        def do_GET(self) -> None:
            if pauses_at in self.path:
                asked.set()
                assert go.wait(WAIT_S)
            super().do_GET()

    with ThreadingHTTPServer(("127.0.0.1", 0), Pausing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def memcached(go: threading.Event, asked: threading.Event) -> Iterator[int]:
    """The port of an empty memcached that answers only when it is let go."""

    def answer(client: socket.socket) -> None:
        with client, client.makefile("rwb") as said:
            for line in said:
                words = line.split()
                if words[0] == b"set":
                    said.readline()
                asked.set()
                assert go.wait(WAIT_S)
                said.write({b"get": b"END\r\n", b"set": b"STORED\r\n"}.get(words[0], b"VERSION 1\r\n"))
                said.flush()

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=answer, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)


def others_run(first: Callable[[], object], go: threading.Event, asked: threading.Event) -> object:
    """What `first` returns, which waits until somebody else's request is done; no turn ends by itself."""
    ends: list[object] = []

    def other() -> None:
        assert asked.wait(WAIT_S)
        go.set()

    crew = Crew(2)
    try:
        crew.inbox.put(lambda: ends.append(first()), other)
        until(lambda: bool(ends), deadline_s=WAIT_S / 2)
    finally:
        go.set()
        crew.turns.close()
        for thread in crew.threads:
            thread.join(WAIT_S)
    return ends[0]


def test_a_keystone_that_pauses_delays_no_other_request(tmp_path: Path) -> None:
    go, asked = threading.Event(), threading.Event()
    with identity(go, asked, pauses_at="/auth/tokens") as port:
        client = Client(login(tmp_path, port).wrap(app))
        client.described = False
        assert others_run(lambda: client.ask("GET", "/", headers={"X-Auth-Token": "project"}).status, go, asked) == 200


def test_a_memcached_that_pauses_delays_no_other_request(tmp_path: Path) -> None:
    go, asked, never = threading.Event(), threading.Event(), threading.Event()
    with memcached(go, asked) as cache, identity(go, never, pauses_at="nowhere") as port:
        more = f"memcached_servers = 127.0.0.1:{cache}\nmemcache_pool_socket_timeout = {WAIT_S}\n"
        client = Client(login(tmp_path, port, more).wrap(app))
        client.described = False
        assert others_run(lambda: client.ask("GET", "/", headers={"X-Auth-Token": "project"}).status, go, asked) == 200


def test_a_keystone_that_pauses_about_a_project_delays_no_other_request(tmp_path: Path) -> None:
    go, asked = threading.Event(), threading.Event()
    with identity(go, asked, pauses_at="/projects/") as port:
        keystone = login(tmp_path, port, f"[keystone]\nendpoint_override = http://127.0.0.1:{port}\n")
        assert others_run(lambda: keystone.check_project({"HTTP_X_AUTH_TOKEN": "t"}, "p1"), go, asked) is None
