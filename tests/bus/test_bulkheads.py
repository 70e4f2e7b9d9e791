# SPDX-License-Identifier: Apache-2.0
"""A zone whose row is locked, or a project that hangs, does not take the API's threads from the others."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from redesignate.bus.inproc import Bulkheads, Shares
from redesignate.commands.base import CallerCommand, Command
from redesignate.commands.rrsets import DeleteRRset
from redesignate.commands.zones import GetZone, UpdateZone
from redesignate.model.caller import operator
from redesignate.model.errors import Unavailable
from redesignate.model.zone import ZoneChange
from tests.support.servers import until

WAIT_S = 20
THREADS = 30
ME = replace(operator("req-1"), project_id="mine", all_projects=False)
OTHER = replace(ME, project_id="theirs")


class Central:
    """Answers at once, but for changes of a zone whose row somebody holds, and for a project that hangs."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.hanging = 0
        self._lock = threading.Lock()

    def call(self, command: Command[Any]) -> Any:
        assert isinstance(command, CallerCommand)
        locked = getattr(command, "zone_id", "") == "locked" and not isinstance(command, GetZone)
        if locked or command.caller.project_id == "hanging":
            with self._lock:
                self.hanging += 1
            assert self.free.wait(WAIT_S)
        return None


def change(zone_id: str, caller: Any = ME) -> UpdateZone:
    return UpdateZone(caller=caller, zone_id=zone_id, change=ZoneChange(ttl=5))


@pytest.mark.parametrize(("caller", "share"), [(ME, 15), (replace(ME, project_id="hanging"), 20)])
def test_what_hangs_holds_its_share_of_the_threads_and_others_are_answered_within_a_second(
    caller: Any, share: int
) -> None:
    central = Central()
    port = Bulkheads(central, Shares.of(THREADS))
    hanging = [
        change("locked", caller) if share == 15 else change(f"z{n}", caller) for n in range(220)
    ]  # one zone, or one project over many
    with ThreadPoolExecutor(THREADS) as pool:
        futures: list[Future[Any]] = [pool.submit(port.call, command) for command in hanging]
        until(lambda: central.hanging == share, deadline_s=WAIT_S)
        for command in (GetZone(caller=OTHER, zone_id="locked"), change("free", OTHER)):
            began = time.monotonic()
            pool.submit(port.call, command).result(WAIT_S)
            assert time.monotonic() - began < 1.5  # at the worst the patience of those before it, on a busy machine
        until(lambda: sum(future.done() for future in futures) == 220 - share, deadline_s=WAIT_S)
        assert central.hanging == share
        central.free.set()
        refused = [future for future in futures if isinstance(future.exception(WAIT_S), Unavailable)]
    assert len(refused) == 220 - share


def test_a_busy_zone_is_not_refused() -> None:
    port = Bulkheads(_Slow(), Shares.of(THREADS))
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(port.call, [DeleteRRset(caller=ME, zone_id="busy", rrset_id=str(n)) for n in range(300)]))


class _Slow:
    """Works on each question for a moment."""

    def call(self, _command: Command[Any]) -> Any:
        time.sleep(0.03)


@pytest.mark.parametrize("threads", [1, 2, 3, 16, 100])
def test_every_share_leaves_room(threads: int) -> None:
    for shares in (Shares.of(threads), Shares.of(threads, connections=5)):
        assert 1 <= shares.zone <= shares.project <= shares.changes <= shares.all
        assert shares.all < threads or threads == 1


@pytest.mark.parametrize("threads", [1, 2, 3, 12])
def test_changes_that_wait_for_the_one_writer_leave_threads_for_reads(threads: int) -> None:
    shares = Shares.of_one_writer(threads)
    assert 1 <= shares.zone <= shares.changes <= shares.project <= shares.all
    assert shares.changes < threads or threads == 1
    assert shares.project < shares.all or threads <= 3, "one project leaves threads to the others"
