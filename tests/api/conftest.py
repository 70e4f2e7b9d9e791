# SPDX-License-Identifier: Apache-2.0
"""The API over the real central on SQLite, through the bytes of the bus."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from redesignate.api.app import build
from redesignate.auth.noauth import NoAuth
from redesignate.auth.policy import Policy
from redesignate.bus.inproc import InprocCentral
from redesignate.central.rules import Rules
from redesignate.central.service import CentralService
from redesignate.commands.hint import Hint
from redesignate.commands.pools import ApplyPool
from redesignate.commands.work import BeginWork, PoolForWork, Report
from redesignate.config.settings import QUOTAS, ApiSettings, CentralSettings
from redesignate.model.caller import operator
from redesignate.model.pool import NSRecord, PoolSpec, TargetSpec
from redesignate.model.work import Outcome, PeerOutcome, Role, Task
from redesignate.store import migrate
from redesignate.store.unit import Store
from tests.api.client import Client

PLENTY = dict.fromkeys(QUOTAS, -1)
WHOLE = ApiSettings(
    healthcheck_disable_file=None,
    enable_api_admin=True,
    enabled_extensions_admin=("reports", "quotas", "zones"),
    max_limit_admin=100,
)
"""With the whole admin API."""


@dataclass
class Hints:
    """Where central sends its hints: kept, not worked on."""

    zone_ids: list[str] = field(default_factory=list)

    def wake(self, hints: Sequence[Hint]) -> None:
        self.zone_ids += [hint.zone_id for hint in hints]


class System:
    """A whole API with one pool, one nameserver and no worker: `serve` plays the worker that finds all well."""

    def __init__(self, database: Path, settings: ApiSettings, central: CentralSettings) -> None:
        self.store = Store(f"sqlite:///{database}")
        self.hints = Hints()
        self.service = CentralService(self.store, Rules(settings=central, policy=Policy()), self.hints)
        self.central = InprocCentral(self.service.dispatch, encoded=True)
        spec = PoolSpec(
            id=central.default_pool_id,
            name="default",
            ns_records=(NSRecord("ns1.example.net.", 1), NSRecord("ns2.example.net.", 2)),
            nameservers=({"host": "192.0.2.1", "port": 53},),
            targets=(TargetSpec(type="fake", primaries=(("192.0.2.9", 5354),), options={"host": "192.0.2.1"}),),
        )
        self.pool = self.central.call(ApplyPool(caller=operator("req-test"), spec=spec))
        self.app = build(self.central, settings, NoAuth())

    def client(self, project: str = "p1", roles: str = "member,reader", **headers: str) -> Client:
        """A member of a project."""
        return Client(self.app, **{"X-Auth-Project-ID": project, "X-Roles": roles, **headers})

    def serve(self) -> None:
        """Every zone that was changed is now on every server, or gone from it."""
        zones = tuple(dict.fromkeys(self.hints.zone_ids))
        self.hints.zone_ids.clear()
        tasks = self.central.call(BeginWork(worker="w", zone_ids=zones))
        self.central.call(Report(worker="w", outcomes=tuple(self._done(task) for task in tasks)))

    def _done(self, task: Task) -> Outcome:
        pool = self.central.call(PoolForWork(pool_id=task.pool_id)).pool
        serial = task.serial if task.present else None
        servers = [(Role.NAMESERVER, server.id, serial) for server in pool.nameservers]
        targets = [(Role.TARGET, target.id, None) for target in pool.targets]
        peers = tuple(
            PeerOutcome(peer_id=ident, role=role, ok=True, present=task.present, serial=said)
            for role, ident, said in servers + targets
        )
        return Outcome(zone_id=task.zone_id, revision=task.revision, present=task.present, peers=peers)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables, to be copied."""
    file = tmp_path_factory.mktemp("api") / "empty.sqlite"
    migrate.upgrade(f"sqlite:///{file}")
    return file


def _system(empty: Path, folder: Path, central: CentralSettings, settings: ApiSettings | None = None) -> System:
    file = folder / "redesignate.sqlite"
    shutil.copy(empty, file)
    return System(file, settings or ApiSettings(healthcheck_disable_file=None), central)


@pytest.fixture
def system(empty_database: Path, tmp_path: Path) -> Iterator[System]:
    """A system without quotas, new for the test."""
    made = _system(empty_database, tmp_path, CentralSettings(quotas=PLENTY))
    yield made
    made.store.close()


@pytest.fixture
def whole(empty_database: Path, tmp_path: Path) -> Iterator[System]:
    """As `system`, with the admin API."""
    made = _system(empty_database, tmp_path, CentralSettings(quotas=PLENTY), WHOLE)
    yield made
    made.store.close()


@pytest.fixture
def strict(empty_database: Path, tmp_path: Path) -> Iterator[System]:
    """A system with v2's own quotas and a lowest TTL."""
    made = _system(empty_database, tmp_path, CentralSettings(min_ttl=60))
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def shared_system(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system without quotas, with the admin API, for a whole module, for properties."""
    made = _system(empty_database, tmp_path_factory.mktemp("shared"), CentralSettings(quotas=PLENTY), WHOLE)
    yield made
    made.store.close()
