# SPDX-License-Identifier: Apache-2.0
"""Answers that wait for nameservers (`waiting.py`), and the one thread of a process that asks how far these are.

It asks for all zones at once, after pauses that grow with the time for which a request has waited; where nobody waits,
it asks nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from wsgiref.types import StartResponse, WSGIEnvironment

from redesignate.api.waiting import End, Subject, Wait, reached
from redesignate.bus.port import Central
from redesignate.commands.reach import AskReach, ZoneReach
from redesignate.model.errors import Problem
from redesignate.model.zonetask import TaskStatus
from redesignate.observe.log import Seldom, events
from redesignate.threads.deadline import Deadline, asking, uptime
from redesignate.threads.service import Daemon

log = events(__name__)
_failed = Seldom()

MOST = 2000
"""Requests of a process that may wait at a time, half of them of one project."""
FIRST_S, LONGEST_S = 0.02, 1.0
"""The shortest and the longest pause before it is asked again for a request; between them, a quarter of the time for
which it has waited."""
APART_S = 0.01
"""Seconds between two questions at least."""
ASK_S = 5.0
"""How long a question may take."""
BURST = 25
"""Answers that are given at once at most, so that other requests come between."""
TOGETHER = 500
"""Zones that one question names at most."""


class Finish(Protocol):
    """Gives the answer once its wait has ended, as a WSGI application does."""

    def __call__(self, environ: WSGIEnvironment, start: StartResponse, end: End, /) -> Iterable[bytes]: ...


@dataclass(slots=True, eq=False)
class Parked:
    """An answer that waits. Our own server (`run/threaded.py`) keeps the connection meanwhile, without a thread; once
    `settled`, this is the WSGI application that answers.

    forgotten   called where the answer is not asked for any more
    """

    waits: Waits
    wait: Wait
    subject: Subject
    project_id: str | None
    finish: Finish
    forgotten: Callable[[], object]
    began: float = field(default_factory=uptime)
    due: float = 0.0
    end: End | None = None
    reach: ZoneReach | None = None
    _ready: Callable[[], object] = bool

    def __iter__(self) -> Iterator[bytes]:
        """No server takes it for an answer that did not say that it can wait (`door.PARKS`)."""
        raise TypeError("this answer waits")

    @property
    def settled(self) -> bool:
        """Whether the wait has ended."""
        return self.end is not None

    def park(self, ready: Callable[[], object]) -> None:
        """Begin to wait; `ready` is called once when the wait has ended, on whatever thread."""
        self._ready = ready
        self.waits.add(self)

    def over(self) -> bool:
        """Whether its time is over."""
        return self.wait.deadline.over()

    def give_up(self) -> None:
        """Wait no longer."""
        self.waits.settle(self, "timeout")

    def abandon(self) -> None:
        """Forget it: the client has gone."""
        self.waits.remove(self)
        self.forgotten()

    def ended(self, word: str) -> None:
        """Note how the wait has ended, and tell who parked it."""
        self.end = End(word, self.reach)
        self._ready()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Give the answer."""
        assert self.end is not None
        return self.finish(environ, start, self.end)


