# SPDX-License-Identifier: Apache-2.0
"""The whole system under load, HTTP in and a real BIND out, on this machine: embedded, and a process a service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from bench import latency, running, work
from bench.figures import Figure, at_most, say, with_goals
from bench.options import Options
from bench.running import Running
from tests.support.system import Sandbox

EMBEDDED = {
    "ready after start": 3.0,
    "memory while idle, its own processes (PSS)": 150.0,
    "record set creates on one zone, 8 connections": 1000.0,
    "zone creates, 8 connections": 400.0,
    "… until all are ACTIVE": 400.0,
    "GET of one zone, 8 connections": 3000.0,
    "a change served after its 202, idle, median": 60.0,
    "a change served after its 202, idle, 95 %": 400.0,
    "a change ACTIVE after its 202, idle, 95 %": 100.0,
}
SPLIT = {
    "CPU while idle, its own processes": 2.0,
    "memory while idle, its own processes (PSS)": 350.0,
    "CPU of one, 1 connection": 10.0,
    "CPU of one, 8 connections": 4.0,
    f"CPU of one, over {work.SPREAD} zones": 8.0,
    "GET of one zone, 8 connections": 1000.0,
    "first pages of zones (100), 8 connections": 200.0,
    "first pages of record sets (100), 8 connections": 200.0,
    "a change served after its 202, idle, median": 60.0,
    "a change served after its 202, idle, 95 %": 400.0,
    "a change served after its 202, at half load, 95 %": 60.0,
    "a change served after its 202, at full load, 95 %": 300.0,
    "a change ACTIVE after its 202, idle, 95 %": 100.0,
}
TIMES = {
    "record set creates on one zone, 1 connection": 4.0,
    "record set creates on one zone, 8 connections": 15.0,
    "record set updates on one zone, 8 connections": 12.0,
    "record set deletes on one zone, 8 connections": 12.0,
    f"record set creates over {work.SPREAD} zones, 8 connections": 6.0,
    "zone creates, 8 connections": 15.0,
    "… until all are ACTIVE": 15.0,
}
"""How many times another deployment's figure the split system's is to be."""


def embedded(folder: Path, options: Options) -> Iterator[Figure]:
    """`redesignate serve` on SQLite with one BIND."""
    with running.embedded(folder) as (where, system):
        first = at_most("ready after start", _ready(system), "s")
        time.sleep(3)  # what the start leaves behind is not idleness
        yield from with_goals(chain([first], everything(where, options)), EMBEDDED, all_of=_all(options))


def split(folder: Path, options: Options) -> Iterator[Figure]:
    """Each service in a process of its own, over RabbitMQ and MariaDB, with one BIND."""
    with running.split(folder) as (where, _):
        time.sleep(3)
        yield from with_goals(everything(where, options), SPLIT, TIMES, all_of=_all(options))


def direct(folder: Path, options: Options) -> Iterator[Figure]:
    """The same, with central in the API's process; worker and producer reach a central over RabbitMQ."""
    with running.split(folder, direct=["api"]) as (where, _):
        time.sleep(3)
        yield from with_goals(everything(where, options), {}, TIMES, all_of=_all(options))


def everything(where: Running, options: Options) -> Iterator[Figure]:
    """All that is measured of any deployment, an idle one first."""
    seconds = options.seconds
    yield from work.idle(where, seconds=10 if not options.small else 6)
    loads = options.loads if where.nameservers else ()
    if loads:
        yield from latency.latency(where, loads, seconds=seconds, probes=10 if options.small else latency.PROBES)
    yield from work.rrsets(where, seconds=seconds)
    yield from work.spread(where, seconds=seconds)
    yield from work.zones(where, seconds=seconds)
    yield from work.reads(where, seconds=min(seconds, 1.0))


def _all(options: Options) -> bool:
    """Whether everything that has a goal is measured."""
    return options.loads == Options().loads


def _ready(system: Sandbox) -> float:
    """Stop and start again: seconds to the ready line of a start that makes nothing new."""
    say("start")
    system.api.close()
    system.process.stop()
    began = time.perf_counter()
    system.start()
    return time.perf_counter() - began
