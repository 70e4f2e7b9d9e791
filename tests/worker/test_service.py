# SPDX-License-Identifier: Apache-2.0
"""A worker that cannot start says so, and one whose loop is stuck gives its hints back."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from redesignate.commands.hint import Hint, Kind
from redesignate.config.settings import WorkerSettings
from redesignate.worker import service
from tests.support.nameservers import SmallServer
from tests.worker.conftest import Plane


@pytest.mark.timeout(10)
def test_what_keeps_a_worker_from_starting_is_raised_by_start(plane: Plane) -> None:
    wrong: Any = "soon"
    with pytest.raises(ValueError, match="soon"):
        plane.start(settings=WorkerSettings(poll_timeout=wrong))


@pytest.mark.timeout(10)
def test_a_hint_that_a_stuck_worker_does_not_take_goes_back(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TAKEN_S", 0.05, raising=False)
    worker, free = plane.start(), threading.Event()

    async def stuck() -> None:
        free.wait(5)

    worker._loop.submit(stuck())
    try:
        with pytest.raises(TimeoutError):
            worker._hinted((Hint(Kind.OUTBOUND, "zone"),))
    finally:
        free.set()


@pytest.mark.timeout(10)
def test_hints_of_this_process_do_not_wait_for_a_nameserver(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "HOLD_S", 60.0)
    with SmallServer(silent=True) as silent:
        plane.pool(silent)
        worker = plane.start(source=None, crowded=lambda: False)
        worker._hinted((Hint(Kind.OUTBOUND, plane.zone().id),))
        silent.wait_asked("SOA", 1)
