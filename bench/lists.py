# SPDX-License-Identifier: Apache-2.0
"""Pages of lists with any one filter, in a zone of 100,000 record sets beside thousands of zones; one asker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from bench import running
from bench.client import percentile, run
from bench.figures import Figure, of_runs, say
from bench.fill import fill_rrsets, fill_zones, opened
from bench.options import Options
from bench.requests import Gets, Zone, address
from bench.running import Running

ROUNDS, EACH = 3, 30
LARGE, ZONES = 100_000, 10_000
SMALL_LARGE, SMALL_ZONES = 10_000, 1_000
LIMIT = "limit=100"
ONE, WITHIN_SPLIT, SUBSTRING = 15.0, 30.0, 60.0
"""Goals, ms at 95 %: any page embedded, any page split, a page with `*x*`."""


def figures(folder: Path, options: Options) -> Iterator[Figure]:
    """What `python -m bench lists` prints."""
    size = (options.sizes or (SMALL_LARGE if options.small else LARGE,))[0]
    for database in options.databases:
        place = folder / database
        if options.split:
            with running.split(place, database=database) as (where, _):
                yield from _of(where, size, f"split, {database}", WITHIN_SPLIT, options)
        else:
            with running.embedded(place, database=database, binds=0) as (where, _):
                yield from _of(where, size, database, ONE, options)


def _of(where: Running, size: int, words: str, goal: float, options: Options) -> Iterator[Figure]:
    zone, model = where.zone("listed"), where.zone("model.beside")
    zones = SMALL_ZONES if options.small else ZONES
    say(f"{words}: {size:,} record sets and {zones:,} zones")
    with opened(where.database) as store:
        fill_rrsets(store, zone[0], size)
        fill_zones(store, model[0], zones)
    for what, paths in _pages(where, zone, size).items():
        yield replace(
            _page(where, paths, EACH // 3 if options.small else EACH),
            what=f"{what} ({words})",
            goal=SUBSTRING if "*x*" in what else goal,
        )


def _page(where: Running, paths: list[str], count: int) -> Figure:
    """The 95 % of each of three rounds, after one that warms up; their median."""
    rounds, used, cpu, client = [], [], {}, 0.0
    for number in range(ROUNDS + 1):
        with where.meter() as meter:
            load = run(where.address, [one for one, _ in zip(Gets(paths), range(count), strict=False)], connections=1)
        if number:
            rounds.append(percentile([1000 * one for one in load.each], 0.95))
            used.append(meter.used)
            cpu, client = meter.used.per(count), 1000 * load.cpu / count
    return of_runs("", rounds, "ms", least=False, used=used, cpu=cpu, client=client)


def _pages(where: Running, zone: Zone, size: int) -> dict[str, list[str]]:
    """Names of pages, and the paths that are asked for in turn."""
    inside, everywhere = f"/v2/zones/{zone[0]}/recordsets", "/v2/recordsets"
    pages = {}
    for words, base in (("in a zone", inside), ("in all zones", everywhere)):
        last = {"last": [f"marker={_marker(where, inside)}"]}
        for what, each in (last | _of_rrsets(zone, size)).items():
            pages[f"record sets {words}, {what}"] = [f"{base}?{LIMIT}&{quote(one, safe='=&*.')}" for one in each]
    for what, each in _of_zones(f"beside-{where.label}.example.").items():
        pages[f"zones, {what}"] = [f"/v2/zones?{LIMIT}&{quote(one, safe='=&*.@')}" for one in each]
    return pages


def _of_rrsets(zone: Zone, size: int) -> dict[str, list[str]]:
    some = [size * part // 11 for part in range(1, 10)]
    return {
        "first": [""],
        "sorted by name": ["sort_key=name"],
        "sorted by ttl": ["sort_key=ttl&sort_dir=desc"],
        "sorted by created_at": ["sort_key=created_at&sort_dir=desc"],
        "sorted by updated_at": ["sort_key=updated_at&sort_dir=desc"],
        "name exact": [f"name=h{n}.{zone[1]}" for n in some],
        "name x*": ["name=h1*", "name=h77*"],
        "name *x*": ["name=*777*", "name=*19*"],
        "name *x*, no match": ["name=*nothing*"],
        "status ACTIVE": ["status=ACTIVE"],
        "status PENDING": ["status=PENDING"],
        "type A": ["type=A"],
        "type NS": ["type=NS"],
        "ttl": ["ttl=301", "ttl=333"],
        "ttl range": ["ttl=>390", "ttl=<305"],
        "data exact": [f"data={address(n)}" for n in some],
        "data x*": ["data=10.0.1*"],
        "data *x*": ["data=*.77.*", "data=*text 77*"],
        "description exact": ["description=host 15"],
        "description x*": ["description=host 1*"],
        "description *x*": ["description=*77*"],
    }


def _of_zones(parent: str) -> dict[str, list[str]]:
    """`parent`: below which the zones beside are."""
    return {
        "first": [""],
        "name exact": [f"name=z{n}.{parent}" for n in (1, 77, 777)],
        "name x*": ["name=z1*"],
        "name *x*": ["name=*777*"],
        "status PENDING": ["status=PENDING"],
        "status ACTIVE": ["status=ACTIVE"],
        "type PRIMARY": ["type=PRIMARY"],
        "email exact": ["email=hostmaster7@example.org"],
        "ttl": ["ttl=3600"],
        "description x*": ["description=zone 1*"],
        "sorted by serial": ["sort_key=serial"],
    }


def _marker(where: Running, path: str) -> str:
    """The id after which the last page begins, found from the other end."""
    tail = where.api.get(f"{path}?limit=101&sort_dir=desc")["recordsets"]
    return str(tail[100]["id"])
