# SPDX-License-Identifier: Apache-2.0
"""SQLite on a small disk: its log leaves room, and gives back what it took when the disk was full."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from redesignate.model.errors import Unavailable
from redesignate.store import engine, migrate
from redesignate.store.unit import Retries, Store
from tests.store.makers import add, held, zone
from tests.support.disk import MB, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    with small_disk(tmp_path / "disk", 24) as mounted:
        if not mounted:
            pytest.skip("no file system may be mounted here")
        yield tmp_path / "disk"


def log_size(folder: Path) -> int:
    return (folder / "db.sqlite-wal").stat().st_size


@pytest.mark.external
def test_writing_goes_on_at_once_when_a_full_disk_has_space_again(disk: Path) -> None:
    url, one = f"sqlite:///{disk}/db.sqlite", zone()
    migrate.upgrade(url)
    store = Store(url, retries=Retries(attempts=1))
    add(store, one)
    made = held(one)
    store.transact(lambda work: work.rrsets.add([made]))

    def write(number: int) -> None:
        wire = os.urandom(20_000)
        store.transact(lambda work: work.rrsets.change([made._replace(version=number, wire=wire)]))

    (disk / "filler").write_bytes(b"x" * 21 * MB)
    with pytest.raises(Unavailable, match="disk is full"):
        list(map(write, range(1000)))
    (disk / "filler").unlink()
    list(map(write, range(2000)))  # 40 MB through a log on a disk of 24
    assert log_size(disk) < 4 * MB
    store.close()


def test_the_log_is_bound_by_the_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(tmp_path / "db.sqlite")
    for free, octets in ((10**12, engine.WAL_OCTETS), (64 * MB, 8 * MB), (1 * MB, engine.WAL_OCTETS_LEAST)):
        monkeypatch.setattr("shutil.disk_usage", lambda _path, free=free: _Usage(free))
        assert engine.wal_octets(file) == octets
    assert engine.wal_octets(":memory:") == engine.WAL_OCTETS


@pytest.mark.parametrize("page", [None, 4096])
def test_the_log_is_bound_by_octets_whatever_the_files_page(tmp_path: Path, page: int | None) -> None:
    file = tmp_path / "db.sqlite"
    if page is not None:
        with contextlib.closing(sqlite3.connect(file)) as old:
            old.execute(f"PRAGMA page_size = {page}")
            old.execute("CREATE TABLE of_before (id INTEGER)")
    made = engine.engine(f"sqlite:///{file}", writes=True)
    with made.connect() as connection:
        (size,) = connection.exec_driver_sql("PRAGMA page_size").one()
        (pages,) = connection.exec_driver_sql("PRAGMA wal_autocheckpoint").one()
    made.dispose()
    assert size == (page or engine.PAGE)
    assert pages * size == pytest.approx(engine.WAL_OCTETS, rel=0.01)


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_the_log_is_short_again_after_a_long_transaction(tmp_path: Path) -> None:
    url, one = f"sqlite:///{tmp_path}/db.sqlite", zone()
    migrate.upgrade(url)
    store = Store(url)
    add(store, one)
    sets = [held(one, str(n), wire=os.urandom(60_000)) for n in range(1000)]
    store.transact(lambda work: work.rrsets.add(sets))
    assert log_size(tmp_path) > 50 * MB
    for number in range(3):
        store.transact(lambda work, number=number: work.rrsets.remove([sets[number].id]))  # type: ignore[misc]
    assert log_size(tmp_path) <= engine.WAL_OCTETS
    store.close()
