# SPDX-License-Identifier: Apache-2.0
"""NOTIFY from primaries (RFC 1996): whether the zone is a SECONDARY zone of ours and the sender one of its primaries.
The zone is then passed on to central, because nothing is written here.

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
from redesignate.model import names
from redesignate.model.errors import Problem
from redesignate.model.inbound import same_host
from redesignate.observe.log import events
from redesignate.wire.message import SOA, Question, Rcode

PAUSE_S = 1.0
BOUND = 10_000
BATCH = 200
log = events(__name__)

Pass = Callable[[str, str], None]
"""Told of a zone id and the address of the primary that sent a NOTIFY for it; never waits."""


def judge(view: View, question: Question, peer: str, passed: Pass) -> Rcode:
    """The answer's rcode: NOTAUTH for a zone that is not our SECONDARY zone, REFUSED where the sender is not a primary.

    Each zone of which the sender is a primary is passed on. A primary given as a host name is not recognised.
    Cost  one query
    """
    if question.type != SOA:
        return Rcode.FORMERR
    zones = view.secondaries(names.from_wire(question.name)[0])
    if not zones:
        return Rcode.NOTAUTH
    known = [ident for ident, primaries in zones if any(same_host(peer, primary) for primary in primaries)]
    for ident in known:
        passed(ident, peer)
    return Rcode.NOERROR if known else Rcode.REFUSED


def unheard(_zone_id: str, _address: str) -> None:
    """Where central cannot be reached: the zone's refresh timer finds the change."""


class Herald:
    """Passes NOTIFYs on to central, by a thread of its own. Safe from any thread; `tell` never waits.

    Each zone is passed on at most once in PAUSE_S; NOTIFYs that come meanwhile are joined. Beyond BOUND zones they
    are dropped: their refresh timers find what they missed.
    """

    def __init__(self, central: Central, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._central = central
        self._clock = clock
        self._waiting: dict[str, str] = {}
        self._told: dict[str, float] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="notify-pass", daemon=True)

    def start(self) -> None:
        """Begin to pass on."""
        self._thread.start()

    def stop(self) -> None:
        """Pass on nothing more; returns when central has answered what it was asked."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def tell(self, zone_id: str, address: str) -> None:
        """A primary at `address` has sent NOTIFY for a zone."""
        with self._changed:
            if zone_id not in self._waiting and len(self._waiting) < BOUND:
                self._waiting[zone_id] = address
                self._changed.notify()

    def due(self) -> tuple[tuple[str, str], ...]:
        """The zones to pass on now; they count as passed on. At most BATCH."""
        now = self._clock()
        with self._changed:
            self._told = {zone: at for zone, at in self._told.items() if at > now - PAUSE_S}
            ready = [zone for zone in self._waiting if zone not in self._told][:BATCH]
            self._told |= dict.fromkeys(ready, now)
            return tuple((zone, self._waiting.pop(zone)) for zone in ready)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._stopping and not self._waiting:
                    self._changed.wait()
                if self._stopping:
                    return
            found = self.due()
            if found:
                self._pass(found)
            else:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, PAUSE_S / 10)

    def _pass(self, found: tuple[tuple[str, str], ...]) -> None:
        try:
            self._central.call(NotifiedInbound(zones=found))
        except Problem as problem:
            log.warning("notifies not passed on; the zones' timers find the changes", zones=len(found),
                        why=problem.message)  # fmt: skip
        except Exception:  # the loop of a service
            log.exception("notifies could not be passed on", zones=len(found))
