# SPDX-License-Identifier: Apache-2.0
"""Events come out as lines or as JSON, with their fields, without secrets."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oslo_config import cfg

from redesignate.model.errors import Misconfigured
from redesignate.observe.log import Lines, TextFormatter, around, bound, events, rendered, safe_fields
from redesignate.observe.setup import FieldsFormatter, register_log_options, setup_logging

log = events("redesignate.observe.tested")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    sys.excepthook = sys.__excepthook__


def _conf(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    file = tmp_path / "designate.conf"
    file.write_text("[DEFAULT]\n" + text)
    conf = cfg.ConfigOpts()
    register_log_options(conf)
    conf(args=[], default_config_files=[str(file)], default_config_dirs=[])
    return conf


def test_a_line_has_date_time_level_service_process_event_and_fields() -> None:
    out = io.StringIO()
    setup_logging(stream=out, service="redesignate-worker")
    log.info("zone confirmed", zone="z1", serial=5, late=False, error=None, why="two words", servers=["a", "b"])
    day, clock, level, source, rest = out.getvalue().rstrip("\n").split(None, 4)
    assert abs(datetime.fromisoformat(f"{day} {clock}") - datetime.now()) < timedelta(minutes=1)
    assert level == "info"
    assert source == f"worker[{os.getpid()}]"
    assert rest == 'zone confirmed zone=z1 serial=5 late=false error=- why="two words" servers=a,b'


def test_a_librarys_line_has_the_same_form_and_its_name() -> None:
    out = io.StringIO()
    setup_logging(stream=out, service="redesignate-api")
    logging.getLogger("gunicorn.error").warning("Worker (pid:%d) exited", 7)
    *_, level, source, rest = out.getvalue().rstrip("\n").split(None, 4)
    assert (level, source, rest) == ("warning", f"api[{os.getpid()}]", "gunicorn.error: Worker (pid:7) exited")


def test_only_a_terminal_is_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    plain, bright = io.StringIO(), Terminal()
    for stream in (plain, bright):
        setup_logging(stream=stream)
        log.warning("careful", zone="z")
    assert "\x1b[" not in plain.getvalue()
    assert "\x1b[33m" in bright.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    setup_logging(stream=(again := Terminal()))
    log.warning("careful", zone="z")
    assert "\x1b[" not in again.getvalue()


def test_bound_fields_go_with_every_event_inside_and_with_none_after() -> None:
    setup_logging(stream=(out := io.StringIO()))
    with bound(request_id="req-7"), bound(zone="z1"):
        log.info("inside", serial=3)
    log.info("after")
    inside, after = out.getvalue().splitlines()
    assert inside.endswith("inside request_id=req-7 zone=z1 serial=3")
    assert after.endswith("after")
    assert around() == {}


def test_debug_is_off_unless_asked_for() -> None:
    setup_logging(stream=(out := io.StringIO()))
    log.debug("unseen")
    setup_logging(stream=out, debug=True)
    log.debug("seen")
    assert "unseen" not in out.getvalue()
    assert "seen" in out.getvalue()


@pytest.mark.parametrize("text", ["", "log_file = {0}/out.log\n"])
def test_libraries_are_quiet_unless_the_operator_asks(tmp_path: Path, text: str) -> None:
    setup_logging(_conf(tmp_path, text.format(tmp_path)), stream=io.StringIO())
    assert logging.getLogger("alembic.runtime").getEffectiveLevel() == logging.WARNING
    asked = text.format(tmp_path) + "default_log_levels = alembic=DEBUG\n"
    setup_logging(_conf(tmp_path, asked), stream=io.StringIO())
    assert logging.getLogger("alembic.runtime").getEffectiveLevel() == logging.DEBUG


def test_a_record_knows_the_line_that_logged_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log.info("here")
    assert caplog.records[-1].funcName == "test_a_record_knows_the_line_that_logged_it"


def alone() -> io.StringIO:
    """Where events go from here on as in a process of ours: pytest's handlers are not beside."""
    setup_logging(stream=(out := io.StringIO()))
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if isinstance(handler, Lines)]
    return out


def test_an_event_in_our_own_format_costs_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    out = alone()
    made: list[object] = []
    monkeypatch.setattr(logging.getLogger("redesignate.observe.tested"), "makeRecord", made.append)
    log.info("request", status=202)
    assert out.getvalue().endswith(" request status=202\n")
    assert made == []


def test_an_event_reaches_every_other_handler_too(caplog: pytest.LogCaptureFixture) -> None:
    setup_logging(stream=(out := io.StringIO()))
    logging.getLogger().addHandler(caplog.handler)
    log.info("heard twice", zone="z1")
    assert out.getvalue().endswith("heard twice zone=z1\n")
    assert [record.getMessage() for record in caplog.records] == ["heard twice"]


def test_a_log_that_cannot_be_written_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    alone().close()
    log.info("unheard")
    assert "closed file" in capsys.readouterr().err


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text() | st.integers(), max_size=4))
def test_an_event_is_the_line_that_its_record_would_be(fields: dict[str, object]) -> None:
    at = datetime(2026, 11, 22, 8, 0, 1, 234567).timestamp()
    record = logging.LogRecord("redesignate.x", logging.WARNING, "p", 1, "event", None, None)
    record.created, record.fields = at, fields
    lines = TextFormatter(colour=True, service="api")
    assert lines.line(at, logging.WARNING, record.process, "event", fields) == lines.format(record)
    assert ":01.234" in lines.format(record)


