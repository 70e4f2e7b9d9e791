# SPDX-License-Identifier: Apache-2.0
"""The message broker as oslo.messaging reaches it: its address, whether it is available, and the transports to it.

The operator's `[oslo_messaging_rabbit]` options apply unchanged; `OURS` replaces only defaults of the library.
Make one `Broker` in each process, after the fork.
"""

from __future__ import annotations

import contextlib
import importlib
import socket
import threading
import warnings
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from redesignate.config.settings import BusSettings
from redesignate.model.errors import Misconfigured
from redesignate.observe.log import events
from redesignate.threads.service import Daemon

with warnings.catch_warnings():
    # The library still imports eventlet where it is installed. Nothing here uses it and nothing is patched; from
    # oslo.service the library gets the threading backend.
    warnings.simplefilter("ignore")
    from oslo_service import backend

    backend.register_backend_default_hook(lambda: backend.BackendType.THREADING)
    import oslo_messaging as messaging
    from oslo_concurrency import lockutils
    from oslo_concurrency import opts as concurrency_options
    from oslo_messaging import opts as messaging_options

__all__ = ["Broker", "messaging", "own"]

log = events(__name__)

GROUP = "oslo_messaging_rabbit"
OURS = {
    "rabbit_retry_backoff": "1",
    "rabbit_interval_max": "2",
    "kombu_reconnect_delay": "0.1",
    "kombu_missing_consumer_retry_timeout": "10",
}
"""We reconnect within two seconds after an outage of any length (the library's own pauses grow to thirty), and no
thread of central waits longer than ten seconds for a client that has died."""

LOOK_UP_S = 2.0
LOOK_DOWN_S = 0.25
CONNECT_S = 1.0


class Broker:
    """The broker of one process. `up` is its last known state, which a thread of its own checks periodically.

    A check is a TCP connection that is closed at once, which RabbitMQ does not log.
    outages   how often it became unavailable since the start
    """

    def __init__(self, conf: cfg.ConfigOpts, settings: BusSettings) -> None:
        """Raises Misconfigured on a transport_url that is not valid."""
        self.settings = settings
        self._conf = conf
        for group, options in [*messaging_options.list_opts(), *_forgotten_options()]:
            conf.register_opts(options, group)
        conf.set_default("control_exchange", settings.control_exchange)
        _hand_over_lock_path(conf)
        self._hosts = [(host.hostname, host.port or 5672) for host in self._url().hosts if host.hostname]
        self._up = self._look()
        self._changed = threading.Condition()
        self._closed = False
        self.outages = 0
        self._watcher = Daemon("broker-watch", self._watch)
        self._watcher.start()

    def up(self) -> bool:
        """Whether the broker was available at the last check; workers poll the outbox while it is not."""
        return self._up

    def wait_up(self, timeout_s: float | None = None) -> bool:
        """Wait until the broker is available; False at the time-out or when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._up or self._closed, timeout_s)
            return self._up and not self._closed

    def wait_outage(self, seen: int) -> None:
        """Wait until there were more outages than `seen`, or until closed."""
        with self._changed:
            self._changed.wait_for(lambda: self.outages > seen or self._closed)

    def doubt(self) -> bool:
        """Check now, because something failed; return whether the broker is available."""
        self._see(self._look())
        self._watcher.nudge()
        return self._up

    def close(self) -> None:
        """Stop checking, and release the threads that wait for the broker."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._watcher.stop(0)

    def rpc(self, *, prefetch: int = 0) -> Any:
        """A transport for questions and answers.

        prefetch   the most unacknowledged messages of a server, unless the operator sets it; 0: any number
        """
        return messaging.get_rpc_transport(self._conf, url=self._url({**OURS, **_prefetched(prefetch)}))

    def notifications(self, *, prefetch: int = 0) -> Any:
        """A transport for hints.

        prefetch   as for `rpc`
        """
        return messaging.get_notification_transport(self._conf, url=self._url({**OURS, **_prefetched(prefetch)}))

    def _url(self, ours: Mapping[str, str] | None = None) -> Any:
        """The operator's URL with our values in its query, which outranks options: those that are set are left out."""
        try:
            url = messaging.TransportURL.parse(self._conf, self.settings.transport_url)
        except (messaging.InvalidTransportURL, ValueError) as error:
            raise Misconfigured(
                f"[DEFAULT] transport_url: {error}; write it as rabbit://user:password@host:5672/"
            ) from error
        for name, value in (ours or {}).items():
            if self._is_default(name):
                url.query.setdefault(name, value)
        return url

    def _is_default(self, name: str) -> bool:
        location = self._conf.get_location(name, GROUP)
        return location is None or location.location is cfg.Locations.opt_default

    def _watch(self) -> float:
        self._see(self._look())
        return LOOK_UP_S if self._up else LOOK_DOWN_S

    def _see(self, up: bool) -> None:
        with self._changed:
            if up and not self._up:
                log.info("message broker is available again")
            elif self._up and not up:
                log.warning("message broker is unavailable")
                self.outages += 1
            self._up = up
            self._changed.notify_all()

    def _look(self) -> bool:
        for host in self._hosts:
            with contextlib.suppress(OSError), socket.create_connection(host, timeout=CONNECT_S):
                return True
        return not self._hosts


def _hand_over_lock_path(conf: cfg.ConfigOpts) -> None:
    """Give oslo.concurrency its folder, which it reads only from oslo.config's global object.

    Raises Misconfigured where the queue manager, which locks a file there, is enabled and no folder is set.
    """
    conf.register_opts(concurrency_options.list_opts()[0][1], "oslo_concurrency")
    folder = conf.oslo_concurrency.lock_path
    if folder:
        lockutils.CONF.set_override("lock_path", folder, "oslo_concurrency")  # a default that was read stays as it was
    elif conf[GROUP].use_queue_manager:
        raise Misconfigured(
            f"[{GROUP}] use_queue_manager = true needs a folder for its lock: set [oslo_concurrency] lock_path."
        )


def own(topic: str) -> str:
    """A topic's name on the broker, distinct from those of a Designate on the same virtual host."""
    return f"redesignate_{topic}"


def _prefetched(count: int) -> dict[str, str]:
    return {"rabbit_qos_prefetch_count": str(count)} if count else {}


def _forgotten_options() -> list[tuple[str, list[Any]]]:
    """Options that the library registers only on oslo.config's global object, and then reads from ours."""
    found = []
    for part in ("metrics", "tracing"):
        with contextlib.suppress(ImportError):  # tracing came with 18
            module = importlib.import_module(f"oslo_messaging._{part}.client")
            found.append((f"oslo_messaging_{part}", getattr(module, f"oslo_messaging_{part}")))
    return found
