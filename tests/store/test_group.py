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

Group = GroupCommit[Connection]


def _itself(connection: Connection) -> Connection:
    return connection


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Engine]:
    made = engine(f"sqlite:///{tmp_path}/group.db", writes=True)
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE things (name TEXT PRIMARY KEY)"))
    yield made
    made.dispose()


@pytest.fixture
def group(made: Engine) -> Group:
    return GroupCommit(made, begin=_itself, share=_itself, end=lambda _: None)


def insert(name: str, connection: Connection) -> str:
    connection.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})
    return name


def names(group: Group) -> set[str]:
    return set(group.run(lambda connection: connection.execute(text("SELECT name FROM things")).scalars().all()))


def all_at_once(group: Group, works: Sequence[Callable[[Connection], object]]) -> list[object]:
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


def test_writers_that_wait_share_one_commit(group: Group, made: Engine) -> None:
    commits = []
    event.listen(made, "commit", lambda _connection: commits.append(1))

    works = [lambda connection, n=n: insert(f"w{n}", connection) for n in range(8)]
    assert all_at_once(group, works) == [f"w{n}" for n in range(8)]
    assert len(commits) == 2, "that of the writer before them, and theirs"
    assert names(group) == {f"w{n}" for n in range(8)}


def test_one_that_fails_is_undone_alone(group: Group) -> None:
    def half(connection: Connection) -> None:
        insert("half", connection)
        raise ValueError("changed its mind")

    found = all_at_once(group, [lambda c: insert("before", c), half, lambda c: insert("after", c)])
    assert isinstance(found[1], ValueError)
    assert names(group) == {"before", "after"}


def test_a_writer_behind_one_that_hangs_is_refused_at_its_deadline(group: Group) -> None:
    with turn_held(group.run), pytest.raises(Unavailable, match="not carried out; retry"):
        group.run(lambda c: insert("late", c), Deadline.after(0.01))
    assert names(group) == set()


def test_each_sees_what_those_before_it_did(group: Group) -> None:
    found = all_at_once(group, [lambda c: insert("same", c), lambda c: insert("same", c)])
    assert sorted(type(one).__name__ for one in found) == ["IntegrityError", "str"]
    assert names(group) == {"same"}


def test_nobody_hears_of_success_when_the_commit_fails(group: Group, made: Engine) -> None:
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


def test_what_undoes_the_whole_transaction_is_told_to_all_of_it(group: Group) -> None:
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


class Unit:
    """What a use-case works with: it leaves names to the end, which all that share it insert there."""

    def __init__(self, connection: Connection, left: list[str] | None = None) -> None:
        self.connection, self.left = connection, [] if left is None else left

    def insert(self, name: str) -> None:
        insert(name, self.connection)


class Ends:
    """The ends that were written."""

    def __init__(self) -> None:
        self.written: list[list[str]] = []

    def __call__(self, unit: Unit) -> None:
        self.written.append(list(unit.left))
        for name in unit.left:
            unit.insert(f"{name} at the end")


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def units(made: Engine, ends: Ends) -> GroupCommit[Unit]:
    return GroupCommit(made, begin=Unit, share=lambda unit: Unit(unit.connection, unit.left), end=ends)


def leave(name: str, fails: Exception | None = None, *, writes: bool = True) -> Callable[[Unit], str]:
    """A use-case that writes a name, and leaves it to the end."""

    def do(unit: Unit) -> str:
        if writes:
            unit.insert(name)
        if fails is not None:
            raise fails
        unit.left.append(name)
        return name

    return do


def stored(made: Engine) -> set[str]:
    with made.connect() as connection:
        return set(connection.execute(text("SELECT name FROM things")).scalars())


def shared(units: GroupCommit[Unit], *works: Callable[[Unit], object]) -> list[object]:
    """As `all_at_once`, of use-cases that share their end."""
    found: list[object] = [None] * len(works)

    def one(at: int, work: Callable[[Unit], object]) -> None:
        try:
            found[at] = units.run(work, shares=True)
        except Exception as error:  # noqa: BLE001  # what was raised is what the test looks at
            found[at] = error

    threads = []
    with turn_held(units.run):
        for at, work in enumerate(works):
            threads.append(threading.Thread(target=one, args=(at, work)))
            threads[-1].start()
            while units.waiting() < len(threads):
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join(10)
    return found


def test_use_cases_that_share_their_end_write_it_once(units: GroupCommit[Unit], made: Engine, ends: Ends) -> None:
    assert shared(units, leave("a"), leave("b"), leave("c")) == ["a", "b", "c"]
    assert ends.written == [[], ["a", "b", "c"]], "of the writer before them, and theirs"
    assert stored(made) == {"a", "b", "c", "a at the end", "b at the end", "c at the end"}


def test_one_that_is_refused_before_it_wrote_leaves_the_others_together(
    units: GroupCommit[Unit], made: Engine, ends: Ends
) -> None:
    refused = ValueError("refused")
    assert shared(units, leave("a"), leave("b", refused, writes=False), leave("c")) == ["a", refused, "c"]
    assert ends.written == [[], ["a", "c"]]
    assert stored(made) == {"a", "c", "a at the end", "c at the end"}


def test_one_that_fails_after_it_wrote_is_undone_alone(units: GroupCommit[Unit], made: Engine, ends: Ends) -> None:
    failed = ValueError("failed")
    assert shared(units, leave("a"), leave("b", failed), leave("c")) == ["a", failed, "c"]
    assert ends.written == [[], ["a"], ["c"]], "each has an end of its own, once one cannot be undone otherwise"
    assert stored(made) == {"a", "c", "a at the end", "c at the end"}


def test_where_the_shared_end_fails_the_others_are_not_lost(units: GroupCommit[Unit], made: Engine) -> None:
    """The name that the second leaves to the end is taken there."""

    def clashes(unit: Unit) -> str:
        unit.insert("b at the end")
        return leave("b")(unit)

    found = shared(units, leave("a"), clashes, leave("c"))
    assert [type(one).__name__ for one in found] == ["str", "IntegrityError", "str"]
    assert stored(made) == {"a", "c", "a at the end", "c at the end"}


def test_what_undoes_the_whole_transaction_is_told_to_all_that_share_their_end(
    units: GroupCommit[Unit], made: Engine, ends: Ends
) -> None:
    """What follows it would otherwise be committed a statement at a time."""

    def undo(unit: Unit) -> None:
        driver = unit.connection.connection.dbapi_connection
        assert driver is not None
        driver.rollback()
        raise OperationalError("INSERT", None, sqlite3.OperationalError("database or disk is full"))

    found = shared(units, leave("a"), undo, leave("c"))
    assert ["disk is full" in str(one) for one in found] == [True] * 3
    assert ends.written == [[]], "that of the writer before them"
    assert stored(made) == set()
