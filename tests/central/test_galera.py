# SPDX-License-Identifier: Apache-2.0
"""Two nodes of Galera: what a lock on one of them does not keep from the other is undone, and run again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, text

from redesignate.commands.pools import DeletePool, QueuePoolZones
from redesignate.model import errors
from redesignate.model.pool import CatalogSpec
from redesignate.store import migrate
from tests.central.driver import OPERATOR, CentralDriver
from tests.central.test_pools import check_catalog
from tests.support.mariadb import PROVIDER, GaleraNode
from tests.support.servers import LOOPBACK

pytestmark = pytest.mark.external
Nodes = tuple[CentralDriver, CentralDriver]


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[GaleraNode, GaleraNode]]:
    if not Path(PROVIDER).exists() or not shutil.which("rsync"):
        pytest.skip("no Galera here, or no rsync")
    first = GaleraNode.create()
    try:
        second = first.joined()
        yield first, second
        second.close()
    finally:
        first.close()


@pytest.fixture
def nodes(cluster: tuple[GaleraNode, GaleraNode]) -> Iterator[Nodes]:
    """One central on each node."""
    url = cluster[0].database()
    migrate.upgrade(url)
    other = f"mysql+pymysql://root@{LOOPBACK}:{cluster[1].port}/{url.rpartition('/')[2]}"
    made = CentralDriver(url), CentralDriver(other)
    for central in made:  # whatever comes first in a transaction waits for what the other node has committed
        event.listen(central.store.engine, "begin", lambda c: c.exec_driver_sql("SET SESSION wsrep_sync_wait = 15"))
    yield made
    for central in made:
        central.close()


@contextmanager
def before_commit(central: CentralDriver, do: Callable[[], object]) -> Iterator[None]:
    """Do something elsewhere right before the next commit here, once."""
    done: list[object] = []

    def once(_connection: object) -> None:
        if not done:
            done.append(None)
            done.append(do())

    event.listen(central.store.engine, "commit", once)
    yield
    event.remove(central.store.engine, "commit", once)
    assert len(done) == 2


def test_a_zone_that_another_node_creates_keeps_its_pool(nodes: Nodes) -> None:
    here, there = nodes
    here.pool()
    with before_commit(here, there.zone), pytest.raises(errors.InvalidOperation, match="must not contain zones"):
        here.call(DeletePool(caller=OPERATOR, pool_id=here.rows("pools")[0].id))
    assert len(here.rows("pools")) == len(here.rows("zones")) == 1


def test_a_catalog_that_is_added_lists_the_zone_that_another_node_creates(nodes: Nodes) -> None:
    here, there = nodes
    here.pool()
    with before_commit(here, there.zone):
        here.pool(catalog=CatalogSpec(name="catalog.example.", refresh=60))
    check_catalog(here)


def test_a_change_of_servers_is_not_undone_by_zones_that_another_node_creates(nodes: Nodes) -> None:
    """Or one tenant could keep the operator from ever changing a pool."""
    here, there = nodes
    here.pool()
    undone: list[object] = []
    event.listen(here.store.engine, "handle_error", undone.append)
    with before_commit(here, there.zone):
        here.pool(servers=2)
    assert not undone
    (zone,) = here.rows("zones")
    assert [row.up_to for row in here.rows("pool_changes")] == [""], "no batch before the change is committed"
    assert here.call(QueuePoolZones(limit=10)).queued == 1
    assert not here.rows("pool_changes")
    assert [row.zone_id for row in here.rows("outbox")] == [zone.id]


def test_a_zone_is_not_created_in_a_pool_that_another_node_deletes(nodes: Nodes) -> None:
    here, there = nodes
    pool = here.pool()
    delete = DeletePool(caller=OPERATOR, pool_id=pool.id)
    with before_commit(here, lambda: there.call(delete)), pytest.raises(errors.NoValidPool):
        here.zone()
    assert not here.rows("zones")


def test_creations_on_two_nodes_both_come_through(nodes: Nodes) -> None:
    here, there = nodes
    here.pool()
    with before_commit(here, lambda: there.zone("b.net.")):
        here.zone("a.org.")
    assert {row.name for row in here.rows("zones")} == {"a.org.", "b.net."}
    with here.store.read() as work:
        versions = work.conn.execute(text("SELECT SUM(version) FROM pool_guards")).scalar_one()
    assert versions == 2, "each wrote one row"
