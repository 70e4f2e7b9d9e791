# SPDX-License-Identifier: Apache-2.0
"""Houses: central over SQLite, new for each test, and the same over each database for what races."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redesignate.store import migrate
from tests.central.house import House
from tests.store.databases import EXTERNAL, Database, database_of

Build = Callable[..., House]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables, to be copied."""
    file = tmp_path_factory.mktemp("central") / "empty.sqlite"
    migrate.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def build(empty_database: Path, tmp_path: Path) -> Iterator[Build]:
    """Makes a house with these settings and the default pool."""
    made: list[House] = []

    def make(*, pool: bool = True, **settings: Any) -> House:
        file = tmp_path / f"house{len(made)}.sqlite"
        shutil.copy(empty_database, file)
        house = House(f"sqlite:///{file}", **settings)
        made.append(house)
        if pool:
            house.pool()
        return house

    yield make
    for house in made:
        house.close()


@pytest.fixture
def house(build: Build) -> House:
    """A house without quotas, with one pool of one target and one nameserver."""
    return build()


@pytest.fixture(params=["sqlite", *EXTERNAL])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Build]:
    """As `build`, over each database."""
    database: Database = database_of(request, tmp_path)
    url = database.new()
    migrate.upgrade(url)
    made: list[House] = []

    def make(**settings: Any) -> House:
        house = House(url, **settings)
        house.pool()
        made.append(house)
        return house

    yield make
    for house in made:
        house.close()
    database.drop(url)
