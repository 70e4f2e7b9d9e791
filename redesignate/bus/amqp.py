# SPDX-License-Identifier: Apache-2.0
"""The bus over a message broker, by oslo.messaging: questions as RPC calls, hints as late-acknowledged notifications.

oslo.messaging's RPC server acknowledges before it works, so a killed central loses the question and its asker hears
`TimedOut`; its notification listener acknowledges after, so a killed worker's hints go to another at once. What is
lost anyway, the outbox has. No thread of ours ever waits in the library for a broker that is known to be away.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from amqp.exceptions import AMQPError  # type: ignore[import-untyped]
from kombu.exceptions import OperationalError

from redesignate.bus import codec
from redesignate.bus.broker import Broker, messaging
from redesignate.bus.lanes import Lanes
from redesignate.bus.pending import Pending
from redesignate.bus.port import Command, Handler
from redesignate.model.errors import TimedOut, Unavailable
from redesignate.observe.log import events

R = TypeVar("R")
log = events(__name__)

WORK_TOPIC = "redesignate_work"
AWAY = (messaging.MessageDeliveryFailure, OperationalError, AMQPError, OSError)
REFUSED_S = 2.0
FIRST_CONTACT_S = 3.0
HANG_UP_S = 60.0
HANG_UP_AWAY_S = 1.0
SILENCE_S = 10
"""Central says every half of this that it still works on a question; after so long without a word it has died."""


class _Farewell:
    """A thread that hangs up: the library waits for a broker that is away even for that, and we do not."""

    def __init__(self, hang_up: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=hang_up, name="bus-hang-up", daemon=True)

    def start(self) -> _Farewell:
        self._thread.start()
        return self

    def wait(self, broker: Broker) -> None:
        """Wait for its end, not for long while the broker is away; nothing where it has not begun."""
        end = time.monotonic() + HANG_UP_S
        while self._thread.is_alive() and time.monotonic() < end:
            self._thread.join(0.5)
            if not broker.doubt():
                end = min(end, time.monotonic() + HANG_UP_AWAY_S)


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
        self.hung_up = _Farewell(self._transport.cleanup)

    def ping(self) -> None:
        """Make the queue for answers: the library does so in the first call, and waits for the broker for ever."""
        with contextlib.suppress(messaging.MessagingTimeout, messaging.MessageUndeliverable):
            self._client.prepare(timeout=2, call_monitor_timeout=None).call({}, "ping")

    def ask(self, body: str) -> str:
        """One question. Raises what the library raises."""
        with self._lock:
            if not self._users:
                raise ConnectionError("the line is closed")
            self._users += 1
        try:
            heard: str = self._client.call({}, "answer", body=body)
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
    Cost   one message there and one back: about 2 ms on one machine.
    """

    def __init__(self, broker: Broker, *, topic: str = "central") -> None:
        self._broker = broker
        self._topic = topic
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
        if self._broker.up():
            self._connected.wait(FIRST_CONTACT_S)
        line = self._line
        if line is None:
            raise Unavailable("The message broker cannot be reached")
        return codec.told(command, self._ask(line, codec.question(command).decode()).encode())

    def close(self) -> None:
        """Hang up, as soon as calls under way are done; waits for that, but not for long."""
        self._closed.set()
        line = self._line
        self._drop()
        if line is not None:
            line.hung_up.wait(self._broker)

    def _ask(self, line: _Line, body: str) -> str:
        try:
            try:
                return line.ask(body)
            except AWAY:
                # A kept connection may be from before the broker closed it: the next try opens it anew.
                if not self._broker.doubt():
                    raise
                return line.ask(body)
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


class _Listening:
    """A server of the library's: started from a thread of its own once the broker is there, since it would wait."""

    def __init__(self, broker: Broker, make: Callable[[], Any], threads: int) -> None:
        self._broker = broker
        self._make = make
        self._threads = threads
        self._server: Any = None
        self._stopping = threading.Event()
        self.ready = threading.Event()
        self._starter = threading.Thread(target=self._start, name="bus-listen", daemon=True)

    def start(self) -> None:
        """Begin to listen as soon as the broker is there; returns at once."""
        self._starter.start()

    def stop(self) -> None:
        """Take nothing new, wait for what is being worked on, give back the rest."""
        self._stopping.set()
        if self.ready.is_set():
            _Farewell(self._hang_up).start().wait(self._broker)

    def _hang_up(self) -> None:
        self._server.stop()
        self._server.wait()
        self._server.transport.cleanup()

    def _start(self) -> None:
        while self._broker.wait_up() and not self._stopping.is_set():
            server = self._make()
            try:
                server.start(override_pool_size=self._threads)
            except (messaging.ServerListenError, *AWAY) as error:
                log.error("cannot listen on the message broker", why=str(error))
                server.transport.cleanup()
                self._stopping.wait(REFUSED_S)
                continue
            self._server = server
            self.ready.set()
            log.info("listening on the message broker", server=type(server).__name__)
            return


class _Door:
    """What the library's RPC server finds: its public methods are callable from outside."""

    def __init__(self, dispatch: codec.Dispatch) -> None:
        self._dispatch = dispatch

    def answer(self, _context: object, body: str) -> str:
        return codec.serve(self._dispatch, body.encode()).decode()

    def ping(self, _context: object) -> str:
        return "pong"


