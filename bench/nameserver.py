# SPDX-License-Identifier: Apache-2.0
"""mdns as its service runs it, in processes of its own, over a database that the bench has filled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bench.beside import companion
from bench.meter import Meter
from redesignate.config.settings import DEFAULT_POOL_ID, MdnsSettings, Settings, StoreSettings
from redesignate.mdns.service import DNSService
from redesignate.model.pool import Nameserver, Pool
from redesignate.run.questions import fork_questions
from redesignate.store.serving import Serving
from redesignate.store.unit import Store

SERVER, STRANGER = "127.0.0.2", "127.0.0.3"
"""Where the pool's server asks from, and somebody else. As both are loopback, no limit of rate concerns them."""


@dataclass(frozen=True, slots=True)
class Primary:
    """Where it answers, and its first process."""

    address: tuple[str, int]
    pid: int

    def meter(self) -> Meter:
        """Measures what both of its processes use."""
        return Meter(lambda: {"mdns": [self.pid]})


def add_pool(store: Store) -> None:
    """A pool whose one nameserver is at SERVER."""
    server = Nameserver(id="n1", host=SERVER, port=53)
    pool = Pool(id=DEFAULT_POOL_ID, name="default", version=1, created_at=1, nameservers=(server,))
    store.transact(lambda work: work.pools.add(pool))


@contextmanager
def serving(url: str) -> Iterator[Primary]:
    """A nameserver over the database."""
    with companion(_serve, url) as other:
        yield Primary(other.hear(), other.pid)
        other.ask("stop")


def _serve(pipe: Connection, url: str) -> None:
    with ExitStack() as end:
        settings = Settings(store=StoreSettings(url=url), mdns=MdnsSettings())
        beside = fork_questions(settings, end)
        store = Store(url)
        end.callback(store.close)
        service = DNSService(Serving(store), settings.mdns, beside=beside)
        service.run_in_thread([("127.0.0.1", 0)])
        end.callback(service.stop_thread)
        pipe.send(service.addresses[0])
        pipe.recv()
    pipe.send("stopped")
