# SPDX-License-Identifier: Apache-2.0
"""Farewells: waited for as long as the operator says, and no longer."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from redesignate.config.load import load
from redesignate.config.settings import Settings
from redesignate.run.services import patience
from redesignate.run.stopping import within


def test_a_farewell_that_takes_too_long_is_left_alone() -> None:
    go = threading.Event()

    def farewell() -> None:
        go.wait()

    within(0.05, farewell)()  # returns, though nobody has let it go
    go.set()


def test_a_farewell_without_a_bound_is_waited_for() -> None:
    done = threading.Event()

    def farewell() -> None:
        threading.Event().wait(0.2)
        done.set()

    within(None, farewell)()
    assert done.is_set()


@pytest.mark.parametrize(("text", "seconds"), [("", 60), ("graceful_shutdown_timeout = 7", 7)])
def test_the_operator_says_how_long_a_stop_may_take(tmp_path: Path, text: str, seconds: int) -> None:
    assert patience(_settings(tmp_path, text)) == seconds


def test_no_timeout_means_all_the_time_it_takes(tmp_path: Path) -> None:
    assert patience(_settings(tmp_path, "graceful_shutdown_timeout = 0")) is None


def _settings(folder: Path, text: str) -> Settings:
    file = folder / "redesignate.conf"
    file.write_text(f"[DEFAULT]\n{text}\n")
    return load(files=[str(file)])
