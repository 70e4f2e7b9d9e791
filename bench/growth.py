# SPDX-License-Identifier: Apache-2.0
"""Whether anything grows: every operation beside few and many zones, and in small and large zones, one at a time.

The databases are filled directly (`fill.py`), so the pool is the built-in nameserver, which serves what is stored. In
pieces of less than two minutes each, over one database, of one kind and size:

    python -m bench growth --databases mariadb --of zones --sizes 100000 --keep /tmp/grown --fill-only
    python -m bench growth --databases mariadb --of zones --sizes 100000 --keep /tmp/grown --json figures.json
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench import inner, running
from bench.dns import Asker, wait_served
from bench.figures import Figure, at_most, of_runs, say
from bench.fill import fill_rrsets, fill_zones, opened
from bench.meter import Used, memory
from bench.options import Options
from bench.requests import Zone
from bench.running import Running

ROUNDS, EACH = 3, 20
WITHIN = 1.3
ZONES = (1_000, 10_000, 100_000)
RRSETS = (1_000, 100_000, 500_000)
SMALL_ZONES, SMALL_RRSETS = (1_000, 10_000), (1_000, 50_000)
Operation = Callable[[], object]


def figures(folder: Path, options: Options) -> Iterator[Figure]:
    """What `python -m bench growth` prints."""
    few = (SMALL_ZONES, SMALL_RRSETS) if options.small else (ZONES, RRSETS)
    zones, rrsets = (options.sizes, options.sizes) if options.sizes else few
    for database in options.databases:
        for short, kind, sizes in (("zones", "zones", zones), ("rrsets", "record sets in the zone", rrsets)):
            smallest: dict[str, Figure] = {}
            for size in sizes if short in options.kinds else ():
                words = f"{database}, {size:,} {kind}"
                place = (options.keep or folder).absolute() / f"{database}-{short}-{size}"
                for figure in _beside(place, database, kind, size, options):
                    curve = f"{database}: {figure.what} by {kind}"
                    first = smallest.setdefault(figure.what, figure)
                    yield replace(figure, what=f"{figure.what}, {words}", curve=curve, at=size)
                    if size == max(sizes) and figure.unit == "ms":
                        yield from _grown(figure, first, f"{words}: times {min(sizes):,}")


def _grown(figure: Figure, first: Figure, words: str) -> Iterator[Figure]:
    """How many times the smallest size's time it is. Its processor time says so also on a busy machine."""
    yield at_most(f"{figure.what}, {words}", figure.value / first.value, "", WITHIN)
    yield at_most(f"CPU of {figure.what}, {words}", sum(figure.cpu.values()) / sum(first.cpu.values()), "")


def _beside(folder: Path, database: str, kind: str, size: int, options: Options) -> Iterator[Figure]:
    """Fill, unless that is done; start, measure."""
    note = folder / "filled.json"
    words = f"{database}, {size:,} {kind}"
    if not note.exists():
        shutil.rmtree(folder, ignore_errors=True)  # what was broken off
    with running.embedded(folder, database=database, binds=0, kept=options.keep is not None) as (where, system):
        filled = note.exists()
        zone = tuple(json.loads(note.read_text())) if filled else where.zone("grown")
        system.api.close()
        system.process.stop()
        if not filled:
            _fill(where.database, kind, zone, size, words)
            note.write_text(json.dumps(zone))
            if database != "sqlite":
                time.sleep(5)  # until its own writing is done
        if options.fill_only:
            return
        began = time.perf_counter()
        system.start()
        yield at_most("start", time.perf_counter() - began, "s")
        with where.meter() as idle:
            time.sleep(2)
        yield from _operations(where, zone)
        roots = where.roots()
        pids = [pid for name, some in roots.items() if name in where.services for pid in some]
        yield at_most("memory (PSS)", memory(pids), "MB", others=idle.used.others)
        system.api.close()
        system.process.stop()
        left = {name: some for name, some in roots.items() if name not in where.services}
        yield from inner.figures(where.database, left, zone)


def _fill(database: str, kind: str, zone: Zone, size: int, words: str) -> None:
    say(f"{words}: filling")
    began = time.perf_counter()
    with opened(database) as store:
        (fill_zones if kind == "zones" else fill_rrsets)(store, zone[0], size)
    say(f"{words}: filled in {time.perf_counter() - began:.0f} s")


def _operations(where: Running, zone: Zone) -> Iterator[Figure]:
    """Each operation, three rounds of some, one at a time; the median of the rounds' medians."""
    todo = _Todo(where, zone)
    where.active(zone)
    for what, prepare, operation in todo.table():
        rounds: list[float] = []
        spent: list[Used] = []
        for number in range(ROUNDS + 1):  # the first warms up
            times = []
            ready = [prepare() for _ in range(EACH)]
            where.all_active()
            with where.meter() as meter:
                for one in ready:
                    began = time.perf_counter()
                    operation(one)
                    times.append(1000 * (time.perf_counter() - began))
                where.all_active()
            if number:
                rounds.append(median(times))
                spent.append(meter.used)
        cpu = {name: median(one.per(EACH)[name] for one in spent) for name in spent[0].cpu}
        yield of_runs(what, rounds, "ms", least=False, used=spent, cpu=cpu)
    todo.asker.close()


class _Todo:
    """What is done of each operation, and what must be there before it."""

    def __init__(self, where: Running, zone: Zone) -> None:
        self._where, self._zone, self._number = where, zone, 0
        self._path = f"/v2/zones/{zone[0]}/recordsets"
        assert where.mdns is not None
        self.asker = Asker(*where.mdns)

    def table(self) -> list[tuple[str, Callable[[], str], Callable[[str], object]]]:
        """Name, preparation, operation on what was prepared."""
        api, path = self._where.api, self._path
        return [
            ("zone create", self._name, lambda name: api.zone(f"{name}.new.example.")),
            ("record set create", self._name, self._made),
            ("record set update", self._stored, lambda one: self._changed("PUT", one, {"ttl": 60})),
            ("record set delete", self._stored, lambda one: self._changed("DELETE", one, None)),
            ("GET of a zone", self._name, lambda _: api.get(f"/v2/zones/{self._zone[0]}")),
            ("first page of zones", self._name, lambda _: api.get("/v2/zones?limit=100")),
            ("first page in the zone", self._name, lambda _: api.get(f"{path}?limit=100")),
            ("first page of record sets", self._name, lambda _: api.get("/v2/recordsets?limit=100")),
            ("NXDOMAIN", self._name, lambda name: self.asker.counts(f"{name}.{self._zone[1]}")),
            ("a name that exists", self._name, lambda _: self.asker.counts(self._zone[1], 2)),
            ("created, served and ACTIVE", self._name, self._followed),
        ]

    def _name(self) -> str:
        self._number += 1
        return f"n{self._number}-{self._where.label}"  # new, too, in a database that was measured before

    def _made(self, name: str) -> str:
        return str(self._where.api.rrset(self._zone[0], f"{name}.{self._zone[1]}", "A", ["192.0.2.1"])["id"])

    def _stored(self) -> str:
        return self._made(self._name())

    def _changed(self, method: str, ident: str, body: object) -> None:
        status, answer = self._where.api.ask(method, f"{self._path}/{ident}", body)
        assert status in (200, 202), (method, status, answer)

    def _followed(self, name: str) -> None:
        self._made(name)
        wait_served([self.asker], f"{name}.{self._zone[1]}")
        self._where.active(self._zone, pause=0.002)
