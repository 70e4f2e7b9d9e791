# SPDX-License-Identifier: Apache-2.0
"""The work of users, through the API of any deployment: record sets, zones, reads. Each figure is the median of three.

Every run is bounded by time, not by a number of requests, so that a slow deployment takes as long as a fast one. What
a run changed is waited for before its processor time is read: publishing belongs to a change.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from bench.client import Load, Request, run
from bench.figures import Figure, at_most, of_runs, say
from bench.meter import Used, memory
from bench.requests import Creates, Deletes, Gets, Held, NewZones, Updates, Zone
from bench.running import Running

RUNS = 3
WARM_S = 1.0
SPREAD = 50


@dataclass(slots=True)
class Rated:
    """Several runs of the same work.

    rates settled  operations a second: until the last answer, and until every nameserver served them
    """

    rates: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)
    count: int = 0

    def figure(self, what: str, rates: Sequence[float] | None = None) -> Figure:
        """The median rate, with the processor time of one operation."""
        cpu: dict[str, float] = {}
        for used in self.used:
            for name, spent in used.cpu.items():
                cpu[name] = cpu.get(name, 0.0) + 1000 * spent / max(1, self.count)
        client = 1000 * sum(load.cpu for load in self.loads) / max(1, self.count)
        runs = self.rates if rates is None else rates
        return of_runs(what, runs, "/s", least=True, used=self.used, cpu=cpu, client=client)

    def spent(self, what: str) -> Figure:
        """The median of the processor time of one operation, all processes together."""
        each = [sum(used.per(len(load.each)).values()) for used, load in zip(self.used, self.loads, strict=True)]
        return of_runs(what, each, "ms", least=False, used=self.used)


def rated(
    where: Running,
    requests: Callable[[int], Iterable[Request]],
    settle: Callable[[], object] | None,
    *,
    connections: int,
    seconds: float,
    keep: bool = False,
) -> Rated:
    """Warm up, then run it three times. `requests`: those of a run by its number, 0 for the warm-up."""
    run(where.address, requests(0), connections=connections, seconds=min(WARM_S, seconds))
    found = Rated()
    for number in range(1, RUNS + 1):
        if settle is not None:
            settle()
        with where.meter() as meter:
            began = time.perf_counter()
            load = run(where.address, requests(number), connections=connections, seconds=seconds, keep=keep)
            if settle is not None:
                settle()
            whole = time.perf_counter() - began
        if not load.each:
            raise RuntimeError("nothing was left to do in a run: too little was prepared for so fast a deployment")
        found.rates.append(load.rate)
        found.settled.append(len(load.each) / whole)
        found.loads.append(load)
        found.used.append(meter.used)
        found.count += len(load.each)
    return found


def rrsets(where: Running, *, connections: Sequence[int] = (1, 8, 32), seconds: float = 2.0) -> list[Figure]:
    """Record sets on one zone: created at several connections, then updated and deleted at 8."""
    figures = []
    held: list[Held] = []
    zone = where.zone("creates")

    def settle() -> None:
        where.active(zone)

    for count in connections:
        say(f"record set creates, {in_words(count)}")
        work = rated(
            where,
            lambda number, count=count: Creates([zone], f"c{count}r{number}n"),  # type: ignore[misc]
            settle,
            connections=count,
            seconds=seconds,
            keep=True,
        )
        words = f"record set creates on one zone, {in_words(count)}"
        figures += [work.figure(words), *_spent(where, work, f"CPU of one, {in_words(count)}")]
        held += [(zone[0], json.loads(body)["id"]) for load in work.loads for body in load.bodies]
    say("record set updates")
    work = rated(where, lambda number: Updates(held, 10_000 * number), settle, connections=8, seconds=seconds)
    figures.append(work.figure("record set updates on one zone, 8 connections"))
    say("record set deletes")
    share = len(held) // (RUNS + 1)
    parts = [held[at * share : (at + 1) * share] for at in range(RUNS + 1)]
    work = rated(where, lambda number: Deletes(parts[number]), settle, connections=8, seconds=seconds)
    figures.append(work.figure("record set deletes on one zone, 8 connections"))
    return figures


def spread(where: Running, *, seconds: float = 2.0, zones: int = SPREAD) -> list[Figure]:
    """Record sets over many zones, 8 connections."""
    say(f"record set creates over {zones} zones")
    made = many_zones(where, zones)
    work = rated(where, lambda number: Creates(made, f"s{number}n"), where.all_active, connections=8, seconds=seconds)
    words = f"record set creates over {zones} zones, 8 connections"
    return [work.figure(words), *_spent(where, work, f"CPU of one, over {zones} zones")]


def many_zones(where: Running, count: int) -> list[Zone]:
    """Zones that are ACTIVE."""
    requests = [
        ("POST", "/v2/zones", {"name": f"m{n}-{where.label}.example.", "email": "hostmaster@example.org"})
        for n in range(count)
    ]
    load = run(where.address, requests, connections=4, keep=True)
    where.all_active()
    made = [json.loads(body) for body in load.bodies]
    return [(zone["id"], zone["name"]) for zone in made]


def zones(where: Running, *, seconds: float = 2.0) -> list[Figure]:
    """Zone creates, 8 connections: to the 202, and until all are ACTIVE."""
    say("zone creates")
    work = rated(
        where,
        lambda number: NewZones(f"{where.label}r{number}"),
        where.all_active,
        connections=8,
        seconds=seconds,
    )
    return [
        work.figure("zone creates, 8 connections"),
        of_runs("… until all are ACTIVE", work.settled, "/s", least=True, used=work.used),
        *_spent(where, work, "CPU of one zone"),
    ]


def reads(where: Running, *, seconds: float = 1.0) -> list[Figure]:
    """One zone, and first pages of each list, 8 connections."""
    say("reads")
    one = where.api.get("/v2/zones?limit=1")["zones"][0]["id"]
    paths = {
        "GET of one zone, 8 connections": f"/v2/zones/{one}",
        "first pages of zones (100), 8 connections": "/v2/zones?limit=100",
        "first pages of record sets (100), 8 connections": "/v2/recordsets?limit=100",
    }
    figures = []
    for what, path in paths.items():
        work = rated(where, lambda _, path=path: Gets([path]), None, connections=8, seconds=seconds)  # type: ignore[misc]
        figures.append(work.figure(what))
    return figures


def idle(where: Running, *, seconds: float = 10.0) -> list[Figure]:
    """Processor time and memory of a deployment that has nothing to do."""
    say("idle")
    with where.meter() as meter:
        time.sleep(seconds)
    own = {name: 100 * spent / seconds for name, spent in meter.used.cpu.items()}
    pids = [pid for name, some in where.roots().items() if name in where.services for pid in some]
    return [
        at_most(
            "CPU while idle, its own processes",
            sum(share for name, share in own.items() if name in where.services),
            "% of a core",
            others=meter.used.others,
        ),
        at_most("CPU while idle, all processes", sum(own.values()), "% of a core", others=meter.used.others),
        at_most("memory while idle, its own processes (PSS)", memory(pids), "MB"),
    ]


def _spent(where: Running, work: Rated, what: str) -> list[Figure]:
    return [work.spent(what)] if where.roots() else []


def in_words(count: int) -> str:
    """So many connections, as the figures' names have it."""
    return "1 connection" if count == 1 else f"{count} connections"
