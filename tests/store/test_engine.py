# SPDX-License-Identifier: Apache-2.0
"""What an operator's URL becomes, and what the sessions of each database are set to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text

from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.store import engine as engines
from redesignate.store import migrate
from redesignate.store.engine import EngineOptions, engine, normalised
from redesignate.store.listing import following
from redesignate.store.unit import Store, Work
from tests.store.databases import Database
from tests.store.makers import add, held, zone
from tests.support.mariadb import MariaDB

TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)


@pytest.mark.parametrize("given_charset", ["utf8", "utf8mb3", "latin1", None])
def test_mysqls_connections_are_utf8mb4_whatever_the_url_says(given_charset: str | None) -> None:
    url = "mysql+pymysql://u:p@db/designate" + (f"?charset={given_charset}" if given_charset else "")
    assert normalised(url).query["charset"] == "utf8mb4"


def test_a_charset_that_is_not_used_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    engines.say_charset.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            normalised("mysql+pymysql://u:secret@db/designate?charset=utf8")
        normalised("mysql+pymysql://u:secret@db/designate?charset=utf8mb4")
        normalised("mysql+pymysql://u:secret@db/designate")
    assert ["charset is replaced" in record.getMessage() for record in caplog.records] == [True]
    assert "secret" not in caplog.text


@pytest.mark.external
def test_a_store_works_with_the_url_of_many_installations(mariadb: MariaDB) -> None:
    url = mariadb.database() + "?charset=utf8"
    migrate.upgrade(url)
    store, one = Store(url), zone(description="\U0001f600")
    add(store, one)
    made = held(one, records=("\U0001f600",), project_id="p")
    store.transact(lambda work: work.rrsets.add([made]))
    store.transact(lambda work: work.ending.texts(gone=(), come=[made]))
    with store.read() as work:
        assert not work.zones.foreign_below(one.name, None)
        for field, value in (("data", "\U0001f600*"), ("data", "\u00e9*"), ("description", "*\U0001f600")):
            query = ListQuery(conditions=(Condition(field, Op.LIKE, value),))
            found = work.rrsets.listed(query, zone_id=None, project_id="p")
            assert len(found.items) == (1 if value == "\U0001f600*" else 0)
        found_zone = work.zones.get(one.id)
    assert found_zone == one
    store.close()
    mariadb.drop(url.partition("?")[0])


@given(prefix=TEXTS, other=TEXTS)
def test_what_follows_a_prefix_comes_right_after_all_that_begin_with_it(prefix: str, other: str) -> None:
    end = following(prefix).encode()
    for candidate in (other, prefix + other):
        octets = candidate.encode()
        in_range = prefix.encode() <= octets and (not end or octets < end)
        assert in_range is candidate.startswith(prefix)


LIMITS: dict[str, dict[str, str | int]] = {
    "postgresql": {
        "SHOW lock_timeout": "2s",
        "SHOW idle_in_transaction_session_timeout": "7s",
        "SHOW statement_timeout": "9s",
    },
    "mysql": {
        "SELECT @@SESSION.innodb_lock_wait_timeout": 2,
        "SELECT @@SESSION.lock_wait_timeout": 2,
        "SELECT @@SESSION.idle_transaction_timeout": 7,
        "SELECT @@SESSION.max_statement_time": 9,
        "SELECT @@SESSION.time_zone": "+00:00",
        "SELECT @@SESSION.character_set_client": "utf8mb4",
    },
    "sqlite": {"PRAGMA busy_timeout": 2000},
}


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    made = database.new()
    yield made
    database.drop(made)


@pytest.mark.parametrize("writes", [True, False])
def test_every_wait_has_a_limit_on_every_database(url: str, writes: bool) -> None:
    made = engine(url, writes=writes, options=EngineOptions(lock_wait_s=2, idle_s=7, statement_s=9))
    for _ in range(2):  # the second connection of the pool, and after a transaction that was undone
        with made.connect() as connection, made.connect() as other:
            for one in (connection, other):
                for question, limit in LIMITS[made.dialect.name].items():
                    assert one.execute(text(question)).scalar_one() == limit
                one.rollback()
    made.dispose()


def test_eight_requests_at_a_time_open_a_connection_each_and_no_more(tmp_path: Path) -> None:
    made, opened, together = engine(f"sqlite:///{tmp_path}/db", writes=False), [0], threading.Barrier(8, timeout=20)

    def count(*_: object) -> None:
        opened[0] += 1

    def ask() -> None:
        for _ in range(10):
            with made.connect():
                together.wait()
            together.wait()

    event.listen(made, "connect", count)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(ask) for _ in range(8)]:
            done.result(60)
    made.dispose()
    assert opened == [8]


@pytest.mark.external
def test_a_transaction_ends_once(mariadb: MariaDB) -> None:
    """No ROLLBACK follows a COMMIT; a transaction that failed, and one that only read, are rolled back."""
    url = mariadb.database()
    migrate.upgrade(url)
    store = Store(url, options=EngineOptions(pool_size=1, max_overflow=0))

    def ended(work: Work) -> dict[str, int]:
        rows = work.conn.execute(text("SHOW SESSION STATUS WHERE Variable_name IN ('Com_commit', 'Com_rollback')"))
        return {name: int(count) for name, count in rows}

    def fails(work: Work) -> None:
        work.zones.add(zone(), apex_version=1, rrsets=0)
        raise KeyError("no")

    at_first = store.transact(ended)
    add(store, zone())
    after = store.transact(ended)
    assert (after["Com_commit"] - at_first["Com_commit"], after["Com_rollback"] - at_first["Com_rollback"]) == (2, 0)
    with pytest.raises(KeyError):
        store.transact(fails)
    assert store.transact(ended)["Com_rollback"] == at_first["Com_rollback"] + 1
    for name in ("unchecked", "again"):  # a connection that went back after a COMMIT is cleaned the next time
        with store.engine.connect() as connection:
            connection.execute(text(f"SET @a = '{name}'"))
    assert store.transact(ended)["Com_rollback"] == at_first["Com_rollback"] + 3
    store.close()
