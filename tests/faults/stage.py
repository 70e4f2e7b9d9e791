# SPDX-License-Identifier: Apache-2.0
"""The system that a fault strikes, with clients that write on, and the comparison at the end of each drill."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine

from redesignate.store.engine import normalised
from tests.faults import drills
from tests.faults.agreement import differences, listed, settle
from tests.faults.drills import Crowd
from tests.faults.ledger import Ledger, Name, Writer
from tests.support.api import Api
from tests.support.bind import RealBind
from tests.support.disk import small_disk
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.system import Process, Sandbox, Split

ZONES, NAMES_EACH, PASSING_ZONES = 3, 8, 6
SETTLE_S = 60.0
DISK_MB = 64
LOGGED_A_MESSAGE = 10_000
QUICK_S = 5.0
"""What is not held up is answered within that, on a busy machine."""
OPTIONS = (
    "[DEFAULT]\nquota_zones = 5000\nquota_zone_recordsets = 5000\nquota_zone_records = 5000\n"
    "[service:worker]\npoll_retry_interval = 2\n"
)


@dataclass
class Stage:
    """One running system. `ledger` grows over all drills of it."""

    system: Split | Sandbox
    apis: tuple[Api, ...]
    database: str
    ports: dict[str, int]
    """Every DNS server's port, by its name."""
    binds: tuple[RealBind, ...] = ()
    broker: RabbitMQ | None = None
    transport_url: str = ""
    server: MariaDB | Postgres | None = None
    disk: Path | None = None
    """The small file system of the database, where it has one."""
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        self.engine: Engine = create_engine(
            normalised(self.database), poolclass=NullPool
        )  # drills cut kept connections
        for number in range(ZONES):
            zone = self.apis[0].zone(f"stays{number}.faults.example.")
            self.ledger.names[zone["id"]] = [Name(f"n{n}.stays{number}.faults.example.") for n in range(NAMES_EACH)]
        self.ledger.zones = [Name(f"passes{number}.faults.example.") for number in range(PASSING_ZONES)]
        for zone_id in self.ledger.names:
            self.apis[0].active(zone_id, timeout=SETTLE_S)

    def processes(self, *services: str) -> list[Process]:
        """Every process of these services."""
        assert isinstance(self.system, Split)
        return [process for service in services for process in self.system.processes[service]]

    @property
    def zone_id(self) -> str:
        """One of the zones that stay."""
        return next(iter(self.ledger.names))

    @contextmanager
    def struck(self, *, settle_s: float = SETTLE_S) -> Iterator[float]:
        """Write while the block strikes; then wait until all is quiet, and compare. Gives when it began (monotonic).

        The clients have written before the block begins, and have been answered well after it has ended.
        """
        began = time.monotonic()
        writers = self._writers()
        for writer in writers:
            writer.start()
        try:
            self.wait_acknowledged(began, 8)
            yield began
            self.wait_acknowledged(time.monotonic(), 8, deadline_s=settle_s)
        finally:
            for writer in writers:
                writer.stop()
        wrong = [line for writer in writers for line in writer.wrong]
        assert not wrong, f"answers that no fault excuses: {wrong[:3]}"
        self.agree(settle_s=settle_s)

    def agree(self, *, settle_s: float = SETTLE_S) -> None:
        """Everything is settled, and all agree."""
        settle(self.apis[0], self.engine, timeout=settle_s)
        assert not (found := differences(self.apis[0], self.engine, self.ledger, self.ports)), found[:5]

    def wait_served(self, bind: RealBind, *, deadline_s: float = 90.0) -> None:
        """Wait until a nameserver serves every zone that the API shows."""
        deadline = time.monotonic() + deadline_s
        missing = [zone["name"] for zone in listed(self.apis[0], "/v2/zones", "zones")]
        while missing := [name for name in missing if bind.serial(name) is None]:
            assert time.monotonic() < deadline, f"not served after {deadline_s:g} s: {missing}"
            time.sleep(0.2)

    def wait_acknowledged(self, since: float, count: int, *, deadline_s: float = 60.0) -> None:
        """Wait until so many writes that were sent from a moment on have been acknowledged."""
        deadline = time.monotonic() + deadline_s
        while self.ledger.acknowledged(since) < count:
            assert time.monotonic() < deadline, f"the API does not come back: {self.ledger.statuses(since)}"
            time.sleep(0.05)

    def others_go_on(self, *, clients: int, hold_s: float = 0.0) -> None:
        """While a zone is locked and so many clients change it: everybody else's writes and health checks are answered.

        hold_s   how long at least; until each of the clients has had an answer in any case
        """
        held, began = self.zone_id, time.monotonic()
        with Crowd(self.apis, held, clients) as crowd:
            while not crowd.all_heard() or time.monotonic() < began + hold_s:
                asked = time.monotonic()
                assert asked < began + hold_s + 60, f"clients without an answer: {crowd.answers}"
                for api in self.apis:
                    assert api.ask("GET", "/healthcheck")[0] == 200
                    assert api.ask("GET", f"/v2/zones/{held}")[0] == 200
                assert time.monotonic() - asked < QUICK_S
            writes = [write for write in self.ledger.writes(began) if held not in write.path]
            self.wait_acknowledged(time.monotonic(), 5)
        assert set(crowd.answers) <= {503, 504}, crowd.answers
        late = [write for write in writes if (not write.acknowledged and not write.refused) or write.took > QUICK_S]
        assert writes
        assert not late, f"{len(late)} of {len(writes)}: {late[:3]}"

    def bear_poison(self, *, rounds: int) -> None:
        """Malformed messages in every queue that is read are dropped, and logged in a few words; clients go on."""
        assert self.broker is not None
        queues = {queue for queue, readers in self.broker.consumers(self.transport_url).items() if readers}
        with self.struck() as began:
            printed = self.printed()
            count = drills.poison(self.transport_url, queues, rounds)
            self.wait_acknowledged(began, 30)
        deadline = time.monotonic() + 90
        while left := self.queued(queues):
            assert time.monotonic() < deadline, f"messages that nobody takes: {left}"
            time.sleep(0.05)
        octets = (self.printed() - printed) / count
        assert octets < LOGGED_A_MESSAGE, f"{octets:.0f} octets of log for each of {count} messages"

    def queued(self, queues: Iterable[str]) -> dict[str, int]:
        """Those of these queues that hold messages and are still read: a process may have taken another one."""
        assert self.broker is not None
        found, readers = self.broker.queues(self.transport_url), self.broker.consumers(self.transport_url)
        return {queue: count for queue in queues if readers.get(queue) and (count := found.get(queue, 0))}

    def printed(self) -> int:
        """How many octets all processes have printed."""
        return sum(file.stat().st_size for file in self.system.folder.glob("*.log"))

    def wait_unanswered(self, since: float, count: int = 1, *, deadline_s: float = 90.0) -> None:
        """Wait until the fault is felt: so many writes since a moment have failed (after 60 s at the latest)."""
        deadline = time.monotonic() + deadline_s
        while sum(not write.acknowledged for write in self.ledger.writes(since)) < count:
            assert time.monotonic() < deadline, "no client felt the fault"
            time.sleep(0.05)

    def _writers(self) -> Sequence[Writer]:
        made = [
            Writer(self.ledger, self.apis, names, f"/v2/zones/{zone_id}/recordsets", seed)
            for seed, (zone_id, names) in enumerate(self.ledger.names.items())
        ]
        return [*made, Writer(self.ledger, self.apis, self.ledger.zones, "/v2/zones", len(made))]


