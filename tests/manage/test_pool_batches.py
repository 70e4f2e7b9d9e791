# SPDX-License-Identifier: Apache-2.0
"""`pool update` of a pool with many zones: in batches, with progress, and whoever comes next goes on with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import create_engine, func, select, update
from sqlalchemy.pool import NullPool

from redesignate.auth.policy import Policy
from redesignate.bus.inproc import InprocCentral
from redesignate.bus.port import Central
from redesignate.central.poolchanges import LISTED_AT_ONCE
from redesignate.central.rules import Rules
from redesignate.central.service import CentralService
from redesignate.commands.base import Command
from redesignate.commands.pools import QueuePoolZones
from redesignate.config.settings import DEFAULT_POOL_ID, CentralSettings, TaskSettings
from redesignate.coord.partitions import SHARDS
from redesignate.model.clock import SECOND, new_id
from redesignate.model.errors import Unavailable
from redesignate.producer import tasks
from redesignate.store import migrate, schema, settings_schema
from redesignate.store.unit import Store
from tests.manage.conftest import Nobody, Operator
from tests.store.makers import add, zone
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres
from tests.support.servers import until
from tests.support.system import Process

FILE = """\
- name: default
  ns_records: [{{hostname: ns1.example.net., priority: 1}}]
  nameservers: [{{host: 127.0.0.1, port: {port}}}]
"""
BATCH = 1000
R = TypeVar("R")


def zones(store: Store, count: int) -> None:
    ids = [new_id() for _ in range(count)]
    add(store, *[zone(name=f"z{n}.example.", id=ident, pool_id=DEFAULT_POOL_ID) for n, ident in enumerate(ids)])


def queued(store: Store) -> int:
    with store.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(schema.outbox)).scalar_one()


@dataclass(frozen=True)
class Killed:
    """What a killed command left behind. `first`: the highest generation of a row before it."""

    store: Store
    central: Central
    first: int


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pools.yaml"


def update_to(operator: Operator, file: Path, port: int, *, terminal: bool = False) -> tuple[int, str, str]:
    file.write_text(FILE.format(port=port))
    ran = operator("pool", "update", "--file", str(file), terminal=terminal)
    return ran.code, ran.out, ran.err


def test_every_zone_is_queued_and_a_terminal_shows_how_far_it_is(operator: Operator, file: Path) -> None:
    update_to(operator, file, 53)
    zones(operator.store, 3 * BATCH + 7)
    ticks = itertools.count(0, SECOND)
    operator.clock = lambda: next(ticks)
    code, out, err = update_to(operator, file, 54, terminal=True)
    assert (code, queued(operator.store)) == (0, 3 * BATCH + 7)
    assert f"{2 * BATCH:,}/{2 * BATCH + 7:,}" in err
    assert f"Queued {2 * BATCH + 7} further zones for their new servers" in out


class Going:
    """A central that is unavailable after one batch."""

    def __init__(self, central: Central) -> None:
        self._central = central
        self._batches = 0

    def call(self, command: Command[R]) -> R:
        if isinstance(command, QueuePoolZones):
            self._batches += 1
            if self._batches > 1:
                raise Unavailable("The database is unavailable.")
        return self._central.call(command)


def test_an_update_that_is_interrupted_says_so_and_is_finished_by_the_next_one(operator: Operator, file: Path) -> None:
    update_to(operator, file, 53)
    zones(operator.store, 3 * BATCH)
    whole = operator.central
    operator.central = Going(whole)
    code, _, err = update_to(operator, file, 54)
    operator.central = whole
    assert code == 1
    assert "the pools are changed, but about 1000 zones are not queued for their new servers yet" in err
    assert queued(operator.store) == 2 * BATCH
    code, out, _ = update_to(operator, file, 54)
    assert (code, queued(operator.store)) == (0, 3 * BATCH)
    assert "Queued 1000 further zones" in out


@contextmanager
def killed(server: MariaDB | Postgres, folder: Path, update_to: str, *, count: int, at: int) -> Iterator[Killed]:
    """A `pool update` to this file that was killed when it had queued `at` of the pool's zones."""
    url = server.database()
    migrate.upgrade(url)
    store, file = Store(url), folder / "pools.yaml"
    config = folder / "redesignate.conf"
    config.write_text(f"[DEFAULT]\nstate_path = {folder}\n[storage:sqlalchemy]\nconnection = {url}\n")
    words = ["--config-file", str(config), "manage", "pool", "update", "--file", str(file)]
    file.write_text(FILE.format(port=53))
    run(words, folder / "first.log")
    zones(store, count)
    store.transact(lambda work: work.outbox.enqueue_pool(DEFAULT_POOL_ID, work.now))
    first = generation(store)
    file.write_text(update_to)
    process = Process(words, folder / "second.log")
    other = create_engine(url, poolclass=NullPool)
    with other.connect() as connection:
        last = connection.execute(select(func.max(schema.outbox.c.zone_id))).scalar_one()
        connection.execute(update(schema.outbox).where(schema.outbox.c.zone_id == last).values(attempts=7))  # a lock
        process.start()
        try:
            until(lambda: marker(store) == at, deadline_s=60, what="the last batch but one")
        finally:
            process.kill()
    service = CentralService(store, Rules(settings=CentralSettings(), policy=Policy()), Nobody())
    yield Killed(store, InprocCentral(service.dispatch), first)
    other.dispose()
    store.close()
    server.drop(url)


