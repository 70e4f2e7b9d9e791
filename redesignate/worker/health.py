# SPDX-License-Identifier: Apache-2.0
"""Which peers answer at present, over all zones: the bulkhead that makes a dead server its own problem.

A peer that stays silent for long enough is down: attempts fail there at once and cost nothing, while a single probe
asks whether it is back. Nothing here knows a socket or central. For one event loop; times are the loop's seconds.

    up ──(DOWN_AFTER_TRIES unanswered tries over DOWN_AFTER_S)──▶ down ──(any answer)──▶ up, and `on_return`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

DOWN_AFTER_S = 2.0
DOWN_AFTER_TRIES = 3
CANCELLED_S = 0.25
"""From when on tries that are cancelled one after another, each before its timeout, count as silence."""
SLOW_S = 1.0
RETURN_PAUSE_S = 5.0
NOTIFY_HEALTH = "notify:"
"""Before a target's id: the health of the address that its NOTIFYs go to."""

PeerKey = tuple[str, str]
"""Pool id and peer id."""


def _nothing(_: PeerHealth) -> None:
    pass


@dataclass(slots=True)
class PeerHealth:
    """One peer, over all zones.

    on_down      called when it goes down; `on_up`: when it is back from there
    on_return    called then too, and when a zone that had failed there is right: waiting zones are due
    unanswered   when the oldest try was sent since which nothing has come back; None: none
    cancelled    when the oldest cancelled try was sent since which nothing has come back
    last_answer  when it came
    slow         its last answer took long: silence of a few seconds need not be the end
    returned     when its return was last reported to central
    usual        seconds after a NOTIFY at which a nameserver is usually found to serve a change, by whether it had the
                 zone before
    """

    key: PeerKey
    on_down: Callable[[PeerHealth], None] = _nothing
    on_return: Callable[[PeerHealth], None] = _nothing
    on_up: Callable[[PeerHealth], None] = _nothing
    unanswered: float | None = None
    tries: int = 0
    cancelled: float | None = None
    last_answer: float = -1.0
    down: bool = False
    slow: bool = False
    why: str | None = None
    returned: float | None = None
    usual: dict[bool, float] = field(default_factory=dict)

    def answered(self, sent: float, now: float) -> None:
        """A try sent at `sent` was answered, whatever the answer said."""
        self.last_answer, self.slow = now, now - sent > SLOW_S
        was_down, self.down = self.down, False
        self.unanswered, self.cancelled, self.tries, self.why = None, None, 0, None
        if was_down:
            self.returned = now
            self.on_up(self)
            self.on_return(self)

    def silent(self, sent: float, now: float, why: str) -> None:
        """A try sent at `sent` has had no answer until `now`."""
        if sent <= self.last_answer:
            return  # it has answered others since
        if self.unanswered is None or sent < self.unanswered:
            self.unanswered = sent
        self.tries += 1
        self.why = why
        if not self.down and self.tries >= DOWN_AFTER_TRIES and now - self.unanswered >= DOWN_AFTER_S:
            self.down = True
            self.on_down(self)

    def cancel(self, sent: float, now: float, why: str) -> None:
        """A try sent at `sent` is waited for no longer, because its zone has changed.

        So that a server that is down is noticed also where its zones change faster than it is waited for.
        """
        if sent <= self.last_answer:
            return
        self.cancelled = sent if self.cancelled is None else min(sent, self.cancelled)
        if now - self.cancelled >= CANCELLED_S:
            self.silent(self.cancelled, now, why)

    def repaired(self, now: float) -> None:
        """A zone that had failed at the peer is right there now: others that failed may be tried again."""
        if self.returned is None or now - self.returned >= RETURN_PAUSE_S:
            self.returned = now
            self.on_return(self)

    @property
    def hopeless(self) -> bool:
        """Whether attempts that wait for an answer should stop waiting."""
        return self.down and not self.slow


@dataclass(slots=True)
class HealthTable:
    """Every peer's health. `on_down`, `on_return` and `on_up` are called on the loop."""

    on_down: Callable[[PeerHealth], None]
    on_return: Callable[[PeerHealth], None]
    on_up: Callable[[PeerHealth], None] = _nothing
    _peers: dict[PeerKey, PeerHealth] = field(default_factory=dict)

    def of(self, pool_id: str, peer_id: str) -> PeerHealth:
        """One peer's health; a peer that was never tried counts as answering."""
        key = (pool_id, peer_id)
        found = self._peers.get(key)
        if found is None:
            found = self._peers[key] = PeerHealth(key, self.on_down, self.on_return, self.on_up)
        return found

    def keep_only(self, pool_id: str, peer_ids: set[str]) -> None:
        """Forget the peers that left a pool."""
        for key in [key for key in self._peers if key[0] == pool_id and key[1] not in peer_ids]:
            del self._peers[key]

    def known(self, health: PeerHealth) -> bool:
        """Whether the peer is still in its pool."""
        return self._peers.get(health.key) is health
