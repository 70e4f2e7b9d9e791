# SPDX-License-Identifier: Apache-2.0
"""Makes the parts of processes, each by a function that takes what it needs as arguments.

`run/services.py` and `run/sandbox.py` call them from top to bottom, once a process and after its fork. Functions that
undo a step go on the process's `ExitStack`, so that a stop is the start reversed. A function that needs a broker
imports its libraries only when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from redesignate.auth.policy import Policy
from redesignate.bus.inproc import InprocCentral
from redesignate.bus.port import Central, Wake, WorkSource
from redesignate.central.rules import Rules
from redesignate.central.rules.scheduler import check_filters
from redesignate.central.service import CentralService
from redesignate.commands.hint import Hint
from redesignate.config.load import Configuration
from redesignate.config.settings import CentralAccess, Settings, StoreSettings
from redesignate.mdns.notify import Forwarder
from redesignate.model.errors import Misconfigured
from redesignate.observe.log import events
from redesignate.store.engine import EngineOptions
from redesignate.store.secrets import SECRET_KEY, Secrets
from redesignate.store.unit import Retries, Store

if TYPE_CHECKING:
    from redesignate.bus.broker import Broker

NO_DATABASE = "This service needs a database: set [storage:sqlalchemy] connection."
log = events(__name__)


class NoHints:
    """Hints if no worker shares this process and there is no broker: workers find the work in the outbox."""

    def wake(self, hints: Sequence[Hint]) -> None:
        """Does nothing: the row exists."""


def at_end(end: ExitStack, closer: Callable[[], object]) -> None:
    """Undo something when the process ends. A failure is logged and does not stop the others."""
    end.callback(_logged, closer)


def _logged(closer: Callable[[], object]) -> None:
    try:
        closer()
    except Exception:  # the end of a service
        log.exception("a part did not stop cleanly")


def engine_options(settings: StoreSettings) -> EngineOptions:
    """The operator's settings as the store's options."""
    return EngineOptions(
        pool_size=settings.max_pool_size,
        max_overflow=settings.max_overflow,
        pool_timeout=settings.pool_timeout,
        pool_recycle=settings.connection_recycle_time,
        sqlite_full=settings.sqlite_full,
        mysql_sql_mode=settings.mysql_sql_mode,
        mysql_wsrep_sync_wait=settings.mysql_wsrep_sync_wait,
    )


def make_store(settings: Settings, end: ExitStack) -> Store:
    """The database. Raises Misconfigured if none is configured."""
    if settings.store.url is None:
        raise Misconfigured(NO_DATABASE)
    made = Store(
        settings.store.url,
        secrets=Secrets(Path(settings.state_path) / SECRET_KEY),
        options=engine_options(settings.store),
        read_urls=settings.store.read_urls,
        retries=Retries(attempts=settings.store.conflict_retries),
    )
    at_end(end, made.close)
    return made


def report_database(store: Store) -> None:
    """Say in the log which driver leads to the database, and which secrets cannot be opened: what needs none of them
    goes on. Raises Misconfigured."""
    if driver := store.driver:
        log.info("database driver", **driver)
    if said := store.lost_secrets():
        log.error("secrets in the database cannot be opened", fix=said)


def make_broker(settings: Settings) -> Broker | None:
    """RabbitMQ, if a transport_url is set."""
    if settings.bus.transport_url is None:
        return None
    from redesignate.bus.broker import Broker

    return Broker(settings.bus)


def make_wake(settings: Settings, broker: Broker | None, end: ExitStack) -> Wake:
    """The sender of central's hints to workers of other processes."""
    if broker is None:
        return NoHints()
    from redesignate.bus.amqp_hints import AmqpWake

    made = AmqpWake(broker, publisher=f"central.{settings.host}", topic=settings.worker.topic)
    at_end(end, made.close)
    return made


def make_hints(settings: Settings, broker: Broker | None) -> WorkSource | None:
    """The source of a worker's hints; None: it searches the outbox."""
    if broker is None:
        return None
    from redesignate.bus.amqp_hints import AmqpWorkSource

    return AmqpWorkSource(broker, topic=settings.worker.topic)


def make_service(configuration: Configuration, store: Store, wake: Wake) -> CentralService:
    """Central itself, over this process's database."""
    check_filters(configuration.settings.central.scheduler_filters)
    rules = Rules(settings=configuration.settings.central, policy=Policy(configuration.conf))
    return CentralService(store, rules, wake)


def make_central(configuration: Configuration, broker: Broker | None, end: ExitStack) -> Central:
    """Central as the process reaches it by its configuration: in its own memory, or over the broker."""
    settings = configuration.settings
    if settings.central_access is CentralAccess.BUS:
        return make_central_over_bus(settings, broker, end)
    service = make_service(configuration, make_store(settings, end), make_wake(settings, broker, end))
    return InprocCentral(service.dispatch)


def make_central_over_bus(settings: Settings, broker: Broker | None, end: ExitStack) -> Central:
    """Central over the broker, also for a process whose database it may only read. Raises Misconfigured."""
    if broker is None:
        raise Misconfigured(
            "This service reaches central over the bus: set [DEFAULT] transport_url, or give it a database with "
            "[storage:sqlalchemy] connection."
        )
    from redesignate.bus.amqp import AmqpCentral

    made = AmqpCentral(broker, topic=settings.central.topic)
    at_end(end, made.close)
    return made


def make_forwarder(central: Central, end: ExitStack) -> Forwarder:
    """The service that forwards NOTIFYs from primaries to central, started."""
    made = Forwarder(central)
    made.start()
    at_end(end, made.stop)
    return made
