# SPDX-License-Identifier: Apache-2.0
"""NOTIFY from primaries (RFC 1996): whether the zone is a SECONDARY zone of ours and the sender one of its primaries.
The zone is then forwarded to central, because nothing is written here.

Anybody can send NOTIFY, and a sender's address can be forged. So central hears of a zone once in PAUSE_S at most,
however many come, and what follows is a question for the zone's serial to the primary that the NOTIFY claims to be of.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from redesignate.bus.port import Central
from redesignate.commands.inbound import NotifiedInbound
from redesignate.mdns.source import View
from redesignate.model.errors import Problem
from redesignate.model.inbound import same_host
from redesignate.observe.log import events
from redesignate.threads.service import Daemon
from redesignate.wire.message import SOA, Question, Rcode

PAUSE_S = 1.0
BOUND = 10_000
BATCH = 200
log = events(__name__)

Forward = Callable[[str, str], None]
"""Called with a zone id and the address of the primary that sent a NOTIFY for it; never waits."""


def judge(view: View, question: Question, peer: str, forward: Forward) -> Rcode:
    """The answer's rcode: NOTAUTH for a zone that is not our SECONDARY zone, REFUSED where the sender is not a primary.

    Each zone of which the sender is a primary is forwarded. A primary given as a host name is not recognised.
    Cost  one query
    """
    if question.type != SOA:
        return Rcode.FORMERR
    zones = view.secondaries(question.text)
    if not zones:
        return Rcode.NOTAUTH
    known = [ident for ident, primaries in zones if any(same_host(peer, primary) for primary in primaries)]
    for ident in known:
        forward(ident, peer)
    return Rcode.NOERROR if known else Rcode.REFUSED


def drop(_zone_id: str, _address: str) -> None:
    """Forward nothing: the zone's refresh timer finds the change."""


class Forwarder:
    """Forwards NOTIFYs to central, on a thread of its own. Safe from any thread; `add` never waits.

    Each zone is forwarded at most once in PAUSE_S; NOTIFYs that come meanwhile are joined. Beyond BOUND zones they
    are dropped: the zones' refresh timers find the changes.
    """

    def __init__(self, central: Central, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._central = central
        self._clock = clock
        self._waiting: dict[str, str] = {}
        self._forwarded: dict[str, float] = {}
        self._lock = threading.Lock()
        self._daemon = Daemon("notify-forward", self._turn)

    def start(self) -> None:
        """Begin to forward."""
        self._daemon.start()

    def stop(self) -> None:
        """Forward nothing more; returns when central has answered the question under way."""
        self._daemon.stop()

    def add(self, zone_id: str, address: str) -> None:
        """A primary at `address` has sent NOTIFY for a zone."""
        with self._lock:
            if zone_id in self._waiting or len(self._waiting) >= BOUND:
                return
            self._waiting[zone_id] = address
        self._daemon.nudge()

    def due(self) -> tuple[tuple[str, str], ...]:
        """The zones to forward now; they count as forwarded. At most BATCH."""
        now = self._clock()
        with self._lock:
            self._forwarded = {zone: at for zone, at in self._forwarded.items() if at > now - PAUSE_S}
            ready = [zone for zone in self._waiting if zone not in self._forwarded][:BATCH]
            self._forwarded |= dict.fromkeys(ready, now)
            return tuple((zone, self._waiting.pop(zone)) for zone in ready)

    def _turn(self) -> float | None:
        if found := self.due():
            try:
                self._central.call(NotifiedInbound(zones=found))
            except Problem as problem:
                log.warning("NOTIFYs not forwarded; the zones' refresh timers will find the changes", zones=len(found),
                            why=problem.message)  # fmt: skip
        elif self._waiting:
            self._daemon.rest(PAUSE_S / 10)  # inside the turn, so that a flood does not shorten it
        return 0 if self._waiting else None
