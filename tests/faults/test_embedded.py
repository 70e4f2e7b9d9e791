# SPDX-License-Identifier: Apache-2.0
"""Everything in one process on SQLite, killed while clients write: nothing acknowledged is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import drills
from tests.faults.agreement import differences
from tests.faults.stage import Stage, sandbox_stage
from tests.support.disk import filled
from tests.support.system import Sandbox

pytestmark = [pytest.mark.external, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with sandbox_stage(tmp_path_factory.mktemp("embedded")) as made:
        yield made


def test_kill_9_again_and_again(stage: Stage) -> None:
    assert isinstance(stage.system, Sandbox)
    with stage.struck() as began:
        for round_ in range(4):
            stage.system.process.kill()
            stage.system.start()
            stage.wait_acknowledged(began, 20 * (round_ + 1))


def test_it_freezes_and_goes_on(stage: Stage) -> None:
    assert isinstance(stage.system, Sandbox)
    with stage.struck(), drills.frozen(stage.system.process.pid):
        drills.pass_time(15)


def test_the_disk_is_full_for_a_while(stage: Stage) -> None:
    if stage.disk is None:
        pytest.skip("no file system may be mounted here")
    with stage.struck():
        at = time.monotonic()
        with filled(stage.disk):
            stage.wait_unanswered(at, 10)
            assert stage.apis[0].get("/v2/zones")["zones"], "reading goes on"


def test_an_older_backup_of_the_database_is_restored(stage: Stage, tmp_path: Path) -> None:
    assert isinstance(stage.system, Sandbox)
    stage.system.process.stop()
    drills.copy_database(stage.system.state, tmp_path)
    stage.system.start()
    with stage.struck() as began:
        stage.wait_acknowledged(began, 60)
    stage.system.process.stop()
    drills.copy_database(tmp_path, stage.system.state)
    stage.system.manage("database", "restored")
    stage.ledger.forget(began)
    stage.system.start()
    stage.agree()
    with stage.struck() as began:
        stage.wait_acknowledged(began, 60)


def test_a_lost_write_is_seen(stage: Stage) -> None:
    """The drills prove nothing where the comparison cannot fail."""
    name = next(name for name in stage.ledger.names[stage.zone_id] if name.path)
    before = stage.apis[0].get(name.path or "")["records"]
    for records, seen in ((["192.0.2.99"], True), (before, False)):
        assert stage.apis[0].ask("PUT", name.path or "", {"records": records})[0] == 202
        stage.apis[0].active(stage.zone_id)
        found = differences(stage.apis[0], stage.engine, stage.ledger, stage.ports)
        assert bool(found) is seen, found
        assert not seen or name.name in found[0]
