# SPDX-License-Identifier: Apache-2.0
"""The operator's command line over the real central on SQLite, through the bytes of the bus."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from redesignate.auth.policy import Policy
from redesignate.bus.inproc import InprocCentral
from redesignate.bus.port import Central
from redesignate.central.rules import Rules
from redesignate.central.service import CentralService
from redesignate.commands.hint import Hint
from redesignate.config.settings import CentralSettings, Settings, StoreSettings
from redesignate.manage.main import main
from redesignate.model.clock import Clock, now
from redesignate.store import migrate
from redesignate.store.unit import Store


@dataclass(frozen=True)
class Run:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Nobody:
    """Hints that no worker hears."""

    def wake(self, hints: Sequence[Hint]) -> None:
        return


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Operator:
    """Types commands."""

    def __init__(self, database: Path) -> None:
        self.url = f"sqlite:///{database}"
        self.settings = Settings(store=StoreSettings(url=self.url))
        self.clock: Clock = now
        self.store = Store(self.url, clock=self._time)
        service = CentralService(self.store, Rules(settings=CentralSettings(), policy=Policy()), Nobody())
        self.central: Central = InprocCentral(service.dispatch, encoded=True)
        self.loaded: list[list[str]] = []
        self.connected = 0

    def __call__(self, *argv: str, stdin: str = "", terminal: bool = False) -> Run:
        out, err = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
        given = io.StringIO(stdin)
        code = main(argv, load=self._load, connect=self._connect, out=out, err=err, stdin=given, clock=self.clock)
        return Run(code, out.getvalue(), err.getvalue())

    def _time(self) -> int:
        return self.clock()

    def _load(self, argv: Sequence[str]) -> Settings:
        self.loaded.append(list(argv))
        return self.settings

    @contextmanager
    def _connect(self, settings: Settings) -> Iterator[Central]:
        self.connected += 1
        yield self.central
        self.connected -= 1


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables, to be copied."""
    file = tmp_path_factory.mktemp("manage") / "empty.sqlite"
    migrate.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def operator(migrated: Path, tmp_path: Path) -> Iterator[Operator]:
    """An operator of a new system."""
    file = tmp_path / "redesignate.sqlite"
    shutil.copy(migrated, file)
    made = Operator(file)
    yield made
    made.store.close()
