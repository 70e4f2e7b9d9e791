# SPDX-License-Identifier: Apache-2.0
"""Stores over each database, with their tables made by the migrations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from redesignate.store import migrate
from redesignate.store.unit import Store
from tests.store.databases import EACH_DRIVER, Database, database_of


@pytest.fixture(params=["sqlite", *EACH_DRIVER], scope="module")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Where empty databases of one kind come from."""
    return database_of(request, tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def shared_url(database: Database) -> Iterator[str]:
    """One database with its tables, for every test of a module that makes rows of its own."""
    url = database.new()
    migrate.upgrade(url)
    yield url
    database.drop(url)


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    """A database with its tables, new for the test."""
    made = database.new()
    migrate.upgrade(made)
    yield made
    database.drop(made)


@pytest.fixture
def store(shared_url: str) -> Iterator[Store]:
    """A store over the module's database."""
    made = Store(shared_url)
    yield made
    made.close()
