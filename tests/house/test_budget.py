# SPDX-License-Identifier: Apache-2.0
"""How much one has to know to follow one change: what a record set create enters, from the POST until it is confirmed.

Counted in the whole system in one process, on SQLite, with a target and a secondary that answers NOTIFY, fetches by
IXFR and answers SOA questions. The figures may only be lowered: lower them with the change that makes it possible.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.house.tree import ROOT
from tests.support.bind import free_port
from tests.support.secondary import Secondary

DEFINITIONS, FILES, STATEMENTS = 240, 60, 17


@pytest.fixture(scope="module")
def creates(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of some creates entered; what runs beside them now and then is in some of them only."""
    folder = tmp_path_factory.mktemp("budget")
    port, dns_port = free_port(), free_port()
    with Secondary(dns_port) as secondary:
        words = [str(folder), str(port), str(dns_port), str(secondary.port)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.definitions", *words],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=100,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def least(creates: list[dict[str, Any]], what: str) -> list[str]:
    """The create that needed the fewest."""
    found: list[str] = min((create[what] for create in creates), key=len)
    return found


@pytest.mark.parametrize(("what", "most"), [("definitions", DEFINITIONS), ("files", FILES), ("statements", STATEMENTS)])
def test_one_create_enters_no_more_than_its_budget(creates: list[dict[str, Any]], what: str, most: int) -> None:
    entered = least(creates, what)
    assert len(entered) <= most, f"{len(entered)} {what}, of which the budget allows {most}:\n" + "\n".join(entered)


def test_the_whole_way_was_counted(creates: list[dict[str, Any]]) -> None:
    """The hook saw each of the services, or the budget would be kept by what it missed."""
    rooms = {name.split("/")[0] for name in least(creates, "files")}
    assert {"api", "central", "store", "worker", "mdns", "wire", "model"} <= rooms
