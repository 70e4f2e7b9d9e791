# SPDX-License-Identifier: Apache-2.0
"""Rounds: calls that are ready at the same time share a thread, wait for one batch, and so are committed together.

Each call runs in a greenlet (a stack of its own) until it has ended or asks for a batch (`Batches.ask_all`). As long as
one waits for a batch, the thread begins further calls that are ready; then all that wait ask for one batch together.
What may take long asks whether it is to be done `apart`, for it would hold up those that wait; it queues again, and the
round takes no more. Nor does it once a call would block the thread (`aside`): those that wait for a batch go on before
one that pauses, and all others end before one that waits for a place in a bulkhead, which they may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from redesignate.observe.log import events
from redesignate.threads.batch import Batches
from redesignate.threads.bulkhead import MINE, Turns
from redesignate.threads.deadline import ASKING, Deadline

T = TypeVar("T")
R = TypeVar("R")
log = events(__name__)


@dataclass(slots=True, eq=False)
class _Caller:
    """A call of a round that waits for a batch: for whose, and the items."""

    go: greenlet
    batches: Batches[Any, Any]
    items: Sequence[Any]
    key: Hashable
    deadline: Deadline | None


class Round:
    """The calls that share this thread. Used by no other thread."""

    def __init__(self) -> None:
        self._hub = getcurrent()
        self._asking: list[_Caller] = []
        self._pausing: list[greenlet] = []
        self._entering: list[greenlet] = []
        self._open = True

    def run(self, do: Callable[[T], object], work: T) -> None:
        """Do some work until it has ended or waits. What it raises is logged."""
        greenlet(_call).switch(do, work)

    def end(self) -> None:
        """Go on with every call until it has ended."""
        while True:
            if self._asking:
                self._ask_all()
            elif self._pausing:
                some, self._pausing = self._pausing, []
                for one in some:  # each until its own time, so that their pauses do not add up
                    one.switch()
            elif self._entering:
                self._entering.pop(0).switch()
            else:
                return

    def takes_more(self) -> bool:
        """Whether further work may join: while some call waits for a batch, and until one would block the thread."""
        return self._open and bool(self._asking)

    def joined(self) -> bool:
        """Whether this is a call of the round."""
        return getcurrent() is not self._hub

    def ask(self, batches: Batches[T, R], items: Sequence[T], key: Hashable, deadline: Deadline | None) -> Sequence[R]:
        """Wait for the batch of `Batches.ask_all` with the others."""
        self._asking.append(_Caller(getcurrent(), batches, items, key, deadline))
        answers: Sequence[R] = self._give_up()
        return answers

    def apart(self) -> bool:
        """Whether some call waits for a batch, so that what may take long is to be done apart from this round."""
        self._open = self._open and not self._asking
        return bool(self._asking)

    def let_go_on(self, *, behind: bool) -> None:
        """Before a call blocks the thread, let the others go on: until they have ended if it is `behind` them, else
        until they pause too."""
        if self.joined():
            self._open = False
            (self._entering if behind else self._pausing).append(getcurrent())
            self._give_up()

    def _give_up(self) -> Any:
        """Let the thread do other work; return, or raise, what this call is given then. Its deadline is its own."""
        at = ASKING.at
        try:
            return self._hub.switch()
        finally:
            ASKING.at = at

    def _ask_all(self) -> None:
        asking, self._asking = self._asking, []
        groups: dict[tuple[Batches[Any, Any], Hashable], list[_Caller]] = {}
        for one in asking:
            groups.setdefault((one.batches, one.key), []).append(one)
        for (batches, key), some in groups.items():
            ends = [one.deadline for one in some if one.deadline is not None]
            try:
                end = min(ends, key=lambda end: end.at, default=None)
                answers = iter(batches.ask_all([item for one in some for item in one.items], key=key, deadline=end))
            except BaseException as error:  # noqa: BLE001  # raised again by each that asked
                for one in some:
                    one.go.throw(error)
            else:
                for one in some:
                    one.go.switch([next(answers) for _ in one.items])


def _call(do: Callable[[T], object], work: T) -> None:
    try:
        do(work)
    except BaseException:  # raised further it would end the calls of others
        log.exception("a call failed that shares a thread")


def take_turns(turns: Turns[T], do: Callable[[T], None]) -> None:
    """Do the work of `turns` on this thread, until they are closed. `do` must not raise."""
    MINE.turns = turns
    work = turns.next(finished=False)
    while work is not None:
        do(work)
        work = turns.next(finished=True)


def share(turns: Turns[T], do: Callable[[T], None], first: T, *, most: int) -> None:
    """Do some work in this thread's turn, and up to `most` together that is ready while it waits for a batch.

    Cost   10 µs for each greenlet: not for work that waits for no batch.
    """
    MINE.round, count = (shared := Round()), 0
    work: T | None = first
    try:
        while work is not None:
            shared.run(do, work)
            count += 1
            work = turns.another() if count < most and shared.takes_more() else None
    finally:
        shared.end()
        MINE.round = None
