# SPDX-License-Identifier: Apache-2.0
"""`redesignate.wsgi:application` for any WSGI server (uWSGI, mod_wsgi, gunicorn, granian).

Reads the operator's files from the usual places ($OS_DESIGNATE_CONFIG_DIR too) at import, so that a wrong option stops
the server at once. Everything else is made at the first request, that is in the worker process and after its fork:
connections and threads that a fork would break do not exist before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from redesignate.auth.choose import check_login
from redesignate.config.load import read
from redesignate.observe.setup import register_log_options, setup_logging

_configuration = read(register=register_log_options)
check_login(_configuration.settings.api, _configuration.conf)
_lock = threading.Lock()
_made: list[WSGIApplication] = []


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request."""
    if not _made:
        with _lock:
            if not _made:
                _made.append(_make())
    return _made[0](environ, start_response)


def _make() -> WSGIApplication:
    from redesignate.run.services import application as build

    setup_logging(_configuration.conf, service="redesignate-api")
    return build(_configuration)
