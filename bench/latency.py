# SPDX-License-Identifier: Apache-2.0
"""How long a change takes to be served, and to be ACTIVE: alone, and beside other changes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from bench.beside import beside
from bench.client import percentile, run
from bench.dns import Asker, wait_served
from bench.figures import Figure, of_runs, say
from bench.meter import Used
from bench.requests import Creates, Zone
from bench.running import Running

ROUNDS = 3
PROBES = 30
ROUND_S = 8.0
"""A round ends after so long, and `LEAST` changes: a slow deployment is not asked as often."""
LEAST = 3
WORDS = {0.0: "idle", 0.5: "at half load", 1.0: "at full load"}


@dataclass(slots=True)
class Times:
    """Milliseconds from the 202 of each change until every nameserver served it, and until its zone was ACTIVE."""

    accepted: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    active: list[float] = field(default_factory=list)


def probe(where: Running, zone: Zone, askers: Sequence[Asker], label: str, count: int) -> Times:
    """Change a zone so often, one change at a time, at any moment of whatever clock ticks."""
    found, ends = Times(), time.perf_counter() + ROUND_S
    for number in range(count):
        if number >= LEAST and time.perf_counter() > ends:
            break
        time.sleep(0.02 + 0.007 * (number % 10))
        name = f"{label}{number}.{zone[1]}"
        began = time.perf_counter()
        where.api.rrset(zone[0], name, "A", ["192.0.2.1"])
        accepted = time.perf_counter()
        wait_served(askers, name)
        served = time.perf_counter()
        where.active(zone, pause=0.002, share=0.05)
        found.accepted.append(1000 * (accepted - began))
        found.served.append(1000 * (served - accepted))
        found.active.append(1000 * (time.perf_counter() - accepted))
    return found


def latency(
    where: Running, loads: Sequence[float] = (0.0, 0.5, 1.0), *, seconds: float = 2.0, probes: int = PROBES
) -> list[Figure]:
    """The times of changes beside a share of the most that 8 connections can change on one zone."""
    zone, busy = where.zone("probe"), where.zone("busy")
    askers = where.askers()
    probe(where, zone, askers, "warm", 5)
    most = run(where.address, Creates([busy], "most"), connections=8, seconds=seconds).rate if any(loads) else 0.0
    figures = []
    for share in loads:
        words = WORDS.get(share, f"at {100 * share:.0f} % of the load")
        say(f"changes, one at a time, {words}")
        where.active(busy)
        load = beside(
            where.address,
            Creates([busy], f"b{round(100 * share)}n"),
            connections=8,
            rate=share * most if share < 1 else None,
        )
        rounds: list[Times] = []
        used: list[Used] = []
        with load if share else nullcontext():
            for number in range(ROUNDS):
                with where.meter() as meter:
                    rounds.append(probe(where, zone, askers, f"p{round(100 * share)}r{number}n", probes))
                used.append(meter.used)
        figures += _figures(rounds, used, share, words)
    for asker in askers:
        asker.close()
    return figures


def _figures(rounds: Sequence[Times], used: Sequence[Used], share: float, words: str) -> list[Figure]:
    figures = []
    for what, each in (
        ("a change served after its 202", [one.served for one in rounds]),
        ("a change ACTIVE after its 202", [one.active for one in rounds]),
    ):
        for title, part in (("median", 0.5), ("95 %", 0.95)):
            runs = [percentile(times, part) for times in each]
            curve = f"{what.removeprefix('a change ').split()[0]}, {title}"
            more = {"curve": curve, "at": 100 * share}
            figures.append(of_runs(f"{what}, {words}, {title}", runs, "ms", least=False, used=used, **more))
    accepted = [percentile(one.accepted, 0.5) for one in rounds]
    figures.append(of_runs(f"its 202, {words}, median", accepted, "ms", least=False, used=used))
    return figures
