# SPDX-License-Identifier: Apache-2.0
"""Mixed load for minutes: 16 connections, 80 % reads, a large zone beside, and now and then a change that is followed
until it is served."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import running, work
from bench.beside import beside
from bench.client import Load, percentile
from bench.dns import wait_served
from bench.figures import Figure, at_least, at_most, say
from bench.fill import fill_rrsets, opened
from bench.meter import Used, memory
from bench.options import Options
from bench.requests import Mixed
from bench.running import Running

CONNECTIONS, READS = 16, 0.8
WINDOWS = 5
PAUSE_S = 0.4
LARGE = 20_000


@dataclass(slots=True)
class Window:
    """A part of the run: when it began, in seconds; each probe, in ms; memory at its end, MB."""

    began: float
    served: list[float] = field(default_factory=list)
    memory: float = 0.0


def figures(folder: Path, options: Options) -> Iterator[Figure]:
    """What `python -m bench mixed` prints."""
    with running.embedded(folder) as (where, system):
        large = where.zone("large")
        zones = work.many_zones(where, 50)
        say(f"a zone of {LARGE:,} record sets beside")
        system.api.close()
        system.process.stop()
        with opened(where.database) as store:
            fill_rrsets(store, large[0], LARGE)
        system.start()
        paths = [f"/v2/zones/{zone}" for zone, _ in zones]
        paths += [f"/v2/zones/{zone}/recordsets?limit=100" for zone, _ in zones[:10]]
        paths += ["/v2/zones?limit=100", f"/v2/zones/{large[0]}/recordsets?limit=100"]
        load = beside(where.address, Mixed(zones, paths, "mix", READS), connections=CONNECTIONS)
        seconds = 60 * options.minutes
        say(f"mixed load for {seconds:.0f} s")
        with load as under_way, where.meter() as meter:
            windows = _probed(where, seconds)
        assert under_way.load is not None
        yield from _figures(windows, under_way.load, meter.used, seconds)


def _probed(where: Running, seconds: float) -> list[Window]:
    zone, askers = where.zone("probe"), where.askers()
    pids = [pid for name, some in where.roots().items() if name in where.services for pid in some]
    began, windows, number = time.perf_counter(), [Window(0.0)], 0
    while (now := time.perf_counter() - began) < seconds:
        if now > windows[-1].began + seconds / WINDOWS:
            windows[-1].memory = memory(pids)
            windows.append(Window(now))
        name = f"p{number}.{zone[1]}"
        where.api.rrset(zone[0], name, "A", ["192.0.2.1"])
        windows[-1].served.append(1000 * wait_served(askers, name))
        number += 1
        time.sleep(PAUSE_S)
    windows[-1].memory = memory(pids)
    return windows


def _figures(windows: Sequence[Window], load: Load, used: Used, seconds: float) -> Iterator[Figure]:
    words, per = f"{CONNECTIONS} connections, {seconds:.0f} s", used.per(len(load.each))
    others, client = used.others, 1000 * load.cpu / len(load.each)
    yield at_least(f"mixed requests, {words}", load.rate, "/s", others=others, cpu=per, client=client)
    for what, is_read in (("reads", True), ("writes", False)):
        times = [1000 * one for one, kind in zip(load.each, load.kinds, strict=True) if (kind == "GET") == is_read]
        yield at_most(f"{what} beside, 95 %", percentile(times, 0.95), "ms", others=others)
    probes = [one for window in windows for one in window.served]
    for title, share, goal in (("median", 0.5, 60.0), ("95 %", 0.95, 300.0)):
        runs = tuple(percentile(window.served, share) for window in windows)
        value = percentile(probes, share)
        yield at_most(
            f"a change served after its 202, mixed load, {title}", value, "ms", goal, runs=runs, others=others
        )
    yield at_most("… at most", max(probes), "ms", others=others)
    grown = windows[-1].memory / median([windows[0].memory, windows[min(1, len(windows) - 1)].memory])
    yield at_most("memory at the end, times the beginning's", grown, "", 1.2)
    yield at_most("memory at the end (PSS)", windows[-1].memory, "MB")
