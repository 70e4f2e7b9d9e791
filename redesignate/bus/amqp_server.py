# SPDX-License-Identifier: Apache-2.0
"""Questions to central over a message broker: central's side.

The library's RPC server acknowledges before it works, so a killed central loses the question; the client repeats it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from redesignate.bus import codec
from redesignate.bus.broker import Broker, messaging, own
from redesignate.bus.ends import Listening
from redesignate.model.errors import Unavailable

PREFETCH = 16
"""The most messages that one central holds and has not begun. With more, messages would wait for it while others are
free, and their clients would lose time when it is stopped; with fewer, it would wait for the broker."""


class _Door:
    """The endpoint of the library's RPC server: its public methods are callable from outside."""

    def __init__(self, carry: codec.Carry, together: codec.Together, clock: Callable[[], int]) -> None:
        self._carry = carry
        self._together = together
        self._clock = clock

    def answer(self, _context: object, bodies: Sequence[str]) -> dict[str, Any]:
        answers = codec.serve_all(self._carry, self._together, [body.encode() for body in bodies])
        return {"answers": [answer.decode() for answer in answers], "clock": self.clock(_context)}

    def clock(self, _context: object) -> int | None:
        try:
            return self._clock()
        except Unavailable:
            return None


class CentralServer:
    """Central's side: it answers questions on `executor_thread_pool_size` threads; any number of processes share them.

    carry     carries out one question
    together  carries out the questions that came in one message, all or none
    clock     the database's clock (µs), from which clients estimate it. Raises Unavailable
    host      this node's name, for the node's own queue
    """

    def __init__(
        self,
        broker: Broker,
        carry: codec.Carry,
        *,
        together: codec.Together,
        clock: Callable[[], int],
        host: str,
        topic: str = "central",
    ) -> None:
        def make() -> Any:
            target = messaging.Target(exchange=broker.settings.control_exchange, topic=own(topic), server=host)
            door = _Door(carry, together, clock)
            return messaging.get_rpc_server(broker.rpc(prefetch=PREFETCH), target, [door])

        self._listening = Listening(broker, make, broker.settings.executor_thread_pool_size)

    def start(self) -> None:
        """Start to answer as soon as the broker is available; returns at once, and reconnects after an outage."""
        self._listening.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it answers; return whether it does by then."""
        return self._listening.ready.wait(timeout_s)

    def stop(self) -> None:
        """Accept no more questions; returns when those under way are answered."""
        self._listening.stop()
