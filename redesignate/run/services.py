# SPDX-License-Identifier: Apache-2.0
"""One service a process: api, central, mdns, worker, producer. Each function serves until it is told to stop."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable
from wsgiref.types import WSGIApplication

from sqlalchemy.exc import OperationalError

from redesignate.api.app import build
from redesignate.auth.choose import authenticator
from redesignate.config.load import Configuration
from redesignate.config.settings import CentralAccess, Settings
from redesignate.mdns.service import DNSService
from redesignate.model.errors import Misconfigured
from redesignate.observe.log import events
from redesignate.run.heartbeat import Heart
from redesignate.run.http import run_gunicorn
from redesignate.run.processes import run, until_stopped
from redesignate.run.stopping import FAREWELL_S, within
from redesignate.run.wiring import Wiring
from redesignate.store.migrate import require_head
from redesignate.store.serving import Serving

log = events(__name__)


def application(
    configuration: Configuration, *, at_end: Callable[[Callable[[], None]], object] = atexit.register
) -> WSGIApplication:
    """The API for one worker process of any WSGI server, its heartbeat started.

    at_end   takes what is to be called when the process has answered its last request
    """
    wiring = Wiring(configuration)
    at_end(wiring.close)
    app = build(
        wiring.central, wiring.settings.api, authenticator(wiring.settings.api.auth_strategy, configuration.conf)
    )
    _beat(wiring, "api")
    return app


def api(configuration: Configuration) -> int:
    """HTTP, by gunicorn."""
    if configuration.settings.central_access is CentralAccess.DIRECT:
        _check_database(configuration)
    ends: list[Callable[[], None]] = []

    def end() -> None:
        for close in ends:
            close()

    run_gunicorn(
        lambda: application(configuration, at_end=ends.append),
        configuration.settings.api,
        patience_s=patience(configuration.settings),
        end=end,
    )
    return 0


def central(configuration: Configuration) -> int:
    """The rules and the database, asked over the bus."""
    _check_database(configuration)

    def serve() -> None:
        from redesignate.bus.amqp import CentralServer

        wiring = Wiring(configuration)
        if wiring.broker is None:
            raise Misconfigured(
                "central is asked over a broker: set [DEFAULT] transport_url. Without one, api, worker and producer "
                "hold central themselves: give each of them [storage:sqlalchemy] connection."
            )
        settings = wiring.settings
        service = wiring.service
        server = CentralServer(
            wiring.broker,
            service.dispatch,
            together=service.together,
            host=settings.host,
            topic=settings.central.topic,
        )
        server.start()
        wiring.on_close(within(patience(wiring.settings), server.stop))
        _serve(wiring, "central", direct=True)

    return run(serve, configuration.settings.central.workers)


def mdns(configuration: Configuration) -> int:
    """The hidden primary."""
    _check_database(configuration)

    def serve() -> None:
        wiring = Wiring(configuration)
        server = DNSService(Serving(wiring.store), wiring.settings.mdns, passed=wiring.herald.tell)
        server.run_in_thread()
        wiring.on_close(server.stop_thread)
        _serve(wiring, "mdns", direct=True)

    return run(serve, configuration.settings.mdns.workers)


def worker(configuration: Configuration) -> int:
    """Makes nameservers agree."""
    from redesignate.worker.service import Worker

    def serve() -> None:
        wiring = Wiring(configuration)
        made = Worker(central=wiring.central, source=wiring.hints, settings=wiring.settings.worker)
        made.start()
        wiring.on_close(within(patience(wiring.settings), made.stop))
        _serve(wiring, "worker")

    return run(serve, configuration.settings.worker.workers)


def producer(configuration: Configuration) -> int:
    """Periodic sweeps."""
    from redesignate.run.producing import start_producer

    def serve() -> None:
        wiring = Wiring(configuration)
        start_producer(wiring)
        _serve(wiring, "producer")

    return run(serve, configuration.settings.producer.workers)


def patience(settings: Settings) -> float | None:
    """Seconds that what is in flight may take to end; the outbox has the rest. None: as long as it takes."""
    return settings.graceful_shutdown_timeout or None


def _check_database(configuration: Configuration) -> None:
    url = configuration.settings.store.url
    if url is None:
        raise Misconfigured("This service needs a database: set [storage:sqlalchemy] connection.")
    store = configuration.settings.store
    tries = 0
    while True:
        try:
            require_head(url)
            return
        except OperationalError as error:
            tries += 1
            if store.max_retries >= 0 and tries > store.max_retries:
                raise Misconfigured(
                    f"The database cannot be reached: {error.orig}; see [storage:sqlalchemy] connection."
                ) from error
            log.warning("waiting for the database", why=str(error.orig), again_in_s=store.retry_interval)
            time.sleep(store.retry_interval)


def _beat(wiring: Wiring, service: str, *, direct: bool = False) -> None:
    from redesignate.bus.inproc import InprocCentral

    to = InprocCentral(wiring.service.dispatch) if direct else wiring.central
    heart = Heart(to, wiring.settings.heartbeat, wiring.settings.host, (service,))
    heart.start()
    wiring.on_close(within(FAREWELL_S, heart.stop))


def _serve(wiring: Wiring, service: str, *, direct: bool = False) -> None:
    _beat(wiring, service, direct=direct)
    log.info("ready", service=service, host=wiring.settings.host)
    until_stopped()
    log.info("stopping", service=service)
    wiring.close()


SERVICES: dict[str, Callable[[Configuration], int]] = {
    "api": api,
    "central": central,
    "mdns": mdns,
    "worker": worker,
    "producer": producer,
}
