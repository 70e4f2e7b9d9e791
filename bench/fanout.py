# SPDX-License-Identifier: Apache-2.0
"""Pools of one, two and eight nameservers, every one a BIND on this machine: what each further one costs a change; and
what a new zone costs if they find it in the pool's catalog zone."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench import running, work
from bench.client import percentile
from bench.figures import Figure, at_most, of_runs, say
from bench.latency import ROUNDS, probe
from bench.options import Options
from bench.requests import Creates
from bench.running import Running

POOLS = (1, 2, 8)
CATALOG, WITH_CATALOG = "catalog.bench.example.", (1, 8)
RATIO = "record set creates with 1 nameserver, times those with 8"


def figures(folder: Path, options: Options) -> Iterator[Figure]:
    """What `python -m bench fan-out` prints."""
    rates: dict[int, list[float]] = {}
    for count in options.sizes or POOLS:
        say(f"{count} nameservers")
        with running.embedded(folder / str(count), binds=count) as (where, _):
            for figure in _of_pool(where, options):
                if figure.what.startswith("record set creates"):
                    rates[count] = list(figure.runs)
                yield replace(figure, what=f"{count} nameservers: {figure.what}", at=count, curve=figure.what)
    if {1, 8} <= set(rates):
        times = statistics.median(rates[1]) / statistics.median(rates[8])
        yield at_most(RATIO, times, "", 1.5)
    for count in options.sizes or WITH_CATALOG:
        say(f"{count} nameservers that consume a catalog zone")
        with running.embedded(folder / f"catalog{count}", binds=count, catalog=CATALOG) as (where, _):
            where.zone("fan")
            for figure in _zones(where, options):
                yield replace(figure, what=f"{count} nameservers, catalog zone: {figure.what}")


def _of_pool(where: Running, options: Options) -> Iterator[Figure]:
    zone = where.zone("fan")
    rated = work.rated(
        where,
        lambda number: Creates([zone], f"r{number}n"),
        lambda: where.active(zone),
        connections=8,
        seconds=options.seconds,
    )
    yield rated.figure("record set creates on one zone, 8 connections")
    askers = where.askers()
    probe(where, zone, askers, "warm", 3)
    used, rounds = [], []
    for number in range(ROUNDS):
        with where.meter() as meter:
            rounds.append(probe(where, zone, askers, f"p{number}n", 10 if options.small else 30))
        used.append(meter.used)
    for what, each in (
        ("all of them serve a change", [one.served for one in rounds]),
        ("a change is ACTIVE", [one.active for one in rounds]),
    ):
        for title, share in (("median", 0.5), ("95 %", 0.95)):
            runs = [percentile(times, share) for times in each]
            yield of_runs(f"{what}, {title}", runs, "ms", least=False, used=used)
    for asker in askers:
        asker.close()
    yield from _zones(where, options)


def _zones(where: Running, options: Options) -> Iterator[Figure]:
    created, settled, *_ = work.zones(where, seconds=options.seconds)
    yield created
    yield replace(settled, what="zones, until all are ACTIVE", goal=100.0)
