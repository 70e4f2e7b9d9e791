# SPDX-License-Identifier: Apache-2.0
"""Questions to central over a message broker, by oslo.messaging's RPC, from both sides.

The library's RPC server acknowledges before it works, so a killed central loses the question and its asker hears
`TimedOut`. No thread of ours ever waits in the library for a broker that is known to be away.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Any, TypeVar

from redesignate.bus import codec
from redesignate.bus.broker import Broker, messaging
from redesignate.bus.convoy import Convoys, lane
from redesignate.bus.ends import AWAY, REFUSED_S, Farewell, Listening
from redesignate.commands.base import Command
from redesignate.model.errors import TimedOut, Unavailable
from redesignate.observe.log import events

R = TypeVar("R")
log = events(__name__)

FIRST_CONTACT_S = 3.0
SILENCE_S = 10
"""Central says every half of this that it still works on a question; after so long without a word it has died."""


class _Line:
    """One connection to central, with a queue for answers of its own. Closed when nobody is on it any more."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._transport = broker.rpc()
        timeout = broker.settings.rpc_response_timeout
        target = messaging.Target(exchange=broker.settings.control_exchange, topic=topic)
        self._client = messaging.get_rpc_client(self._transport, target, timeout=timeout, retry=0).prepare(
            call_monitor_timeout=min(SILENCE_S, timeout),
            transport_options=messaging.TransportOptions(at_least_once=True),
        )
        self._lock = threading.Lock()
        self._users = 1
        self.hung_up = Farewell(self._transport.cleanup)

    def ping(self) -> None:
        """Make the queue for answers: the library does so in the first call, and waits for the broker for ever."""
        with contextlib.suppress(messaging.MessagingTimeout, messaging.MessageUndeliverable):
            self._client.prepare(timeout=2, call_monitor_timeout=None).call({}, "ping")

    def ask(self, bodies: Sequence[str]) -> Sequence[str]:
        """Questions in one message. Raises what the library raises."""
        with self._lock:
            if not self._users:
                raise ConnectionError("the line is closed")
            self._users += 1
        try:
            heard: Sequence[str] = self._client.call({}, "answer", bodies=bodies)
            return heard
        finally:
            self.release()

    def release(self) -> None:
        """One user less; after the last one a thread hangs up, since the library waits for a broker even for that."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self.hung_up.start()


class AmqpCentral:
    """Central over the broker.

    After an outage it asks on a new line: the library's servers give up a queue for answers that they once missed for
    too long, for a minute, although it is there again.
    Cost   one message there and one back, about 2 ms on one machine; changes of one zone share them (`convoy`).
    """

    def __init__(self, broker: Broker, *, topic: str = "central") -> None:
        self._broker = broker
        self._topic = topic
        self._convoys = Convoys(self._carry)
        self._line: _Line | None = None
        self._connected = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._connect, name="central-connect", daemon=True)
        self._thread.start()

    def call(self, command: Command[R]) -> R:
        """Ask; returns the answer or raises its Problem.

        Raises Unavailable at once while the broker is away or no central was ever there; TimedOut when the answer
        does not come within rpc_response_timeout, or central or the broker died over it. A question may be carried
        out twice where the broker took it and died before it could say so.
        """
        key, body = lane(command), codec.question(command).decode()
        answer = self._carry([body])[0] if key is None else self._convoys.ask(key, body)
        return codec.told(command, answer.encode())

    def close(self) -> None:
        """Hang up, as soon as calls under way are done; waits for that, but not for long."""
        self._closed.set()
        line = self._line
        self._drop()
        if line is not None:
            line.hung_up.wait(self._broker)

    def _carry(self, bodies: Sequence[str]) -> Sequence[str]:
        if self._broker.up():
            self._connected.wait(FIRST_CONTACT_S)
        line = self._line
        if line is None:
            raise Unavailable("The message broker cannot be reached")
        try:
            try:
                return line.ask(bodies)
            except AWAY:
                # A kept connection may be from before the broker closed it: the next try opens it anew.
                if not self._broker.doubt():
                    raise
                return line.ask(bodies)
        except messaging.MessagingTimeout as error:
            raise TimedOut("No answer in time; the change may or may not have been made") from error
        except messaging.MessageUndeliverable as error:
            raise Unavailable("No central service is there") from error
        except AWAY as error:
            raise Unavailable("The message broker cannot be reached") from error

    def _connect(self) -> None:
        while self._broker.wait_up() and not self._closed.is_set():
            outages = self._broker.outages
            line = _Line(self._broker, self._topic)
            try:
                line.ping()
            except AWAY as error:
                log.error("no line to central through the message broker", why=str(error))
                line.release()
                self._closed.wait(REFUSED_S)
                continue
            self._line = line
            self._connected.set()
            self._broker.wait_outage(outages)
            self._drop()

    def _drop(self) -> None:
        self._connected.clear()
        line, self._line = self._line, None
        if line is not None:
            line.release()


class _Door:
    """What the library's RPC server finds: its public methods are callable from outside."""

    def __init__(self, dispatch: codec.Dispatch, together: codec.Together) -> None:
        self._dispatch = dispatch
        self._together = together

    def answer(self, _context: object, bodies: Sequence[str]) -> list[str]:
        answers = codec.serve_all(self._dispatch, self._together, [body.encode() for body in bodies])
        return [answer.decode() for answer in answers]

    def ping(self, _context: object) -> str:
        return "pong"


class CentralServer:
    """Central's side: answers questions on `executor_thread_pool_size` threads; any number of processes share them.

    together   carries out the questions that came in one message, all or none
    host       this node's name, for the queue that is its own
    """

    def __init__(
        self,
        broker: Broker,
        dispatch: codec.Dispatch,
        *,
        together: codec.Together,
        host: str,
        topic: str = "central",
    ) -> None:
        def make() -> Any:
            target = messaging.Target(exchange=broker.settings.control_exchange, topic=topic, server=host)
            return messaging.get_rpc_server(broker.rpc(), target, [_Door(dispatch, together)])

        self._listening = Listening(broker, make, broker.settings.executor_thread_pool_size)

    def start(self) -> None:
        """Begin to answer as soon as the broker is there; returns at once, and comes back by itself after an outage."""
        self._listening.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Whether it answers by then."""
        return self._listening.ready.wait(timeout_s)

    def stop(self) -> None:
        """Take no more questions; returns when those under way are answered."""
        self._listening.stop()
