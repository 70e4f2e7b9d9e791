# SPDX-License-Identifier: Apache-2.0
"""What mdns reads, the same from each database."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redesignate.mdns import render
from redesignate.model.errors import Unavailable
from redesignate.model.names import from_order_key, order_key
from redesignate.model.tsigkey import Scope
from redesignate.model.zone import Action, ZoneType
from redesignate.store.served_zone import Blobs, Mark, Reach
from redesignate.store.serving import LATEST, Snapshot
from redesignate.store.tables import metadata
from redesignate.store.unit import Work
from redesignate.wire import rrset
from tests.mdns.test_lookup import RECORDS
from tests.mdns.zones import POOL, StoredZone, StoredZones, served
from tests.support.postgres import Postgres

ZONE = "example.org."
ANYWHERE = Reach(Scope.POOL, POOL)


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.external),
        pytest.param("mariadb", marks=pytest.mark.external),
    ]
)
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoredZones]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        made = StoredZones.in_folder(tmp_path)
    else:
        made = StoredZones(request.getfixturevalue(request.param).database())
        metadata.create_all(made.store.engine)
    yield made
    made.close()


@pytest.fixture
def written(anywhere: StoredZones) -> StoredZone:
    return anywhere.add_zone(ZONE, RECORDS)


def test_the_nearest_zone_within_reach_is_found(anywhere: StoredZones, written: StoredZone) -> None:
    below = anywhere.add_zone("sub.example.org.")
    anywhere.add_zone("sub.sub.example.org.", action=Action.DELETE)
    other = anywhere.add_zone("x.sub.example.org.", pool_id="another")
    gone = anywhere.add_zone("gone.org.")
    anywhere.mark(gone, deleted=gone.zone.id)
    names = ["y.x.sub.example.org.", "x.sub.example.org.", "sub.example.org.", ZONE, "org."]
    with anywhere.source.read() as view:
        found = view.nearest_zone(names, ANYWHERE)
        assert found is not None
        assert (found.id, found.name) == (below.zone.id, "sub.example.org.")
        assert rrset.soa(found) == rrset.soa(below.zone)
        assert view.nearest_zone(["sub.sub.example.org."], ANYWHERE) is None
        assert view.nearest_zone(["gone.org."], ANYWHERE) is None
        assert view.zone(gone.zone.id) is None
        reached = view.nearest_zone(names, Reach(Scope.POOL, "another"))
        assert reached is not None
        assert reached.id == other.zone.id
        reached = view.nearest_zone(names, Reach(Scope.ZONE, written.zone.id))
        assert reached is not None
        assert reached == view.zone(written.zone.id)


def test_rrsets_are_found_by_name(anywhere: StoredZones, written: StoredZone) -> None:
    anywhere.edit(written, {("empty.example.org.", "A"): (None, ()), ("timed.example.org.", "A"): (5, ("192.0.2.1",))})
    with anywhere.source.read() as view:
        names = ["www.example.org.", ZONE, "empty.example.org.", "nothing.example.org.", "timed.example.org."]
        found = sorted(
            (name, ttl, rrset.bodies(blob, None)[0])
            for name, ttl, blob in view.at_names(served(view, written.zone), names)
        )
        assert view.at_names(served(view, written.zone), []) == []
    assert found == [
        (ZONE, None, 2),
        ("timed.example.org.", 5, 1),
        ("www.example.org.", None, 1),
        ("www.example.org.", None, 16),
    ]


def test_any_number_of_names_is_asked_for(anywhere: StoredZones) -> None:
    """A statement takes 64 of them; a name of 127 labels has more, its wildcards counted."""
    names = [f"h{n}.{ZONE}" for n in range(150)]
    written = anywhere.add_zone(ZONE, {(name, "A"): ("192.0.2.1",) for name in names})
    with anywhere.source.read() as view:
        zone = served(view, written.zone)
        for count in (0, 1, 63, 64, 65, 128, 150):
            assert sorted(name for name, _, _ in view.at_names(zone, names[:count])) == sorted(names[:count])
        deep = "a." * 115 + ZONE
        found = view.nearest_zone([deep[at:] for at in range(0, 2 * 115 + 1, 2)], ANYWHERE)
        assert found == zone


def test_the_names_around_a_missing_one_are_found_in_canonical_order(
    anywhere: StoredZones, written: StoredZone
) -> None:
    """Octets, not letters of some language, in the order; names without records, and other zones, do not count."""
    below = anywhere.add_zone("sub.example.org.")
    odd = {name: (None, ("192.0.2.1",)) for name in ("_a.", "A.", "z.", "\\000.z.", "*.z.", "\\200.z.", "zz.")}
    anywhere.edit(below, {(name.lower() + "sub.example.org.", "A"): value for name, value in odd.items()})
    anywhere.edit(below, {("y.sub.example.org.", "A"): (None, ())})
    expected = {"": ("", "_a."), "b.": ("a.", "z."), "y.": ("a.", "z."), "z.": ("a.", "\\000.z."),
                "a.z.": ("*.z.", "\\200.z."), "\\001.z.": ("\\000.z.", "*.z."), "zz.": ("\\200.z.", "")}  # fmt: skip
    keys = [order_key(name + "sub.example.org.", "sub.example.org.") for name in expected]
    with anywhere.source.read() as view:
        found = view.neighbours(served(view, below.zone), keys)
    text = [
        tuple(from_order_key(key, "sub.example.org.").removesuffix("sub.example.org.") for key in pair)
        for pair in found
    ]
    assert dict(zip(expected, text, strict=True)) == expected


def joined(batches: Iterator[Blobs]) -> list[tuple[int | None, bytes]]:
    return sorted(((ttl, bytes(blob)) for batch in batches for ttl, blob in batch), key=lambda item: item[1])


def test_the_whole_zone_is_read_in_a_settled_order(anywhere: StoredZones, written: StoredZone) -> None:
    with anywhere.source.read() as view:
        once, again = (
            list(view.whole_zone(served(view, written.zone))),
            list(view.whole_zone(served(view, written.zone))),
        )
        assert [list(batch) for batch in once] == [list(batch) for batch in again]
        found = joined(iter(once))
        assert len(found) == len(written.content) + 1
        assert view.octets(served(view, written.zone)) == sum(len(blob) for _, blob in found)


def test_a_view_does_not_move_while_the_zone_does(anywhere: StoredZones, written: StoredZone) -> None:
    with anywhere.source.read() as view:
        before = view.zone(written.zone.id)
        blobs = joined(view.whole_zone(served(view, written.zone)))
        anywhere.edit(written, {("new.example.org.", "A"): (None, ("192.0.2.1",)), ("www.example.org.", "A"): None})
        assert view.zone(written.zone.id) == before
        assert joined(view.whole_zone(served(view, written.zone))) == blobs
        assert view.marks(written.zone.id, before=99, limit=9)[0].revision == 1
        assert view.at_names(served(view, written.zone), ["new.example.org."]) == []
    with anywhere.source.read() as view:
        now = view.zone(written.zone.id)
        assert now is not None
        assert now.revision == 2
        assert len(joined(view.whole_zone(served(view, written.zone)))) == len(blobs)


def test_the_journal_is_read_backwards_by_size_and_forwards_by_content(
    anywhere: StoredZones, written: StoredZone
) -> None:
    for n in range(5):
        anywhere.edit(written, {("counter.example.org.", "A"): (60, (f"192.0.2.{n}",))})
    rr = len(rrset.pack(ZONE, "counter.example.org.", "A", 60, [b"1234"]))
    with anywhere.source.read() as view:
        marks = view.marks(written.zone.id, before=7, limit=4)
        assert marks[0] == Mark(6, 1004, 1005, False, 2 * rr)
        assert [mark.revision for mark in marks] == [6, 5, 4, 3]
        first = view.marks(written.zone.id, before=2, limit=9)
        assert [(mark.revision, bool(mark.full)) for mark in first] == [(1, True)]
        changes = view.changes(written.zone.id, 5, 6)
        assert [change.added[-1] for change in changes] == [3, 4]
        assert changes[0].soa_to == changes[1].soa_from
        assert changes[1].soa_to == rrset.soa(written.zone)


def test_a_short_way_through_the_journal_is_read_at_once(anywhere: StoredZones, written: StoredZone) -> None:
    def latest(since: int) -> list[int] | None:
        with anywhere.source.read() as view:
            found = view.latest(served(view, written.zone), since)
            return None if found is None else [change.added[-1] for change in found]

    assert latest(999) is None, "the first revision is the whole zone"
    for n in range(LATEST + 4):
        anywhere.edit(written, {("counter.example.org.", "A"): (60, (f"192.0.2.{n}",))})
    newest = written.zone.serial
    assert latest(newest - 1) == [LATEST + 3]
    assert latest(newest - 3) == [LATEST + 1, LATEST + 2, LATEST + 3]
    assert latest(newest - LATEST) == list(range(4, LATEST + 4))
    assert latest(newest - LATEST - 1) is None, "it is longer"
    assert latest(newest - 1000) is None
    assert latest(2**32 - 5) is None
    anywhere.edit(written, {("large.example.org.", "TXT"): (60, tuple(f'"{n:0>250}"' for n in range(20)))})
    assert latest(newest) is None, "it is large"
    newest = written.zone.serial
    anywhere.edit(written, {("counter.example.org.", "A"): (60, ("192.0.2.99",))})
    assert latest(newest) == [99]
    with anywhere.source.read() as view:
        whole = render.differences(view, served(view, written.zone), newest - 3, 60_000)
    assert whole is not None
    assert whole.records > 20


def test_keys_and_secondaries_are_found_by_name(anywhere: StoredZones) -> None:
    key = anywhere.add_key("key1.example", Scope.POOL, POOL)
    anywhere.add_zone("sec.org.", kind=ZoneType.SECONDARY, primaries=("192.0.2.1:53",), pool_id="another")
    with anywhere.source.read() as view:
        found = view.key("key1.example")
        assert found is not None
        assert (found.secret, found.scope, found.resource_id) == (key.secret, Scope.POOL, POOL)
        assert view.key("key2.example") is None
        assert [primaries for _, primaries in view.secondaries("sec.org.")] == [("192.0.2.1:53",)]
        assert view.secondaries(ZONE) == []


@pytest.mark.external
@pytest.mark.filterwarnings("ignore:.*ServerCursor:ResourceWarning")  # psycopg's cursor on a dead connection
def test_a_connection_that_breaks_is_the_database_away_and_the_next_view_is_whole(postgres: Postgres) -> None:
    anywhere = StoredZones(postgres.database())
    metadata.create_all(anywhere.store.engine)
    written = anywhere.add_zone(ZONE)
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"

    def break_all(work: Work) -> None:
        own = work.conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        work.conn.exec_driver_sql(kill, (own,))

    uses: list[Callable[[Snapshot], object]] = [
        lambda view: view.zone(written.zone.id),
        lambda view: view.key("k"),
        lambda view: list(view.whole_zone(served(view, written.zone))),
    ]
    for use in uses:
        with anywhere.source.read() as view:
            view.octets(served(view, written.zone))
            anywhere.store.transact(break_all)
            with pytest.raises(Unavailable):
                use(view)
        with anywhere.source.read() as view:
            assert view.zone(written.zone.id) is not None
    anywhere.close()
    gc.collect()  # while the filter above holds
