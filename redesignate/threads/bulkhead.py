# SPDX-License-Identifier: Apache-2.0
"""Bulkheads: work that hangs takes at most a share of a process's threads, and the others continue.

Work for a key holds a place in the key's lane. A caller that finds no place waits, as long as others leave the lane;
once none has for `patience_s`, the lane hangs: its waiters are refused, and later callers at once. So a busy lane
queues as usual, and a hanging one costs only its places.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from redesignate.model.errors import Unavailable
from redesignate.threads.deadline import Deadline, Monotonic, uptime

PATIENCE_S = 0.5


@dataclass(slots=True, eq=False)
class _Waiter:
    """A caller without a place. `call` is held until it is admitted."""

    call: threading.Lock = field(default_factory=threading.Lock)
    admitted: bool = False


@dataclass(slots=True, eq=False)
class _Lane:
    """The places of one key. `moved` is when a caller last left the lane, or when the first one entered."""

    moved: float
    held: int = 0
    waiting: deque[_Waiter] = field(default_factory=deque)


class Bulkhead:
    """Lanes with `places` each. Safe from any thread; a key that is not in use takes no memory.

    what   for the refusal: "Too many requests wait for {what}; retry."
    """

    def __init__(
        self, places: int, what: str, *, patience_s: float = PATIENCE_S, clock: Callable[[], float] = uptime
    ) -> None:
        self._places = places
        self._what = what
        self._patience_s = patience_s
        self._clock: Monotonic = clock
        self._lock = threading.Lock()
        self._lanes: dict[Hashable, _Lane] = {}

    def enter(self, key: Hashable, deadline: Callable[[], Deadline | None]) -> None:
        """Take a place in this key's lane, which `leave` releases. Raises Unavailable if the lane hangs, or at the
        deadline, which is asked for only if there is no free place."""
        waiter = None
        with self._lock:
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = _Lane(self._clock())
            if lane.held < self._places:
                lane.held += 1
            elif self._clock() - lane.moved >= self._patience_s:
                raise self._full()
            else:
                waiter = _Waiter()
                waiter.call.acquire()
                lane.waiting.append(waiter)
        if waiter is not None:
            self._wait(lane, waiter, deadline())

    def leave(self, key: Hashable, *, moved: bool = True) -> None:
        """Release a place. `moved` False: the work ended without an answer, which is no sign that the lane moves."""
        with self._lock:
            lane = self._lanes[key]
            if moved:
                lane.moved = self._clock()
            if lane.waiting:
                waiter = lane.waiting.popleft()
                waiter.admitted = True
                waiter.call.release()
                return
            lane.held -= 1
            if not lane.held:
                del self._lanes[key]

    def waiting(self, key: Hashable) -> int:
        """Return how many callers wait for a place."""
        with self._lock:
            lane = self._lanes.get(key)
            return 0 if lane is None else len(lane.waiting)

    def lanes(self) -> int:
        """Return how many keys are in use."""
        return len(self._lanes)

    def _wait(self, lane: _Lane, waiter: _Waiter, deadline: Deadline | None) -> None:
        pause = self._patience_s
        while True:
            pause = pause if deadline is None else min(pause, deadline.left())
            if waiter.call.acquire(timeout=pause):
                return
            with self._lock:
                if waiter.admitted:
                    return
                pause = lane.moved + self._patience_s - self._clock()
                if pause <= 0 or (deadline is not None and deadline.over()):
                    lane.waiting.remove(waiter)
                    raise self._full()

    def _full(self) -> Unavailable:
        return Unavailable(f"Too many requests wait for {self._what}; retry.")
