# SPDX-License-Identifier: Apache-2.0
"""Both buses behind one face, so that one suite holds for both."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from redesignate.bus.amqp import AmqpCentral
from redesignate.bus.amqp_hints import AmqpWake, AmqpWorkSource
from redesignate.bus.amqp_server import CentralServer
from redesignate.bus.broker import Broker
from redesignate.bus.codec import Carry, Dispatch
from redesignate.bus.inproc import InprocCentral, InprocWorkSource, Pending
from redesignate.bus.port import Central, Wake, WorkSource
from redesignate.config.settings import BusSettings, RabbitSettings
from redesignate.model.clock import now
from tests.support.rabbitmq import RabbitMQ

READY_S = 20


class Bus(Protocol):
    """One bus: any number of everything on it."""

    def central(self, dispatch: Dispatch) -> Central: ...

    def wake(self) -> Wake: ...

    def source(self) -> WorkSource: ...


class InprocBus:
    def __init__(self) -> None:
        self.pending = Pending()

    def central(self, dispatch: Dispatch) -> Central:
        return InprocCentral(dispatch)

    def wake(self) -> Wake:
        return self.pending

    def source(self) -> WorkSource:
        return InprocWorkSource(self.pending, pause_s=0.05)


class AmqpBus:
    """Everything made here is closed with the stack."""

    def __init__(self, url: str, stack: ExitStack, rabbit: RabbitSettings | None = None) -> None:
        self.settings = BusSettings(transport_url=url, rpc_response_timeout=10, rabbit=rabbit or RabbitSettings())
        self.broker = Broker(self.settings)
        self.stack = stack

    def serve(self, dispatch: Dispatch) -> CentralServer:
        return self.serve_asked(lambda command, _asked: dispatch(command))

    def serve_asked(self, carry: Carry, clock: Callable[[], int] = now) -> CentralServer:
        """Central that sees how it is asked."""
        server = CentralServer(
            self.broker,
            carry,
            together=lambda questions: [carry(command, asked) for command, asked in questions],
            clock=clock,
            host="here",
        )
        server.start()
        self.stack.callback(server.stop)
        assert server.wait_ready(READY_S)
        return server

    def ask(self) -> AmqpCentral:
        client = AmqpCentral(self.broker)
        self.stack.callback(client.close)
        return client

    def central(self, dispatch: Dispatch) -> Central:
        self.serve(dispatch)
        return self.ask()

    def wake(self) -> Wake:
        wake = AmqpWake(self.broker, publisher="test")
        self.stack.callback(wake.close)
        return wake

    def source(self) -> AmqpWorkSource:
        return AmqpWorkSource(self.broker, pause_s=0.05)


@pytest.fixture(params=["inproc", pytest.param("amqp", marks=pytest.mark.external)])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    if request.param == "inproc":
        yield InprocBus()
        return
    with ExitStack() as stack:
        yield AmqpBus(request.getfixturevalue("rabbitmq").transport_url(), stack)
    gc.collect()


@pytest.fixture
def amqp() -> Iterator[Callable[[str], AmqpBus]]:
    """Makes buses on a broker by its URL."""
    with ExitStack() as stack:
        yield lambda url: AmqpBus(url, stack)
    gc.collect()  # a socket that is left open shows in this test, not in a later one


@pytest.fixture
def own_rabbitmq() -> Iterator[RabbitMQ]:
    server = RabbitMQ.create()
    yield server
    server.close()


@pytest.fixture
def spawn() -> Iterator[Callable[[str, str], subprocess.Popen[str]]]:
    """Another process that runs a script with the broker's URL."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str, url: str) -> subprocess.Popen[str]:
        started.append(subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()
