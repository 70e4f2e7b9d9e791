# SPDX-License-Identifier: Apache-2.0
"""A running service, as its processes on one host last reported it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum


class ServiceState(Enum):
    """The service itself reports UP and STOPPED; the producer sets DOWN when the service falls silent."""

    UP = "UP"
    DOWN = "DOWN"
    WARNING = "WARNING"
    STOPPED = "STOPPED"


Stats = Mapping[str, Mapping[str, int | bool]]
"""Figures that a service reports of itself, by subject. A worker's `audit`: how often zones at rest are checked."""
TIMES = frozenset({"seconds", "interval"})
"""Figures that say how long something takes."""


def combined(reports: Iterable[Stats]) -> Stats:
    """The figures of several processes: counts are added, the longest of times counts, and what one affirms holds."""
    found: dict[str, dict[str, int | bool]] = {}
    for subject, figures in (each for report in reports for each in report.items()):
        into = found.setdefault(subject, {})
        for name, value in figures.items():
            known = into.get(name, False)
            into[name] = max(known, value) if name in TIMES or isinstance(value, bool) else known + value
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One row per service name and host, whose processes share it. Times in microseconds since 1970.

    stats  `combined` of the processes that live
    """

    id: str
    service_name: str
    hostname: str
    status: ServiceState
    heartbeated_at: int | None
    created_at: int
    updated_at: int | None = None
    stats: Stats = field(default_factory=dict)
