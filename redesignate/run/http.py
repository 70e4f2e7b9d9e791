# SPDX-License-Identifier: Apache-2.0
"""The API's processes: gunicorn starts, watches and stops them. What answers HTTP in each is `run/threaded.py`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIApplication

from redesignate.config.settings import ApiSettings

FOREVER_S = 365 * 86400


def run_gunicorn(
    load: Callable[[], WSGIApplication],
    settings: ApiSettings,
    *,
    patience_s: float | None,
    end: Callable[[], None],
) -> None:
    """Serve with workers until stopped; `load` is called in each worker, after the fork.

    patience_s   the time that requests in progress may take to end at a stop; None: any time
    end          called in each worker when its last request is done
    """
    from gunicorn.app.base import BaseApplication

    from redesignate.run.bounded import BoundedWorker, SameLog, hold_stops, release_stops

    options: dict[str, object] = {
        "bind": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in settings.listen],
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_class": BoundedWorker.of(settings),
        "backlog": settings.backlog,
        "timeout": 120,
        "graceful_timeout": max(1, round(FOREVER_S if patience_s is None else patience_s)),
        "pre_fork": lambda _server, _worker: hold_stops(),
        "worker_exit": lambda _server, _worker: end(),
        "preload_app": False,
        "control_socket_disable": True,
        "logger_class": SameLog,
    }

    class Application(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
        def load_config(self) -> None:
            for name, value in options.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Any:
            return load()

    os.register_at_fork(after_in_parent=release_stops)
    Application().run()
