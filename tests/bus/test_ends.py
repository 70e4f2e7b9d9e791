# SPDX-License-Identifier: Apache-2.0
"""What listens on the broker is started until that succeeds, and never outlives its stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from redesignate.bus.broker import Broker
from redesignate.bus.ends import Listening
from redesignate.config.settings import BusSettings
from redesignate.threads import service
from tests.bus.conftest import options

WAIT_S = 10


class Server:
    """The library's server, as far as it is used."""

    def __init__(self, start: Callable[[], None]) -> None:
        self._start = start
        self.ended = threading.Event()
        self.transport = SimpleNamespace(cleanup=self.ended.set)

    def start(self, override_pool_size: int) -> None:
        """Listen."""
        self._start()

    def stop(self) -> None:
        """Accept nothing new."""

    def wait(self) -> None:
        """Wait for the work under way."""


@pytest.fixture
def broker() -> Iterator[Broker]:
    """One that is always available."""
    made = Broker(options(), BusSettings(transport_url="fake:/"))
    yield made
    made.close()


def test_a_server_whose_start_fails_in_any_way_is_started_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(service, "FAILED_S", 0.001)
    made: list[Server] = []

    def start() -> None:
        if len(made) == 1:
            raise KeyError("inner matters")

    def make() -> Any:
        made.append(Server(start))
        return made[-1]

    listening = Listening(broker, make, 1)
    listening.start()
    assert listening.ready.wait(WAIT_S)
    assert "inner matters" in caplog.text
    listening.stop()
    assert made[-1].ended.wait(WAIT_S)


def test_a_server_that_is_stopped_while_it_starts_does_not_listen_on(broker: Broker) -> None:
    starting, go_on = threading.Event(), threading.Event()

    def start() -> None:
        starting.set()
        assert go_on.wait(WAIT_S)

    server = Server(start)
    listening = Listening(broker, lambda: server, 1)
    listening.start()
    assert starting.wait(WAIT_S)
    listening.stop()
    go_on.set()
    assert server.ended.wait(WAIT_S)
    assert not listening.ready.is_set()
