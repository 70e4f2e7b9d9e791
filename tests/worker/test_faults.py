# SPDX-License-Identifier: Apache-2.0
"""Broken nameservers, backends and roads to central: each is its own problem, and each is named."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import replace
from typing import TypeVar

import pytest

from redesignate.auth.policy import Policy
from redesignate.backends.port import Backend, BackendZone
from redesignate.bus.inproc import InprocCentral
from redesignate.central.rules import Rules
from redesignate.central.service import CentralService
from redesignate.commands.base import Command
from redesignate.commands.work import BeginWork
from redesignate.config.settings import WorkerSettings
from redesignate.model.errors import Unavailable
from redesignate.model.pool import Pool, Target
from redesignate.model.zone import Status, Zone
from tests.support.nameservers import SmallBackend, SmallServer
from tests.worker.conftest import Plane, eventually
from tests.worker.test_worker import LONG_LEASE, gone

R = TypeVar("R")
Servers = tuple[SmallServer, SmallServer, SmallServer]


def served_after(plane: Plane, zone: Zone, server: SmallServer) -> float:
    """Seconds from one change to its serial on a server."""
    started = time.monotonic()
    after = plane.edit(zone)
    eventually(lambda: server.zones.get(zone.name) == after.serial)
    return time.monotonic() - started


def two_thirds(plane: Plane) -> None:
    """Two of three servers make a zone ACTIVE."""
    object.__setattr__(plane.settings, "threshold_percentage", 66)


def test_a_silent_server_is_named_and_the_others_keep_their_speed(plane: Plane, servers: Servers) -> None:
    two_thirds(plane)
    good, other, silent = servers
    silent.silent = True
    plane.pool(*servers)
    plane.start()
    zone = plane.zone()
    started = time.monotonic()
    plane.wait_active(zone)
    assert time.monotonic() - started < 1
    eventually(lambda: plane.server_view(zone, silent).error is not None, 10)
    assert f"no answer from 127.0.0.1:{silent.port}" in str(plane.server_view(zone, silent).error)
    times = [served_after(plane, zone, server) for server in (good, other) for _ in range(10)]
    assert statistics.median(times) < 0.1
    eventually(lambda: plane.server_view(zone, good).state.value == "current")
    assert plane.server_view(zone, silent).state.value != "current"


def test_nothing_is_taken_for_done_at_a_server_that_is_left_alone(plane: Plane, servers: Servers) -> None:
    two_thirds(plane)
    good, _, silent = servers
    plane.pool(*servers)
    plane.start()
    zone = plane.zone()
    plane.wait_done()
    silent.silent = True
    plane.edit(zone)
    eventually(lambda: plane.target_view(zone, silent).error is not None, 10)
    for _ in range(10):
        served_after(plane, zone, good)
        eventually(lambda: plane.server_view(zone, good).state.value == "current")
        assert plane.target_view(zone, silent).error is not None


def test_a_zone_that_is_changed_all_the_time_shows_a_silent_server_soon(plane: Plane, servers: Servers) -> None:
    two_thirds(plane)
    plane.worker_settings = WorkerSettings(find_interval=0.2, lease=60.0)
    good, _, silent = servers
    plane.pool(*servers)
    plane.start()
    zone = plane.zone()
    plane.wait_done()
    silent.silent = True
    times = [served_after(plane, zone, good)]
    started = time.monotonic()
    while plane.server_view(zone, silent).error is None:
        times.append(served_after(plane, zone, good))
        assert time.monotonic() - started < 8
    assert statistics.median(times) < 0.2  # whoever waits for the silent server waits for seconds


def test_a_server_that_returns_has_every_zone_soon(plane: Plane, servers: Servers) -> None:
    two_thirds(plane)
    good, _, silent = servers
    plane.pool(*servers)
    plane.start()
    zones = [plane.zone() for _ in range(60)]
    plane.wait_active(*zones)
    plane.wait_done()
    silent.silent = True
    wanted = {zone.name: plane.edit(zone).serial for zone in zones}
    plane.wait_active(*zones)
    assert {name: good.zones[name] for name in wanted} == wanted
    eventually(lambda: all(plane.server_view(zone, silent).error for zone in zones), 15)
    mark = len(silent.questions("SOA"))
    silent.wait_asked("SOA", mark + 3)  # it is still probed
    silent.silent = False
    started = time.monotonic()
    plane.wait_done(timeout=20)
    assert {name: silent.zones[name] for name in wanted} == wanted
    assert time.monotonic() - started < 15


def test_a_server_that_is_down_is_not_asked_for_each_zone(plane: Plane, servers: Servers) -> None:
    two_thirds(plane)
    silent = servers[2]
    plane.pool(*servers)
    plane.start()
    zones = [plane.zone() for _ in range(50)]
    plane.wait_done()
    silent.silent = True
    plane.edit(zones[0])
    eventually(lambda: plane.server_view(zones[0], silent).error is not None, 10)
    mark = len(silent.questions("SOA"))
    for zone in zones[1:]:
        plane.edit(zone)
    plane.wait_active(*zones)
    eventually(lambda: all(plane.server_view(zone, silent).error for zone in zones), 5)
    assert len(silent.questions("SOA")) - mark < 10


@pytest.mark.parametrize(
    ("manner", "why"),
    [({"refuses": True}, "answers REFUSED"), ({"frozen": True}, "still serves serial")],
)
def test_a_server_that_answers_wrongly_is_told_apart(
    plane: Plane, servers: Servers, manner: dict[str, bool], why: str
) -> None:
    two_thirds(plane)
    good, _, bad = servers
    plane.pool(*servers)
    plane.start()
    zone = plane.zone()
    plane.wait_done()
    for name, value in manner.items():
        setattr(bad, name, value)
    times = [served_after(plane, zone, good) for _ in range(5)]
    plane.wait_active(zone)
    assert max(times) < 1.5
    eventually(lambda: why in str(plane.server_view(zone, bad).error), 15)
    assert f"127.0.0.1:{bad.port}" in str(plane.server_view(zone, bad).error)
    for name in manner:
        setattr(bad, name, False)
    plane.wait_done(timeout=20)
    assert bad.zones[zone.name] == good.zones[zone.name]


def test_a_server_that_takes_four_seconds_is_slow_and_gets_there(plane: Plane, servers: Servers) -> None:
    two_thirds(plane)
    plane.worker_settings = WorkerSettings(find_interval=0.2, lease=10.0)
    good, _, slow = servers
    plane.pool(*servers)
    plane.start()
    zone = plane.zone()
    plane.wait_done()
    slow.delay = 4.0
    times = [served_after(plane, zone, good) for _ in range(5)]
    plane.wait_active(zone)
    assert statistics.median(times) < 0.3
    plane.wait_done(timeout=30)
    assert slow.zones[zone.name] == good.zones[zone.name]


def test_a_pool_that_is_dead_leaves_another_pool_its_speed(plane: Plane, servers: Servers) -> None:
    good, dead, _ = servers
    dead.silent = True
    plane.settings = replace(plane.settings, scheduler_filters=("attribute", "pool_id_attribute", "default_pool"))
    plane.pool(good)
    pool = plane.pool(dead, name="dead")
    plane.start()
    zone = plane.zone()
    plane.wait_active(zone)
    doomed = [plane.zone() for _ in range(100)]
    plane.wait_done()
    with plane.store.engine.begin() as connection:  # a pool is chosen at creation; here it is quicker to move zones
        ids = ",".join(f"'{zone.id}'" for zone in doomed)
        connection.exec_driver_sql(f"UPDATE zones SET pool_id = '{pool.id}' WHERE id IN ({ids})")
        connection.exec_driver_sql("DELETE FROM peer_states")
    for each in doomed:
        plane.edit(each)
    times = [served_after(plane, zone, good) for _ in range(20)]
    assert statistics.median(times) < 0.3


def test_a_backend_that_fails_is_named_and_tried_again(plane: Plane, servers: Servers) -> None:
    good, bad, _ = servers
    plane.pool(good, bad)
    plane.backend(bad).failing = "rndc: cannot connect to 192.0.2.1:953"
    plane.worker_settings = LONG_LEASE
    plane.start()
    zone = plane.zone()
    eventually(lambda: "cannot connect" in str(plane.target_view(zone, bad).error), 3)
    assert good.zones[zone.name] == zone.serial
    plane.backend(bad).failing = None
    plane.wait_active(zone, timeout=20)
    plane.wait_done()


def test_a_backend_that_hangs_holds_up_nobody_else(plane: Plane, servers: Servers) -> None:
    good, hung, _ = servers
    object.__setattr__(plane.settings, "threshold_percentage", 50)
    plane.pool(good, hung)
    plane.backend(hung).hangs.set()
    plane.start()
    zones = [plane.zone() for _ in range(50)]
    started = time.monotonic()
    plane.wait_active(*zones)
    assert time.monotonic() - started < 5
    eventually(lambda: all(plane.target_view(zone, hung).error for zone in zones), 15)
    assert "within" in str(plane.target_view(zones[0], hung).error)
    plane.backend(hung).hangs.clear()
    plane.wait_done(timeout=30)
    assert len(hung.zones) == 50


def test_a_delete_is_tried_until_the_server_has_dropped_the_zone(plane: Plane, servers: Servers) -> None:
    good, keeping, _ = servers
    plane.pool(good, keeping)
    plane.start()
    zone = plane.zone()
    plane.wait_done()
    keeping.keeps = True
    plane.delete(zone)
    eventually(lambda: "still serves" in str(plane.server_view(zone, keeping).error), 15)
    assert zone.name not in good.zones
    keeping.keeps = False
    eventually(lambda: gone(plane, zone), 20)
    plane.wait_done()


def test_a_misconfigured_target_is_named_and_the_other_works(plane: Plane, servers: Servers) -> None:
    good, bad, _ = servers

    def build(pool: Pool, target: Target) -> Backend:
        if target.options["port"] == str(bad.port):
            target = replace(target, options={**target.options, "prot": "1"})
            from redesignate.backends import registry

            return registry.build(pool, target)
        return plane.build(pool, target)

    plane.pool(good, bad)
    plane.start(build=build)
    zone = plane.zone()
    eventually(lambda: "prot" in str(plane.target_view(zone, bad).error), 15)
    assert good.zones[zone.name] == zone.serial


class Road:
    """A road to central that can be closed, as a broker's can; some calls may be lost on their way back."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.closed = threading.Event()
        self.asked = 0

    def call(self, command: Command[R]) -> R:
        self.asked += 1
        if self.closed.is_set():
            raise Unavailable("the road is closed")
        answer = self.plane.call(command)
        if self.closed.is_set():
            raise Unavailable("the answer was lost")
        return answer


