# SPDX-License-Identifier: Apache-2.0
"""Tests that run over each database: `params=["sqlite", *EXTERNAL]`, then `database_of(request, folder)`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres

EXTERNAL = tuple(pytest.param(name, marks=pytest.mark.external) for name in ("postgres", "mariadb"))
PYMYSQL = "mariadb-pymysql"
"""MariaDB through PyMySQL; "mariadb" alone is through mysqlclient (the end of the run says so where it is not)."""
EACH_DRIVER = (*EXTERNAL, pytest.param(PYMYSQL, marks=pytest.mark.external))


@dataclass(frozen=True)
class Database:
    """Where new, empty databases of one kind come from."""

    kind: str
    folder: Path
    server: Postgres | MariaDB | None = None
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def new(self) -> str:
        """The URL of an empty one."""
        if self.server is None:
            return f"sqlite:///{self.folder}/database{next(self._numbers)}.sqlite"
        return self.server.database() + ("?driver=pymysql" if self.kind == PYMYSQL else "")

    def drop(self, url: str) -> None:
        """Remove one."""
        if self.server is not None:
            self.server.drop(url)


def database_of(request: pytest.FixtureRequest, folder: Path) -> Database:
    """The database that a parametrised fixture asks for; starts its server only then."""
    kind: str = request.param
    server = None if kind == "sqlite" else request.getfixturevalue(kind.partition("-")[0])
    return Database(kind, folder, server)
