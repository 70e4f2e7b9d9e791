# SPDX-License-Identifier: Apache-2.0
"""Adapts gunicorn: it starts, watches and stops processes, each of which answers HTTP as `redesignate serve` does
(`run/threaded.py`), and writes to our log."""

from __future__ import annotations

import os
import select
import signal

from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from redesignate.config.settings import ApiSettings
from redesignate.run.threaded import Threaded

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
SIGN_S = 1.0
"""How often gunicorn hears that a worker lives."""
LINGER_S = 2.0
"""Seconds for which kept connections stay open at a stop, so that a request that is on its way is answered."""
CONNECTIONS = 2000
"""The most connections of one process, half of them from one address: a load balancer's."""


class BoundedWorker(Worker):  # type: ignore[misc]  # gunicorn ships no types
    """One process of the API. `of` makes a class of it that knows the API's settings."""

    settings: ApiSettings

    @classmethod
    def of(cls, settings: ApiSettings) -> type[BoundedWorker]:
        """A worker with these settings."""
        return type(cls.__name__, (cls,), {"settings": settings})

    def init_signals(self) -> None:
        """Take signals as a worker does, those too that were held back since before the fork (`hold_stops`)."""
        super().init_signals()
        release_stops()

    def run(self) -> None:
        """Serve until a signal to stop, or the parent's end; then finish the requests in progress."""
        listeners = [one.sock for one in self.sockets]
        for one in listeners:
            one.setblocking(False)
        server = Threaded(
            self.wsgi,
            self.settings,
            threads=self.cfg.threads,
            connections=CONNECTIONS,
            listeners=listeners,
            processes=self.cfg.workers,
            together=1,  # changes of different zones wait for central beside each other
        )
        server.start()
        while self.alive and self.ppid == os.getppid():
            self.notify()
            if select.select([self.PIPE[0]], [], [], SIGN_S)[0]:  # a signal
                os.read(self.PIPE[0], 4096)
        server.stop(patience_s=self.cfg.graceful_timeout, linger_s=LINGER_S, alive=self.notify)


def hold_stops() -> None:
    """Hold back the signals to stop, before a fork.

    A worker that still had the parent's handlers would take one for the parent's and go on: gunicorn sends it once.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)


def release_stops() -> None:
    """Deliver the signals that were held back: in the parent right after the fork, in a worker once it handles them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


class SameLog(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Writes gunicorn's lines to our log, in the same format."""

    def setup(self, cfg: object) -> None:
        """Leave handlers and levels to the root logger."""
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True
