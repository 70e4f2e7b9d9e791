# SPDX-License-Identifier: Apache-2.0
"""Bulkheads: work that hangs takes at most a share of a process's threads, and the others continue.

Work for a key holds a place in the key's lane. A caller that finds no place waits, as long as others leave the lane;
once none has for `patience_s`, the lane hangs: its waiters are refused, and later callers at once. So a busy lane
queues as usual, and a hanging one costs only its places.

`Turns` divides the work that is not refused, among threads that run one at a time, as far as they do not wait, and
fetch their work themselves. Python runs one thread at a time anyway; threads that run together wake each other whenever
one of them lets go of its lock, at each statement of SQLite. So one thread has the turn. It goes on with the next work
when its own is done, and where there is none it waits for some to arrive: no thread hands work to another, unless that
other waits for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from redesignate.model.errors import Unavailable
from redesignate.threads.deadline import Deadline, Monotonic, uptime

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
PATIENCE_S = 0.5
TURN_S = 0.005
"""How long a turn lasts at most while others wait for theirs. A thread that takes longer is likely to wait for a disk,
a database or the identity service."""
QUIET_S = 0.25
"""How long after the last turn a thread still watches: to wake it for each turn would cost more."""


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
        waiter, began = None, self._clock()
        with self._lock:
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = _Lane(began)
            if lane.held < self._places:
                lane.held += 1
            elif began - lane.moved >= self._patience_s:
                raise self._full()
            else:
                waiter = _Waiter()
                waiter.call.acquire()
                lane.waiting.append(waiter)
        if waiter is not None:
            with aside(behind=True):
                self._wait(lane, waiter, deadline(), began)

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

    def _wait(self, lane: _Lane, waiter: _Waiter, deadline: Deadline | None, began: float) -> None:
        pause = max(0.0, began + self._patience_s - self._clock())  # others that share the thread may have gone first
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


class Arrivals(Protocol[T_co]):
    """Where work comes from."""

    def wait(self) -> Sequence[T_co]:
        """Wait for work, on one thread at a time; may return none. Never raises."""

    def wake(self) -> None:
        """Make `wait` return, or the next one. Safe from any thread."""


class Turns(Generic[T]):
    """A queue of work whose threads run one at a time, in the order of arrival.

    A thread gives its turn up where it knows that it waits (`aside`), and loses it after `turn_s` where it does not
    know: a thread that hangs delays the others once. Safe from any thread.
    """

    def __init__(self, arrivals: Arrivals[T], *, turn_s: float = TURN_S, clock: Callable[[], float] = uptime) -> None:
        self._arrivals = arrivals
        self._turn_s = turn_s
        self._clock: Monotonic = clock
        self._changed = threading.Condition(threading.Lock())
        self.ready: deque[T | _Waiter] = deque()
        """Work, and threads, that wait for a turn: for others only whether there is any."""
        self._deferred: deque[T] = deque()
        self._holder: int | None = None
        self._began = float("-inf")
        self._idle = 0
        self._polls = self._watched = self._closed = False
        self.in_hand = 0
        """Work that has arrived or was added, and is not finished."""

    def add(self, work: T, *, first: bool = False) -> None:
        """Queue work for a thread that calls `next`; `first`: before all that is ready."""
        with self._changed:
            if first:
                self.ready.appendleft(work)
            else:
                self.ready.append(work)
            self.in_hand += 1
            if self._holder is None:
                self._call()

    def defer(self, work: T) -> None:
        """Queue work, at the head, until two threads are idle."""
        with self._changed:
            self._deferred.append(work)
            self.in_hand += 1

    def next(self, *, finished: bool) -> T | None:
        """End this thread's turn; return the next work in a turn of its own, or None once `close` was called and all is
        done. `MINE.last` says whether no other thread is idle: where this one hung too, nothing would be fetched.

        finished   whether this thread has done what the call before returned
        """
        me = threading.get_ident()
        with self._changed:
            self.in_hand -= finished
            if self._holder == me:
                self._holder = None
            self._idle += 1
            if self._deferred and self._idle > 1:
                self.ready.appendleft(self._deferred.popleft())
            while self.ready or not self._closed:
                rested = self._clock() - self._began
                if self.ready and (self._holder is None or rested >= self._turn_s):
                    first = self.ready.popleft()
                    if isinstance(first, _Waiter):
                        self._admit(first)
                        continue
                    self._idle -= 1
                    MINE.last = not self._idle
                    self._holder, self._began = me, self._clock()
                    if not self._watched and self._idle > self._polls:
                        self._changed.notify()  # somebody is to watch how long it takes
                    return first
                if not self._polls and (self._holder is None or rested >= self._turn_s):
                    self._holder, self._polls = None, True
                    self._changed.release()
                    try:
                        arrived = self._arrivals.wait()
                    finally:
                        self._changed.acquire()
                        self._polls = False
                    self.ready += arrived
                    self.in_hand += len(arrived)
                    continue
                # one of the idle threads looks whether a turn lasts too long
                watches = not self._watched and (self._holder is not None or rested < QUIET_S)
                self._watched = self._watched or watches
                self._changed.wait(self._turn_s if watches else None)
                self._watched = self._watched and not watches
            self._idle -= 1
        return None

    def another(self) -> T | None:
        """Return further work for the same turn, if some is ready and the work before it took no longer than a turn.
        From then on it counts as one with that."""
        with self._changed:
            now = self._clock()
            if self._holder != threading.get_ident() or now - self._began >= self._turn_s or not self.ready:
                return None
            if isinstance(first := self.ready[0], _Waiter):
                return None
            self._began = now
            self.ready.popleft()
            self.in_hand -= 1
            return first

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
            self.ready.append(waiter)
            if self._holder is None:
                self._pass_on()
        while not waiter.call.acquire(timeout=self._turn_s):
            with self._changed:
                if not waiter.admitted and (self._holder is None or self._clock() - self._began >= self._turn_s):
                    self.ready.remove(waiter)
                    self._admit(waiter)

    def close(self) -> None:
        """Fetch no more work; `next` returns None once what is ready is done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._arrivals.wake()

    def drop(self) -> list[T]:
        """Forget the work that nobody has begun; return it."""
        with self._changed:
            left = [*self._deferred, *(one for one in self.ready if not isinstance(one, _Waiter))]
            self.ready = deque(one for one in self.ready if isinstance(one, _Waiter))
            self._deferred.clear()
            self.in_hand -= len(left)
        return left

    # -- all under the lock

    def _admit(self, waiter: _Waiter) -> None:
        self._holder, self._began = waiter.thread, self._clock()
        waiter.admitted = True
        waiter.call.release()
        if not self._watched and self._idle > self._polls:
            self._changed.notify()

    def _pass_on(self) -> None:
        """Nobody has the turn: the first that is ready gets it, work only if a thread is idle."""
        for one in self.ready:
            if isinstance(one, _Waiter):
                self.ready.remove(one)
                self._admit(one)
                return
            if self._idle:
                break
        if self.ready or not self._polls:
            self._call()

    def _call(self) -> None:
        """Have an idle thread look at what is to be done."""
        if self._idle > self._polls:
            self._changed.notify()
        elif self._polls:
            self._arrivals.wake()


