# SPDX-License-Identifier: Apache-2.0
"""Processor time and memory of the processes that are measured, of the client, and of everybody else's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

Roots = Mapping[str, Sequence[int]]
"""A kind of process, and the ids of those of that kind; their children belong to them."""
_TICKS = os.sysconf("SC_CLK_TCK")
_CORES = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Used:
    """Processor seconds that were used while something was measured.

    seconds  by the clock
    cpu      of each kind of process
    client   of the bench itself
    others   of everybody else, as a share of all cores of the machine
    """

    seconds: float
    cpu: dict[str, float] = field(default_factory=dict)
    client: float = 0.0
    others: float = 0.0

    def per(self, count: int) -> dict[str, float]:
        """Milliseconds for each of so many operations, by kind of process."""
        return {name: 1000 * used / max(1, count) for name, used in self.cpu.items()}


class Meter:
    """Measures what is used within a `with` block; `used` has it afterwards."""

    def __init__(self, roots: Callable[[], Roots]) -> None:
        self._roots = roots
        self.used = Used(0.0)

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self._busy = _busy()
        self._before = _all_times(self._roots())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        after = _all_times(self._roots())
        busy, seconds = _busy() - self._busy, time.perf_counter() - self._began
        spent = {
            name: sum(used - self._before.get(name, {}).get(pid, 0.0) for pid, used in times.items())
            for name, times in after.items()
        }
        client = spent.pop("")
        others = max(0.0, busy - client - sum(spent.values())) / (seconds * _CORES)
        self.used = Used(seconds, spent, client, others)


def _all_times(roots: Roots) -> dict[str, dict[int, float]]:
    """Processor seconds by kind and process id; those of the bench itself under the empty name."""
    kinds = {name: {one for pid in pids for one in family(pid)} for name, pids in roots.items()}
    taken = set().union(*kinds.values()) if kinds else set()
    kinds[""] = set(family(os.getpid())) - taken
    return {name: _times(pids) for name, pids in kinds.items()}


def _times(pids: Iterable[int]) -> dict[int, float]:
    found = {}
    for pid in pids:
        try:
            found[pid] = time.clock_gettime((~pid << 3) | 2)  # the clock of that process: clock_getcpuclockid(3)
        except OSError:
            continue  # it has ended
    return found


def family(pid: int) -> list[int]:
    """A process and everything below it."""
    below = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            below += [int(word) for word in (task / "children").read_text().split()]
    except OSError:
        return []  # it has ended
    return [pid, *(one for child in below for one in family(child))]


def _busy() -> float:
    """Processor seconds of the whole machine since it started, time that its host took from it included."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    times = [int(word) for word in words[:8]]
    return (sum(times) - times[3] - times[4]) / _TICKS


def memory(pids: Iterable[int]) -> float:
    """Proportional set size of processes and everything below them, MB."""
    total = 0
    for pid in {one for root in pids for one in family(root)}:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024
