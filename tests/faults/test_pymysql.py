# SPDX-License-Identifier: Apache-2.0
"""The drills that strike MariaDB, through PyMySQL: `test_split.py` runs through mysqlclient."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.faults import drills
from tests.faults.stage import Stage, split_stage
from tests.support.mariadb import MariaDB

pytestmark = [pytest.mark.external, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with split_stage(tmp_path_factory.mktemp("split"), parameters="?driver=pymysql") as made:
        yield made


def test_the_database_is_killed_and_closes_every_connection(stage: Stage) -> None:
    assert isinstance(stage.server, MariaDB)
    with stage.struck():
        at = time.monotonic()
        drills.kill_server(stage.server, lambda: stage.wait_unanswered(at))
        stage.wait_acknowledged(time.monotonic(), 5)
        assert drills.cut_database_connections(stage.server) > 0


def test_the_database_is_read_only_and_then_frozen_for_a_while(stage: Stage) -> None:
    assert stage.server is not None
    with stage.struck():
        at = time.monotonic()
        with drills.read_only(stage.server):
            stage.wait_unanswered(at, 10)
        stage.wait_acknowledged(time.monotonic(), 5)
        with drills.frozen(stage.server.pid):
            drills.pass_time(5)


def test_it_was_pymysql(stage: Stage) -> None:
    for process in stage.processes("central", "mdns"):
        assert "used=pymysql" in process.said()