class CentralServer:
    """Central's side: answers questions on `executor_thread_pool_size` threads; any number of processes share them.

    host   this node's name, for the queue that is its own
    """

    def __init__(self, broker: Broker, dispatch: codec.Dispatch, *, host: str, topic: str = "central") -> None:
        def make() -> Any:
            target = messaging.Target(exchange=broker.settings.control_exchange, topic=topic, server=host)
            return messaging.get_rpc_server(broker.rpc(), target, [_Door(dispatch)])

        self._listening = _Listening(broker, make, broker.settings.executor_thread_pool_size)

    def start(self) -> None:
        """Begin to answer as soon as the broker is there; returns at once, and comes back by itself after an outage."""
        self._listening.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Whether it answers by then."""
        return self._listening.ready.wait(timeout_s)

    def stop(self) -> None:
        """Take no more questions; returns when those under way are answered."""
        self._listening.stop()


class AmqpWake:
    """Hints to whichever worker is free. A thread of its own sends them, many zones in one message when in a hurry.

    most   zones in one message: one worker gets them together
    """

    def __init__(self, broker: Broker, *, publisher: str, topic: str = WORK_TOPIC, most: int = 20) -> None:
        self._broker = broker
        self._most = most
        self._pending = Pending()
        self._stopping = threading.Event()
        self._transport = broker.notifications()
        self._notifier = messaging.Notifier(
            self._transport, publisher_id=publisher, driver="messagingv2", topics=[topic], retry=-1
        )
        self._thread = threading.Thread(target=self._send, name="hints-send", daemon=True)
        self._thread.start()

    def wake(self, zone_ids: Sequence[str]) -> None:
        """Tell some worker that these zones have work. Never waits for the broker."""
        self._pending.add(zone_ids)

    def waiting(self) -> int:
        """How many zones nobody has been told of yet."""
        return len(self._pending)

    def close(self, timeout_s: float = 2.0) -> None:
        """Send no more; what has not left by then is the sweep's."""
        self._stopping.set()
        self._pending.nudge()
        self._thread.join(timeout_s)
        _Farewell(self._transport.cleanup).start().wait(self._broker)

    def _send(self) -> None:
        while not self._stopping.is_set():
            zone_ids = self._pending.take(self._most, self._stopping)
            if zone_ids and self._broker.wait_up():
                self._notifier.info({}, "zone.changed", {"zone_ids": zone_ids})


class _Ear:
    """What the library's listener finds: called for each message of priority "info"."""

    def __init__(self, source: AmqpWorkSource) -> None:
        self._source = source

    def info(self, _context: object, _publisher: str, _event: str, payload: dict[str, Any], _about: object) -> str:
        return self._source.hear(payload)


class AmqpWorkSource:
    """Hints as a worker hears them; all workers share one queue.

    lanes     calls of the handler at a time; messages that come while all are busy are handled together
    most      zones in one call of the handler
    prefetch  messages that this worker holds at most, the rest is for the others ([oslo_messaging_rabbit]
              rabbit_qos_prefetch_count where the operator sets it)
    pause_s   how long a message is held whose handler raised, before it is given back
    """

    def __init__(
        self,
        broker: Broker,
        *,
        topic: str = WORK_TOPIC,
        lanes: int = 16,
        most: int = 100,
        prefetch: int = 64,
        pause_s: float = 1.0,
    ) -> None:
        self._broker = broker
        self._topic = topic
        self._lanes, self._most, self._prefetch = lanes, most, prefetch
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._listening = _Listening(broker, self._make, prefetch)
        self._work: Lanes | None = None

    def start(self, handler: Handler) -> None:
        """Deliver hints to `handler`, from threads of the source's own, as soon as the broker is there."""
        self._work = Lanes(handler, lanes=self._lanes, most=self._most)
        self._listening.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Whether it listens by then."""
        return self._listening.ready.wait(timeout_s)

    def stop(self) -> None:
        """Deliver no more; returns when no handler runs. What is unacknowledged goes to another worker."""
        self._stopping.set()
        if self._work is not None:
            self._work.close()
        self._listening.stop()

    def hear(self, payload: dict[str, Any]) -> str:
        """One message, in the library's words: HANDLED acknowledges, REQUEUE gives it back."""
        assert self._work is not None
        zone_ids = tuple(str(zone_id) for zone_id in payload.get("zone_ids", ()))
        try:
            done = not zone_ids or self._work.run(zone_ids)
        except Exception:  # the loop of a service
            log.exception("hints come back, for their handler failed", zones=len(zone_ids))
            done = False
        if not done:
            self._stopping.wait(self._pause_s)
        result: str = messaging.NotificationResult.HANDLED if done else messaging.NotificationResult.REQUEUE
        return result

    def _make(self) -> Any:
        transport = self._broker.notifications(prefetch=self._prefetch)
        target = messaging.Target(exchange=self._broker.settings.control_exchange, topic=self._topic)
        return messaging.get_notification_listener(transport, [target], [_Ear(self)], allow_requeue=True)
