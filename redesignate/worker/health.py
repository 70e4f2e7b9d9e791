# SPDX-License-Identifier: Apache-2.0
"""Which peers answer at present, over all zones: the bulkhead that makes a dead server its own problem.

A peer that has let us wait long enough is down: its zones are told so at once and cost nothing, while one probe at a
time asks whether it is back. Nothing here knows a socket or central. One event loop's; times are the loop's seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

DOWN_AFTER_S = 2.0
DOWN_AFTER_TRIES = 3
BROKEN_OFF_S = 0.25
"""From when on tries that are broken off one after another, each before its time, count as silence."""
SLOW_S = 1.0
RETURN_PAUSE_S = 5.0

PeerKey = tuple[str, str]
"""Pool id and peer id."""


@dataclass(slots=True)
class Health:
    """One peer, over all zones.

    unanswered   when the oldest try was sent since which nothing has come back; None: the last try was answered
    broken_off   when the oldest try was sent that was broken off, since which nothing has come back
    heard        when the last answer came
    slow         its last answer took long: silence of a few seconds need not be the end
    returned     when central was last told that it is back
    """

    key: PeerKey
    unanswered: float | None = None
    tries: int = 0
    broken_off: float | None = None
    heard: float = -1.0
    down: bool = False
    slow: bool = False
    why: str | None = None
    returned: float | None = None

    def answered(self, sent: float, now: float) -> bool:
        """It said something, whatever it was, to a try sent at `sent`. Whether it had been down."""
        self.heard, self.slow = now, now - sent > SLOW_S
        was_down, self.down = self.down, False
        self.unanswered, self.broken_off, self.tries, self.why = None, None, 0, None
        return was_down

    def silent(self, sent: float, now: float, why: str) -> bool:
        """A try sent at `sent` has had no answer until `now`. Whether it is down from now on, and was not before."""
        if sent <= self.heard:
            return False  # it has answered others since
        if self.unanswered is None or sent < self.unanswered:
            self.unanswered = sent
        self.tries += 1
        self.why = why
        goes_down = not self.down and self.tries >= DOWN_AFTER_TRIES and now - self.unanswered >= DOWN_AFTER_S
        self.down = self.down or goes_down
        return goes_down

    def break_off(self, sent: float, now: float, why: str) -> bool:
        """A try sent at `sent` is waited for no longer, for its zone has changed. Whether the peer is down from now on.

        A server that is down must be seen to be so also where its zones change faster than it is waited for.
        """
        if sent <= self.heard:
            return False
        self.broken_off = sent if self.broken_off is None else min(sent, self.broken_off)
        return now - self.broken_off >= BROKEN_OFF_S and self.silent(self.broken_off, now, why)

    @property
    def hopeless(self) -> bool:
        """Whether zones that are waiting for an answer had better stop waiting."""
        return self.down and not self.slow

    @property
    def well(self) -> bool:
        """Whether the last that we heard of it was an answer."""
        return not self.down and self.unanswered is None

    def tell_return(self, now: float, *, from_down: bool) -> bool:
        """Whether central is to be told that the peer answers again: at once after it was down, else now and then."""
        recent = self.returned is not None and now - self.returned < RETURN_PAUSE_S
        if recent and not from_down:
            return False
        self.returned = now
        return True


@dataclass(slots=True)
class HealthBook:
    """Every peer's health. `on_down` and `on_return` are called on the loop: start probing; tell central."""

    on_down: Callable[[Health], None]
    on_return: Callable[[Health], None]
    _peers: dict[PeerKey, Health] = field(default_factory=dict)

    def of(self, pool_id: str, peer_id: str) -> Health:
        """One peer's health; a peer not heard of is well."""
        key = (pool_id, peer_id)
        found = self._peers.get(key)
        if found is None:
            found = self._peers[key] = Health(key)
        return found

    def keep_only(self, pool_id: str, peer_ids: set[str]) -> None:
        """Forget the peers that left a pool."""
        for key in [key for key in self._peers if key[0] == pool_id and key[1] not in peer_ids]:
            del self._peers[key]

    def known(self, health: Health) -> bool:
        """Whether the peer is still in its pool."""
        return self._peers.get(health.key) is health

    def silent(self, health: Health, sent: float, now: float, why: str) -> None:
        """As `Health.silent`, and starts the probe."""
        if health.silent(sent, now, why):
            self.on_down(health)

    def break_off(self, health: Health, sent: float, now: float, why: str) -> None:
        """As `Health.break_off`, and starts the probe."""
        if health.break_off(sent, now, why):
            self.on_down(health)

    def answered(self, health: Health, sent: float, now: float) -> None:
        """As `Health.answered`, and tells central where zones wait."""
        from_down = health.answered(sent, now)
        if from_down and health.tell_return(now, from_down=True):
            self.on_return(health)

    def mended(self, health: Health, now: float) -> None:
        """A zone that had failed at the peer is right there now: others that failed may be tried again."""
        if health.tell_return(now, from_down=False):
            self.on_return(health)