def test_a_traceback_stands_below_its_event() -> None:
    setup_logging(stream=(out := io.StringIO()))
    try:
        raise ValueError("no such thing: mysql://root:hunter2@db/x")
    except ValueError:
        log.exception("it broke", zone="z1")
    first, *rest = out.getvalue().splitlines()
    assert first.endswith("it broke zone=z1")
    assert rest[0].startswith("Traceback")
    assert "hunter2" not in out.getvalue()


SECRETS = [
    {"transport_url": "rabbit://designate:hunter2@mq1:5672,designate:hunter2@mq2:5672//"},
    {"error": "cannot connect to mysql+pymysql://root:hunter2@db/designate"},
    {"password": "hunter2"},
    {"tsig_secret": "hunter2"},
    {"options": {"api_token": "hunter2", "host": "192.0.2.1"}},
    {"urls": ["postgresql://u:hunter2@a/d", "x"]},
    {"why": "login failed: password=hunter2"},
]


@pytest.mark.parametrize("fields", SECRETS)
def test_secrets_never_reach_a_log(tmp_path: Path, fields: dict[str, object]) -> None:
    setup_logging(stream=(out := io.StringIO()))
    log.info("connecting", **fields)
    for use_json in (False, True):
        file = tmp_path / f"{use_json}.log"
        setup_logging(_conf(tmp_path, f"log_file = {file}\nuse_json = {use_json}\n"))
        log.info("connecting", **fields)
        assert "connecting" in file.read_text()
        assert "hunter2" not in file.read_text()
    assert "hunter2" not in out.getvalue()
    assert "***" in out.getvalue()


def test_secrets_in_the_messages_of_libraries_are_blotted_out_too() -> None:
    setup_logging(stream=(out := io.StringIO()))
    logging.getLogger("kombu.connection").warning("lost %s", "amqp://u:hunter2@mq//")
    assert "hunter2" not in out.getvalue()
    assert "lost amqp://***@mq//" in out.getvalue()


@settings(deadline=None)
@given(
    st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text() | st.integers() | st.none(), max_size=4)
)
def test_whatever_the_fields_hold_an_event_is_one_line(fields: dict[str, object]) -> None:
    record = logging.LogRecord("n", logging.INFO, "p", 1, "event", None, None)
    record.fields = fields
    line = TextFormatter(colour=False).format(record)
    assert len(line.splitlines()) == 1
    assert rendered(fields) in line
    json.dumps(safe_fields(fields))


def test_json_lines_have_fields_as_members_and_the_request_as_context(tmp_path: Path) -> None:
    file = tmp_path / "out.log"
    setup_logging(_conf(tmp_path, f"log_file = {file}\nuse_json = true\n"))
    log.info("zone confirmed", request_id="req-9", project="p1", zone="z1", serial=5)
    (line,) = file.read_text().splitlines()
    said = json.loads(line)
    assert said["message"] == "zone confirmed"
    assert said["extra"] == {"zone": "z1", "serial": 5}
    assert said["context"]["request_id"] == "req-9"
    assert said["context"]["project_id"] == "p1"
    assert said["levelname"] == "INFO"


def test_oslos_text_format_names_request_and_user(tmp_path: Path) -> None:
    file = tmp_path / "out.log"
    setup_logging(_conf(tmp_path, f"log_dir = {tmp_path}\nlog_file = out.log\ndebug = true\n"))
    log.debug("zone confirmed", request_id="req-9", user="u1", project="p1", zone="z1")
    log.info("no request")
    first, second = file.read_text().splitlines()
    assert "[None req-9 u1 p1" in first
    assert "zone confirmed zone=z1" in first
    assert second.endswith("no request")


def test_the_operators_own_logging_file_keeps_its_format_and_gains_the_fields(tmp_path: Path) -> None:
    file, setup = tmp_path / "out.log", tmp_path / "logging.conf"
    setup.write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=f\n[formatters]\nkeys=t\n[logger_root]\nlevel=INFO\nhandlers=f\n"
        f"[handler_f]\nclass=FileHandler\nargs=('{file}',)\nformatter=t\n[formatter_t]\nformat=MINE %(message)s\n"
    )
    setup_logging(_conf(tmp_path, f"log_config_append = {setup}\n"))
    events("redesignate.later").info("hello", zone="z1")
    assert file.read_text() == "MINE hello zone=z1\n"
    logging.getLogger("redesignate.observe.tested").disabled = False


@pytest.mark.parametrize("text", ["log_file = /nosuch/folder/x.log\n", "log_config_append = /nosuch/logging.conf\n"])
def test_a_log_that_cannot_be_opened_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(Misconfigured, match="nosuch") as refusal:
        setup_logging(_conf(tmp_path, text))
    assert "\n" not in refusal.value.message
    assert "correct log_file" in refusal.value.message


def test_other_peoples_formatters_are_wrapped_once(tmp_path: Path) -> None:
    for _ in range(2):
        setup_logging(_conf(tmp_path, f"log_file = {tmp_path / 'out.log'}\n"))
    ours = [h.formatter for h in logging.getLogger().handlers if isinstance(h.formatter, FieldsFormatter)]
    assert len(ours) == 1
    assert not isinstance(ours[0]._inner, FieldsFormatter)


def test_settings_and_logs_start_quickly_and_without_the_heavy_libraries() -> None:
    code = (
        "import sys; import redesignate.config.load, redesignate.observe.setup as s; s.setup_logging();"
        "print([m for m in ('amqp', 'sqlalchemy', 'eventlet', 'webob') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
