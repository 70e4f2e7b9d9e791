# SPDX-License-Identifier: Apache-2.0
"""The process of the nameserver that answers what anybody asks: it lives as long as `serve`, and no longer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.support.system import Sandbox, children

pytestmark = pytest.mark.external

STRANGER = "127.0.0.7"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path) as made:
        yield made


def answered(system: Sandbox, source: str) -> int:
    query = dns.message.make_query("example.org.", "SOA")
    answer = dns.query.udp(query, "127.0.0.1", port=system.dns_port, timeout=20, source=source)
    return answer.rcode()


def running(pid: int) -> bool:
    """Whether a process runs: one that has ended may wait for its parent to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_a_zone_is_answered_to_anybody_also_where_the_second_process_has_ended(system: Sandbox) -> None:
    zone = system.api.zone("example.org.")
    system.api.active(zone["id"])
    (second,) = children(system.process.pid)
    assert answered(system, STRANGER) == dns.rcode.NOERROR
    os.kill(second, signal.SIGKILL)
    system.process.wait_for("has ended; they are answered here")
    assert answered(system, STRANGER) == dns.rcode.NOERROR


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_second_process_ends_with_the_first_alone(system: Sandbox, number: signal.Signals) -> None:
    (second,) = children(system.process.pid)
    os.kill(second, number)  # a terminal sends Ctrl-C to both, and SIGHUP when it is closed
    system.api.zone("example.org.")
    assert answered(system, STRANGER) in {dns.rcode.NOERROR, dns.rcode.REFUSED}
    assert running(second)
    assert system.process.stop(signal.SIGTERM if number is signal.SIGHUP else number) == 0
    assert not running(second)


@pytest.mark.parametrize("suspended", [False, True])
def test_the_second_process_ends_where_the_first_is_killed(system: Sandbox, suspended: bool) -> None:
    (second,) = children(system.process.pid)
    if suspended:  # it reads nothing, so that only the kernel can end it
        os.kill(second, signal.SIGSTOP)
    os.kill(system.process.pid, signal.SIGKILL)
    until(lambda: not running(second))


def test_a_second_process_that_hangs_is_ended_and_anybody_is_answered(system: Sandbox) -> None:
    (second,) = children(system.process.pid)
    assert answered(system, STRANGER) == dns.rcode.REFUSED
    os.kill(second, signal.SIGSTOP)
    system.process.wait_for("has ended; they are answered here")
    assert answered(system, STRANGER) == dns.rcode.REFUSED
