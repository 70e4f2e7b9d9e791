# SPDX-License-Identifier: Apache-2.0
"""The HTTP server that `redesignate serve` brings along, asked over a socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from redesignate.api.app import build
from redesignate.auth.noauth import NoAuth
from redesignate.config.settings import ApiSettings
from redesignate.run.http import Threaded
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
