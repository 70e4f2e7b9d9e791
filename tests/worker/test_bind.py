# SPDX-License-Identifier: Apache-2.0
"""Worker, central and mdns against real BINDs."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from redesignate.commands.pools import ApplyPool
from redesignate.commands.tsigkeys import CreateTSIGKey
from redesignate.config.settings import MdnsSettings, WorkerSettings
from redesignate.mdns.service import DNSService
from redesignate.model.pool import NSRecord, Pool, PoolSpec, TargetSpec
from redesignate.model.tsigkey import NewTSIGKey, Scope
from redesignate.model.work import Role
from redesignate.store.serving import Serving
from tests.support.bind import RealBind
from tests.worker.conftest import USER, Plane, eventually
from tests.worker.test_worker import gone

pytestmark = pytest.mark.external


@pytest.fixture
def mdns(plane: Plane) -> Iterator[int]:
    """The port of an mdns over the plane's database."""
    service = DNSService(Serving(plane.store), MdnsSettings())
    service.run_in_thread([("127.0.0.1", 0)])
    yield service.addresses[0][1]
    service.stop_thread()


@pytest.fixture
def binds(tmp_path: Path) -> Iterator[tuple[RealBind, RealBind]]:
    with RealBind(tmp_path / "one") as one, RealBind(tmp_path / "two", views=("v",)) as two:
        yield one, two


def pool_of(plane: Plane, mdns: int, *binds: RealBind, key: str | None = None) -> Pool:
    options = [bind.target_options(view=bind.views[0] if bind.views else None) for bind in binds]
    spec = PoolSpec(
        id=plane.settings.default_pool_id,
        name="default",
        ns_records=(NSRecord("ns.example.", 1),),
        nameservers=tuple({"host": "127.0.0.1", "port": bind.port, "tsigkey_id": key} for bind in binds),
        targets=tuple(
            TargetSpec(
                type="bind9",
                tsigkey_id=key,
                primaries=(("127.0.0.1", mdns),),
                options=each | {"rndc_timeout": "2"},
            )
            for each in options
        ),
    )
    return plane.call(ApplyPool(caller=USER, spec=spec))


def test_zones_come_change_and_go_on_two_binds(plane: Plane, mdns: int, binds: tuple[RealBind, RealBind]) -> None:
    pool_of(plane, mdns, *binds)
    plane.start()
    zone = plane.zone()
    plane.wait_active(zone)
    assert [bind.serial(zone.name) for bind in binds] == [zone.serial] * 2
    after = plane.edit(zone)
    plane.wait_active(zone)
    assert [bind.serial(zone.name) for bind in binds] == [after.serial] * 2
    plane.delete(zone)
    eventually(lambda: gone(plane, zone))
    assert [bind.serial(zone.name) for bind in binds] == [None] * 2
    plane.wait_done()


def test_a_hundred_zones_are_served_by_both(plane: Plane, mdns: int, binds: tuple[RealBind, RealBind]) -> None:
    pool_of(plane, mdns, *binds)
    plane.start()
    zones = [plane.zone() for _ in range(100)]
    plane.wait_active(*zones, timeout=30)
    plane.wait_done()
    assert all(bind.serial(zone.name) == zone.serial for bind in binds for zone in zones)


def test_a_bind_that_was_wiped_gets_a_zone_back_with_its_next_change(
    plane: Plane, mdns: int, binds: tuple[RealBind, RealBind]
) -> None:
    one, two = binds
    pool_of(plane, mdns, one, two)
    plane.start()
    zone = plane.zone()
    plane.wait_active(zone)
    one.stop()
    for file in one.folder.glob("*"):
        if file.name not in {"rndc.key", "named.conf"}:
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    one.start()
    assert one.serial(zone.name) is None
    after = plane.edit(zone)
    plane.wait_active(zone, timeout=20)
    assert one.serial(zone.name) == two.serial(zone.name) == after.serial


def test_new_primaries_reach_zones_that_exist(plane: Plane, mdns: int, binds: tuple[RealBind, RealBind]) -> None:
    one = binds[0]
    pool_of(plane, 1, one)  # nobody serves on port 1
    plane.start()
    zone = plane.zone()
    eventually(lambda: zone.name.rstrip(".") in one.rndc("showzone", zone.name))
    pool_of(plane, mdns, one)
    plane.wait_active(zone, timeout=20)
    assert one.serial(zone.name) == zone.serial


def test_a_bind_that_stands_still_holds_up_nobody_and_catches_up(
    plane: Plane, mdns: int, binds: tuple[RealBind, RealBind]
) -> None:
    one, two = binds
    plane.settings = replace(plane.settings, poll_retry_interval=2)
    object.__setattr__(plane.settings, "threshold_percentage", 50)
    pool_of(plane, mdns, one, two)
    plane.start()
    known = [plane.zone() for _ in range(10)]
    plane.wait_done()
    os.kill(two.pid, signal.SIGSTOP)
    try:
        fresh = [plane.zone() for _ in range(10)]
        for zone in known:
            plane.edit(zone)
        started, missing, served = time.monotonic(), [*known, *fresh], []

        def look() -> bool:
            there = [zone for zone in missing if one.serial(zone.name) == plane.now(zone).serial]
            missing[:] = [zone for zone in missing if zone not in there]
            served.extend([time.monotonic() - started] * len(there))
            return not missing

        eventually(look, 15)  # BIND asks mdns again after five seconds where a packet was lost
        assert statistics.median(served) < 1
        address = f"127.0.0.1:{two.port}"
        eventually(lambda: "no answer" in str(plane.peers(known[0])[(address, Role.NAMESERVER)].error), 15)
        target = plane.peers(fresh[0])[(f"bind9 {address}", Role.TARGET)]
        eventually(lambda: plane.peers(fresh[0])[(f"bind9 {address}", Role.TARGET)].error is not None, 15)
        assert target.state.value != "current"
    finally:
        os.kill(two.pid, signal.SIGCONT)
    plane.wait_done(timeout=30)
    assert all(two.serial(zone.name) == plane.now(zone).serial for zone in [*known, *fresh])


def test_everything_may_go_over_tcp(plane: Plane, mdns: int, binds: tuple[RealBind, RealBind]) -> None:
    plane.worker_settings = WorkerSettings(find_interval=0.2, lease=4.0, all_tcp=True)
    pool_of(plane, mdns, *binds)
    plane.start()
    zone = plane.zone()
    plane.wait_active(zone)
    assert binds[0].serial(zone.name) == zone.serial


def test_a_view_that_opens_to_a_key_alone_is_notified_and_asked_with_it(
    plane: Plane, mdns: int, tmp_path: Path
) -> None:
    secret = base64.b64encode(b"a key of the pool").decode()
    with RealBind(
        tmp_path / "keyed",
        views=("keyed",),
        view_keys={"keyed": ("pool-key", "hmac-sha256", secret)},
    ) as bind:
        pool_of(plane, mdns, bind)
        key = plane.call(
            CreateTSIGKey(
                caller=USER,
                new=NewTSIGKey(
                    name="pool-key",
                    algorithm="hmac-sha256",
                    secret=secret,
                    scope=Scope.POOL,
                    resource_id=plane.settings.default_pool_id,
                ),
            )
        )
        pool_of(plane, mdns, bind, key=key.id)
        plane.start()
        zone = plane.zone()
        plane.wait_active(zone, timeout=20)
        plane.edit(zone)
        plane.wait_active(zone, timeout=20)
        plane.wait_done()
        assert bind.serial(zone.name) is None  # without the key nobody sees the view
