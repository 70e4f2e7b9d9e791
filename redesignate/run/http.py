# SPDX-License-Identifier: Apache-2.0
"""The API's HTTP servers: waitress for one process with threads, gunicorn for several processes."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIApplication

from redesignate.config.settings import ApiSettings

IN_PROCESS_THREADS = 3
"""Requests that one process works on at a time. More would only wait for each other: Python runs one thread at a time,
and SQLite has one writer."""
FOREVER_S = 365 * 86400


def _dispatcher(threads: int) -> Any:
    """waitress's threads, and one more for health checks: they are answered even if all others hang."""
    from waitress.task import ThreadedTaskDispatcher

    express = ThreadedTaskDispatcher()
    express.set_thread_count(1)

    class Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]  # waitress ships no types
        def add_task(self, task: Any) -> None:
            requests = getattr(task, "requests", ())
            if requests and requests[0].path == "/healthcheck":
                express.add_task(task)
            else:
                super().add_task(task)

        def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
            express.shutdown(cancel_pending, timeout)
            left: bool = super().shutdown(cancel_pending, timeout)
            return left

    made = Dispatcher()
    made.set_thread_count(threads)
    return made


class Threaded:
    """A WSGI application on threads of this process."""

    def __init__(self, app: WSGIApplication, settings: ApiSettings, *, threads: int = IN_PROCESS_THREADS) -> None:
        """Bind the addresses; raises OSError if one is in use."""
        import waitress

        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        places = [(f"[{host}]" if ":" in host else host, port) for host, port in settings.listen]
        self._server = waitress.create_server(
            app,
            listen=" ".join(f"{host}:{port}" for host, port in places),
            server_name=places[0][0],  # for links, if a client sends no Host
            threads=threads,
            _dispatcher=_dispatcher(threads),
            channel_request_lookahead=1,  # so that a closed connection is noticed
            backlog=settings.backlog,
            channel_timeout=60,
            connection_limit=1000,
            max_request_body_size=max(settings.max_request_body_size * 2, 2**20),
            max_request_header_size=65536,
            clear_untrusted_proxy_headers=False,
            ident=None,
        )
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Answer requests, on threads."""
        self._thread.start()

    def crowded(self) -> bool:
        """Whether requests wait for a thread."""
        return len(self._server.task_dispatcher.queue) > 0

    def stop(self) -> None:
        """Finish the requests in progress and close."""
        self._server.close()
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=5)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # its sockets were closed while it used them: that is how it is stopped
            self._server.run()


def run_gunicorn(
    load: Callable[[], WSGIApplication],
    settings: ApiSettings,
    *,
    patience_s: float | None,
    end: Callable[[], None],
) -> None:
    """Serve with gunicorn's threaded workers until stopped; `load` is called in each worker, after the fork.

    patience_s   the time that requests in progress may take to end at a stop; None: any time
    end          called in each worker when its last request is done
    """
    from gunicorn.app.base import BaseApplication

    from redesignate.run.bounded import BoundedWorker, SameLog

    options: dict[str, object] = {
        "bind": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in settings.listen],
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_class": BoundedWorker,
        "backlog": settings.backlog,
        "keepalive": 60,
        "timeout": 120,
        "graceful_timeout": max(1, round(FOREVER_S if patience_s is None else patience_s)),
        "worker_exit": lambda _server, _worker: end(),
        "preload_app": False,
        "limit_request_line": 8190,
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

    Application().run()
