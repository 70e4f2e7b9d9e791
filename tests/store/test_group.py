# SPDX-License-Identifier: Apache-2.0
"""Group commit: writers that wait for SQLite's one lock share a transaction, and nothing else."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from redesignate.model.errors import Unavailable
from redesignate.store.engine import engine
from redesignate.store.group import GroupCommit
from redesignate.threads.deadline import Deadline
from tests.store.turns import turn_held


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Engine]:
    made = engine(f"sqlite:///{tmp_path}/group.db", writes=True)
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE things (name TEXT PRIMARY KEY)"))
    yield made
    made.dispose()


@pytest.fixture
def group(made: Engine) -> GroupCommit:
    return GroupCommit(made)


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
    with turn_held(group.run):
        for thread in threads:
            thread.start()
        while group.waiting() < len(works):
            threading.Event().wait(0.001)
    for thread in threads:
        thread.join(10)
    return found


def test_writers_that_wait_share_one_commit(group: GroupCommit, made: Engine) -> None:
    commits = []
    event.listen(made, "commit", lambda _connection: commits.append(1))

    works = [lambda connection, n=n: insert(f"w{n}", connection) for n in range(8)]
    assert all_at_once(group, works) == [f"w{n}" for n in range(8)]
    assert len(commits) == 2, "that of the writer before them, and theirs"
    assert names(group) == {f"w{n}" for n in range(8)}


def test_one_that_fails_is_undone_alone(group: GroupCommit) -> None:
    def half(connection: Connection) -> None:
        insert("half", connection)
        raise ValueError("changed its mind")

    found = all_at_once(group, [lambda c: insert("before", c), half, lambda c: insert("after", c)])
    assert isinstance(found[1], ValueError)
    assert names(group) == {"before", "after"}


def test_a_writer_behind_one_that_hangs_is_refused_at_its_deadline(group: GroupCommit) -> None:
    with turn_held(group.run), pytest.raises(Unavailable, match="not carried out; retry"):
        group.run(lambda c: insert("late", c), Deadline.after(0.01))
    assert names(group) == set()


def test_each_sees_what_those_before_it_did(group: GroupCommit) -> None:
    found = all_at_once(group, [lambda c: insert("same", c), lambda c: insert("same", c)])
    assert sorted(type(one).__name__ for one in found) == ["IntegrityError", "str"]
    assert names(group) == {"same"}


def test_nobody_hears_of_success_when_the_commit_fails(group: GroupCommit, made: Engine) -> None:
    commits = []

    def refuse(_connection: Connection) -> None:
        commits.append(1)
        if len(commits) == 2:  # the first is that of the writer before them
            raise sqlite3.OperationalError("disk full")

    def fails(_connection: Connection) -> None:
        raise ValueError("by itself")

    event.listen(made, "commit", refuse)
    found = all_at_once(group, [lambda c: insert("a", c), fails, lambda c: insert("b", c)])
    event.remove(made, "commit", refuse)
    assert sorted(type(one).__name__ for one in found) == ["OperationalError", "OperationalError", "ValueError"]
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