def test_work_waits_for_central_and_goes_on_when_it_is_back(plane: Plane, servers: Servers) -> None:
    road = Road(plane)
    plane.pool(servers[0])
    plane.start(central=road)
    zone = plane.zone()
    plane.wait_done()
    road.closed.set()
    plane.edit(zone)
    asked = road.asked
    eventually(lambda: road.asked > asked + 2)
    assert plane.now(zone).status is Status.PENDING
    road.closed.clear()
    plane.wait_active(zone, timeout=20)
    plane.wait_done(timeout=20)


def test_what_a_dead_worker_held_another_does_after_the_lease(plane: Plane, servers: Servers) -> None:
    plane.worker_settings = WorkerSettings(find_interval=0.2, lease=2.0)
    road = Road(plane)
    plane.pool(servers[0])
    servers[0].silent = True
    plane.start(central=road)
    zones = [plane.zone() for _ in range(50)]
    servers[0].wait_asked("SOA", 50)
    road.closed.set()  # as good as dead: it can neither lease nor report
    servers[0].silent = False
    plane.start()
    plane.wait_active(*zones, timeout=20)
    plane.wait_done()


def test_two_workers_share_the_work_and_none_is_done_wrong(plane: Plane, servers: Servers) -> None:
    plane.pool(*servers[:2])
    plane.start()
    plane.start()
    zones = [plane.zone() for _ in range(100)]
    for zone in zones:
        plane.edit(zone)
    plane.wait_active(*zones, timeout=20)
    plane.wait_done()
    for zone in zones:
        assert servers[0].zones[zone.name] == servers[1].zones[zone.name] == plane.now(zone).serial


