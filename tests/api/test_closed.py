# SPDX-License-Identifier: Apache-2.0
"""A request's client: whether it is still there."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator

import pytest

from redesignate.api.door import closed

NOW = struct.pack("ii", 1, 0)
"""SO_LINGER: a close that resets."""


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        with client, accepted:
            yield client, accepted


def test_an_open_connection_is_not_closed(ends: tuple[socket.socket, socket.socket]) -> None:
    assert not closed(ends[1])


@pytest.mark.parametrize("resets", [False, True])
def test_a_client_that_left_is_noticed(ends: tuple[socket.socket, socket.socket], resets: bool) -> None:
    client, accepted = ends
    if resets:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
    client.close()
    assert select.select([accepted], [], [], 5)[0], "the other end never heard of it"
    assert closed(accepted)
