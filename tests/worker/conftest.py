# SPDX-License-Identifier: Apache-2.0
"""A whole control plane but for HTTP: real central on SQLite, the bus in memory, a worker, and small nameservers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from redesignate.auth.policy import Policy
from redesignate.backends import registry
from redesignate.backends.port import Backend
from redesignate.bus.inproc import InprocCentral, InprocWorkSource, Pending
from redesignate.central.rules import Rules
from redesignate.central.service import CentralService
from redesignate.commands.base import Command
from redesignate.commands.pools import ApplyPool
from redesignate.commands.rrsets import CreateRRset
from redesignate.commands.zones import CreateZone, DeleteZone, GetZone, ZonePeers
from redesignate.config.settings import QUOTAS, CentralSettings, WorkerSettings
from redesignate.model.caller import Caller
from redesignate.model.pool import NSRecord, Pool, PoolSpec, Target, TargetSpec
from redesignate.model.rrset import NewRRset
from redesignate.model.work import PeerView, Role
from redesignate.model.zone import NewZone, Status, Zone
from redesignate.store.tables import metadata
from redesignate.store.unit import Store
from redesignate.worker.service import Worker
from tests.support.nameservers import SmallBackend, SmallServer

R = TypeVar("R")
USER = Caller(
    request_id="req-test", user_id="u", project_id="p", roles=("admin", "member", "reader"), all_projects=True
)


@dataclass
class Plane:
    """The control plane of one test."""

    folder: Path
    settings: CentralSettings = field(default_factory=lambda: CentralSettings(quotas=dict.fromkeys(QUOTAS, -1)))
    worker_settings: WorkerSettings = field(default_factory=lambda: WorkerSettings(find_interval=0.2, lease=4.0))
    hinted: bool = True

    def __post_init__(self) -> None:
        self.store = Store(f"sqlite:///{self.folder}/db.sqlite")
        metadata.create_all(self.store.engine)
        self.pending = Pending()
        self.service = CentralService(self.store, Rules(settings=self.settings, policy=Policy()), self.pending)
        self.central = InprocCentral(self.service.dispatch, encoded=True)
        self.backends: dict[str, SmallBackend] = {}
        self.servers: dict[int, SmallServer] = {}
        self.workers: list[Worker] = []
        self.made = 0

    def call(self, command: Command[R]) -> R:
        return self.central.call(command)

    def pool(self, *servers: SmallServer, also: tuple[SmallServer, ...] = (), name: str = "default") -> Pool:
        """A pool whose every server is a target and a nameserver."""
        self.servers |= {server.port: server for server in servers}
        spec = PoolSpec(
            id=self.settings.default_pool_id if name == "default" else None,
            name=name,
            ns_records=(NSRecord(f"ns.{name}.example.", 1),),
            nameservers=tuple({"host": "127.0.0.1", "port": server.port, "tsigkey_id": None} for server in servers),
            targets=tuple(
                TargetSpec(type="fake", primaries=(("127.0.0.1", 5354),), options=at(server)) for server in servers
            ),
            also_notifies=tuple(("127.0.0.1", server.port) for server in also),
        )
        return self.call(ApplyPool(caller=USER, spec=spec))

    def build(self, pool: Pool, target: Target) -> Backend:
        """The backends of a worker: small ones for small servers, by port; others as the registry says."""
        server = self.servers.get(int(target.options.get("port", "53")))
        if target.type != "fake" or server is None:
            return registry.build(pool, target)
        return self.backends.setdefault(str(server.port), SmallBackend(server))

    def backend(self, server: SmallServer) -> SmallBackend:
        return self.backends.setdefault(str(server.port), SmallBackend(server))

    def start(self, **changes: object) -> Worker:
        """Another worker. `central` may be given to stand between it and central."""
        wanted = {
            "central": self.central,
            "source": InprocWorkSource(self.pending) if self.hinted else None,
            "settings": self.worker_settings,
            "build": self.build,
        } | changes
        worker = Worker(**wanted)  # type: ignore[arg-type]
        worker.start()
        self.workers.append(worker)
        return worker

    def stop(self) -> None:
        for worker in self.workers:
            worker.stop()
        self.store.close()

    def zone(self, name: str | None = None) -> Zone:
        self.made += 1
        return self.call(
            CreateZone(caller=USER, new=NewZone(name=name or f"z{self.made}.example.", email="a@b.example"))
        )

    def edit(self, zone: Zone) -> Zone:
        """One change; the zone after it."""
        self.made += 1
        new = NewRRset(name=f"r{self.made}.{zone.name}", type="A", records=("192.0.2.1",))
        self.call(CreateRRset(caller=USER, zone_id=zone.id, new=new))
        return self.now(zone)

    def delete(self, zone: Zone) -> Zone:
        return self.call(DeleteZone(caller=USER, zone_id=zone.id))

    def now(self, zone: Zone) -> Zone:
        return self.call(GetZone(caller=USER, zone_id=zone.id))

    def peers(self, zone: Zone) -> dict[tuple[str, Role], PeerView]:
        """By address and role."""
        views = self.call(ZonePeers(caller=USER, zone_id=zone.id))
        return {(view.address, view.role): view for view in views}

    def server_view(self, zone: Zone, server: SmallServer) -> PeerView:
        return self.peers(zone)[(f"127.0.0.1:{server.port}", Role.NAMESERVER)]

    def target_view(self, zone: Zone, server: SmallServer) -> PeerView:
        return self.peers(zone)[(f"fake 127.0.0.1:{server.port}", Role.TARGET)]

    def wait_active(self, *zones: Zone, timeout: float = 10.0) -> None:
        for zone in zones:
            eventually(lambda zone=zone: self.now(zone).status is Status.ACTIVE, timeout)  # type: ignore[misc]

    def outbox(self) -> int:
        with self.store.read() as work:
            return int(work.conn.exec_driver_sql("SELECT count(*) FROM outbox").scalar() or 0)

    def wait_done(self, timeout: float = 10.0) -> None:
        """Wait until every peer agrees on everything."""
        eventually(lambda: self.outbox() == 0, timeout)


def at(server: SmallServer) -> dict[str, str]:
    return {"host": "127.0.0.1", "port": str(server.port)}


def eventually(holds: Callable[[], bool], timeout: float = 10.0) -> None:
    """Wait for what can only be asked about."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    made = Plane(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def servers() -> Iterator[tuple[SmallServer, SmallServer, SmallServer]]:
    with contextlib.ExitStack() as stack:
        yield (
            stack.enter_context(SmallServer()),
            stack.enter_context(SmallServer()),
            stack.enter_context(SmallServer()),
        )
