# SPDX-License-Identifier: Apache-2.0
"""Connects and disconnects while the broker may be unavailable: the library would wait for ever, our threads do not."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from amqp.exceptions import AMQPError  # type: ignore[import-untyped]
from kombu.exceptions import OperationalError

from redesignate.bus.broker import Broker, messaging
from redesignate.observe.log import events

log = events(__name__)

UNAVAILABLE = (messaging.MessageDeliveryFailure, OperationalError, AMQPError, OSError)
"""The exceptions of the library when the broker is unavailable, refuses us, or closes the connection."""

REFUSED_S = 2.0
HANG_UP_S = 60.0
HANG_UP_DOWN_S = 1.0


class Disconnecting:
    """A thread that disconnects: the library waits for an unavailable broker even for that, and we do not."""

    def __init__(self, hang_up: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=hang_up, name="bus-hang-up", daemon=True)

    def start(self) -> Disconnecting:
        """Begin to disconnect. Does nothing where the interpreter exits and starts no threads: its sockets close."""
        with contextlib.suppress(RuntimeError):
            self._thread.start()
        return self

    def wait(self, broker: Broker) -> None:
        """Wait for the thread to end, only briefly while the broker is unavailable, not at all if it has not begun."""
        end = time.monotonic() + HANG_UP_S
        while self._thread.is_alive() and time.monotonic() < end:
            self._thread.join(0.5)
            if not broker.doubt():
                end = min(end, time.monotonic() + HANG_UP_DOWN_S)


class Listening:
    """A server of the library: a thread of ours starts it once the broker is available, since it would block."""

    def __init__(self, broker: Broker, make: Callable[[], Any], threads: int) -> None:
        self._broker = broker
        self._make = make
        self._threads = threads
        self._server: Any = None
        self._stopping = threading.Event()
        self.ready = threading.Event()
        self._starter = threading.Thread(target=self._start, name="bus-listen", daemon=True)

    def start(self) -> None:
        """Start to listen as soon as the broker is available; returns at once."""
        self._starter.start()

    def stop(self) -> None:
        """Accept nothing new, wait for the work under way, and return the rest to the queue."""
        self._stopping.set()
        if self.ready.is_set():
            Disconnecting(self._hang_up).start().wait(self._broker)

    def _hang_up(self) -> None:
        self._server.stop()
        self._server.wait()
        self._server.transport.cleanup()

    def _start(self) -> None:
        if not self._broker.up():
            log.warning("message broker is unavailable; waiting for it")
        while self._broker.wait_up() and not self._stopping.is_set():
            server = self._make()
            try:
                server.start(override_pool_size=self._threads)
            except (messaging.ServerListenError, *UNAVAILABLE) as error:
                log.error("cannot listen on the message broker", why=str(error))
                server.transport.cleanup()
                self._stopping.wait(REFUSED_S)
                continue
            self._server = server
            self.ready.set()
            log.info("listening on the message broker", server=type(server).__name__)
            return