class SlowRoad:
    """A road to central whose answers take their time."""

    def __init__(self, plane: Plane, seconds: float) -> None:
        self.plane = plane
        self.seconds = seconds

    def call(self, command: Command[R]) -> R:
        answer = self.plane.call(command)
        if isinstance(command, BeginWork):
            time.sleep(self.seconds)  # the fault under test, not a wait for it
        return answer


def test_nothing_is_told_to_a_backend_once_the_lease_has_run_out(plane: Plane, servers: Servers) -> None:
    plane.worker_settings = WorkerSettings(find_interval=0.2, lease=0.4)
    plane.pool(servers[0])
    plane.start(central=SlowRoad(plane, 0.5))
    plane.zone()
    servers[0].wait_asked("SOA", 5)
    assert plane.backend(servers[0]).calls == []


def test_a_backend_may_raise_anything(plane: Plane, servers: Servers) -> None:
    good, odd, _ = servers

    class Odd(SmallBackend):
        async def create(self, zone: BackendZone) -> bool:
            raise ZeroDivisionError("three of two")

    def build(pool: Pool, target: Target) -> Backend:
        return Odd(odd) if target.options["port"] == str(odd.port) else plane.build(pool, target)

    plane.pool(good, odd)
    plane.start(build=build)
    zone = plane.zone()
    eventually(lambda: "three of two" in str(plane.target_view(zone, odd).error), 15)
    assert good.zones[zone.name] == zone.serial


