# SPDX-License-Identifier: Apache-2.0
"""The real servers that tests ask for by name: one of each for the whole run, started when first asked for.

A test that stops or kills its server makes one of its own: `RabbitMQ.create()` … `close()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.keystone import Keystone
from tests.support.mariadb import MariaDB
from tests.support.memcached import Memcached
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import shared

# How soon an example comes says what else the machine does, nothing of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that adds the tests that take minutes each."""
    parser.addoption("--long", action="store_true", help="run the tests marked long as well (make faults)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --long the long ones are not part of the run, nor without mysqlclient those through it."""
    out = [name for name, no in (("long", not config.getoption("--long")), ("mysqlclient", no_mysqlclient())) if no]
    left = {item for item in items if any(item.get_closest_marker(name) for name in out)}
    if left:
        config.hook.pytest_deselected(items=list(left))
        items[:] = [item for item in items if item not in left]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line, so that they are not missed silently."""
    if why := no_mysqlclient():
        terminalreporter.write_line(f"MariaDB was reached through PyMySQL alone, not through mysqlclient: {why}")


def no_mysqlclient() -> str:
    """Why mysqlclient is not used here; "" if it is."""
    from sqlalchemy import make_url

    from redesignate.store.mysql_driver import why_not_mysqlclient

    return why_not_mysqlclient(make_url("mysql://"))


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder common to every process of this test run."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def postgres(run_folder: Path) -> Iterator[Postgres]:
    """`postgres.database()` is the URL of a new, empty database."""
    with shared(Postgres, run_folder) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(run_folder: Path) -> Iterator[MariaDB]:
    """`mariadb.database()` is the URL of a new, empty database."""
    with shared(MariaDB, run_folder) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq(run_folder: Path) -> Iterator[RabbitMQ]:
    """`rabbitmq.transport_url()` is the URL of a new, empty virtual host."""
    with shared(RabbitMQ, run_folder) as server:
        yield server


@pytest.fixture(scope="session")
def memcached(run_folder: Path) -> Iterator[Memcached]:
    """An empty memcached at `memcached.port`."""
    with shared(Memcached, run_folder) as server:
        yield server


@pytest.fixture(scope="session")
def keystone(run_folder: Path) -> Iterator[Keystone]:
    """The identity service; users, projects and the catalogue's entry are the test's own to make."""
    with shared(Keystone, run_folder) as server:
        yield server
