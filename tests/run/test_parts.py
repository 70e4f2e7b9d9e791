# SPDX-License-Identifier: Apache-2.0
"""The parts of a process: each goes on, or ends, whatever happens to the others. And the sandbox's own files."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from redesignate.config.load import load, read
from redesignate.config.settings import HeartbeatSettings, StoreSettings
from redesignate.model.errors import Misconfigured
from redesignate.run import state
from redesignate.run.heartbeat import Heart
from redesignate.run.sandbox import SWITCH_S, Options, serve
from redesignate.run.services import Aside
from redesignate.run.wiring import at_end
from tests.support.servers import until
from tests.threads.test_turns import Crew

WAIT_S = 20


def test_what_does_not_stop_keeps_nothing_else_from_stopping() -> None:
    stopped: list[str] = []

    def broken() -> None:
        raise RuntimeError

    with ExitStack() as end:
        at_end(end, lambda: stopped.append("first"))
        at_end(end, broken)
        at_end(end, lambda: stopped.append("last"))
    assert stopped == ["last", "first"]


HEAVY = ("amqp", "keystonemiddleware", "gunicorn", "pymysql", "MySQLdb", "psycopg", "tooz")


def test_what_a_process_may_need_is_imported_only_when_it_does() -> None:
    code = "import sys, redesignate.run.services, redesignate.run.sandbox; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(ran.stdout.split())


class Slow:
    """A central that waits for the database, and answers when somebody else has run meanwhile."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def call(self, command: Any) -> Any:
        assert self.go.wait(WAIT_S)
        return command


def test_an_api_with_a_central_of_its_own_answers_others_while_one_waits_for_the_database() -> None:
    slow, answers, crew = Slow(), list[Any](), Crew(2)
    command: Any = "asked"
    try:
        crew.inbox.put(lambda: answers.append(Aside(slow).call(command)), slow.go.set)
        until(lambda: answers == ["asked"], deadline_s=WAIT_S / 2)
    finally:
        slow.go.set()
        crew.turns.close()
        for thread in crew.threads:
            thread.join(WAIT_S)


class Broken:
    """A central that fails in a way of its own until it has been asked three times."""

    def __init__(self) -> None:
        self.asked, self.enough = 0, threading.Event()

    def call(self, command: Any) -> Any:
        self.asked += 1
        if self.asked < 3:
            raise RuntimeError
        self.enough.set()


def test_a_heart_goes_on_beating_whatever_went_wrong() -> None:
    central = Broken()
    heart = Heart(central, HeartbeatSettings(heartbeat_interval=0.01), "host", ("api",))
    heart.start()
    assert central.enough.wait(5)
    heart.stop()


def test_the_sandboxs_file_is_its_owners_and_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "redesignate.conf"
    file.write_text("earlier")
    file.chmod(0o644)
    url = "postgresql+psycopg://u:pa$$word$x@127.0.0.1/db"
    settings = replace(load(files=[]), state_path=f"{tmp_path}/$state", store=StoreSettings(url=url))
    state.write_config(tmp_path, settings)
    assert file.stat().st_mode & 0o777 == 0o600
    found = load(files=[str(file)])
    assert (found.state_path, found.store.url) == (settings.state_path, url)


def test_a_new_state_folder_is_its_owners(tmp_path: Path) -> None:
    state.make_state(tmp_path / "a" / "state")
    assert (tmp_path / "a" / "state").stat().st_mode & 0o777 == 0o700


def test_a_state_folder_serves_one_process_at_a_time(tmp_path: Path) -> None:
    state.make_state(tmp_path)
    with pytest.raises(Misconfigured, match="another `redesignate serve`"):
        state.make_state(tmp_path)


def test_a_state_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="--state-dir"):
        serve(read(files=[]), Options(port=0, dns_port=0, state=tmp_path / "file"))


def test_serve_lets_no_thread_run_for_long_while_another_waits(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    before = sys.getswitchinterval()
    try:
        with pytest.raises(Misconfigured):
            serve(read(files=[]), Options(port=0, dns_port=0, state=tmp_path / "file"))
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    finally:
        sys.setswitchinterval(before)
