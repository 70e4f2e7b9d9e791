# SPDX-License-Identifier: Apache-2.0
"""A SQLite file that cannot be used now is a 503 to whoever asked, and nobody's change is half there."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, text

from redesignate.model.errors import Unavailable
from redesignate.store import migrate
from redesignate.store.unit import Store, Work
from redesignate.threads.deadline import uptime
from tests.store.makers import held, zone
from tests.store.turns import turn_held


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "db.sqlite"
    migrate.upgrade(f"sqlite:///{made}")
    return made


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    """It waits for a lock for a hundredth of a second."""
    made = Store(f"sqlite:///{file}")
    event.listen(made.engine, "connect", lambda driver, _: driver.execute("PRAGMA busy_timeout = 10"))
    yield made
    made.close()


def add_zone(work: Work) -> str:
    made = zone()
    work.zones.add(made, apex_version=1, rrsets=0)
    return made.id


def zones(store: Store) -> set[str]:
    with store.read() as work:
        return set(work.conn.execute(text("SELECT id FROM zones")).scalars())


def test_a_file_that_another_process_has_locked_is_a_503(store: Store, file: Path) -> None:
    before = store.transact(add_zone)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked by another process"):
        store.transact(add_zone)
    other.execute("ROLLBACK")
    other.close()
    after = store.transact(add_zone)
    assert zones(store) == {before, after}


def fill(how: Callable[[Work], object]) -> Callable[[Work], object]:
    """A use-case that fills the disk: the file may not grow any more."""

    def do(work: Work) -> object:
        driver = work.conn.connection.dbapi_connection
        assert driver is not None
        cursor = driver.cursor()
        cursor.execute("PRAGMA max_page_count = 1")  # the least that it can be: as it is now
        return how(work)

    return do


def through_sqlalchemy(work: Work) -> None:
    values = [{"i": str(n), "n": "x" * 200} for n in range(1000)]
    work.conn.execute(text("CREATE TABLE much (i TEXT, n TEXT)"))
    work.conn.execute(text("INSERT INTO much VALUES (:i, :n)"), values)


def straight(work: Work) -> None:
    made = zone()
    for number in range(1000):
        work.rrsets.add([held(made, f"{number}", wire=b"x" * 200)])


def test_a_change_behind_a_writer_that_hangs_is_refused_at_its_deadline(store: Store) -> None:
    with turn_held(store.transact), pytest.raises(Unavailable, match="retry"):
        store.transact(add_zone, deadline=uptime() + 0.05)
    assert zones(store) == set()


@pytest.mark.parametrize("how", [through_sqlalchemy, straight])
def test_a_full_disk_is_a_503_and_what_was_said_of_the_others_is_so(
    store: Store, how: Callable[[Work], object]
) -> None:
    """Whether SQLite undoes one statement or the whole transaction, which others share, is its own choice."""
    before = store.transact(add_zone)
    ends: dict[int, object] = {}

    def ask(number: int, do: Callable[[Work], object]) -> None:
        try:
            ends[number] = store.transact(do)
        except Exception as error:  # noqa: BLE001  # what was raised is what the test looks at
            ends[number] = error

    threads = [threading.Thread(target=ask, args=one) for one in enumerate((add_zone, fill(how), add_zone))]
    with turn_held(store.transact):
        for waiting, thread in enumerate(threads):
            thread.start()
            while store.writers_waiting() <= waiting:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join(10)
    assert [str(end) for end in ends.values() if isinstance(end, Exception) and not isinstance(end, Unavailable)] == []
    assert "full" in str(ends[1])
    assert zones(store) == {before} | {end for end in ends.values() if isinstance(end, str)}
