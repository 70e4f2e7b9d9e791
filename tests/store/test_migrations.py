# SPDX-License-Identifier: Apache-2.0
"""The migrations make exactly the schema that the code works with, as often and by as many as they are run."""

from __future__ import annotations

import importlib
from multiprocessing import get_context

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from redesignate.model.errors import Misconfigured
from redesignate.model.inbound import Inbound
from redesignate.model.zone import Action, ZoneType
from redesignate.store import migrate, schema
from redesignate.store.engine import engine
from redesignate.store.rrsets import _row
from redesignate.store.schema import rrsets
from redesignate.store.unit import Store
from tests.store.databases import Database
from tests.store.makers import add, rrset, zone


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
        assert compare_metadata(context, schema.metadata) == []
        there = inspect(connection)
        for table in schema.metadata.sorted_tables:
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
    add(store, living, going, own)
    migrate.upgrade(url)
    with store.read() as work:
        assert work.inbound.due(1, 10) == (living.id,)
        assert work.inbound.get(living.id) == Inbound(zone_id=living.id, due_at=0)
    store.close()
    database.drop(url)


def test_record_sets_of_before_have_their_place_in_the_order_after_the_upgrade(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In steps, and again after an upgrade that was broken off; record sets without records have none."""
    url = database.new()
    migrate.upgrade(url, "0003")
    store, of = Store(url), zone("example.org.")
    add(store, of)
    odd = {"www": b"www\0", "a\\000.b": b"b\0a\1\1\0", "b": b"b\0", "*.b": b"b\0*\0"}
    sets = [(rrset(of, name=name), b"x") for name in odd] + [(rrset(of, name="empty", records=()), b"")]
    rows = [_row(one) | {"wire": wire} for one, wire in sets]
    old = [{name: value for name, value in row.items() if name != "order_key"} for row in rows]
    store.transact(lambda work: [work.conn.execute(rrsets.insert().values(row)) for row in old] and None)
    step = importlib.import_module("redesignate.store.migrations.versions.0004_order_key")
    monkeypatch.setattr(step, "STEP", 2)
    migrate.upgrade(url, "0004")
    with store.read() as work:
        found = dict(work.conn.execute(select(rrsets.c.name, rrsets.c.order_key)).tuples().all())
        assert {name.removesuffix(".example.org."): key for name, key in found.items()} == odd | {"empty": None}
    store.transact(lambda work: work.conn.execute(rrsets.update().values(order_key=None)) and None)
    store.transact(lambda work: work.conn.execute(text("UPDATE alembic_version SET version_num = '0003'")) and None)
    migrate.upgrade(url, "0004")
    with store.read() as work:
        assert dict(work.conn.execute(select(rrsets.c.name, rrsets.c.order_key)).tuples().all()) == found
    store.close()
    database.drop(url)
