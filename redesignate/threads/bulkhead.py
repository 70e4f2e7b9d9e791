# SPDX-License-Identifier: Apache-2.0
"""Bulkheads: work that hangs takes at most a share of a process's threads, and the others continue.

Work for a key holds a place in the key's lane. A caller that finds no place waits, as long as others leave the lane;
once none has for `patience_s`, the lane hangs: its waiters are refused, and later callers at once. So a busy lane
queues as usual, and a hanging one costs only its places.

`Turns` divides the work that is not refused: threads that do it one at a time, as far as they do not wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from redesignate.model.errors import Unavailable
from redesignate.threads.deadline import Deadline, Monotonic, uptime

T = TypeVar("T")
PATIENCE_S = 0.5
TURN_S = 0.005
"""How long a turn lasts at most while others wait for theirs. A thread that takes longer is likely to wait for a disk,
a database or the identity service. As long as Python itself lets a thread run (`sys.getswitchinterval`)."""


@dataclass(slots=True, eq=False)
class _Waiter:
    """A caller without a place. `call` is held until it is admitted. `thread`: its thread, for `Turns`."""

    call: threading.Lock = field(default_factory=threading.Lock)
    admitted: bool = False
    thread: int = 0


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
            with aside():
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


class Turns(Generic[T]):
    """A queue of work whose threads run one at a time, in the order of arrival.

    Python runs one thread at a time anyway; threads that run together wake each other whenever one of them lets go of
    its lock, at each statement of SQLite. A thread gives its turn up where it knows that it waits (`aside`), and loses
    it after `turn_s` where it does not know: a thread that hangs delays the others once. Safe from any thread.
    """

    def __init__(self, *, turn_s: float = TURN_S, clock: Callable[[], float] = uptime) -> None:
        self._turn_s = turn_s
        self._clock: Monotonic = clock
        self._changed = threading.Condition()
        self._ready: deque[T | _Waiter] = deque()
        self._holder: int | None = None
        self._began = 0.0
        self._idle = 0
        self._watched = self._closed = False
        self.in_hand = 0
        """Work that was added and is not finished."""

    def add(self, work: T) -> None:
        """Queue work for a thread that calls `next`."""
        with self._changed:
            self._ready.append(work)
            self.in_hand += 1
            if self._holder is None or not self._watched:
                self._changed.notify()

    def next(self, *, finished: bool) -> T | None:
        """End this thread's turn; return the next work in a turn of its own, or None once `close` was called.

        finished   whether this thread has done what the call before returned
        """
        me = threading.get_ident()
        with self._changed:
            self.in_hand -= finished
            if self._holder == me:
                self._holder = None
            self._idle += 1
            while not self._closed:
                if self._ready and (self._holder is None or self._clock() - self._began >= self._turn_s):
                    first = self._ready.popleft()
                    self._holder, self._began = me, self._clock()
                    if not isinstance(first, _Waiter):
                        self._idle -= 1
                        if self._ready and not self._watched:
                            self._changed.notify()
                        return first
                    self._admit(first)
                # one of the idle threads looks whether the turn that others wait for lasts too long
                watches = bool(self._ready) and self._holder is not None and not self._watched
                self._watched = self._watched or watches
                self._changed.wait(self._turn_s if watches else None)
                self._watched = self._watched and not watches
        return None

    def give(self) -> None:
        """End this thread's turn, if it still has it."""
        with self._changed:
            if self._holder == threading.get_ident():
                self._holder = None
                self._pass_on()

    def take(self) -> None:
        """Wait for a new turn, behind all that is ready now."""
        waiter = _Waiter(thread=threading.get_ident())
        waiter.call.acquire()
        with self._changed:
            self._ready.append(waiter)
            if self._holder is None:
                self._pass_on()
        while not waiter.call.acquire(timeout=self._turn_s):
            with self._changed:
                if not waiter.admitted and (self._holder is None or self._clock() - self._began >= self._turn_s):
                    self._ready.remove(waiter)
                    self._admit(waiter)

    def close(self) -> list[T]:
        """Let `next` return None; return the work that nobody began."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            return [one for one in self._ready if not isinstance(one, _Waiter)]

    def _admit(self, waiter: _Waiter) -> None:
        self._holder, self._began = waiter.thread, self._clock()
        waiter.admitted = True
        waiter.call.release()

    def _pass_on(self) -> None:
        """Nobody has the turn: the first that is ready gets it, work only if a thread is idle."""
        for one in self._ready:
            if isinstance(one, _Waiter):
                self._ready.remove(one)
                self._admit(one)
                return
            if self._idle:
                self._changed.notify()
                return


class _Mine(threading.local):
    """The turns that this thread takes; None where it runs whenever it can."""

    turns: Turns[Any] | None = None


MINE = _Mine()


@contextmanager
def aside() -> Iterator[None]:
    """Let the other threads run during the block, in which this one only waits; then wait for a new turn."""
    turns = MINE.turns
    if turns is None:
        yield
        return
    turns.give()
    try:
        yield
    finally:
        turns.take()
