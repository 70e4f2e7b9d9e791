# SPDX-License-Identifier: Apache-2.0
"""Two nodes of Galera: what a lock on one of them does not keep from the other is undone, and run again."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from redesignate.commands.inbound import ForgetCopies, TransferZone
from redesignate.commands.pools import DeletePool, QueuePoolZones
from redesignate.model import errors
from redesignate.model.pool import CatalogSpec
from redesignate.model.zone import ZoneType
from redesignate.store import migrate
from tests.central import test_loading
from tests.central.driver import OPERATOR, CentralDriver, member
from tests.central.primaries import fetch
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
    for engine in (engine for central in made for engine in central.store.engines):
        # whatever comes first in a transaction waits for what the other node has committed
        event.listen(engine, "begin", lambda c: c.exec_driver_sql("SET SESSION wsrep_sync_wait = 15"))
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
    assert not here.call(QueuePoolZones()).more
    check_catalog(here)


@pytest.mark.parametrize("what", ["created", "deleted"])
def test_a_batch_of_a_catalog_and_what_another_node_does_with_a_zone_both_hold(nodes: Nodes, what: str) -> None:
    here, there = nodes
    here.pool()
    first = here.zone("a.org.")
    # never fetched, so that no batch queues it
    last = here.zone("b.org.", type=ZoneType.SECONDARY, email=None, primaries=("192.0.2.53",))
    assert first.id < last.id
    here.pool(catalog=CatalogSpec(name="catalog.example.", refresh=60))
    here.call(QueuePoolZones(limit=1))
    with before_commit(here, lambda: there.delete(last) if what == "deleted" else there.zone("c.org.")):
        here.call(QueuePoolZones(limit=1))
    while here.call(QueuePoolZones(limit=1)).more:
        pass
    check_catalog(here)
    (catalog,) = here.rows("zones", type="CATALOG")
    assert catalog.transferred_at is not None
    assert len(here.rows("rrsets", zone_id=catalog.id, type="PTR")) == (1 if what == "deleted" else 3)
    assert here.rows("rrsets", zone_id=catalog.id, name=f"{first.id}.zones.catalog.example.")


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


@pytest.mark.parametrize(
    ("stalled", "before"),
    [
        ("sweep", "DELETE FROM kept_rrsets"),
        ("run", "DELETE FROM kept_rrsets"),
        ("run", "INSERT INTO kept_rrsets"),
    ],
)
def test_what_stalls_on_one_node_changes_no_row_of_a_copy_that_the_other_serves(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, stalled: str, before: str
) -> None:
    monkeypatch.setattr("redesignate.central.loading.AHEAD", 10)
    monkeypatch.setattr("redesignate.central.loading.AT_ONCE", 10)
    monkeypatch.setattr("redesignate.store.kept.STEP", 7)
    here, there = nodes
    here.pool()
    zone = test_loading.served_zone(here)
    fetch(here, zone, 2, test_loading.NEW)
    assert here.rows("kept_rrsets"), "a large change leaves its copy's rows behind"
    here.serve()
    here.call(TransferZone(caller=member(), zone_id=zone.id))
    said = test_loading.report(here, zone, 3, test_loading.OLD)
    reached, go = threading.Event(), threading.Event()
    ends: list[object] = []
    seen: list[test_loading.Dns] = []

    def stall(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(before) and not reached.is_set():
            reached.set()
            assert go.wait(30)

    def late() -> None:
        try:
            ends.append(there.call(ForgetCopies()) if stalled == "sweep" else there.call(said))
        except errors.Unavailable as problem:
            ends.append(problem)

    def look() -> None:
        if test_loading.state(here, zone).kept_rrsets is None:
            return
        if not go.is_set():
            go.set()
            thread.join(30)
        seen.append(test_loading.dns(here, zone))

    event.listen(there.store.engine, "before_cursor_execute", stall)
    thread = threading.Thread(target=late)
    thread.start()
    assert reached.wait(30)
    with test_loading.at_commits(here, look):
        here.call(said)
    assert len(ends) == 1
    assert isinstance(ends[0], errors.Unavailable) == (stalled == "run")
    assert len(seen) > 3
    assert all(one == test_loading.expected(2, test_loading.NEW) for one in seen)
    assert test_loading.dns(here, zone) == test_loading.expected(3, test_loading.OLD)
