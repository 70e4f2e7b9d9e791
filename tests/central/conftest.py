# SPDX-License-Identifier: Apache-2.0
"""Central over SQLite, new for each test, and the same over each database for what races."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redesignate.store import migrate
from tests.central.driver import CentralDriver
from tests.store.databases import EXTERNAL, Database, database_of

Build = Callable[..., CentralDriver]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables, to be copied."""
    file = tmp_path_factory.mktemp("central") / "empty.sqlite"
    migrate.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def build(empty_database: Path, tmp_path: Path) -> Iterator[Build]:
    """Makes central with these settings and the default pool."""
    made: list[CentralDriver] = []

    def make(*, pool: bool = True, **settings: Any) -> CentralDriver:
        file = tmp_path / f"central{len(made)}.sqlite"
        shutil.copy(empty_database, file)
        central = CentralDriver(f"sqlite:///{file}", **settings)
        made.append(central)
        if pool:
            central.pool()
        return central

    yield make
    for central in made:
        central.close()


@pytest.fixture
def central(build: Build) -> CentralDriver:
    """Central without quotas, with one pool of one target and one nameserver."""
    return build()


@pytest.fixture(params=["sqlite", *EXTERNAL])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Build]:
    """As `build`, over each database."""
    database: Database = database_of(request, tmp_path)
    url = database.new()
    migrate.upgrade(url)
    made: list[CentralDriver] = []

    def make(**settings: Any) -> CentralDriver:
        central = CentralDriver(url, **settings)
        central.pool()
        made.append(central)
        return central

    yield make
    for central in made:
        central.close()
    database.drop(url)