def produced(central: Central) -> int:
    """How many zones the producer queued in one go."""
    return tasks.queue_pool_zones(central, range(SHARDS), TaskSettings(interval=10, batch_size=BATCH))


@pytest.mark.external
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["mariadb", pytest.param("postgres", marks=pytest.mark.long)])
def test_kill_9_between_two_batches_and_the_producer_does_the_others(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    server: MariaDB | Postgres = request.getfixturevalue(kind)
    with killed(server, tmp_path, FILE.format(port=54), count=4 * BATCH, at=3 * BATCH) as it:
        assert changed(it.store, it.first) == 3 * BATCH
        until(lambda: produced(it.central) == BATCH, deadline_s=20, what="the rest")
        assert (changed(it.store, it.first), marker(it.store)) == (4 * BATCH, None)


@pytest.mark.external
@pytest.mark.timeout(120)
def test_kill_9_between_two_batches_of_a_new_catalog_and_the_producer_lists_the_other_zones(
    mariadb: MariaDB, tmp_path: Path
) -> None:
    some, full = 4 * LISTED_AT_ONCE, 5 * LISTED_AT_ONCE
    listed = FILE.format(port=53) + "  catalog_zone: {catalog_zone_fqdn: catalog.example.}\n"
    with killed(mariadb, tmp_path, listed, count=full, at=some) as it:
        assert catalog(it.store) == (some, False)
        until(lambda: produced(it.central) > 0, deadline_s=20, what="the rest")
        assert (catalog(it.store), marker(it.store)) == ((full, True), None)


def catalog(store: Store) -> tuple[int, bool]:
    """How many zones the catalog lists, and whether it is complete."""
    with store.engine.connect() as connection:
        members = connection.execute(select(func.count()).where(schema.rrsets.c.type == "PTR")).scalar_one()
        made = select(schema.zones.c.transferred_at).where(schema.zones.c.type == "CATALOG")
        return members, connection.execute(made).scalar_one() is not None


def run(words: Sequence[str], log: Path) -> None:
    process = Process(words, log)
    process.start()
    assert process.wait_code() == 0, log.read_text()


def marker(store: Store) -> int | None:
    """How many zones the unfinished change has queued."""
    with store.engine.connect() as connection:
        found: int | None = connection.execute(select(settings_schema.pool_changes.c.queued)).scalar()
    return found


def generation(store: Store) -> int:
    """The highest generation of a row."""
    with store.engine.connect() as connection:
        return int(connection.execute(select(func.max(schema.outbox.c.generation))).scalar_one())


def changed(store: Store, first: int) -> int:
    """How many zones were queued again since `first` was the highest generation."""
    with store.engine.connect() as connection:
        return connection.execute(select(func.count()).where(schema.outbox.c.generation > first)).scalar_one()
