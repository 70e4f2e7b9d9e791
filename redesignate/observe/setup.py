# SPDX-License-Identifier: Apache-2.0
"""Directs events to the terminal in our own format, or through oslo.log to the outputs that options name."""

from __future__ import annotations

import copy
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from redesignate.model.errors import Misconfigured
from redesignate.observe.log import Lines, TextFormatter, rendered, safe_fields, without_logins, without_secrets

if TYPE_CHECKING:
    from oslo_config import cfg

PRODUCT = "redesignate"
_SINKS = ("log_config_append", "log_file", "log_dir", "use_syslog", "use_journal", "use_json", "use_stderr")
_IDENTITY = {
    "request_id": "request_id",
    "user": "user_id",
    "user_id": "user_id",
    "project": "project_id",
    "project_id": "project_id",
    "domain_id": "domain_id",
    "user_domain_id": "user_domain_id",
    "project_domain_id": "project_domain_id",
    "global_request_id": "global_request_id",
}


def register_log_options(conf: cfg.ConfigOpts) -> None:
    """Register oslo.log's options, including the command line's; to be called before the files are read."""
    from oslo_log import log as oslo

    oslo.register_options(conf)


def setup_logging(
    conf: cfg.ConfigOpts | None = None, *, debug: bool = False, stream: TextIO | None = None, service: str = PRODUCT
) -> None:
    """Set up the outputs of events; to be called once, at start.

    conf     with oslo.log's options; None, or none of its sinks set: `stream` (standard error), coloured on a terminal
    service  "redesignate-worker": its last word is in every line, all of it names the file in log_dir
    Raises Misconfigured: a file that cannot be written, a missing journal.
    """
    _forget_handlers()
    logging.captureWarnings(True)
    if conf is not None and any(conf[name] for name in _SINKS):
        _by_oslo(conf, service)
        return
    out = sys.stderr if stream is None else stream
    date = conf.log_date_format if conf is not None else None
    lines = TextFormatter(colour=coloured(out), service=service.rpartition("-")[2], date=date)
    logging.getLogger().addHandler(Lines(out, lines))
    _levels(conf, debug=debug or bool(conf is not None and conf.debug))


def coloured(stream: TextIO) -> bool:
    """Whether to colour: only on a terminal with colours, and not if NO_COLOR is set (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _forget_handlers() -> None:
    root = logging.getLogger()
    for handler in list(root.handlers):
        if not type(handler).__module__.startswith("_pytest"):
            root.removeHandler(handler)
            handler.close()


def _by_oslo(conf: cfg.ConfigOpts, service: str) -> None:
    from oslo_log import log as oslo

    for name, _, level in (pair.partition("=") for pair in _QUIET):
        logging.getLogger(name).setLevel(level)
    if conf.log_dir and not conf.log_file:
        conf.set_override("log_file", f"{service}.log")  # oslo.log's own choice is one file for all that run as one
    try:
        oslo.setup(conf, service)
    except (OSError, RuntimeError, TypeError, ValueError, oslo.LogConfigError) as wrong:
        reason = " ".join(str(wrong).split())
        raise Misconfigured(
            f"the log cannot be opened: {reason}; correct log_file, log_dir, use_journal or log_config_append"
        ) from wrong
    loggers = [logging.getLogger(), *(one for one in logging.root.manager.loggerDict.values())]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if not isinstance(handler.formatter, FieldsFormatter):
                handler.setFormatter(FieldsFormatter(handler.formatter or logging.Formatter()))


def _levels(conf: cfg.ConfigOpts | None, *, debug: bool) -> None:
    """Set the root's level, and higher levels for libraries; the operator's options take precedence."""
    logging.getLogger().setLevel(logging.DEBUG if debug else logging.INFO)
    for pair in (*_QUIET, *(conf.default_log_levels if conf is not None else ())):
        name, _, level = pair.partition("=")
        logging.getLogger(name).setLevel(level)


_QUIET = (
    "amqp=WARNING",
    "sqlalchemy=WARNING",
    "alembic=WARNING",
    "oslo_policy=INFO",
    "oslo.policy=INFO",
    "keystonemiddleware=WARNING",
    "keystoneauth=WARNING",
    "stevedore=WARNING",
    "urllib3=WARNING",
    "tooz=WARNING",
    "asyncio=WARNING",
)


class FieldsFormatter(logging.Formatter):
    """Wraps oslo.log's formatters: fields at the end of the text, in `extra` of the JSON; request and user as its
    context, which its formats name; secrets masked."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner
        self._json = type(inner).__name__ in ("JSONFormatter", "FluentFormatter")

    def format(self, record: logging.LogRecord) -> str:
        """The inner formatter's line of a copy of the record."""
        fields = dict(getattr(record, "fields", {}))
        shown = copy.copy(record)
        shown.args = None
        identity = {_IDENTITY[name]: fields.pop(name) for name in list(fields) if name in _IDENTITY and fields[name]}
        if identity:
            shown.context = _context(identity)
        text = without_secrets(record.getMessage())
        if self._json:
            shown.msg = text
            shown.extra = safe_fields(fields)
        else:
            shown.msg = f"{text} {rendered(fields)}" if fields else text
        line = self._inner.format(shown)
        return without_logins(line) if self._json else without_secrets(line)


def _context(identity: dict[str, object]) -> object:
    from oslo_context.context import RequestContext

    words: dict[str, Any] = {name: str(value) for name, value in identity.items()}
    return RequestContext(overwrite=False, **words)
