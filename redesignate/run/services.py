# SPDX-License-Identifier: Apache-2.0
"""One service a process: api, central, mdns, worker, producer. Each function serves until it is stopped."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from wsgiref.types import WSGIApplication

from redesignate.api.app import PATIENCE_S, build
from redesignate.api.parked import Waits
from redesignate.auth.choose import authenticator, check_listeners, check_login
from redesignate.bus.inproc import Bulkheads, InprocCentral, Shares
from redesignate.bus.port import Central, R
from redesignate.central.questions import Questions
from redesignate.commands.base import Command
from redesignate.config.load import Configuration
from redesignate.config.settings import CentralAccess, Settings
from redesignate.mdns.service import DNSService
from redesignate.model.errors import Misconfigured, Unavailable
from redesignate.model.service import Stats
from redesignate.observe.log import events
from redesignate.run.heartbeat import NO_STATS, Heart
from redesignate.run.http import run_gunicorn
from redesignate.run.importing import start_importers
from redesignate.run.listening import check_free, explained
from redesignate.run.processes import run, until_stopped
from redesignate.run.questions import fork_questions
from redesignate.run.stopping import FAREWELL_S, within
from redesignate.run.wiring import (
    NO_DATABASE,
    at_end,
    make_broker,
    make_central,
    make_central_over_bus,
    make_forwarder,
    make_hints,
    make_service,
    make_store,
    make_wake,
    report_database,
)
from redesignate.store.migrate import require_head
from redesignate.store.serving import Serving
from redesignate.threads.bulkhead import aside

log = events(__name__)


def application(
    configuration: Configuration, *, finally_: Callable[[Callable[[], None]], object] = atexit.register
) -> WSGIApplication:
    """The API for one worker process of any WSGI server, its heartbeat started.

    finally_   takes a function to call when the process has answered its last request
    """
    settings = configuration.settings
    end = ExitStack()
    finally_(end.close)
    central = made = make_central(configuration, make_broker(settings), end)
    over_bus = settings.central_access is CentralAccess.BUS
    if not over_bus:
        central = Aside(made)
    waits = Waits(made)
    at_end(end, waits.stop)
    connections = settings.store.max_pool_size + settings.store.max_overflow
    shares = Shares.of(settings.api.threads, connections=None if over_bus else connections)
    app = build(
        Bulkheads(central, shares),
        settings.api,
        authenticator(settings.api, configuration.conf, central),
        patience_s=settings.bus.rpc_response_timeout if over_bus else PATIENCE_S,
        waits=waits,
    )
    _start_heart(made, settings, "api", end)
    return app


@dataclass(frozen=True, slots=True)
class Aside:
    """Central in this process: other requests are answered while one waits for the database."""

    central: Central

    def call(self, command: Command[R]) -> R:
        """As `Central.call`."""
        with aside():
            return self.central.call(command)


def api(configuration: Configuration) -> int:
    """HTTP, by gunicorn."""
    check_login(configuration.settings.api, configuration.conf)
    check_listeners(configuration.settings.api)
    check_free("The API", configuration.settings.api.listen, "set [service:api] listen to a free one")
    if configuration.settings.central_access is CentralAccess.DIRECT:
        _check_database(configuration)
    ends: list[Callable[[], None]] = []

    def end() -> None:
        for close in ends:
            close()

    run_gunicorn(
        lambda: application(configuration, finally_=ends.append),
        configuration.settings.api,
        patience_s=patience(configuration.settings),
        end=end,
    )
    return 0


def central(configuration: Configuration) -> int:
    """Central: the rules and the database, called over the bus."""
    settings = configuration.settings
    if settings.bus.transport_url is None:
        raise Misconfigured(
            "central is reached over a broker: set [DEFAULT] transport_url. Without a broker there is no process "
            "called central: api, worker and producer hold it themselves, by [storage:sqlalchemy] connection."
        )
    _check_database(configuration)

    def start(end: ExitStack) -> Central:
        from redesignate.bus.amqp_server import CentralServer

        broker = make_broker(settings)
        assert broker is not None
        store = make_store(settings, end)
        service = make_service(configuration, store, make_wake(settings, broker, end))
        connections = settings.store.max_pool_size + settings.store.max_overflow
        shares = Shares.of(settings.bus.executor_thread_pool_size, connections=connections)
        questions = Questions(service, store, shares)
        server = CentralServer(
            broker,
            questions.carry,
            together=questions.together,
            clock=questions.clock,
            host=settings.host,
            topic=settings.central.topic,
        )
        server.start()
        at_end(end, within(patience(settings), server.stop))
        start_importers(service, settings.host, end)
        return InprocCentral(service.dispatch)

    return _run("central", configuration, start, settings.central.workers)


def mdns(configuration: Configuration) -> int:
    """The hidden primary."""
    settings = configuration.settings
    _check_database(configuration)

    def start(end: ExitStack) -> Central:
        beside = fork_questions(settings, end)  # first: a fork takes no threads along
        store, broker = make_store(settings, end), make_broker(settings)
        direct = InprocCentral(make_service(configuration, store, make_wake(settings, broker, end)).dispatch)
        forwarder = make_forwarder(direct if broker is None else make_central_over_bus(settings, broker, end), end)
        server = DNSService(Serving(store), settings.mdns, forward=forwarder.add, beside=beside)
        with explained("mdns", settings.mdns.listen, "set [service:mdns] listen to a free one"):
            server.run_in_thread()
        at_end(end, server.stop_thread)
        return direct

    return _run("mdns", configuration, start, settings.mdns.workers)


def worker(configuration: Configuration) -> int:
    """The worker: makes nameservers agree."""
    from redesignate.worker.service import Worker

    settings = configuration.settings
    if settings.central_access is CentralAccess.DIRECT:
        _check_database(configuration)

    def start(end: ExitStack) -> Central:
        broker = make_broker(settings)
        central = make_central(configuration, broker, end)
        made = Worker(central=central, source=make_hints(settings, broker), settings=settings.worker)
        made.start()
        at_end(end, within(patience(settings), made.stop))
        stats["worker"] = made.stats
        return central

    stats: dict[str, Callable[[], Stats]] = {}
    return _run("worker", configuration, start, settings.worker.workers, stats=stats)


def producer(configuration: Configuration) -> int:
    """The producer: runs periodic tasks."""
    from redesignate.run.producing import shared_out, start_producer

    settings = configuration.settings
    if settings.central_access is CentralAccess.DIRECT:
        _check_database(configuration)

    def start(end: ExitStack) -> Central:
        broker = make_broker(settings)
        if settings.central_access is CentralAccess.BUS:
            central: Central = make_central_over_bus(settings, broker, end)
        else:
            service = make_service(configuration, make_store(settings, end), make_wake(settings, broker, end))
            start_importers(service, settings.host, end)
            central = InprocCentral(service.dispatch)
        start_producer(central, shared_out(central, settings), settings.producer, end)
        return central

    return _run("producer", configuration, start, settings.producer.workers)


def patience(settings: Settings) -> float | None:
    """Seconds that work in progress may take to end; the outbox keeps the rest. None: any time."""
    return settings.graceful_shutdown_timeout or None


def _check_database(configuration: Configuration) -> None:
    """Wait for the database, as long as the operator configured, and check that its schema is this code's.

    Logs which of its secrets cannot be opened.
    Raises Unavailable, Misconfigured.
    """
    url = configuration.settings.store.url
    if url is None:
        raise Misconfigured(NO_DATABASE)
    store = configuration.settings.store
    tries = 0
    while True:
        try:
            require_head(url)
            with ExitStack() as end:
                report_database(make_store(configuration.settings, end))
            return
        except Unavailable as problem:
            tries += 1
            if store.max_retries >= 0 and tries > store.max_retries:
                raise
            log.warning("waiting for the database", why=problem.message, again_in_s=store.retry_interval)
            time.sleep(store.retry_interval)


def _run(
    service: str,
    configuration: Configuration,
    start: Callable[[ExitStack], Central],
    workers: int,
    *,
    stats: Mapping[str, Callable[[], Stats]] = NO_STATS,
) -> int:
    """Serve in this process or in `workers` children; the exit code.

    start   makes and starts the service's parts, and puts their stop functions on the stack; returns the central that
            receives the heartbeat
    stats   the figures that go with it; `start` may add some
    """
    settings = configuration.settings

    def serve() -> None:
        with ExitStack() as end:
            _start_heart(start(end), settings, service, end, stats=stats)
            until_stopped(partial(log.info, "ready", service=service, host=settings.host))
            log.info("stopping", service=service)

    return run(serve, workers)


def _start_heart(
    central: Central,
    settings: Settings,
    service: str,
    end: ExitStack,
    *,
    stats: Mapping[str, Callable[[], Stats]] = NO_STATS,
) -> None:
    heart = Heart(central, settings.heartbeat, settings.host, (service,), stats=stats)
    heart.start()
    at_end(end, within(FAREWELL_S, heart.stop))


SERVICES: dict[str, Callable[[Configuration], int]] = {
    "api": api,
    "central": central,
    "mdns": mdns,
    "worker": worker,
    "producer": producer,
}
