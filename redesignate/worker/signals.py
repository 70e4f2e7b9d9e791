# SPDX-License-Identifier: Apache-2.0
"""What the tasks of one attempt let each other know: which targets were notified, which nameservers serve the zone.

A signal is a bare future that is set once, because several of them can be waited for without a task for each. Wait
with `asyncio.wait`, never with `await`: a cancelled waiter would cancel the signal for all others.
"""

from __future__ import annotations

import asyncio

from redesignate.model.pool import Endpoint

Signal = asyncio.Future[None]


class Signals:
    """The signals of one attempt.

    all_served   every nameserver of the pool serves the zone as wanted
    polls_over   no nameserver is being polled any more
    failed       targets that could not be notified in this attempt
    not_ours     targets that have a zone of this name which is not ours, and why: the serial served there says nothing
    """

    def __init__(
        self, *, everyone: set[Endpoint], polled: set[Endpoint], current: set[Endpoint], targets: set[Endpoint]
    ) -> None:
        """Which nameservers there are, which are polled in this attempt, which were right before, and which targets
        are going to be notified.

        A nameserver that is neither polled nor current is left alone (its back-off): it counts as not serving.
        No targets: polling may begin at once.
        """
        signal = asyncio.get_running_loop().create_future
        self.all_served: Signal = signal()
        self.polls_over: Signal = signal()
        self.failed: set[Endpoint] = set()
        self.not_ours: dict[Endpoint, str] = {}
        self._polling = set(polled)
        self._incomplete = bool(everyone - polled - current)
        self._served: dict[Endpoint, Signal] = {at: signal() for at in everyone}
        for at in current - polled:
            self._served[at].set_result(None)
        if not polled:
            self.polls_over.set_result(None)
        self._notified: dict[Endpoint, Signal] = {at: signal() for at in targets}
        self._any_notified: Signal = signal()
        if not targets:
            self._any_notified.set_result(None)

    def notified(self, nameserver: Endpoint) -> Signal:
        """Set once the target at the nameserver's address was notified; where there is none, once any target was."""
        return self._notified.get(nameserver, self._any_notified)

    def served(self, target: Endpoint) -> Signal:
        """Set once the nameserver at the target's address serves the zone; where there is none, once all do."""
        return self._served.get(target, self.all_served)

    def mark_notified(self, at: Endpoint | None, *, ok: bool = True) -> None:
        """A target was notified; or, not `ok`, will not be in this attempt."""
        if not ok and at is not None:
            self.failed.add(at)
        for signal in (self._notified.get(at) if at else None, self._any_notified):
            if signal is not None and not signal.done():
                signal.set_result(None)

    def mark_polled(self, at: Endpoint, *, ok: bool) -> None:
        """The outcome of a nameserver is known."""
        self._polling.discard(at)
        if not ok:
            self._incomplete = True
        elif not self._served[at].done():
            self._served[at].set_result(None)
        if not self._polling and not self.polls_over.done():
            self.polls_over.set_result(None)
            if not self._incomplete:
                self.all_served.set_result(None)
