# SPDX-License-Identifier: Apache-2.0
"""Group commit: writers that wait for SQLite's one lock share a transaction, and nothing else."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import OperationalError

from redesignate.store.engine import engine
from redesignate.store.group import GroupCommit


@pytest.fixture
def group(tmp_path: Path) -> Iterator[GroupCommit]:
    made = engine(f"sqlite:///{tmp_path}/group.db", writes=True)
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE things (name TEXT PRIMARY KEY)"))
    yield GroupCommit(made)
    made.dispose()


def insert(name: str, connection: Connection) -> str:
    connection.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})
    return name


def names(group: GroupCommit) -> set[str]:
    return set(group.run(lambda connection: connection.execute(text("SELECT name FROM things")).scalars().all()))


def all_at_once(group: GroupCommit, works: Sequence[Callable[[Connection], object]]) -> list[object]:
    """Run these while the turn is held, so that they share the next one; what each gave or raised."""
    found: list[object] = [None] * len(works)

    def one(at: int, work: Callable[[Connection], object]) -> None:
        try:
            found[at] = group.run(work)
        except Exception as error:  # noqa: BLE001  # what was raised is what the test looks at
            found[at] = error

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(works)]
    with group._turn:
        for thread in threads:
            thread.start()
        while len(group._waiting) < len(works):
            threading.Event().wait(0.001)
    for thread in threads:
        thread.join(10)
    return found


def test_writers_that_wait_share_one_commit(group: GroupCommit) -> None:
    commits = []
    event.listen(group._engine, "commit", lambda _connection: commits.append(1))

    works = [lambda connection, n=n: insert(f"w{n}", connection) for n in range(8)]
    assert all_at_once(group, works) == [f"w{n}" for n in range(8)]
    assert len(commits) == 1
    assert names(group) == {f"w{n}" for n in range(8)}


def test_one_that_fails_is_undone_alone(group: GroupCommit) -> None:
    def half(connection: Connection) -> None:
        insert("half", connection)
        raise ValueError("changed its mind")

    found = all_at_once(group, [lambda c: insert("before", c), half, lambda c: insert("after", c)])
    assert isinstance(found[1], ValueError)
    assert names(group) == {"before", "after"}


def test_each_sees_what_those_before_it_did(group: GroupCommit) -> None:
    found = all_at_once(group, [lambda c: insert("same", c), lambda c: insert("same", c)])
    assert sorted(type(one).__name__ for one in found) == ["IntegrityError", "str"]
    assert names(group) == {"same"}


def test_nobody_hears_of_success_when_the_commit_fails(group: GroupCommit) -> None:
    def refuse(_connection: Connection) -> None:
        raise sqlite3.OperationalError("disk full")

    event.listen(group._engine, "commit", refuse)
    found = all_at_once(group, [lambda c: insert("a", c), lambda c: insert("b", c)])
    event.remove(group._engine, "commit", refuse)
    assert [type(one).__name__ for one in found] == ["OperationalError"] * 2
    assert names(group) == set()


def test_what_undoes_the_whole_transaction_is_told_to_all_of_it(group: GroupCommit) -> None:
    """SQLite may do so by itself, where the disk is full or broken: there is no savepoint to go back to then."""

    def undo(connection: Connection) -> None:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        driver.rollback()
        raise OperationalError("INSERT", None, sqlite3.OperationalError("disk I/O error"))

    works = [lambda c: insert("a", c), undo, lambda c: insert("b", c)]
    found = all_at_once(group, works)
    assert ["disk I/O error" in str(one) for one in found] == [True] * 3
    assert names(group) == set()
