# SPDX-License-Identifier: Apache-2.0
"""The one place where rooms meet: makes store, central, bus and hints of one process from its configuration.

Nothing is made before it is asked for, so that a process holds just what it needs, and nothing before a fork.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from redesignate.auth.policy import Policy
from redesignate.bus.inproc import InprocCentral, InprocWake, InprocWorkSource
from redesignate.bus.pending import Pending
from redesignate.bus.port import Central, Wake, WorkSource
from redesignate.central.rules import Rules
from redesignate.central.service import CentralService
from redesignate.config.load import Configuration
from redesignate.config.settings import CentralAccess, Settings, StoreSettings
from redesignate.mdns.notify import Herald
from redesignate.model.errors import Misconfigured
from redesignate.observe.log import events
from redesignate.store.engine import EngineOptions
from redesignate.store.secrets import Secrets
from redesignate.store.unit import Retries, Store

if TYPE_CHECKING:
    from redesignate.bus.broker import Broker

SECRET_KEY = "secret.key"
log = events(__name__)


class Unheard:
    """No worker shares this process and there is no broker: workers find the work in the outbox."""

    def wake(self, zone_ids: Sequence[str]) -> None:
        """Nothing: the row is there."""


def engine_options(settings: StoreSettings) -> EngineOptions:
    """The operator's settings in the store's terms."""
    return EngineOptions(
        pool_size=settings.max_pool_size,
        max_overflow=settings.max_overflow,
        pool_timeout=settings.pool_timeout,
        pool_recycle=settings.connection_recycle_time,
        sqlite_full=settings.sqlite_full,
        mysql_sql_mode=settings.mysql_sql_mode,
        mysql_wsrep_sync_wait=settings.mysql_wsrep_sync_wait,
    )


class Wiring:
    """What one process is made of. `close` undoes it, last made first."""

    def __init__(self, configuration: Configuration, *, alone: bool = False) -> None:
        """`alone`: every service is in this process, and hints need no broker."""
        self.configuration = configuration
        self.settings: Settings = configuration.settings
        self.alone = alone
        self._closers: list[Callable[[], None]] = []

    def on_close(self, closer: Callable[[], None]) -> None:
        """Have something undone when the process ends."""
        self._closers.append(closer)

    def close(self) -> None:
        """Undo everything, last made first; what cannot be undone keeps nothing else from it."""
        while self._closers:
            try:
                self._closers.pop()()
            except Exception:  # the end of a service
                log.exception("something did not stop cleanly")

    @cached_property
    def store(self) -> Store:
        """The database. Raises Misconfigured where none is configured."""
        settings = self.settings.store
        if settings.url is None:
            raise Misconfigured("This service needs a database: set [storage:sqlalchemy] connection.")
        made = Store(
            settings.url,
            secrets=Secrets(Path(self.settings.state_path) / SECRET_KEY),
            options=engine_options(settings),
            read_urls=settings.read_urls,
            retries=Retries(attempts=settings.conflict_retries),
        )
        self.on_close(made.close)
        return made

    @cached_property
    def broker(self) -> Broker | None:
        """RabbitMQ, where a transport_url is set. Its libraries are imported only then."""
        if self.alone or self.settings.bus.transport_url is None:
            return None
        from redesignate.bus.broker import Broker

        made = Broker(self.configuration.conf, self.settings.bus)
        self.on_close(made.close)
        return made

    @cached_property
    def pending(self) -> Pending:
        """Hints between central and worker in this process."""
        return Pending()

    @cached_property
    def wake(self) -> Wake:
        """Where central's hints go."""
        if self.alone:
            return InprocWake(self.pending)
        if self.broker is None:
            return Unheard()
        from redesignate.bus.amqp_hints import AmqpWake

        made = AmqpWake(self.broker, publisher=f"central.{self.settings.host}", topic=self.settings.worker.topic)
        self.on_close(made.close)
        return made

    @cached_property
    def service(self) -> CentralService:
        """Central itself, over this process's database."""
        policy = Policy(self.configuration.conf)
        return CentralService(self.store, Rules(settings=self.settings.central, policy=policy), self.wake)

    @cached_property
    def central(self) -> Central:
        """Central as this process reaches it: in its own memory, or over the broker."""
        if self.alone or self.settings.central_access is CentralAccess.DIRECT:
            return InprocCentral(self.service.dispatch)
        return self.central_over_bus

    @cached_property
    def central_over_bus(self) -> Central:
        """Central over the broker, also for a process whose database it may only read."""
        if self.broker is None:
            raise Misconfigured(
                "This service reaches central over the bus: set [DEFAULT] transport_url, or give it a database with "
                "[storage:sqlalchemy] connection."
            )
        from redesignate.bus.amqp import AmqpCentral

        made = AmqpCentral(self.broker, topic=self.settings.central.topic)
        self.on_close(made.close)
        return made

    @cached_property
    def herald(self) -> Herald:
        """What passes NOTIFYs from primaries on to central: over the broker where there is one."""
        made = Herald(self.central if self.broker is None else self.central_over_bus)
        made.start()
        self.on_close(made.stop)
        return made

    @cached_property
    def hints(self) -> WorkSource | None:
        """Where a worker hears of work; None: it looks into the outbox."""
        if self.alone:
            return InprocWorkSource(self.pending)
        if self.broker is None:
            return None
        from redesignate.bus.amqp_hints import AmqpWorkSource

        return AmqpWorkSource(self.broker, topic=self.settings.worker.topic)
