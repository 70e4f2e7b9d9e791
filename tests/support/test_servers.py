# SPDX-License-Identifier: Apache-2.0
"""The servers of the tests come up, keep what they hold over a kill, and never outlive the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pymysql
import pytest

from tests.support.mariadb import MariaDB
from tests.support.memcached import Memcached
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import accepts, shared, until

pytestmark = pytest.mark.external

HOLDER = """
import sys
from pathlib import Path
from tests.support.memcached import Memcached
from tests.support.servers import shared
with shared(Memcached, Path(sys.argv[1])) as server:
    print(server.port, server.folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def own_memcached() -> Iterator[Memcached]:
    server = Memcached.create()
    yield server
    server.close()


def test_databases_are_new_each_time(postgres: Postgres, mariadb: MariaDB) -> None:
    for server in (postgres, mariadb):
        first, second = server.database(), server.database()
        assert first != second
        server.drop(first)
        server.drop(second)


def test_both_databases_answer_a_query(postgres: Postgres, mariadb: MariaDB) -> None:
    with psycopg.connect(postgres.database().replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    mine = pymysql.connect(host="127.0.0.1", port=mariadb.port, user="root")
    assert mine.cursor().execute("SELECT 1") == 1
    mine.close()


def test_a_virtual_host_is_new_and_empty(rabbitmq: RabbitMQ) -> None:
    assert rabbitmq.queues(rabbitmq.transport_url()) == {}


def test_a_server_comes_back_on_its_port(own_memcached: Memcached) -> None:
    port = own_memcached.port
    own_memcached.kill()
    assert not accepts(port)
    own_memcached.start()
    assert accepts(port)


def _hold(folder: Path) -> tuple[subprocess.Popen[str], int, Path]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    port, _, home = holder.stdout.readline().strip().partition(" ")
    return holder, int(port), Path(home)


def test_a_server_is_shared_by_processes_and_ends_with_the_last(tmp_path: Path) -> None:
    first, port, home = _hold(tmp_path)
    second, again, _ = _hold(tmp_path)
    assert again == port
    first.communicate()
    assert accepts(port)
    second.communicate()
    until(lambda: not home.exists(), what="the end of the server")
    assert not accepts(port)


def test_a_killed_test_run_leaves_no_server_behind(tmp_path: Path) -> None:
    holder, port, home = _hold(tmp_path)
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    until(lambda: not home.exists(), what="the end of the server")
    assert not accepts(port)


def test_a_new_one_is_started_after_the_last_has_left(tmp_path: Path) -> None:
    with shared(Memcached, tmp_path) as before:
        home = before.folder
    until(lambda: not home.exists(), what="the end of the server")
    with shared(Memcached, tmp_path) as after:
        assert accepts(after.port)