class Sharers(Protocol):
    """Callers that share a thread: `rounds.Round`."""

    def joined(self) -> bool:
        """Whether it is one of them that runs."""

    def ask(self, batches: Any, items: Sequence[Any], key: Hashable, deadline: Deadline | None) -> Sequence[Any]:
        """Wait for a batch together with the others."""

    def apart(self) -> bool:
        """Whether some of them wait, so that what may take long is to be done apart from them."""

    def let_go_on(self, *, behind: bool) -> None:
        """Let the others go on before the thread waits; `behind`: until they have ended."""


class _Mine(threading.local):
    """The turns that this thread takes; None where it runs whenever it can. `last`: as `Turns.next` says. `round`: the
    callers that share it now. `waits`: it is in an `aside` block, and has no turn."""

    turns: Turns[Any] | None = None
    last: bool = False
    round: Sharers | None = None
    waits: bool = False


MINE = _Mine()


@contextmanager
def aside(*, behind: bool = False) -> Iterator[None]:
    """Let the other threads run during the block, in which this one only waits; then wait for a new turn. Within
    another such block it does nothing.

    behind   for what those that share this thread may hold: they end first
    """
    turns = MINE.turns
    if turns is None or MINE.waits:
        yield
        return
    if MINE.round is not None:
        MINE.round.let_go_on(behind=behind)
    turns.give()
    MINE.waits = True
    try:
        yield
    finally:
        MINE.waits = False
        turns.take()