def test_what_a_dead_server_owes_to_a_deleted_zone_does_not_hold_up_a_new_zone_of_the_name(
    plane: Plane, servers: Servers
) -> None:
    object.__setattr__(plane.settings, "threshold_percentage", 50)
    plane.worker_settings = LONG_LEASE
    good, dead, _ = servers
    plane.pool(good, dead)
    plane.start()
    zone = plane.zone("again.example.")
    plane.wait_done()
    dead.silent = True
    plane.backend(dead).failing = "rndc: cannot connect"
    times = []
    for _ in range(10):
        plane.delete(zone)
        eventually(lambda old=zone: gone(plane, old))  # type: ignore[misc]
        started = time.monotonic()
        zone = plane.zone("again.example.")
        eventually(lambda new=zone: good.zones.get("again.example.") == new.serial)  # type: ignore[misc]
        times.append(time.monotonic() - started)
    assert max(times) < 2
    dead.silent, plane.backend(dead).failing = False, None
    plane.wait_done(timeout=20)
    assert dead.zones["again.example."] == zone.serial


def test_a_worker_that_is_not_hinted_stops_at_its_next_report(plane: Plane, servers: Servers) -> None:
    """Where there are several workers, the hint goes to any of them."""
    object.__setattr__(plane.settings, "threshold_percentage", 50)
    plane.worker_settings = LONG_LEASE
    plane.hinted = False
    good, dead, _ = servers
    plane.pool(good, dead)
    plane.start()
    zone = plane.zone("again.example.")
    plane.wait_done()
    dead.silent = True
    plane.delete(zone)
    eventually(lambda: gone(plane, zone))
    started = time.monotonic()
    new = plane.zone("again.example.")
    eventually(lambda: good.zones.get("again.example.") == new.serial)
    assert time.monotonic() - started < 3


def test_zones_that_had_no_turn_at_a_busy_backend_have_not_failed(plane: Plane, servers: Servers) -> None:
    """A server that was wiped is filled as fast as its backend goes; no zone of it backs off or is in ERROR."""
    plane.settings = replace(plane.settings, poll_max_retries=3)
    plane.service = CentralService(plane.store, Rules(settings=plane.settings, policy=Policy()), plane.pending)
    plane.central = InprocCentral(plane.service.dispatch, encoded=True)
    plane.worker_settings = WorkerSettings(find_interval=0.1, lease=1.0)
    plane.pool(servers[0])
    plane.backend(servers[0]).takes = 0.05
    zones = [plane.zone() for _ in range(140)]  # four seconds of work, six windows
    plane.start()
    seen = set()
    while plane.outbox():
        seen |= {plane.now(zone).status for zone in zones[-5:]}
        time.sleep(0.02)
    assert Status.ERROR not in seen
    assert all(servers[0].zones[zone.name] == zone.serial for zone in zones)
