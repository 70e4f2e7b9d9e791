# SPDX-License-Identifier: Apache-2.0
"""Handles questions that arrive over a broker too late, or twice.

A question may wait on its way, and the process that works on it may be stopped in the middle of it, for any time. So it
is carried out only before its `until`, by the database's clock, which all hosts share; the comparison is the last step
of the transaction, which holds its locks until then. The question's id and answer are stored with the change: when it
is sent a second time, after its connection broke, the second one gets the answer of the first.

Any number of APIs may send questions, each as many about one zone as its own threads allow. So central has bulkheads of
its own: what hangs holds a share of central's threads and connections, whoever sent it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from redesignate.bus import codec
from redesignate.bus.inproc import Bulkheads, InprocCentral, Shares
from redesignate.bus.port import Asked
from redesignate.central.service import CentralService
from redesignate.commands.base import Command
from redesignate.commands.table import READS, SECRET
from redesignate.model.clock import SECOND
from redesignate.model.errors import Problem, TimedOut
from redesignate.store import questions as store
from redesignate.store.questions import Kept, Repeated
from redesignate.store.unit import Store, Work
from redesignate.threads.deadline import TooLate, asking, uptime

CLOCK_S = 60.0
"""A reading of the database's clock is used for so long: the clocks drift too little in this time to matter."""

NOT_KEPT = b""
"""Stands for an answer that holds secrets."""


class Questions:
    """Central, for questions that arrive over a broker. Safe for use from many threads; `shares` divides them."""

    def __init__(self, service: CentralService, store: Store, shares: Shares) -> None:
        self._service = service
        self._bulkheads = Bulkheads(InprocCentral(service.dispatch), shares)
        self._store = store
        self._clock: tuple[int, float] | None = None

    def carry(self, command: Command[Any], asked: Asked) -> Any:
        """Carry out one question and return its answer, as `Kept` where it is stored with the change.

        Raises its Problem; TooLate where it came too late, and then it is not carried out; Unavailable where too many
        wait for the same.
        """
        with asking(asked.deadline):
            return self._bulkheads.call(command, partial(self._carried, command, asked))

    def _carried(self, command: Command[Any], asked: Asked) -> Any:
        if asked.id is None or type(command) in READS:
            asked.deadline.check()
            return self._service.dispatch(command)
        if asked.again and (found := self._found(asked.id)) is not None:
            return found
        try:
            return self._together([(command, asked)])[0]
        except Repeated:
            return self._found(asked.id) or _unknown()
        except TooLate:
            raise
        except Problem as problem:
            if not asked.again:
                raise
            return self._refused(asked.id, problem)

    def together(self, questions: Sequence[tuple[Command[Any], Asked]]) -> list[codec.Kept]:
        """Answer writing commands about one zone in one transaction; each sees what the earlier ones did. Stores the
        answers with it.

        Raises what the first failing command raises, and then none was carried out: Repeated where one is carried out
        already, TooLate; Unavailable where it is not known whether they were.
        """
        with asking(min((asked.deadline for _, asked in questions), key=lambda deadline: deadline.at)):
            return self._bulkheads.call(questions[0][0], partial(self._together, questions))

    def _together(self, questions: Sequence[tuple[Command[Any], Asked]]) -> list[codec.Kept]:
        made: list[codec.Kept] = []
        looked: list[int] = []

        def keep(unit: Work, answers: Sequence[object]) -> None:
            made[:] = [codec.Kept(codec.answer(answer)) for answer in answers]
            rows = [
                Kept(id=asked.id, answer=NOT_KEPT if type(command) in SECRET else answer, until=asked.until)
                for (command, asked), answer in zip(questions, made, strict=True)
                if asked.id is not None
            ]
            if rows:
                looked.append(store.Questions(unit.conn).keep(rows))

        for _, asked in questions:
            self._in_time(asked)
        try:
            self._service.together([command for command, _ in questions], keep=keep)
        except TooLate:
            self._clock = None  # the caller's estimate of the database's time is wrong: the next answer corrects it
            raise
        if looked:
            self._clock = looked[-1], uptime()
        return made

    def clock(self) -> int:
        """Return a moment that the database's clock (µs) has only just passed. One query where the last is too old."""
        kept = self._clock
        if kept is None or uptime() - kept[1] > CLOCK_S:
            found = self._store.look(lambda work: store.Questions(work.conn).now())[1]
            self._clock = kept = (found, uptime())
        return kept[0] + int((uptime() - kept[1]) * SECOND)

    def _in_time(self, asked: Asked) -> None:
        """Raise TooLate where the question certainly is too late, so that no transaction is begun for it."""
        asked.deadline.check()
        if asked.until is not None and self._clock is not None and self.clock() > asked.until:
            self._clock = None
            raise TooLate("The request came too late and was not carried out; retry.")

    def _found(self, ident: str) -> codec.Kept | None:
        """The answer that this question got before. Raises TimedOut where it held a secret and was not stored."""
        found = self._store.look(lambda work: store.Questions(work.conn).find(ident))[1]
        if found == NOT_KEPT:
            raise TimedOut("The change was made, but its answer was lost: check the result.")
        return None if found is None else codec.Kept(found)

    def _refused(self, ident: str, problem: Problem) -> codec.Kept:
        """Store the refusal of a repeated question, so that the first attempt cannot succeed any more.

        Returns the refusal, or the first attempt's answer where that was stored in between.
        """
        refusal = codec.Kept(codec.refusal(problem))
        try:
            self._store.transact(lambda work: store.Questions(work.conn).keep([Kept(id=ident, answer=refusal)]))
        except Repeated:
            return self._found(ident) or _unknown()
        return refusal


def _unknown() -> codec.Kept:
    """The refusal of a question that was carried out and whose answer is deleted: it is stored for minutes only."""
    return codec.Kept(codec.refusal(TimedOut("The change was made, but its answer was lost.")))
