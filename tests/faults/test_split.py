# SPDX-License-Identifier: Apache-2.0
"""Two of each service over RabbitMQ and MariaDB, struck in turn while clients write: nothing acknowledged is lost.

One system for all drills of this file, so that each strikes what the last one left.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.faults import drills
from tests.faults.stage import Stage, split_stage
from tests.support.mariadb import MariaDB
from tests.support.system import Split

pytestmark = [pytest.mark.external, pytest.mark.timeout(240)]
SERVICES = ("api", "central", "mdns", "producer", "worker")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with split_stage(tmp_path_factory.mktemp("split")) as made:
        yield made


def test_kill_9_of_one_process_of_each_kind(stage: Stage) -> None:
    with stage.struck():
        for service in SERVICES:
            drills.kill_and_start(stage.processes(service)[0])


def test_kill_9_of_every_process_at_once(stage: Stage) -> None:
    with stage.struck():
        drills.kill_and_start(*stage.processes(*SERVICES))


def test_the_broker_is_killed_and_comes_back(stage: Stage) -> None:
    assert stage.broker is not None
    with stage.struck():
        at = time.monotonic()
        drills.kill_server(stage.broker, lambda: stage.wait_unanswered(at))


def test_the_broker_is_emptied_and_then_closes_every_connection(stage: Stage) -> None:
    assert stage.broker is not None
    with stage.struck():
        for _ in range(5):
            drills.empty_broker(stage.broker, stage.transport_url)
        stage.broker.close_connections()


def test_the_database_is_killed_and_comes_back(stage: Stage) -> None:
    assert stage.server is not None
    with stage.struck():
        at = time.monotonic()
        drills.kill_server(stage.server, lambda: stage.wait_unanswered(at))


def test_the_database_closes_every_connection(stage: Stage) -> None:
    assert isinstance(stage.server, MariaDB)
    with stage.struck():
        for _ in range(3):
            assert drills.cut_database_connections(stage.server) > 0
            stage.wait_acknowledged(time.monotonic(), 5)


def test_both_workers_freeze_with_their_leases(stage: Stage) -> None:
    with stage.struck() as began, drills.frozen(*(process.pid for process in stage.processes("worker"))):
        stage.wait_acknowledged(began, 60)


def test_one_central_freezes_for_longer_than_anybody_waits_and_undoes_nothing_when_it_wakes(stage: Stage) -> None:
    with stage.struck() as began, drills.frozen(stage.processes("central")[0].pid):
        clock = time.monotonic() + 12  # longer than a client waits before the other central is asked again
        while time.monotonic() < clock:
            stage.wait_acknowledged(began, stage.ledger.acknowledged(began) + 5)


def test_one_nameserver_is_killed_and_the_other_freezes(stage: Stage) -> None:
    one, other = stage.binds
    with stage.struck() as began:
        one.kill()
        with drills.frozen(other.pid):
            stage.wait_acknowledged(began, 40)
        one.start()


def test_one_mdns_freezes(stage: Stage) -> None:
    with stage.struck() as began, drills.frozen(stage.processes("mdns")[0].pid):
        stage.wait_acknowledged(began, 40)


def test_a_wiped_nameserver_is_whole_again_without_a_hand(stage: Stage) -> None:
    drills.wipe(stage.binds[0])
    stage.wait_served(stage.binds[0])
    stage.agree()


def test_a_zones_row_that_is_locked_holds_up_that_zone_alone(stage: Stage) -> None:
    with stage.struck(), drills.row_held(stage.engine, stage.zone_id):
        stage.others_go_on(clients=220)


def test_messages_that_nobody_can_read_are_dropped(stage: Stage) -> None:
    stage.bear_poison(rounds=5)


def test_a_database_that_is_read_only_for_a_while(stage: Stage) -> None:
    assert stage.server is not None
    with stage.struck():
        at = time.monotonic()
        with drills.read_only(stage.server):
            stage.wait_unanswered(at, 10)
            assert stage.apis[0].get("/v2/zones")["zones"], "reading goes on"


def test_one_central_is_an_hour_ahead_and_the_other_an_hour_behind(stage: Stage) -> None:
    ahead, behind = stage.processes("central")
    with drills.clocks_off((ahead, 3600), (behind, -3600)), stage.struck() as began:
        stage.wait_acknowledged(began, 40)
    with stage.struck() as began:
        stage.wait_acknowledged(began, 40)


def test_every_process_still_lives(stage: Stage) -> None:
    assert isinstance(stage.system, Split)
    assert all(process.lives for process in stage.system.all())
