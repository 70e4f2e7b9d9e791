# SPDX-License-Identifier: Apache-2.0
"""Reports every few seconds that a service is up, and at its end that it stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from redesignate.bus.port import Central
from redesignate.commands.services import Heartbeat
from redesignate.config.settings import HeartbeatSettings
from redesignate.model.clock import new_id
from redesignate.model.errors import Problem
from redesignate.model.service import ServiceState, Stats
from redesignate.observe.log import events
from redesignate.threads.service import Daemon

log = events(__name__)
BELIEVED = 3
"""Intervals for which a process is taken to live after its last heartbeat."""
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
        self._daemon = Daemon("heartbeat", self._beat)
        self._silent = False
        self._process = new_id()

    def start(self) -> None:
        """Send a heartbeat at once, then at every interval."""
        self._daemon.start()

    def stop(self) -> None:
        """Report that the services stop."""
        self._daemon.stop(self._settings.heartbeat_interval)
        self._say(ServiceState.STOPPED)

    def _beat(self) -> float:
        self._say(ServiceState.UP)
        return self._settings.heartbeat_interval

    def _say(self, state: ServiceState) -> None:
        if self._settings.emitter_type == "noop":
            log.debug("heartbeat", services=self._services, state=state.value)
            return
        try:
            for name in self._services:
                stats = self._stats[name]() if name in self._stats else {}
                beat = Heartbeat(
                    service_name=name,
                    hostname=self._host,
                    status=state,
                    stats=stats,
                    process=self._process,
                    believed_s=BELIEVED * self._settings.heartbeat_interval,
                )
                self._central.call(beat)
            self._silent = False
        except Problem as problem:
            if not self._silent:
                log.warning("heartbeat not delivered", why=problem.message)
            self._silent = True
