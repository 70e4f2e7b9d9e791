# SPDX-License-Identifier: Apache-2.0
"""A BIND that lost everything is whole again without a hand; servers follow a database that was restored."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import dns.message
import dns.query
import pytest

from redesignate.commands.zones import ZonePeers
from redesignate.config.settings import MdnsSettings, Settings, WorkerSettings
from redesignate.manage.main import main
from redesignate.mdns.service import DNSService
from redesignate.model.serial import newer
from redesignate.model.work import Role
from redesignate.model.zone import Status, Zone
from redesignate.store.serving import Serving
from tests.support.bind import RealBind, free_port
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
        return view.state.value == "absent" and "REFUSED" in str(view.error)

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


@contextmanager
def serving(plane: Plane, port: int) -> Iterator[None]:
    """An mdns over the plane's database, on a port that its targets know."""
    service = DNSService(Serving(plane.store), MdnsSettings())
    service.run_in_thread([("127.0.0.1", port)])
    try:
        yield
    finally:
        service.stop_thread()


def at_rest(plane: Plane) -> None:
    plane.wait_done(timeout=60)
    plane.stop()
    plane.workers.clear()


def has_record(bind: RealBind, name: str) -> bool:
    query = dns.message.make_query(name, "A")
    return bool(dns.query.udp(query, "127.0.0.1", timeout=5, port=bind.port).answer)


def restore(plane: Plane) -> str:
    """`redesignate manage database restored`; what it prints."""
    out = io.StringIO()
    code = main(
        ["database", "restored"],
        load=lambda _: Settings(),
        connect=lambda _: nullcontext(plane.central),
        out=out,
        err=io.StringIO(),
    )
    assert code == 0
    return out.getvalue()


@pytest.mark.timeout(300)
def test_servers_follow_a_database_that_was_restored_from_a_backup(
    tmp_path: Path, binds: tuple[RealBind, RealBind]
) -> None:
    port, folder = free_port(), tmp_path / "plane"
    folder.mkdir()
    before = Plane(folder)
    with serving(before, port):
        pool_of(before, port, *binds)
        before.start()
        zones = [before.zone() for _ in range(20)]
        before.wait_done(timeout=60)
        with sqlite3.connect(folder / "db.sqlite") as live, sqlite3.connect(tmp_path / "backup") as backup:
            live.backup(backup)
        for zone in zones[1:]:
            for _ in range(3):
                lost = before.edit(zone)
        before.delete(zones[0])
        later = before.zone("later.example.")
        at_rest(before)
    lost_record = f"r{before.made - 1}.{lost.name}"
    assert has_record(binds[0], lost_record)
    for suffix in ("", "-wal", "-shm"):
        (folder / f"db.sqlite{suffix}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup", folder / "db.sqlite")

    after = Plane(folder)
    with serving(after, port):
        said = restore(after)
        assert "20 zones are queued; the serials of 19 were raised above later ones" in said
        after.start()
        after.wait_done(timeout=60)
        for zone in zones:
            now = after.now(zone)
            assert now.status is Status.ACTIVE
            assert [bind.serial(zone.name) for bind in binds] == [now.serial] * 2
        assert newer(after.now(lost).serial, lost.serial)
        assert not any(has_record(bind, lost_record) for bind in binds)
        assert binds[0].serial(later.name) == later.serial  # the database does not know it, and BIND lists no zones
        at_rest(after)
