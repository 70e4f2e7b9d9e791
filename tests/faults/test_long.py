# SPDX-License-Identifier: Apache-2.0
"""The long form of the drills (`make faults`): over both databases, in loops, and with longer outages."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults import drills
from tests.faults.stage import Stage, split_stage
from tests.support.disk import filled, small_disk
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres

pytestmark = [pytest.mark.external, pytest.mark.long, pytest.mark.timeout(900)]
SERVICES = ("api", "central", "mdns", "producer", "worker")
ROUNDS = 20


@pytest.fixture(scope="module", params=[MariaDB, Postgres])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with split_stage(tmp_path_factory.mktemp("long"), request.param) as made:
        yield made


def test_random_processes_are_killed_one_after_another(stage: Stage) -> None:
    chance = random.Random(0)
    with stage.struck():
        for _ in range(ROUNDS):
            drills.kill_and_start(chance.choice(stage.processes(*SERVICES)))


def test_the_database_is_killed_again_and_again(stage: Stage) -> None:
    assert stage.server is not None
    with stage.struck():
        for _ in range(ROUNDS // 4):
            at = time.monotonic()
            drills.kill_server(stage.server, partial(stage.wait_unanswered, at))
            stage.wait_acknowledged(time.monotonic(), 20)


def test_the_broker_is_gone_for_a_minute(stage: Stage) -> None:
    assert stage.broker is not None
    with stage.struck():
        drills.kill_server(stage.broker, lambda: drills.pass_time(60))


def test_both_workers_freeze_for_longer_than_any_lease(stage: Stage) -> None:
    with stage.struck(), drills.frozen(*(process.pid for process in stage.processes("worker"))):
        drills.pass_time(60)


def test_each_central_freezes_in_turn(stage: Stage) -> None:
    with stage.struck():
        for central in stage.processes("central") * 3:
            with drills.frozen(central.pid):
                drills.pass_time(30)


def test_both_nameservers_are_wiped(stage: Stage) -> None:
    for bind in stage.binds:
        drills.wipe(bind)
    for bind in stage.binds:
        stage.wait_served(bind)
    stage.agree()


def test_a_zones_row_is_locked_for_45_seconds_under_220_clients(stage: Stage) -> None:
    with stage.struck(), drills.row_held(stage.engine, stage.zone_id):
        stage.others_go_on(clients=220, hold_s=45)


def test_250_malformed_messages_in_every_queue(stage: Stage) -> None:
    stage.bear_poison(rounds=36)


def test_the_database_is_read_only_for_half_a_minute(stage: Stage) -> None:
    assert stage.server is not None
    with stage.struck():
        at = time.monotonic()
        with drills.read_only(stage.server):
            drills.pass_time(30)
            stage.wait_unanswered(at, 10)


def test_an_older_backup_of_the_database_is_restored(stage: Stage) -> None:
    assert stage.server is not None
    processes = stage.processes(*SERVICES)
    backup = stage.server.back_up(stage.database)
    with stage.struck() as began:
        stage.wait_acknowledged(began, 60)
    drills.together([partial(process.stop, timeout=60) for process in processes])
    stage.server.restore(stage.database, backup)
    stage.system.manage("database", "restored")
    stage.ledger.forget(began)
    drills.kill_and_start(*processes)
    stage.agree()
    with stage.struck() as began:
        stage.wait_acknowledged(began, 60)


@pytest.mark.parametrize("off_s", [540, 3600, 86400])
def test_one_central_is_ahead_and_the_other_behind_while_a_nameserver_is_down(stage: Stage, off_s: float) -> None:
    ahead, behind = stage.processes("central")
    with drills.clocks_off((ahead, off_s), (behind, -off_s)), stage.struck() as began:
        stage.binds[0].kill()
        stage.wait_acknowledged(began, 60)
        stage.binds[0].start()
    with stage.struck() as began:
        stage.wait_acknowledged(began, 40)


@pytest.mark.parametrize("kind", [MariaDB, Postgres])
def test_the_disk_of_the_database_is_full_for_a_while(tmp_path: Path, kind: type[MariaDB | Postgres]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="redesignate-disk-"))  # the server's user cannot reach into tmp_path
    folder.chmod(0o755)
    try:
        with small_disk(folder / "disk", 400) as mounted:
            if not mounted:
                pytest.skip("no file system may be mounted here")
            with split_stage(tmp_path, kind, disk=folder / "disk") as stage, stage.struck():
                at = time.monotonic()
                with filled(folder / "disk"):
                    stage.wait_unanswered(at, 10, deadline_s=120)
    finally:
        shutil.rmtree(folder)
