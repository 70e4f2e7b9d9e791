# SPDX-License-Identifier: Apache-2.0
"""`redesignate.wsgi:application` under a server that imports before it forks, as uWSGI does."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from redesignate.store import migrate
from tests.support.servers import until

CONF = """\
[DEFAULT]
state_path = {folder}
[service:api]
auth_strategy = noauth
[storage:sqlalchemy]
connection = sqlite:///{folder}/db.sqlite
"""


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _ask(url: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as fault:
        with fault:
            return fault.code, json.loads(fault.read())


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, process.returncode
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("no server within 30 s")


@pytest.mark.external
def test_workers_that_were_forked_after_the_import_answer_over_the_database(tmp_path: Path) -> None:
    (tmp_path / "designate.conf").write_text(CONF.format(folder=tmp_path))
    migrate.upgrade(f"sqlite:///{tmp_path}/db.sqlite")
    port = _port()
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "-b", f"127.0.0.1:{port}"]
    command += ["--no-control-socket", "redesignate.wsgi:application"]
    environ = {**os.environ, "OS_DESIGNATE_CONFIG_DIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(f"{url}/healthcheck", process)
        for _ in range(8):  # both workers get some
            assert _ask(f"{url}/v2/zones")[0] == 200
        status, body = _ask(f"{url}/v2/zones", {"name": "example.org.", "email": "a@example.org"})
        assert (status, body["type"]) == (404, "no_valid_pool_found")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert _statuses(tmp_path) == {"api": "STOPPED"}


def _statuses(folder: Path) -> dict[str, str]:
    with closing(sqlite3.connect(folder / "db.sqlite")) as database:
        return dict(database.execute("SELECT service_name, status FROM services"))


@contextmanager
def _api(folder: Path, options: str = "") -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """`redesignate api` on a port; stopped by SIGTERM at the end."""
    port = _port()
    conf = CONF.format(folder=folder).replace("[service:api]", f"{options}\n[service:api]\nlisten = 127.0.0.1:{port}")
    (folder / "designate.conf").write_text(conf)
    migrate.upgrade(f"sqlite:///{folder}/db.sqlite")
    command = [sys.executable, "-m", "redesignate.run.main", "--config-file", str(folder / "designate.conf"), "api"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/healthcheck", process)
        yield port, process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.mark.external
def test_an_api_that_is_stopped_says_so(tmp_path: Path) -> None:
    with _api(tmp_path):
        until(lambda: _statuses(tmp_path) == {"api": "UP"})
    assert _statuses(tmp_path) == {"api": "STOPPED"}


@pytest.mark.external
def test_a_request_that_never_ends_holds_up_a_stop_no_longer_than_the_operator_says(tmp_path: Path) -> None:
    with _api(tmp_path, "graceful_shutdown_timeout = 1") as (port, process), socket.socket() as half:
        half.connect(("127.0.0.1", port))
        half.sendall(b"POST /v2/zones HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert _ask(f"http://127.0.0.1:{port}/v2/zones")[0] == 200  # so the other is under way too
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


def test_a_wrong_option_stops_the_import_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "designate.conf").write_text("[service:api]\nmax_limit_v2 = many\n")
    done = subprocess.run(
        [sys.executable, "-c", "import redesignate.wsgi"],
        env={**os.environ, "OS_DESIGNATE_CONFIG_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "designate.conf" in last
    assert "max_limit_v2" in last
