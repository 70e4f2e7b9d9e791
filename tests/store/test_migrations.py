# SPDX-License-Identifier: Apache-2.0
"""The migrations make exactly the schema that the code works with, as often and by as many as they are run."""

from __future__ import annotations

import importlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, select, text

from redesignate.model.errors import Misconfigured, Unavailable
from redesignate.model.inbound import Inbound
from redesignate.model.rrset import place
from redesignate.model.zone import Action, ZoneType
from redesignate.store import migrate, tables
from redesignate.store.engine import engine
from redesignate.store.schema import rrsets
from redesignate.store.unit import Store
from tests.store.databases import Database
from tests.store.makers import add, add_as_of, held, zone
from tests.support.servers import free_port, until


def test_upgrading_twice_is_upgrading_once(database: Database) -> None:
    url = database.new()
    assert migrate.current(url) is None
    with pytest.raises(Misconfigured, match="database sync"):
        migrate.require_head(url)
    for _ in range(2):
        migrate.upgrade(url)
        assert (migrate.current(url),) == migrate.heads()
    migrate.require_head(url)
    assert len(migrate.heads()) == 1
    assert migrate.history()[0].startswith(migrate.heads()[0])
    database.drop(url)


def test_many_may_upgrade_at_once(database: Database) -> None:
    url = database.new()
    context = get_context("spawn")  # as services do it: each in a process of its own
    processes = [context.Process(target=migrate.upgrade, args=(url,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (migrate.current(url),) == migrate.heads()
    database.drop(url)


def test_the_migrated_schema_is_the_codes(url: str) -> None:
    made = engine(url, writes=True)
    with made.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.metadata) == []
        there = inspect(connection)
        for table in tables.metadata.sorted_tables:
            indexes = {index["name"]: index["column_names"] for index in there.get_indexes(table.name)}
            for index in table.indexes:
                assert indexes[index.name] == [column.name for column in index.columns], index.name
            assert there.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
    made.dispose()


def test_collations_and_engines_are_as_the_code_needs_them(url: str) -> None:
    made = engine(url, writes=True)
    with made.connect() as connection:
        match made.dialect.name:
            case "mysql":
                wrong = connection.execute(
                    text(
                        "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS "
                        "WHERE TABLE_SCHEMA = DATABASE() AND COLLATION_NAME <> 'utf8mb4_bin' "
                        "AND TABLE_NAME <> 'alembic_version'"
                    )
                ).all()
            case "postgresql":
                wrong = connection.execute(
                    text(
                        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
                        "AND data_type = 'character varying' AND collation_name IS DISTINCT FROM 'C' "
                        "AND table_name <> 'alembic_version'"
                    )
                ).all()
            case _:
                wrong = []
    made.dispose()
    assert wrong == []


def test_data_survives_an_upgrade_that_has_nothing_to_do(url: str) -> None:
    store, one = Store(url), zone()
    add(store, one)
    migrate.upgrade(url)
    with store.read() as work:
        assert work.zones.get(one.id) == one
    store.close()


def test_secondary_zones_of_before_are_asked_for_after_the_upgrade(database: Database) -> None:
    url = database.new()
    migrate.upgrade(url, "0002")
    store = Store(url)
    living, going, own = zone(type=ZoneType.SECONDARY), zone(type=ZoneType.SECONDARY, action=Action.DELETE), zone()
    add_as_of(url, living, going, own)
    migrate.upgrade(url)
    with store.read() as work:
        assert work.inbound.due(1, 10) == (living.id,)
        assert work.inbound.get(living.id, 1) == Inbound(zone_id=living.id, due_at=0)
    store.close()
    database.drop(url)


def test_record_sets_of_before_have_their_place_in_the_order_after_the_upgrade(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In steps, and again after an upgrade that was broken off; record sets without records have none."""
    url = database.new()
    migrate.upgrade(url, "0003")
    store, of = Store(url), zone("example.org.")
    add_as_of(url, of)
    odd = {"www": b"www\0", "a\\000.b": b"b\0a\1\1\0", "b": b"b\0", "*.b": b"b\0*\0"}
    sets = [held(of, name) for name in odd] + [held(of, "empty", wire=b"", records=())]
    old = [one._asdict() | {"records": json.dumps(one.records)} for one in sets]
    for row in old:
        del row["order_key"], row["typed_name"]
    store.transact(lambda work: [work.conn.execute(rrsets.insert().values(row)) for row in old] and None)
    step = importlib.import_module("redesignate.store.migrations.versions.0004_order_key")
    monkeypatch.setattr(step, "STEP", 2)
    migrate.upgrade(url, "0004")
    with store.read() as work:
        found = {row.name: row.order_key for row in work.conn.execute(select(rrsets.c.name, rrsets.c.order_key))}
        assert {name.removesuffix(".example.org."): key for name, key in found.items()} == odd | {"empty": None}
    store.transact(lambda work: work.conn.execute(rrsets.update().values(order_key=None)) and None)
    store.transact(lambda work: work.conn.execute(text("UPDATE alembic_version SET version_num = '0003'")) and None)
    migrate.upgrade(url, "0004")
    with store.read() as work:
        assert {
            row.name: row.order_key for row in work.conn.execute(select(rrsets.c.name, rrsets.c.order_key))
        } == found
    store.close()
    database.drop(url)


def test_signatures_and_hashed_owners_stand_apart_from_names_after_the_upgrade(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database.new()
    migrate.upgrade(url, "0014")
    store, of = Store(url), zone("example.org.")
    add_as_of(url, of)
    sets = [held(of, f"n{n}", rrtype) for n in range(3) for rrtype in ("A", "TYPE46", "TYPE50")]
    store.transact(lambda work: work.rrsets.add(sets))
    step = importlib.import_module("redesignate.store.migrations.versions.0015_hashed_order")
    monkeypatch.setattr(step, "STEP", 2)
    for _ in range(2):
        migrate.upgrade(url, "0015")
        with store.read() as work:
            rows = work.conn.execute(select(rrsets.c.name, rrsets.c.type, rrsets.c.order_key)).all()
        assert {row.order_key for row in rows} == {place(row.name, row.type, of.name) for row in rows}
        assert all(row.order_key == place(row.name, row.type, of.name) for row in rows)
        store.transact(lambda work: work.conn.execute(text("UPDATE alembic_version SET version_num = '0014'")) and None)
    store.close()
    database.drop(url)


# -- what is said instead of a traceback


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "is not a database URL"),
        ("postgresql://u:hidden@db:port/x", "is not a database URL"),
        ("oracle://u:hidden@db/x", "oracle is not supported"),
        ("sqlite:////nowhere/at/all.db", "/nowhere/at/all.db cannot be used: unable to open"),
    ],
)
def test_a_url_that_cannot_work_is_a_line_without_its_password(url: str, words: str) -> None:
    for ask in (migrate.upgrade, migrate.current, migrate.require_head):
        with pytest.raises(Misconfigured, match=words) as raised:
            ask(url)
        assert "hidden" not in raised.value.message
        assert "storage:sqlalchemy" in raised.value.message


@pytest.mark.parametrize("scheme", ["mysql+pymysql", "postgresql"])
def test_a_server_that_cannot_be_reached_is_named_with_its_address(scheme: str) -> None:
    port = free_port()
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}/x.* cannot be used:.*(refused|Can't connect)") as raised:
        migrate.require_head(f"{scheme}://u:hidden@127.0.0.1:{port}/x")
    assert "hidden" not in raised.value.message


def test_a_file_that_is_not_sqlites_is_a_line(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are notes, and not a database" * 100)
    with pytest.raises(Misconfigured, match=r"notes.txt cannot be used: file is not a database"):
        migrate.upgrade(f"sqlite:///{file}")
    assert file.read_text().startswith("these are notes")


def test_a_new_sqlite_file_and_those_beside_it_are_for_their_owner_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db.sqlite"
    mask = os.umask(0)
    try:
        migrate.upgrade(url)
        store = Store(url)
        add(store, zone())
    finally:
        os.umask(mask)
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()} == dict.fromkeys(
        ("db.sqlite", "db.sqlite-wal", "db.sqlite-shm"), "0o600"
    )
    store.close()


FOREIGN = {
    "CREATE TABLE recordsets (id CHAR(32))": "schema of OpenStack Designate",
    "CREATE TABLE pools (id CHAR(32))": r"tables of another program \(pools\)",
}


@pytest.mark.parametrize("version", [None, "91eb1eb7c882"])
@pytest.mark.parametrize("table", FOREIGN)
def test_a_database_of_another_program_is_named_and_left_alone(
    database: Database, table: str, version: str | None
) -> None:
    url = database.new()
    made = engine(url, writes=True)
    with made.begin() as connection:
        connection.execute(text(table))
        if version is not None:
            connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
            connection.execute(text("INSERT INTO alembic_version VALUES (:v)"), {"v": version})
    before = set(inspect(made).get_table_names())
    words = "revision 91eb1eb7c882, which" if version and "recordsets" not in table else FOREIGN[table]
    for ask in (migrate.upgrade, migrate.current, migrate.require_head):
        with pytest.raises(Misconfigured, match=words):
            ask(url)
    assert set(inspect(made).get_table_names()) == before
    made.dispose()
    database.drop(url)


def test_an_upgrade_that_waits_for_a_dump_keeps_nobody_from_the_table(database: Database) -> None:
    url = database.new()
    migrate.upgrade(url, "0022")
    made = engine(url, writes=True)
    if made.dialect.name == "postgresql":
        with made.connect() as dump, ThreadPoolExecutor() as threads:
            dump.execute(text("LOCK TABLE rrsets IN ACCESS SHARE MODE"))
            upgrading = threads.submit(migrate.upgrade, url)
            with made.connect() as others:
                until(lambda: _waits_for_a_table(others), deadline_s=30)
                others.execute(text("SET lock_timeout = 10000"))
                assert others.execute(text("SELECT COUNT(*) FROM rrsets")).scalar() == 0
            assert not upgrading.done()
            dump.rollback()
            upgrading.result(timeout=60)
        assert (migrate.current(url),) == migrate.heads()
    made.dispose()
    database.drop(url)


def _waits_for_a_table(connection: Connection) -> bool:
    query = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    found = connection.execute(text(query)).scalar()
    connection.rollback()
    return bool(found)


def test_an_unknown_revision_is_a_line(database: Database) -> None:
    url = database.new()
    with pytest.raises(Misconfigured, match="cannot be upgraded to 9999"):
        migrate.upgrade(url, "9999")
    database.drop(url)