class Waits:
    """The answers of this process that wait. Safe from any thread.

    most   at a time, half of them of one project
    """

    def __init__(self, central: Central, *, most: int = MOST) -> None:
        self._central, self._most = central, most
        self._lock = threading.Lock()
        self._waiting: set[Parked] = set()
        self._of: Counter[str | None] = Counter()
        self._asked = 0.0
        self._daemon: Daemon | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def room(self, project_id: str | None) -> bool:
        """Whether one more request of this project may wait."""
        return len(self._waiting) < self._most and self._of[project_id] < self._most // 2

    def add(self, parked: Parked) -> None:
        """Let an answer wait."""
        now = uptime()
        # what was just written is not there yet; what somebody asks for may be
        parked.due = now if parked.subject.finish is None else now + FIRST_S
        with self._lock:
            self._waiting.add(parked)
            self._of[parked.project_id] += 1
            if self._daemon is None and not self._closed:
                self._daemon = Daemon("waits", self._turn)
                self._daemon.start()
        if self._daemon is not None:
            self._daemon.nudge()
        if self._closed:
            self.settle(parked, "timeout")

    def remove(self, parked: Parked) -> bool:
        """Let an answer wait no longer; whether it did."""
        with self._lock:
            if parked not in self._waiting:
                return False
            self._waiting.discard(parked)
            self._of[parked.project_id] -= 1
            if not self._of[parked.project_id]:
                del self._of[parked.project_id]
            return True

    def settle(self, parked: Parked, word: str) -> None:
        """End the wait of an answer, unless it has ended."""
        if self.remove(parked):
            parked.ended(word)

    def stop(self) -> None:
        """Ask no more; what waits, and what comes, has waited long enough."""
        self._closed = True
        if self._daemon is not None:
            self._daemon.stop(ASK_S)
        for parked in list(self._waiting):
            self.settle(parked, "timeout")

    # -- on the daemon's thread

    def _turn(self) -> float | None:
        """Ask for those that are due, and end the waits whose time is over. Return the seconds until the next turn."""
        with self._lock:
            waiting = list(self._waiting)
        for one in waiting:
            if one.over():
                self.settle(one, "timeout")
        left = [one for one in waiting if not one.settled]
        if not left:
            return None
        now = uptime()
        due = [one for one in left if one.due <= now]
        if not due or now - self._asked < APART_S:
            at = min(min(one.due, one.wait.deadline.at) for one in left)
            return max(APART_S, at - now) if not due else APART_S
        self._ask(due[:TOGETHER], left)
        self._asked = uptime()
        return APART_S

    def _ask(self, due: Collection[Parked], waiting: Collection[Parked]) -> None:
        zone_ids = {one.subject.zone_id for one in due if one.subject.import_id is None}
        import_ids = {one.subject.import_id for one in due if one.subject.import_id is not None}
        asked = uptime()
        for one in due:
            one.due = asked + min(LONGEST_S, max(FIRST_S, (asked - one.began) / 4))
            if one.due >= asked + LONGEST_S:  # those that have waited long are asked for together
                one.due -= one.due % (LONGEST_S / 4)
        try:
            with asking(Deadline.after(ASK_S)):
                found = self._central.call(AskReach(zone_ids=tuple(zone_ids), import_ids=tuple(import_ids)))
        except Problem as problem:
            if (more := _failed.turn()) is not None:
                log.warning("nobody knows how far nameservers are", why=problem.message, **more)
            for one in due:
                one.due = uptime() + LONGEST_S
            return
        imports = {one.import_id: (one.status, one.zone_id) for one in found.imports}
        zones = {one.zone_id: one for one in found.zones}
        given = 0
        for one in waiting:
            if one.subject.import_id in import_ids:
                self._follow(one, imports.get(one.subject.import_id or ""))
            elif one.subject.import_id is None and one.subject.zone_id in zone_ids:
                given += self._judge(one, zones, soon=given == BURST)

    def _judge(self, one: Parked, zones: Mapping[str, ZoneReach], *, soon: bool) -> bool:
        """End a wait by what is known of its zone, or in the next turn (`soon`); whether it has ended."""
        one.reach = zones.get(one.subject.zone_id)
        word = reached(one.wait.until, one.subject, one.reach)
        if word is not None and soon:
            one.due = 0.0
        elif word is not None:
            self.settle(one, word)
        return one.settled

    def _follow(self, one: Parked, found: tuple[TaskStatus, str | None] | None) -> None:
        """Wait for the zone that an import has become."""
        status, zone_id = found or (TaskStatus.ERROR, None)
        if found is None:
            self.settle(one, "gone")
        elif status is TaskStatus.ERROR:
            self.settle(one, "error")
        elif status is TaskStatus.COMPLETE and zone_id is not None:
            one.subject = Subject(zone_id, 1, finish=one.subject.finish)
            one.due = 0.0
