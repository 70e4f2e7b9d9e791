# SPDX-License-Identifier: Apache-2.0
"""Deployments while they run: where they answer, which processes they are, and how each is started."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.client import Address, until
from bench.dns import Asker
from bench.meter import Meter, Roots
from bench.requests import Zone
from tests.support.api import Api
from tests.support.bind import ConsumedCatalog, RealBind
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import free_port
from tests.support.system import Sandbox, Split

OPTIONS = (
    "[DEFAULT]\nquota_zones = -1\nquota_zone_recordsets = -1\nquota_zone_records = -1\nquota_api_export_size = -1\n"
)
ONE_OF_EACH = {"central": 1, "mdns": 1, "worker": 1, "producer": 1, "api": 1}
PENDING = "/v2/zones?status=PENDING&limit=1"


@dataclass(frozen=True, slots=True)
class Running:
    """A deployment that runs.

    label       part of every zone name that is made in it, so that names are new in a deployment that keeps its zones
    nameservers of its pool: host and port
    mdns        its hidden primary, where it can be asked
    roots       its processes by kind; empty where they are not known
    services    the kinds among these that are its own: not the database, the broker, the nameservers
    database    its URL, where it is ours
    """

    address: Address
    api: Api
    nameservers: Sequence[tuple[str, int]]
    mdns: tuple[str, int] | None = None
    roots: Callable[[], Roots] = dict
    services: frozenset[str] = frozenset()
    database: str = ""
    label: str = field(default_factory=lambda: uuid.uuid4().hex[:6])

    def meter(self) -> Meter:
        """Measures what it uses."""
        return Meter(self.roots)

    def askers(self) -> list[Asker]:
        """A client for each of its nameservers."""
        return [Asker(host, port) for host, port in self.nameservers]

    def zone(self, name: str) -> Zone:
        """A new zone that is ACTIVE: its id and full name."""
        made = self.api.zone(f"{name}-{self.label}.example.")
        zone = str(made["id"]), str(made["name"])
        self.active(zone)
        return zone

    def all_active(self) -> float:
        """Wait until no zone is PENDING; seconds that took."""
        return until(self.pending_none, timeout=300, pause=0.02, most=0.3)

    def active(self, zone: Zone, *, pause: float = 0.01, share: float = 0.25) -> float:
        """Wait until this zone is ACTIVE; seconds that took. `pause` and `share` as of `until`."""
        path = f"/v2/zones/{zone[0]}"
        return until(lambda: bool(self.api.get(path)["status"] == "ACTIVE"), pause=pause, share=share, most=0.3)

    def pending_none(self) -> bool:
        """Whether no zone is PENDING."""
        return bool(self.api.get(PENDING)["metadata"]["total_count"] == 0)


@contextmanager
def embedded(
    folder: Path, *, database: str = "sqlite", binds: int = 1, catalog: str | None = None, kept: bool = False
) -> Iterator[tuple[Running, Sandbox]]:
    """`redesignate serve` over this kind of database, with so many BINDs as its pool; 0: the built-in nameserver.

    catalog   of the pool, which the BINDs consume
    kept      the database stays in the folder, and is that of the next deployment there, with the same port for DNS:
              another would be another target, for which all zones are queued
    """
    with ExitStack() as end:
        server = None
        url = f"sqlite:///{folder / 'system' / 'state' / 'redesignate.db'}"
        if database != "sqlite":
            server = end.enter_context(database_server(database, folder / "server" if kept else None))
            url = _kept_url(server) if kept else server.database()
        words = ("--database", url) if server is not None else ()
        note = folder / "dns-port"
        port = int(note.read_text()) if kept and note.exists() else None
        system = end.enter_context(Sandbox(folder / "system", options=OPTIONS, words=words, dns_port=port))
        if kept:
            note.write_text(str(system.dns_port))
        consumed = ConsumedCatalog(catalog, system.dns_port) if catalog else None
        servers = [end.enter_context(RealBind(folder / f"bind{n}", catalog=consumed)) for n in range(binds)]
        if servers:
            system.use_binds(*servers, catalog=catalog)

        def roots() -> Roots:
            mine: dict[str, list[int]] = {"serve": [system.process.pid]}
            if servers:
                mine["named"] = [bind.pid for bind in servers]
            return mine | ({"database": [server.pid]} if server is not None else {})

        ports = [bind.port for bind in servers] or [system.dns_port]
        yield (
            Running(
                Address("127.0.0.1", system.port),
                system.api,
                [("127.0.0.1", port) for port in ports],
                ("127.0.0.1", system.dns_port),
                roots,
                frozenset({"serve"}),
                url,
            ),
            system,
        )


@contextmanager
def split(
    folder: Path, *, database: str = "mariadb", binds: int = 1, direct: Sequence[str] = ()
) -> Iterator[tuple[Running, Split]]:
    """Each service in a process of its own, over RabbitMQ and this kind of database, with so many BINDs as its pool.

    direct  services that hold central in their own processes
    """
    with ExitStack() as end:
        server = end.enter_context(database_server(database))
        broker = RabbitMQ.create()
        end.callback(broker.close)
        url = server.database()
        system = end.enter_context(
            Split(
                folder / "system",
                database=url,
                transport_url=broker.transport_url(),
                counts=ONE_OF_EACH,
                options=OPTIONS,
                direct=direct,
            )
        )
        servers = [end.enter_context(RealBind(folder / f"bind{n}")) for n in range(binds)]
        system.use_binds(*servers)

        def roots() -> Roots:
            mine = {name: [process.pid for process in some] for name, some in system.processes.items()}
            named = [bind.pid for bind in servers]
            return mine | {"broker": [broker.pid], "database": [server.pid], "named": named}

        yield (
            Running(
                Address("127.0.0.1", system.ports[0]),
                system.api,
                [("127.0.0.1", bind.port) for bind in servers],
                ("127.0.0.1", system.dns_port),
                roots,
                frozenset(ONE_OF_EACH),
                url,
            ),
            system,
        )


@contextmanager
def database_server(kind: str, folder: Path | None = None) -> Iterator[MariaDB | Postgres]:
    """A server of this kind, as a user of an empty machine would start it; in this folder, which it keeps, or in one of
    its own."""
    of: type[MariaDB | Postgres] = MariaDB if kind == "mariadb" else Postgres
    if folder is None:
        server = of.create()
    elif folder.exists():
        server = of(folder, {name: free_port() for name in of.wanted_ports()})
        server.start()
    else:
        folder.mkdir(parents=True)
        server = of.create(folder)
    try:
        yield server
    finally:
        if folder is None:
            server.close()
        else:
            server.stop()


def _kept_url(server: MariaDB | Postgres) -> str:
    """The URL of the one database of a server that keeps its folder; its port is another at each start."""
    note = server.folder / "database"
    if not note.exists():
        note.write_text(server.database())
    return re.sub(r":[0-9]+/", f":{server.port}/", note.read_text())