@contextmanager
def split_stage(
    folder: Path, kind: type[MariaDB | Postgres] = MariaDB, *, disk: Path | None = None, parameters: str = ""
) -> Iterator[Stage]:
    """Two of each service in processes of their own, over RabbitMQ and a database, before two BINDs.

    disk        an empty folder for the database's files
    parameters  of the database's URL
    """
    with (
        closing(RabbitMQ.create()) as broker,
        closing(kind.create(disk)) as server,
        RealBind(folder / "bind1") as first,
        RealBind(folder / "bind2") as second,
    ):
        url, database = broker.transport_url(), server.database()
        if isinstance(server, MariaDB):
            database = server.clerks(database)
        database += parameters
        with Split(folder / "system", database=database, transport_url=url, options=OPTIONS) as system:
            system.use_binds(first, second)
            ports = {"bind1": first.port, "bind2": second.port, "mdns": system.dns_port}
            stage = Stage(
                system, (system.api, system.second_api), database, ports,
                binds=(first, second), broker=broker, transport_url=url, server=server,
            )  # fmt: skip
            yield stage
            stage.engine.dispose()


@contextmanager
def sandbox_stage(folder: Path) -> Iterator[Stage]:
    """Everything in one process, on SQLite, before two BINDs. Its state is on a small disk where one may be mounted."""
    with (
        RealBind(folder / "bind1") as first,
        RealBind(folder / "bind2") as second,
        small_disk(folder / "system" / "state", DISK_MB) as mounted,
        Sandbox(folder / "system", options=OPTIONS) as system,
    ):
        system.use_binds(first, second)
        ports = {"bind1": first.port, "bind2": second.port, "mdns": system.dns_port}
        database = f"sqlite:///{system.state / 'redesignate.db'}"
        disk = system.state if mounted else None
        stage = Stage(system, (system.api,), database, ports, binds=(first, second), disk=disk)
        yield stage
        stage.engine.dispose()
