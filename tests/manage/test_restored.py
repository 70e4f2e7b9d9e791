# SPDX-License-Identifier: Apache-2.0
"""`database restored`: what nameservers hold beside the database, and serials moved past what is foreign."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from redesignate.commands.pools import ApplyPool
from redesignate.commands.work import Overdue
from redesignate.commands.zones import CreateZone, GetZone, ZonePeers
from redesignate.config.settings import DEFAULT_POOL_ID
from redesignate.model.caller import operator as admin
from redesignate.model.pool import NSRecord, PoolSpec, TargetSpec
from redesignate.model.serial import SPACE, newer
from redesignate.model.work import Role
from redesignate.model.zone import NewZone, Zone
from tests.manage.conftest import Operator
from tests.support.nameservers import SmallServer

OWNER = replace(admin("req-1"), project_id="p1")


@pytest.fixture
def servers() -> Iterator[tuple[SmallServer, SmallServer]]:
    with SmallServer() as one, SmallServer() as other:
        yield one, other


@pytest.fixture
def zones(operator: Operator, servers: tuple[SmallServer, SmallServer]) -> list[Zone]:
    """Four zones, each as here on the second server; on the first as here, earlier, later and missing."""
    spec = PoolSpec(
        id=DEFAULT_POOL_ID,
        name="default",
        ns_records=(NSRecord("ns.example.", 1),),
        nameservers=tuple({"host": "127.0.0.1", "port": each.port, "tsigkey_id": None} for each in servers),
        targets=tuple(
            TargetSpec(type="fake", primaries=(("127.0.0.1", 5354),), options={"port": str(each.port)})
            for each in servers
        ),
    )
    operator.central.call(ApplyPool(caller=OWNER, spec=spec))
    made = [
        operator.central.call(CreateZone(caller=OWNER, new=NewZone(name=f"z{n}.example.", email="a@b.example")))
        for n in range(4)
    ]
    one, other = servers
    other.zones = {zone.name: zone.serial for zone in made}
    one.zones = {made[0].name: made[0].serial, made[1].name: made[1].serial - 9, made[2].name: made[2].serial + 9}
    return made


def now(operator: Operator, zone: Zone) -> Zone:
    return operator.central.call(GetZone(caller=OWNER, zone_id=zone.id))


def queued(operator: Operator) -> set[str]:
    found = operator.central.call(Overdue())
    return set(found)


def test_a_dry_run_says_what_each_server_holds_and_changes_nothing(
    operator: Operator, servers: tuple[SmallServer, SmallServer], zones: list[Zone]
) -> None:
    done = operator("database", "restored", "--dry-run")
    assert done.code == 0
    rows = {line.split()[1]: line.split()[2:] for line in done.lines if line.startswith("default")}
    one, other = servers
    assert rows[f"127.0.0.1:{one.port}"] == ["1", "1", "1", "1", "0"]
    assert rows[f"127.0.0.1:{other.port}"] == ["4", "0", "0", "0", "0"]
    assert "4 zones were compared, and no zone was changed. 1 serials would be raised." in done.out
    assert [now(operator, zone).serial for zone in zones] == [zone.serial for zone in zones]


def test_serials_move_past_later_ones_and_all_zones_are_queued(
    operator: Operator, servers: tuple[SmallServer, SmallServer], zones: list[Zone]
) -> None:
    done = operator("database", "restored")
    assert done.code == 0
    assert "4 zones are queued; the serials of 1 were raised above later ones." in done.out
    assert "fake cannot list them" in done.out
    after = [now(operator, zone) for zone in zones]
    assert newer(after[2].serial, (zones[2].serial + 9) % SPACE)
    assert [each.serial for each in after[:2]] == [each.serial for each in zones[:2]]
    assert queued(operator) == {zone.id for zone in zones}
    views = {
        (view.address, view.role): view for view in operator.central.call(ZonePeers(caller=OWNER, zone_id=zones[3].id))
    }
    missing = views[f"127.0.0.1:{servers[0].port}", Role.NAMESERVER]
    assert missing.state.value == "absent"
    assert "answers REFUSED" in str(missing.error)
    assert operator("database", "restored").code == 0  # a second run finds nothing more to move
    assert now(operator, zones[2]).serial == after[2].serial


def test_a_silent_server_is_counted_and_its_zones_are_looked_at_by_the_workers(
    operator: Operator, servers: tuple[SmallServer, SmallServer], zones: list[Zone]
) -> None:
    servers[0].silent = True
    done = operator("database", "restored")
    rows = {line.split()[1]: line.split()[2:] for line in done.lines if line.startswith("default")}
    assert rows[f"127.0.0.1:{servers[0].port}"][-1] == "4"
    assert queued(operator) == {zone.id for zone in zones}
