# SPDX-License-Identifier: Apache-2.0
"""Reads a queue that several processes share: each message on a thread of a pool, and acknowledged after the work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from redesignate.bus.broker import Broker
from redesignate.bus.connection import Line, Link, Lost, Refused
from redesignate.observe.log import events
from redesignate.threads.deadline import uptime

log = events(__name__)

AGAIN = "again"
"""The type of a message that its sender has sent before."""
_TAG = "reader"


@dataclass(slots=True, eq=False)
class Received:
    """A message.

    to, number  where its sender waits for a reply ("": nowhere), and under which number
    again       it was given to somebody before, who did not acknowledge it; or its sender says that it was
    since       when it came
    """

    link: Link
    tag: int
    body: bytes
    to: str
    number: str
    again: bool
    since: float = field(default_factory=uptime)
    begun: bool = False


class Reader:
    """Gives each message of a queue to `work`, on one of so many threads.

    work      works on a message and then calls `settle`, once. Where it raises Refused, or what it should not, the
              connection is made anew, so that the message comes again
    prefetch  the most messages that it holds and has not acknowledged
    early     it acknowledges before the work is done what comes again, and the oldest of more than `prefetch` / 2 that
              are begun: so there is always room for others
    tick      as in `Link.run`
    """

    def __init__(
        self,
        broker: Broker,
        name: str,
        queue: str,
        work: Callable[[Received], None],
        *,
        threads: int,
        prefetch: int,
        early: bool = False,
        tick: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._broker, self._queue, self._work = broker, queue, work
        self._prefetch, self._early = prefetch, early
        self._lock = threading.Lock()
        self._held: dict[Received, None] = {}
        self._late: dict[Received, None] = {}
        self._stopping = False
        self._ready = threading.Event()
        self._pool = ThreadPoolExecutor(threads, name.partition(" ")[0])
        self._line = Line(broker, name, self._open, lost=self._lost, tick=tick)

    def start(self) -> None:
        """Read as soon as the broker is available; returns at once, and reads on after an outage."""
        self._line.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it reads; return whether it does by then."""
        return self._ready.wait(timeout_s)

    def held(self) -> list[Received]:
        """Return the messages that are not settled."""
        with self._lock:
            return list(self._held)

    def settle(self, one: Received) -> int | None:
        """Forget a message; return its tag if it is still to be acknowledged, or given back."""
        with self._lock:
            self._held.pop(one, None)
            return one.tag if self._late.pop(one, one) is None else None

    def stop(self) -> None:
        """Take no more, give back what is not begun, and return when the rest is settled."""
        self._stopping = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        link = self._line.link()
        with suppress(Lost):
            if link is not None:
                link.cancel(_TAG)
            with self._lock:
                waiting = [one for one in self._held if not one.begun]
                for one in waiting:
                    del self._held[one]
            for one in waiting:
                one.link.give_back(one.tag)
        self._pool.shutdown()
        self._line.stop()

    def _open(self, link: Link) -> None:
        self._broker.declare(link.channel, self._queue)
        if self._stopping:
            return
        self._broker.consume(
            link.channel,
            self._queue,
            self._prefetch,
            consumer_tag=_TAG,
            callback=partial(self._take, link),
            on_cancel=lambda _: link.fail(f"the queue {self._queue} was deleted"),
        )
        log.info("listening on the message broker", queue=self._queue)
        self._ready.set()

    def _lost(self) -> None:
        with self._lock:
            self._held.clear()
            self._late.clear()

    def _take(self, link: Link, message: Any) -> None:
        """Hand a message to a thread. On the link's own thread."""
        about, info = message.properties, message.delivery_info
        to, number = about.get("reply_to", ""), about.get("correlation_id", "")
        again = info["redelivered"] or about.get("type") == AGAIN
        one = Received(link, info["delivery_tag"], message.body or b"", to, number, again)
        with self._lock:
            self._held[one] = None
        try:
            self._pool.submit(self._run, one)
        except RuntimeError:  # it is being stopped
            with self._lock:
                ours = self._held.pop(one, one) is None
            with suppress(Lost):
                link.cancel(_TAG)
                if ours:
                    link.give_back(one.tag)

    def _run(self, one: Received) -> None:
        try:
            self._begin(one)
            self._work(one)
        except Lost:
            log.debug("a message's connection is lost; it comes again", queue=self._queue)
        except Refused as why:
            one.link.fail(str(why))
        except Exception:  # the loop of a service
            log.exception("a message could not be worked on; it comes again", queue=self._queue)
            one.link.fail("a message could not be worked on")

    def _begin(self, one: Received) -> None:
        """Note that a message is worked on; acknowledge what is to be acknowledged early. Raises Lost."""
        with self._lock:
            if one not in self._held:
                raise Lost
            one.begun = True
            self._late[one] = None
            if not self._early:
                return
            early = one if one.again else next(iter(self._late))
            if not one.again and len(self._late) <= self._prefetch // 2:
                return
            del self._late[early]
        early.link.acknowledge(early.tag)
