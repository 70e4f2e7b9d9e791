# SPDX-License-Identifier: Apache-2.0
"""Changes that were requested over the broker: the request's id and its answer, stored in the change's transaction.

The row is written last, right before the commit, and returns the database's clock. So one statement does three
things: a request that comes twice is carried out once (its id is the key), the second one finds the first one's
answer, and a transaction that is later than its request allows is undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select
from sqlalchemy.exc import IntegrityError

from redesignate.store.clock import database_now
from redesignate.store.fast import Module, run
from redesignate.store.settings_schema import questions
from redesignate.threads.deadline import TooLate

_KEEP = questions.insert().values(id=bindparam("i"), answer=bindparam("a"), at=database_now())
_KEEP_RETURNING = _KEEP.returning(questions.c.at)
_FIND = select(questions.c.answer).where(questions.c.id == bindparam("i"))
_CLOCK = select(database_now())


class Repeated(Exception):
    """One of the requests of this transaction is carried out already; the whole transaction is undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A request that was carried out, and its encoded answer; it may be committed until then (µs)."""

    id: str
    answer: bytes
    until: int | None = None


class Questions(Module):
    """The questions of one transaction."""

    def keep(self, made: Sequence[Kept]) -> int:
        """Write requests, as the last statement before the commit; the database's clock (µs).

        Raises Repeated; TooLate if that clock is later than one of them allows.
        Cost   one statement for all (two on MySQL).
        """
        rows = [{"i": one.id, "a": one.answer} for one in made]
        try:
            if not self._conn.dialect.insert_returning:
                run(self._conn, _KEEP, rows)
                clock = self.now()
            elif len(rows) == 1:
                clock = int(run(self._conn, _KEEP_RETURNING, rows).scalar())
            else:  # SQLAlchemy makes one statement of them
                clock = int(max(self._conn.execute(_KEEP_RETURNING, rows).scalars()))
        except IntegrityError as error:
            raise Repeated from error
        if any(one.until is not None and clock > one.until for one in made):
            raise TooLate("The request came too late and was not carried out; retry.")
        return clock

    def find(self, ident: str) -> bytes | None:
        """The answer that was given under this id; None: it is not carried out. One query."""
        answer = run(self._conn, _FIND, {"i": ident}).scalar()
        return None if answer is None else bytes(answer)

    def now(self) -> int:
        """The database's clock (µs). One query."""
        return int(run(self._conn, _CLOCK, {}).scalar())

    def forget(self, age: int, limit: int) -> int:
        """Drop at most `limit` questions older than so many µs; how many. Two statements."""
        chosen = select(questions.c.id).where(questions.c.at < database_now() - age).limit(limit)
        found = self._conn.execute(chosen).scalars().all()
        if found:
            self._conn.execute(delete(questions).where(questions.c.id.in_(found)))
        return len(found)
