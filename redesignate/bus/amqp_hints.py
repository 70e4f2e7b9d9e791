# SPDX-License-Identifier: Apache-2.0
"""Hints to the workers over a message broker.

The broker confirms each message, and a worker acknowledges it after the work, so the messages of a killed worker go to
another at once. If a hint is lost all the same, its work is still in the outbox.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Literal

import msgspec

from redesignate.bus import codec
from redesignate.bus.broker import Broker, own
from redesignate.bus.connection import Line, Link, Lost, Refused
from redesignate.bus.inproc import Pending
from redesignate.bus.port import Handler
from redesignate.bus.reader import Reader, Received
from redesignate.commands.hint import Hint, Kind
from redesignate.observe.log import events
from redesignate.threads.batch import Batches, Closed
from redesignate.threads.service import Daemon

log = events(__name__)

HINTS = "hints"
WORK_TOPIC = "work"
CONFIRM_S = 10.0
"""How long the broker may take to confirm a message, unless it says that it takes none for now."""


class ZoneChanged(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message.

    zone_ids   zones with work in the outbox
    inbound    SECONDARY zones whose primaries are to be queried
    """

    v: Literal[1]
    zone_ids: tuple[str, ...] = ()
    inbound: tuple[str, ...] = ()


_read = msgspec.json.Decoder(ZoneChanged).decode


def written(hints: Iterable[Hint]) -> bytes:
    """Encode hints as a message."""
    ids: dict[Kind, list[str]] = {kind: [] for kind in Kind}
    for hint in hints:
        ids[hint.kind].append(hint.zone_id)
    return msgspec.json.encode(ZoneChanged(1, tuple(ids[Kind.OUTBOUND]), tuple(ids[Kind.INBOUND])))


def read(message: bytes) -> tuple[Hint, ...]:
    """Decode a message. Raises msgspec.ValidationError or DecodeError."""
    found = _read(message)
    return (
        *(Hint(Kind.OUTBOUND, zone_id) for zone_id in found.zone_ids),
        *(Hint(Kind.INBOUND, zone_id) for zone_id in found.inbound),
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
        self._queue = own(HINTS, topic)
        self._most = most
        self._pause_s = pause_s
        self._pending = Pending()
        self._stopping = threading.Event()
        self._outcome: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._line = Line(broker, f"wake {publisher}", self._open, lost=partial(self._end, False))
        self._line.start()
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
        self._daemon.stop(0 if self._line.link() is None else timeout_s)
        self._line.stop()
        self._daemon.stop(timeout_s)

    def _open(self, link: Link) -> None:
        self._broker.declare(link.channel, self._queue)
        link.channel.confirm_select()
        link.channel.events["basic_ack"].add(lambda _tag, _multiple: self._end(True))
        link.channel.events["basic_nack"].add(lambda _tag, _multiple: self._end(False))
        link.channel.events["basic_return"].add(partial(self._returned, link))

    def _returned(self, link: Link, *_: object) -> None:
        """The queue was deleted: the next link declares it. The broker confirms such a message too, afterwards."""
        self._end(False)
        link.fail(f"the queue {self._queue} was deleted")

    def _end(self, confirmed: bool) -> None:
        self._outcome.put(confirmed)

    def _send(self) -> float:
        hints = self._pending.take(self._most, self._stopping)
        try:
            link = self._line.link(None) if hints else None
            if link is None or self._confirmed(link, written(hints)):
                return 0
        except (Lost, Refused):
            log.debug("hints were not sent and are retried", hints=len(hints))
        except Exception:  # the loop of a service
            log.exception("hints could not be sent and are retried", hints=len(hints))
        self._pending.wake(hints)
        self._stopping.wait(self._pause_s)
        return 0

    def _confirmed(self, link: Link, message: bytes) -> bool:
        """Send one message; return whether the broker has taken it. Only one is under way at a time."""
        self._outcome = queue.SimpleQueue()
        link.publish(message, self._queue, mandatory=True)
        while True:
            try:
                return self._outcome.get(timeout=CONFIRM_S)
            except queue.Empty:
                if not link.blocked:
                    link.fail("the broker does not confirm what is sent")


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
        self._lanes, self._most = lanes, most
        self._pause_s = pause_s
        self._stopping = threading.Event()
        held = broker.rabbit.rabbit_qos_prefetch_count or prefetch
        self._reader = Reader(broker, "hints", own(HINTS, topic), self._receive, threads=held, prefetch=held)
        self._work: Batches[tuple[Hint, ...], bool] | None = None

    def start(self, handler: Handler) -> None:
        """Deliver hints to `handler`, from threads of the source's own, as soon as the broker is available."""
        self._work = Batches(partial(handled, handler), most=self._most, at_once=self._lanes, weight=len)
        self._reader.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it listens; return whether it does by then."""
        return self._reader.wait_ready(timeout_s)

    def stop(self) -> None:
        """Stop delivering; returns when no handler runs. Unacknowledged messages go to another worker."""
        self._stopping.set()
        if self._work is not None:
            self._work.close()
        self._reader.stop()

    def _receive(self, one: Received) -> None:
        """Handle one message, then acknowledge it or give it back.

        A message that cannot be read is acknowledged, and so dropped: its work is still in the outbox.
        """
        done = self._handle(one.body)
        if not done:
            self._stopping.wait(self._pause_s)
        tag = self._reader.settle(one)
        if tag is not None:
            one.link.acknowledge(tag) if done else one.link.give_back(tag)

    def _handle(self, body: bytes) -> bool:
        assert self._work is not None
        try:
            hints = read(body)
        except msgspec.MsgspecError as error:
            codec.cannot_read("hint", len(body), error)
            return True
        try:
            return not hints or self._work.ask(hints)
        except Closed:
            return False
