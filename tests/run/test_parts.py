# SPDX-License-Identifier: Apache-2.0
"""The parts of a process: each goes on, or ends, whatever happens to the others. And the sandbox's own files."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from redesignate.config.load import load, read
from redesignate.config.settings import HeartbeatSettings, StoreSettings
from redesignate.model.errors import Misconfigured
from redesignate.run import sandbox
from redesignate.run.heartbeat import Heart
from redesignate.run.sandbox import Options, serve
from redesignate.run.wiring import Wiring


def test_what_does_not_stop_keeps_nothing_else_from_stopping() -> None:
    wiring = Wiring(read(files=[]))
    stopped: list[str] = []
    wiring.on_close(lambda: stopped.append("first"))

    def broken() -> None:
        raise RuntimeError

    wiring.on_close(broken)
    wiring.on_close(lambda: stopped.append("last"))
    wiring.close()
    assert stopped == ["last", "first"]


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
    sandbox._write_config(file, settings)
    assert file.stat().st_mode & 0o777 == 0o600
    found = load(files=[str(file)])
    assert (found.state_path, found.store.url) == (settings.state_path, url)


def test_a_new_state_folder_is_its_owners(tmp_path: Path) -> None:
    sandbox._make_state(tmp_path / "a" / "state")
    assert (tmp_path / "a" / "state").stat().st_mode & 0o777 == 0o700
    sandbox._make_state(tmp_path / "a" / "state")


def test_a_state_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="--state-dir"):
        serve(read(files=[]), Options(state=tmp_path / "file"))
