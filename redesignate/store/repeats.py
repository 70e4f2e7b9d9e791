# SPDX-License-Identifier: Apache-2.0
"""Requests that their clients may repeat: what each asked for and was answered, stored in the change's transaction."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, delete, null, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from redesignate.store.clock import database_now
from redesignate.store.fast import Module, run
from redesignate.store.repeats_schema import repeats

_ROW = {"id": bindparam("i"), "digest": bindparam("d"), "answer": null(), "at": database_now()}
_MYSQL = mysql.insert(repeats).values(_ROW).prefix_with("IGNORE")
_CLAIM = {
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "postgresql": postgresql.insert(repeats).values(_ROW).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(repeats).values(_ROW).on_conflict_do_nothing(),
}
_FIND = select(repeats.c.digest, repeats.c.answer).where(repeats.c.id == bindparam("i"))
_KNOWN = select(repeats.c.id).where(
    repeats.c.id == bindparam("i"), repeats.c.answer.is_not(null()), repeats.c.at >= database_now() - bindparam("age")
)
_RENEW = (
    repeats.update()
    .where(repeats.c.id == bindparam("i"), repeats.c.at < database_now() - bindparam("age"))
    .values(digest=bindparam("d"), at=database_now())
)
_KEEP = repeats.update().where(repeats.c.id == bindparam("i")).values(answer=bindparam("a"))


class Repeated(NamedTuple):
    """A request that was carried out: the digest of what it asked for, and its answer."""

    digest: str
    answer: bytes


class Repeats(Module):
    """The repeatable requests of one transaction."""

    def claim(self, ident: str, digest: str, age: int) -> bool:
        """Whether this transaction is the one that carries the request out; it must `keep` the answer then.

        Where another carries it out at this moment, waits until that one has ended. A request older than `age` (µs) is
        forgotten. One statement, two where there is a row.
        """
        given = {"i": ident, "d": digest}
        if run(self._conn, _CLAIM[self._conn.dialect.name], given).rowcount == 1:
            return True
        return run(self._conn, _RENEW, given | {"age": age}).rowcount == 1

    def find(self, ident: str) -> Repeated | None:
        """The request as it was carried out. One query."""
        row = run(self._conn, _FIND, {"i": ident}).first()
        return Repeated(row.digest, bytes(row.answer)) if row and row.answer is not None else None

    def is_known(self, ident: str, age: int) -> bool:
        """Whether a request was carried out in the last `age` µs. One query."""
        return run(self._conn, _KNOWN, {"i": ident, "age": age}).first() is not None

    def keep(self, ident: str, answer: bytes) -> None:
        """Store the answer of a request that was claimed. One statement."""
        run(self._conn, _KEEP, {"i": ident, "a": answer})

    def forget(self, age: int, limit: int) -> int:
        """Delete at most `limit` requests older than so many µs; return how many. Two statements."""
        chosen = select(repeats.c.id).where(repeats.c.at < database_now() - age).limit(limit)
        found = self._conn.execute(chosen).scalars().all()
        if found:
            self._conn.execute(delete(repeats).where(repeats.c.id.in_(found), repeats.c.at < database_now() - age))
        return len(found)
