# SPDX-License-Identifier: Apache-2.0
"""`designate-*` take the command lines of distributions' units, containers and operators' scripts."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from redesignate.config.arguments import oslo_words
from redesignate.config.load import read
from redesignate.observe.setup import register_log_options
from redesignate.run.main import command_parser

LINES = [
    # Debian, Ubuntu
    ("--config-file={etc}/designate.conf --log-file={log}/d-central.log", {"log_file": "{log}/d-central.log"}),
    ("--config-file={etc}/designate.conf --use-syslog --log-file={log}/x", {"use_syslog": True, "log_file": "{log}/x"}),
    ("--config-dir={etc}/designate.conf.d --config-file={etc}/designate.conf", {"log_file": "in.a.folder"}),
    # RDO
    (
        "--config-file {etc}/designate-dist.conf --config-file {etc}/designate.conf --log-file {log}/central.log",
        {"log_file": "{log}/central.log", "debug": True},
    ),
    ("--config-file {etc}/designate.conf --logfile {log}/central.log", {"log_file": "{log}/central.log"}),
    # kolla, devstack
    ("--config-file {etc}/designate.conf", {"debug": True}),
    ("--config-file {etc}/designate.conf --nodebug", {"debug": False}),
    # scripts
    ("-d --log-dir {log}", {"debug": True, "log_dir": "{log}"}),
    ("--debug --logdir={log} --log-file a", {"debug": True, "log_dir": "{log}", "log_file": "a"}),
    ("--log-config {etc}/logging.conf", {"log_config_append": "{etc}/logging.conf"}),
    ("--log_config={etc}/logging.conf", {"log_config_append": "{etc}/logging.conf"}),
    ("--log-config-append {etc}/logging.conf", {"log_config_append": "{etc}/logging.conf"}),
    ("--log-date-format %H:%M:%S", {"log_date_format": "%H:%M:%S"}),
    ("--use-syslog --syslog-log-facility LOG_LOCAL0", {"use_syslog": True, "syslog_log_facility": "LOG_LOCAL0"}),
    ("--nouse-syslog --use-journal --use-json", {"use_syslog": False, "use_journal": True, "use_json": True}),
    ("--nouse-journal --nouse-json --watch-log-file", {"use_journal": False, "use_json": False}),
]  # fmt: skip


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """Files as a package lays them out, and a database with its tables."""
    (tmp_path / "designate.conf.d").mkdir()
    (tmp_path / "designate.conf.d" / "log.conf").write_text("[DEFAULT]\nlog_file = in.a.folder\n")
    (tmp_path / "designate-dist.conf").write_text("[DEFAULT]\ndebug = false\n")
    (tmp_path / "designate.conf").write_text(
        f"[DEFAULT]\ndebug = true\n[storage:sqlalchemy]\nconnection = sqlite:///{tmp_path}/designate.sqlite\n"
    )
    return tmp_path


@pytest.mark.parametrize(("line", "expected"), LINES, ids=[line for line, _ in LINES])
def test_oslos_arguments_mean_what_they_mean_there(etc: Path, line: str, expected: dict[str, object]) -> None:
    words = line.format(etc=etc, log="/var/log/designate").split()
    arguments = command_parser().parse_args([*words, "worker"])
    conf = read(oslo_words(arguments), files=[], register=register_log_options).conf
    for name, value in expected.items():
        assert conf[name] == (value.format(etc=etc, log="/var/log/designate") if isinstance(value, str) else value)


def program(name: str) -> str:
    """The path of an installed command."""
    return str(Path(sys.executable).parent / name)


def called(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The outcome of one command."""
    return subprocess.run([program(name), *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (["--config-file", "{etc}/designate-dist.conf", "--log-file", "{etc}/worker.log"], "worker.log"),
        (["--log-dir={etc}", "--log-date-format=%Y"], "designate-worker.log"),
    ],
)
def test_a_service_logs_where_its_unit_says(etc: Path, words: list[str], file: str) -> None:
    given = ["--config-file", str(etc / "designate.conf"), *(word.format(etc=etc) for word in words)]
    assert called("designate-manage", *given[:2], "--nodebug", "database", "sync").returncode == 0
    process = subprocess.Popen([program("designate-worker"), *given], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not (etc / file).exists() or "ready" not in (etc / file).read_text():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[1] == ""
    assert process.returncode == 0
    if "--log-date-format=%Y" in words:
        assert (etc / file).read_text().startswith(f"{datetime.now():%Y}.")


def test_manage_logs_where_it_is_told(etc: Path) -> None:
    done = called("designate-manage", "--log-dir", str(etc), "--config-file", str(etc / "designate.conf"), "-d",
                  "database", "sync")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (etc / "designate-manage.log").exists()


def test_the_time_of_lines_on_standard_error_has_its_format_too(etc: Path) -> None:
    (etc / "old.conf").write_text("[service:api]\nlisten_port = 9001\nnonsense = 1\n")
    done = called("designate-worker", "--config-file", str(etc / "old.conf"), "--log-date-format", "%dth")
    assert done.stderr.startswith(f"{datetime.now():%d}th.")


@pytest.mark.parametrize(
    "words", [["designate-worker", "--config-source", "far"], ["designate-worker", "--config-source=far"]]
)
def test_a_source_of_options_is_named_in_a_file_not_as_an_argument(words: list[str]) -> None:
    """As with oslo.config's own parser, which does not know the argument either."""
    done = called(*words)
    assert done.returncode == 2
    assert "[DEFAULT] config_source = NAME" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["designate-api", "designate-manage", "designate-sink", "designate-status"])
def test_every_command_says_its_version(name: str) -> None:
    assert called(name, "--version").stdout.startswith("redesignate ")
