# SPDX-License-Identifier: Apache-2.0
"""A BIND that lost everything is whole again without a hand, and a database that was put back is ahead again."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from redesignate.commands.zones import ZonePeers
from redesignate.config.settings import WorkerSettings
from redesignate.model.work import Role
from redesignate.model.zone import Status, Zone
from tests.support.bind import RealBind
from tests.worker.conftest import USER, Plane, eventually
from tests.worker.test_bind import binds, mdns, pool_of

pytestmark = pytest.mark.external
__all__ = ["binds", "mdns"]

ZONES = int(os.environ.get("WIPED_ZONES", "300"))
WHOLE_S = 60.0


def wipe(bind: RealBind) -> None:
    bind.stop()
    for file in bind.folder.glob("*"):
        if file.name not in {"rndc.key", "named.conf"}:
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    bind.start()


@pytest.fixture
def filled(plane: Plane, mdns: int, binds: tuple[RealBind, RealBind]) -> list[Zone]:
    """Zones at rest on two BINDs, with the options' defaults."""
    plane.worker_settings = WorkerSettings()
    pool_of(plane, mdns, *binds)
    plane.start()
    zones = [plane.zone() for _ in range(ZONES)]
    plane.wait_active(*zones, timeout=120)
    plane.wait_done(timeout=120)
    return zones


@pytest.mark.timeout(300)
def test_a_wiped_bind_is_whole_again_within_a_minute(
    plane: Plane, filled: list[Zone], binds: tuple[RealBind, RealBind]
) -> None:
    one, other = binds
    wipe(one)
    started = time.monotonic()
    missing = [zone for zone in filled if one.serial(zone.name) is None]
    assert len(missing) > ZONES * 0.9
    last = missing[-1]

    def noticed() -> bool:
        views = plane.call(ZonePeers(caller=USER, zone_id=last.id))
        (view,) = [each for each in views if each.role is Role.NAMESERVER and each.address.endswith(f":{one.port}")]
        return view.state == "absent" and "REFUSED" in str(view.error)

    eventually(lambda: noticed() or one.serial(last.name) is not None, WHOLE_S)
    left = list(filled)

    def whole() -> bool:
        left[:] = [zone for zone in left if one.serial(zone.name) != zone.serial]
        return not left

    eventually(whole, WHOLE_S)
    took = time.monotonic() - started
    assert took < WHOLE_S
    plane.wait_done(timeout=60)
    assert all(other.serial(zone.name) == zone.serial for zone in filled)
    assert all(plane.now(zone).status is Status.ACTIVE for zone in filled)
