# SPDX-License-Identifier: Apache-2.0
"""Reports every few seconds that a service is up, and at its end that it stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType

from redesignate.bus.port import Central
from redesignate.commands.services import Heartbeat
from redesignate.config.settings import HeartbeatSettings
from redesignate.model.errors import Problem
from redesignate.model.service import ServiceState, Stats
from redesignate.observe.log import events

log = events(__name__)
NO_STATS: Mapping[str, Callable[[], Stats]] = MappingProxyType({})


class Heart:
    """Sends the heartbeats of one or more services of a process, on a thread of its own.

    stats   returns the figures of a service that reports some, by its name
    """

    def __init__(
        self,
        central: Central,
        settings: HeartbeatSettings,
        host: str,
        services: tuple[str, ...],
        *,
        stats: Mapping[str, Callable[[], Stats]] = NO_STATS,
    ) -> None:
        self._central = central
        self._settings = settings
        self._host = host
        self._services = services
        self._stats = stats
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._silent = False

    def start(self) -> None:
        """Send a heartbeat at once, then at every interval."""
        self._thread.start()

    def stop(self) -> None:
        """Report that the services stop."""
        self._stopping.set()
        self._thread.join(self._settings.heartbeat_interval)
        self._say(ServiceState.STOPPED)

    def _beat(self) -> None:
        while True:
            self._say(ServiceState.UP)
            if self._stopping.wait(self._settings.heartbeat_interval):
                return

    def _say(self, state: ServiceState) -> None:
        if self._settings.emitter_type == "noop":
            log.debug("heartbeat", services=self._services, state=state.value)
            return
        try:
            for name in self._services:
                stats = self._stats[name]() if name in self._stats else {}
                self._central.call(Heartbeat(service_name=name, hostname=self._host, status=state, stats=stats))
            self._silent = False
        except Problem as problem:
            if not self._silent:
                log.warning("heartbeat not delivered", why=problem.message)
            self._silent = True
        except Exception:  # the loop of a service
            log.exception("heartbeat failed")
