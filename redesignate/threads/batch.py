# SPDX-License-Identifier: Apache-2.0
"""Leaders and followers: what arrives while a batch is under way goes with the next one.

A caller that finds its line free goes at once. Those that come meanwhile wait; when a batch ends, the first of them
becomes the leader and takes as many of the others along as `most` allows, on its own thread. So a quiet line adds no
delay, a busy one works in batches, and no thread exists for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from enum import Enum, auto
from typing import Generic, TypeVar

from redesignate.model.errors import TimedOut, Unavailable
from redesignate.threads.deadline import Deadline

T = TypeVar("T")
R = TypeVar("R")


class Closed(Exception):
    """The batch takes nothing any more; this item was not worked on."""


class _State(Enum):
    WAITS = auto()
    LEADS = auto()
    """The line is this caller's: it takes the next batch."""
    GOES = auto()
    """Somebody else's batch, under way, holds this item."""
    DONE = auto()


class _Seat(Generic[T, R]):
    """One item. `call` is released when its caller is to lead, and when it is done."""

    __slots__ = ("answer", "call", "error", "item", "state")

    def __init__(self, item: T) -> None:
        self.item = item
        self.state = _State.WAITS
        self.call = threading.Lock()
        self.call.acquire()
        self.answer: R | None = None
        self.error: BaseException | None = None


class _Line(Generic[T, R]):
    """What is under way for one key, and what waits for it."""

    __slots__ = ("busy", "waiting")

    def __init__(self) -> None:
        self.busy = 0
        self.waiting: deque[_Seat[T, R]] = deque()


def _one(_item: object) -> int:
    return 1


class Batches(Generic[T, R]):
    """Callers with one `do` between them. Safe from any thread; a key that nobody uses leaves nothing.

    do       works on a batch; its answers in the same order. What it raises, each caller of the batch raises
    most     the weight of a batch; an item that is heavier goes alone
    at_once  batches of one key under way at the same time
    weight   what an item counts
    """

    def __init__(
        self,
        do: Callable[[Sequence[T]], Sequence[R]],
        *,
        most: int,
        at_once: int = 1,
        weight: Callable[[T], int] = _one,
    ) -> None:
        self._do = do
        self._most = most
        self._at_once = at_once
        self._weight = weight
        self._lock = threading.Lock()
        self._lines: dict[Hashable, _Line[T, R]] = {}
        self._closed = False

    def ask(self, item: T, *, key: Hashable = None, deadline: Deadline | None = None) -> R:
        """The answer to one item, in a batch with others of its key.

        Raises what `do` raised; at the deadline Unavailable (not worked on) or TimedOut (it may have been); Closed.
        """
        seat: _Seat[T, R] = _Seat(item)
        with self._lock:
            if self._closed:
                raise Closed
            line = self._lines.setdefault(key, _Line())
            if line.busy < self._at_once:
                line.busy += 1
                seat.state = _State.LEADS
            else:
                line.waiting.append(seat)
        if seat.state is not _State.LEADS:
            self._wait(line, seat, deadline)
        if seat.state is _State.LEADS:
            self._lead(key, line, seat)
        if seat.error is not None:
            raise seat.error
        return seat.answer  # type: ignore[return-value]  # DONE without an error: `do` answered

    def waiting(self, key: Hashable = None) -> int:
        """How many callers of a key wait for a batch."""
        with self._lock:
            line = self._lines.get(key)
            return 0 if line is None else len(line.waiting)

    def keys(self) -> int:
        """How many keys have anything under way."""
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
        """Wait until the seat leads or is done. Raises TimedOut, and then nobody counts on this caller any more."""
        while not seat.call.acquire(timeout=-1 if deadline is None else deadline.left()):
            with self._lock:
                if seat.state is _State.WAITS:
                    line.waiting.remove(seat)
                    raise Unavailable("The request waited too long and was not carried out; retry.")
                if seat.state is _State.GOES:
                    raise TimedOut("No answer in time; the change may or may not have been made")
            # it was called just now: the lock is free

    def _lead(self, key: Hashable, line: _Line[T, R], seat: _Seat[T, R]) -> None:
        going = self._taken(line, seat)
        try:
            if self._closed:
                raise Closed
            answers = self._do([one.item for one in going])
            for one, answer in zip(going, answers, strict=True):
                one.answer = answer
        except BaseException as error:  # noqa: BLE001  # raised again on each thread that asked
            for one in going:
                one.error = error
        finally:
            self._end(key, line, going)

    def _taken(self, line: _Line[T, R], first: _Seat[T, R]) -> list[_Seat[T, R]]:
        """The leader's batch, in the order of arrival."""
        going, weight = [first], self._weight(first.item)
        with self._lock:
            while line.waiting:
                weight += self._weight(line.waiting[0].item)
                if weight > self._most:
                    break
                going.append(line.waiting.popleft())
            for one in going:
                one.state = _State.GOES
        return going

    def _end(self, key: Hashable, line: _Line[T, R], going: Sequence[_Seat[T, R]]) -> None:
        """Let the next batch go before the callers of this one learn their answers."""
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
