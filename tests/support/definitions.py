# SPDX-License-Identifier: Apache-2.0
"""Runs `redesignate serve` under a hook and counts what one record set create enters; see tests/house/test_budget.py.

    python -m tests.support.definitions FOLDER PORT DNS_PORT SECONDARY_PORT

Prints one JSON object per create: `definitions` and `files` (of the package, entered from the POST until every peer
agrees; lambdas and comprehensions not counted, for they stand inside a definition) and `statements` (all SQL but
BEGIN, COMMIT and savepoints, as SQLite itself traces it).
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import yaml

import redesignate
from redesignate.run.main import main

PACKAGE = str(Path(redesignate.__file__).parent) + "/"
CREATES = 20
KNOWN_S = 3.0
"""After so long mdns has looked at the pools again, and knows the stand-in as one of the pool's servers."""
CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA")
_connect = sqlite3.connect


class Recorder:
    """What is entered and asked while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.codes: set[CodeType] = set()
        self.statements: list[str] = []

    def hook(self, frame: FrameType, event: str, _argument: Any) -> None:
        """For threading.setprofile."""
        if self.on and event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            self.codes.add(frame.f_code)

    def connect(self, *arguments: Any, **named: Any) -> sqlite3.Connection:
        """sqlite3.connect, with SQLite's own trace of every statement."""
        made: sqlite3.Connection = _connect(*arguments, **named)
        made.set_trace_callback(self._statement)
        return made

    def _statement(self, text: str) -> None:
        if self.on and not text.lstrip().upper().startswith(CONTROL):
            self.statements.append(text)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record from here to the end of the block."""
        self.codes, self.statements, self.on = set(), [], True
        try:
            yield
        finally:
            self.on = False

    def said(self) -> dict[str, list[str]]:
        """What was recorded."""
        named = [code for code in self.codes if not code.co_name.startswith("<")]
        return {
            "definitions": sorted(
                f"{code.co_filename.removeprefix(PACKAGE)}:{code.co_firstlineno} {code.co_qualname}" for code in named
            ),
            "files": sorted({code.co_filename.removeprefix(PACKAGE) for code in named}),
            "statements": self.statements,
        }


def ask(port: int, method: str, path: str, body: object) -> tuple[int, Any]:
    """One request to the API, over a connection of its own; the answer's status and JSON."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        return ask_over(connection, method, path, body)


def ask_over(connection: http.client.HTTPConnection, method: str, path: str, body: object) -> tuple[int, Any]:
    """One request over a connection that is kept, as a client keeps it; the answer's status and JSON."""
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def until(holds: Any, what: str) -> None:
    """Wait for what can only be asked about."""
    deadline = time.monotonic() + 30
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)


def drive(recorder: Recorder, folder: Path, port: int, secondary: int, dns_port: int) -> None:
    """The client: a pool with the stand-in, a zone, a create to warm up, and the creates that are counted."""
    state = folder / "state"
    until(lambda: _answers(port), "the API never answered")
    _use(folder, secondary, dns_port)
    database = _connect(state / "redesignate.db", timeout=30)

    def settled() -> bool:
        (count,) = database.execute("SELECT count(*) FROM outbox").fetchone()
        return int(count) == 0

    _, zone = ask(port, "POST", "/v2/zones", {"name": "example.org.", "email": "a@example.org"})
    until(settled, "the zone was never served")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    began = time.monotonic()
    for number in itertools.takewhile(
        lambda number: number < CREATES + 2 or time.monotonic() < began + KNOWN_S, itertools.count()
    ):
        body = {"name": f"www{number}.example.org.", "type": "A", "records": ["192.0.2.1"]}
        with recorder.recording():
            status, said = ask_over(connection, "POST", f"/v2/zones/{zone['id']}/recordsets", body)
            until(settled, "the record set was never served")
        assert status == 202, said
        if number >= 2:
            sys.stdout.write(json.dumps(recorder.said()) + "\n")
            sys.stdout.flush()


def _answers(port: int) -> bool:
    try:
        return ask(port, "GET", "/v2/limits", None)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def _use(folder: Path, secondary: int, dns_port: int) -> None:
    """Hand the default pool over to the stand-in, as an operator would."""
    pool = {
        "id": "794ccc2c-d751-44fe-b57f-8894c9f5c842",
        "name": "default",
        "ns_records": [{"hostname": "ns1.example.net.", "priority": 1}],
        "nameservers": [{"host": "127.0.0.1", "port": secondary}],
        "targets": [
            {
                "type": "fake",
                "masters": [{"host": "127.0.0.1", "port": dns_port}],
                "options": {"host": "127.0.0.1", "port": str(secondary)},
            }
        ],
    }
    file = folder / "pools.yaml"
    file.write_text(yaml.safe_dump([pool]))
    command = [sys.executable, "-m", "redesignate.run.main", "--config-file", str(folder / "state/redesignate.conf")]
    subprocess.run([*command, "manage", "pool", "update", "--file", str(file)], check=True, capture_output=True)


def run(folder: Path, port: int, dns_port: int, secondary: int) -> int:
    """Serve under the hook until the client is done."""
    recorder = Recorder()
    failed: list[BaseException] = []

    def client() -> None:
        sys.setprofile(None)
        try:
            drive(recorder, folder, port, secondary, dns_port)
        except BaseException as error:  # noqa: BLE001  # reported below, on the main thread
            failed.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    sqlite3.connect = sqlite3.dbapi2.connect = recorder.connect  # type: ignore[assignment]  # the hook
    threading.setprofile(recorder.hook)
    sys.setprofile(recorder.hook)
    threading.Thread(target=client, daemon=True).start()
    words = ["serve", "--port", str(port), "--dns-port", str(dns_port), "--state-dir", str(folder / "state")]
    main(words)
    if failed:
        raise failed[0]
    return 0


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), *map(int, sys.argv[2:5])))
