# SPDX-License-Identifier: Apache-2.0
"""Hints to the workers over a message broker, as oslo.messaging's notifications.

The library's notification listener acknowledges after the work, so the messages of a killed worker go to another at
once. If a hint is lost all the same, its work is still in the outbox.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from redesignate.bus import codec
from redesignate.bus.broker import Broker, messaging, own
from redesignate.bus.ends import Disconnecting, Listening
from redesignate.bus.inproc import Pending
from redesignate.bus.port import Handler
from redesignate.commands.hint import Hint, Kind
from redesignate.observe.log import events
from redesignate.threads.batch import Batches, Closed
from redesignate.threads.service import Daemon

log = events(__name__)

WORK_TOPIC = "work"
_OLD_INBOUND = "inbound:"


class ZoneChanged(msgspec.Struct, frozen=True, omit_defaults=True):
    """The payload of a message.

    zone_ids   zones with work in the outbox. An older central puts INBOUND hints here too, as "inbound:" and a zone id
    inbound    SECONDARY zones whose primaries are to be queried. An older worker ignores them; some worker finds the
               zones within a second or two all the same (`inbound.due`)
    """

    zone_ids: tuple[str, ...]
    inbound: tuple[str, ...] = ()


def written(hints: Iterable[Hint]) -> dict[str, Any]:
    """The hints as a message's payload."""
    ids: dict[Kind, list[str]] = {kind: [] for kind in Kind}
    for hint in hints:
        ids[hint.kind].append(hint.zone_id)
    payload: dict[str, Any] = msgspec.to_builtins(ZoneChanged(tuple(ids[Kind.OUTBOUND]), tuple(ids[Kind.INBOUND])))
    return payload


def read(payload: object) -> tuple[Hint, ...]:
    """The hints of a message's payload, from a central of this or an older version. Raises msgspec.ValidationError."""
    found = msgspec.convert(payload, ZoneChanged)
    old = [zone_id for zone_id in found.zone_ids if zone_id.startswith(_OLD_INBOUND)]
    return (
        *(Hint(Kind.OUTBOUND, zone_id) for zone_id in found.zone_ids if not zone_id.startswith(_OLD_INBOUND)),
        *(Hint(Kind.INBOUND, zone_id.removeprefix(_OLD_INBOUND)) for zone_id in (*old, *found.inbound)),
    )


class AmqpWake:
    """Sends hints to whichever worker is free, from a thread of its own; under load, many hints share one message.

    most     the most hints in one message: one worker gets them together
    pause_s  how long the thread pauses when a message could not be sent though the broker is available
    """

    def __init__(
        self, broker: Broker, *, publisher: str, topic: str = WORK_TOPIC, most: int = 20, pause_s: float = 1.0
    ) -> None:
        self._broker = broker
        self._most = most
        self._pause_s = pause_s
        self._pending = Pending()
        self._stopping = threading.Event()
        self._transport = broker.notifications()
        self._notifier = messaging.Notifier(
            self._transport, publisher_id=publisher, driver="messagingv2", topics=[own(topic)], retry=-1
        )
        self._daemon = Daemon("hints-send", self._send)
        self._daemon.start()

    def wake(self, hints: Sequence[Hint]) -> None:
        """Send these hints to some worker. Never waits for the broker."""
        self._pending.wake(hints)

    def waiting(self) -> int:
        """Return the number of hints that are not sent yet."""
        return len(self._pending)

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop sending; the sweep finds the zones whose hints are not sent by then."""
        self._stopping.set()
        self._pending.nudge()
        self._daemon.stop(timeout_s)
        Disconnecting(self._transport.cleanup).start().wait(self._broker)

    def _send(self) -> float:
        hints = self._pending.take(self._most, self._stopping)
        try:
            if hints and self._broker.wait_up():
                self._notifier.info({}, "zone.changed", written(hints))
        except Exception:  # the loop of a service
            log.exception("hints could not be sent and are retried", hints=len(hints))
            self._stopping.wait(self._pause_s)
            self._pending.wake(hints)
        return 0


def handled(handler: Handler, messages: Sequence[tuple[Hint, ...]]) -> list[bool]:
    """Handle the hints of several messages, each once; return for each message whether it was handled."""
    hints = tuple(dict.fromkeys(hint for message in messages for hint in message))
    try:
        handler(hints)
        done = True
    except Exception:  # the loop of a service
        log.exception("the handler failed; its hints are retried", hints=len(hints))
        done = False
    return [done] * len(messages)


class _Endpoint:
    """The endpoint of the library's listener, called for each message of priority "info"."""

    def __init__(self, source: AmqpWorkSource) -> None:
        self._source = source

    def info(self, _context: object, _publisher: str, _event: str, payload: object, _about: object) -> str:
        return self._source.receive(payload)


class AmqpWorkSource:
    """Receives hints for a worker; all workers share one queue.

    lanes     the most calls of the handler at a time; messages that come while all are busy are handled together
    most      the most hints in one call of the handler
    prefetch  the most messages that this worker holds, the others are left to other workers ([oslo_messaging_rabbit]
              rabbit_qos_prefetch_count where the operator sets it)
    pause_s   how long a message whose handler raised is held before it is returned to the queue
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
        self._listening = Listening(broker, self._make, prefetch)
        self._work: Batches[tuple[Hint, ...], bool] | None = None

    def start(self, handler: Handler) -> None:
        """Deliver hints to `handler`, from threads of the source's own, as soon as the broker is available."""
        self._work = Batches(partial(handled, handler), most=self._most, at_once=self._lanes, weight=len)
        self._listening.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it listens; return whether it does by then."""
        return self._listening.ready.wait(timeout_s)

    def stop(self) -> None:
        """Stop delivering; returns when no handler runs. Unacknowledged messages go to another worker."""
        self._stopping.set()
        if self._work is not None:
            self._work.close()
        self._listening.stop()

    def receive(self, payload: object) -> str:
        """Handle one message; return HANDLED to acknowledge it, REQUEUE to return it to the queue.

        A message that cannot be read is acknowledged, and so dropped: its work is still in the outbox.
        """
        assert self._work is not None
        try:
            hints = read(payload)
        except msgspec.ValidationError as error:
            codec.cannot_read("hint", len(repr(payload)), error)
            handled: str = messaging.NotificationResult.HANDLED
            return handled
        try:
            done = not hints or self._work.ask(hints)
        except Closed:
            done = False
        if not done:
            self._stopping.wait(self._pause_s)
        result: str = messaging.NotificationResult.HANDLED if done else messaging.NotificationResult.REQUEUE
        return result

    def _make(self) -> Any:
        transport = self._broker.notifications(prefetch=self._prefetch)
        target = messaging.Target(exchange=self._broker.settings.control_exchange, topic=own(self._topic))
        server = messaging.get_notification_listener(transport, [target], [_Endpoint(self)], allow_requeue=True)
        server._create_listener = partial(_heeding_repeats, server._create_listener)
        return server


def _heeding_repeats(create: Callable[[], Any]) -> Any:
    """Create the library's listener such that it also hands over a message that it has handled before.

    It remembers its last messages and leaves one that comes again unacknowledged for as long as its connection lives.
    A message comes again where its acknowledgement was lost with the connection before: the broker would count each of
    them against the prefetch, and after some such losses the worker would receive nothing. Hints may come twice.
    """
    listener = create()
    listener._poll_style_listener.msg_id_cache.prev_msgids = deque(maxlen=0)
    return listener
