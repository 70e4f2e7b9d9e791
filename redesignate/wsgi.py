# SPDX-License-Identifier: Apache-2.0
"""`redesignate.wsgi:application`: the API for any WSGI server (uWSGI, mod_wsgi, gunicorn), over the operator's files.

`designate.conf` is looked for where the daemons look, or in `$OS_DESIGNATE_CONFIG_DIR`. It is read at import, so that
a wrong option stops the server at once. The rest (database, broker, threads) is made by each worker process at its
first request: a server that forks after importing would share connections and lose threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from redesignate.config.load import Configuration, read
from redesignate.observe.setup import register_log_options, setup_logging
from redesignate.run import services


class Forking:
    """The API, made once in each process that is asked."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._lock = threading.Lock()
        self._made: tuple[int, WSGIApplication] | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        made = self._made
        if made is None or made[0] != os.getpid():
            made = self._make()
        return made[1](environ, start_response)

    def _make(self) -> tuple[int, WSGIApplication]:
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = os.getpid(), services.application(self._configuration)
            return self._made


def _load() -> Forking:
    configuration = read(register=register_log_options)
    setup_logging(configuration.conf, service="redesignate-api")
    return Forking(configuration)


application = _load()
