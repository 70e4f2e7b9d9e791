# SPDX-License-Identifier: Apache-2.0
"""Items that arrive one by one and are worked on together: `Batches` for threads, `Gather` for an event loop.

`Batches` has leaders and followers: items that arrive while a batch is under way join the next one. A caller that finds
its line free starts at once. Those that come meanwhile wait; when a batch ends, the first of them becomes the leader
and works on its own thread on as many of the others as `most` allows. So a quiet line adds no delay, a busy one works
in batches, and the batches need no thread of their own.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

from redesignate.model.errors import Problem, TimedOut, Unavailable
from redesignate.observe.log import events
from redesignate.threads.bulkhead import MINE, aside
from redesignate.threads.deadline import Deadline

T = TypeVar("T")
R = TypeVar("R")
log = events(__name__)


class Closed(Exception):
    """The batch accepts no more items; this one was not worked on."""


class _State(Enum):
    WAITS = auto()
    LEADS = auto()
    """This caller leads the line's next batch."""
    GOES = auto()
    """The item is in another caller's batch, which is under way."""
    DONE = auto()


@dataclass(slots=True, eq=False)
class _Seat(Generic[T, R]):
    """One thread's items. `call` is held while it waits, and released when the thread is to lead, and when they are
    done."""

    items: Sequence[T]
    weight: int
    state: _State = _State.WAITS
    call: threading.Lock = field(default_factory=threading.Lock)
    answers: Sequence[R] = ()
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class _Line(Generic[T, R]):
    """The batches under way for one key, and the items that wait."""

    busy: int = 0
    waiting: deque[_Seat[T, R]] = field(default_factory=deque)


class Batches(Generic[T, R]):
    """Callers that share one `do`. Safe from any thread; a key that is not in use takes no memory.

    do       works on a batch and returns the answers in the same order. What it raises, each caller of the batch raises
    most     the greatest weight of a batch; an item that is heavier is worked on alone
    at_once  the most batches of one key under way at the same time
    weight   returns the weight of an item; None: each weighs 1
    leaves   whether a caller leaves its batch at the deadline; False where it must know the end, and `do` is bounded
    """

    def __init__(
        self,
        do: Callable[[Sequence[T]], Sequence[R]],
        *,
        most: int,
        at_once: int = 1,
        weight: Callable[[T], int] | None = None,
        leaves: bool = True,
    ) -> None:
        self._do = do
        self._most = most
        self._at_once = at_once
        self._weight = weight
        self._leaves = leaves
        self._lock = threading.Lock()
        self._lines: dict[Hashable, _Line[T, R]] = {}
        self._closed = False

    def ask(self, item: T, *, key: Hashable = None, deadline: Deadline | None = None) -> R:
        """As `ask_all`, for one item; its answer."""
        return self.ask_all((item,), key=key, deadline=deadline)[0]

    def ask_all(self, items: Sequence[T], *, key: Hashable = None, deadline: Deadline | None = None) -> Sequence[R]:
        """Work on items, in one batch with others of their key, and return their answers.

        Raises what `do` raised; at the deadline Unavailable (not worked on) or TimedOut (they may have been); Closed.
        """
        if MINE.round is not None and MINE.round.joined():
            return MINE.round.ask(self, items, key, deadline)
        seat: _Seat[T, R] = _Seat(items, len(items) if self._weight is None else sum(map(self._weight, items)))
        with self._lock:
            if self._closed:
                raise Closed
            line = self._lines.setdefault(key, _Line())
            if line.busy < self._at_once:
                line.busy += 1
                seat.state = _State.LEADS
            else:
                seat.call.acquire()
                line.waiting.append(seat)
        if seat.state is not _State.LEADS:
            with aside():
                self._wait(line, seat, deadline)
        if seat.state is _State.LEADS:
            self._lead(key, line, seat)
        if seat.error is not None:
            raise seat.error
        return seat.answers

    def waiting(self, key: Hashable = None) -> int:
        """Return how many callers of a key wait for a batch."""
        with self._lock:
            line = self._lines.get(key)
            return 0 if line is None else len(line.waiting)

    def keys(self) -> int:
        """Return how many keys have batches under way."""
        return len(self._lines)

    def close(self) -> None:
        """Begin no further batch; callers that wait for one raise Closed."""
        with self._lock:
            self._closed = True
            for line in self._lines.values():
                for seat in line.waiting:
                    seat.error, seat.state = Closed(), _State.DONE
                    seat.call.release()
                line.waiting.clear()

    def _wait(self, line: _Line[T, R], seat: _Seat[T, R], deadline: Deadline | None) -> None:
        """Wait until the seat leads or is done. Raises Unavailable or TimedOut; the caller cannot lead after that."""
        while not seat.call.acquire(timeout=-1 if deadline is None else deadline.left()):
            with self._lock:
                if seat.state is _State.WAITS:
                    line.waiting.remove(seat)
                    raise Unavailable("The request waited too long and was not carried out; retry.")
                if seat.state is _State.GOES and not self._leaves:
                    deadline = None
                elif seat.state is _State.GOES:
                    raise TimedOut("No answer in time; the change may or may not have been made")
            # it was called just now: the lock is free

    def _lead(self, key: Hashable, line: _Line[T, R], seat: _Seat[T, R]) -> None:
        """Work on the seat's items, with as many of those that wait as fit, in the order of arrival."""
        going, weight = [seat], seat.weight
        with self._lock:
            while line.waiting:
                weight += line.waiting[0].weight
                if weight > self._most:
                    break
                going.append(line.waiting.popleft())
            for one in going:
                one.state = _State.GOES
        try:
            if self._closed:
                raise Closed
            answers = iter(self._do([item for one in going for item in one.items]))
            for one in going:
                one.answers = [next(answers) for _ in one.items]
        except BaseException as error:  # noqa: BLE001  # raised again on each thread that asked
            for one in going:
                one.error = error
        finally:
            self._end(key, line, going)

    def _end(self, key: Hashable, line: _Line[T, R], going: Sequence[_Seat[T, R]]) -> None:
        """Let the next batch start before the callers of this one get their answers."""
        with self._lock:
            following = line.waiting.popleft() if line.waiting else None
            if following is not None:
                following.state = _State.LEADS
            else:
                line.busy -= 1
                if not line.busy:
                    del self._lines[key]
            for one in going:
                one.state = _State.DONE
        if following is not None:
            following.call.release()
        for one in going[1:]:
            one.call.release()


