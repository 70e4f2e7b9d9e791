# SPDX-License-Identifier: Apache-2.0
"""Connects and disconnects while the broker may be unavailable: the library would wait for ever, our threads do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from amqp.exceptions import AMQPError  # type: ignore[import-untyped]
from kombu.exceptions import OperationalError

from redesignate.bus.broker import Broker, messaging
from redesignate.observe.log import events
from redesignate.threads.call import OneCall
from redesignate.threads.service import Daemon

log = events(__name__)

UNAVAILABLE = (messaging.MessageDeliveryFailure, OperationalError, AMQPError, OSError)
"""The exceptions of the library when the broker is unavailable, refuses us, or closes the connection."""

REFUSED_S = 2.0
HANG_UP_S = 60.0
HANG_UP_DOWN_S = 1.0


class Disconnecting:
    """A call that disconnects: the library waits for an unavailable broker even for that, and we do not."""

    def __init__(self, hang_up: Callable[[], None]) -> None:
        self._call = OneCall("bus-hang-up", hang_up)

    def start(self) -> Disconnecting:
        """Begin to disconnect. Does nothing where the interpreter exits and starts no threads: its sockets close."""
        self._call.go()
        return self

    def wait(self, broker: Broker) -> None:
        """Wait for it to end, only briefly while the broker is unavailable, not at all if it has not begun."""
        end = time.monotonic() + HANG_UP_S
        while time.monotonic() < end and not self._call.wait(0.5):
            if not broker.doubt():
                end = min(end, time.monotonic() + HANG_UP_DOWN_S)


class Listening:
    """A server of the library: a thread of ours starts it once the broker is available, since it would block."""

    def __init__(self, broker: Broker, make: Callable[[], Any], threads: int) -> None:
        self._broker = broker
        self._make = make
        self._threads = threads
        self._server: Any = None
        self._lock = threading.Lock()
        self.ready = threading.Event()
        self._starter = Daemon("bus-listen", self._listen)

    def start(self) -> None:
        """Start to listen as soon as the broker is available; returns at once."""
        self._starter.start()

    def stop(self) -> None:
        """Accept nothing new, wait for the work under way, and return the rest to the queue."""
        self._starter.stop(0)
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            Disconnecting(partial(_hang_up, server)).start().wait(self._broker)

    def _listen(self) -> float | None:
        """Start the server; the turn is repeated until that has succeeded."""
        if not self._broker.up():
            log.warning("message broker is unavailable; waiting for it")
        if not self._broker.wait_up() or self._starter.stopping:
            return None  # the broker's watch is closed, and with it the process's ways to the broker
        server = self._make()
        try:
            server.start(override_pool_size=self._threads)
        except (messaging.ServerListenError, *UNAVAILABLE) as error:
            log.error("cannot listen on the message broker", why=str(error))
            server.transport.cleanup()
            return REFUSED_S
        with self._lock:
            stopped = self._starter.stopping
            if not stopped:
                self._server = server
        if stopped:
            _hang_up(server)
            return None
        self.ready.set()
        log.info("listening on the message broker", server=type(server).__name__)
        self._starter.stop()  # by its own turn: it takes no other
        return None


def _hang_up(server: Any) -> None:
    server.stop()
    server.wait()
    server.transport.cleanup()
