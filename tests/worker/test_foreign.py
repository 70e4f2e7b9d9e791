# SPDX-License-Identifier: Apache-2.0
"""A serial that we never published is not our zone: it counts as not served, is named, and our serial jumps past it."""

from __future__ import annotations

from redesignate.central.foreign import JUMPS
from redesignate.config.settings import WorkerSettings
from redesignate.model.serial import SPACE, newer
from redesignate.model.zone import Status, Zone
from tests.support.nameservers import SmallServer
from tests.worker.conftest import Plane, eventually
from tests.worker.test_audit import NO_AUDIT, QUICK

Servers = tuple[SmallServer, SmallServer, SmallServer]


def revisions(plane: Plane, zone: Zone) -> list[tuple[int, int, str | None]]:
    """Serials and request id of each revision in the journal."""
    with plane.store.read() as work:
        rows = work.conn.exec_driver_sql(
            f"SELECT serial_from, serial_to, request_id FROM journal WHERE zone_id = '{zone.id}' ORDER BY revision"
        )
        return [(row[0], row[1], row[2]) for row in rows]


def served_by_two(plane: Plane, servers: Servers, settings: WorkerSettings) -> tuple[Zone, SmallServer, SmallServer]:
    """A zone that two servers serve."""
    plane.worker_settings = settings
    one, other, _ = servers
    plane.pool(one, other)
    plane.start()
    zone = plane.zone()
    plane.wait_done()
    return zone, one, other


def test_a_change_that_meets_a_foreign_newer_serial_goes_past_it(plane: Plane, servers: Servers) -> None:
    zone, one, other = served_by_two(plane, servers, NO_AUDIT)
    foreign = (zone.serial + 5000) % SPACE
    one.zones[zone.name] = foreign
    after = plane.edit(zone)
    eventually(lambda: one.zones[zone.name] == other.zones[zone.name] != foreign)
    plane.wait_active(zone)
    plane.wait_done()
    settled = plane.now(zone)
    assert newer(settled.serial, foreign)
    assert settled.revision == after.revision + 1
    assert [request_id for _, _, request_id in revisions(plane, zone)][-1] == "serial-jump"
    assert one.zones[zone.name] == other.zones[zone.name] == settled.serial


def test_a_foreign_newer_serial_at_rest_is_found_and_passed_once(plane: Plane, servers: Servers) -> None:
    zone, one, other = served_by_two(plane, servers, QUICK)
    one.zones[zone.name] = (zone.serial + 5000) % SPACE
    eventually(lambda: plane.now(zone).serial != zone.serial)
    plane.wait_active(zone)
    plane.wait_done()
    after = plane.now(zone)
    assert after.revision == zone.revision + 1
    assert one.zones[zone.name] == other.zones[zone.name] == after.serial


def test_a_server_so_far_ahead_that_one_step_cannot_pass_it_is_passed_in_two(plane: Plane, servers: Servers) -> None:
    zone, one, other = served_by_two(plane, servers, QUICK)
    one.zones[zone.name] = (zone.serial + SPACE // 2 - 1) % SPACE
    plane.wait_done()
    eventually(lambda: one.zones[zone.name] == other.zones[zone.name] == plane.now(zone).serial != zone.serial, 20)
    plane.wait_done()
    assert plane.now(zone).revision == zone.revision + 2


def test_a_server_that_always_claims_more_cannot_drive_the_serial(plane: Plane, servers: Servers) -> None:
    """It is named as not serving the zone, and the zone is not ACTIVE where that server is needed."""
    zone, one, _ = served_by_two(plane, servers, QUICK)

    class Hostile(dict[str, int | None]):
        """Whatever it is told, it serves something newer."""

        def __getitem__(self, name: str) -> int | None:
            return (plane.now(zone).serial + 1000) % SPACE if name == zone.name else None

        def get(self, name: str, default: object = None) -> int | None:
            return self[name]

    one.zones = Hostile({zone.name: 1})
    eventually(lambda: plane.now(zone).revision == zone.revision + JUMPS, 20)
    eventually(lambda: "never published" in str(plane.server_view(zone, one).error))
    eventually(lambda: plane.server_view(zone, one).attempts > 3, 20)
    assert plane.now(zone).revision == zone.revision + JUMPS
    assert plane.server_view(zone, one).state.value != "current"
    assert plane.now(zone).status is not Status.ACTIVE


def test_a_serial_of_our_own_journal_is_ours_also_where_the_zone_has_moved_on(plane: Plane, servers: Servers) -> None:
    plane.pool(servers[0])
    plane.start()
    zone = plane.zone()
    for _ in range(100):
        plane.edit(zone)
    plane.wait_active(zone)
    plane.wait_done()
    assert "serial-jump" not in {request_id for _, _, request_id in revisions(plane, zone)}