class Gather(Generic[T]):
    """Sends items after a moment, or as soon as an earlier send has ended. For one event loop.

    send        gets a list of at most `most`; what it raises is logged, so it must itself release whoever waits
    moment_s    how long the first item waits for others
    at_once     the most sends under way
    patience_s  another send begins only where those under way have taken so long: a busy receiver gets few large
                batches, and a send that hangs does not delay all items
    """

    def __init__(
        self,
        send: Callable[[list[T]], Awaitable[None]],
        *,
        most: int = 200,
        moment_s: float = 0.001,
        at_once: int = 4,
        patience_s: float = 0.1,
    ) -> None:
        self._send = send
        self._most = most
        self._moment_s = moment_s
        self._at_once = at_once
        self._patience_s = patience_s
        self._items: list[T] = []
        self._pausing: asyncio.Task[None] | None = None
        self._sending: dict[asyncio.Task[None], float] = {}

    def add(self, item: T) -> None:
        """Queue one item. On the event loop."""
        self._items.append(item)
        if self._pausing is None and len(self._sending) < self._at_once:
            self._pausing = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        """Pause, then send batches until no item is left. Where `most` leaves items over, another task follows."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        patience_ends = max(self._sending.values(), default=0.0) + self._patience_s
        await asyncio.sleep(max(self._moment_s, patience_ends - loop.time() if self._sending else 0.0))
        self._pausing = None
        while self._items:
            batch, self._items = self._items[: self._most], self._items[self._most :]
            self._sending[task] = loop.time()
            if self._items and self._pausing is None and len(self._sending) < self._at_once:
                self._pausing = asyncio.create_task(self._send_all())
            try:
                await self._send(batch)
            except Problem as problem:
                log.error("a batch could not be sent", why=problem.message or problem.kind)
            except Exception:  # the loop of a service
                log.exception("a batch could not be sent")
            finally:
                del self._sending[task]
            if self._items and self._pausing is not None:  # this task sends them now
                self._pausing.cancel()
                self._pausing = None
