# SPDX-License-Identifier: Apache-2.0
"""The whole system under load: HTTP in, a real BIND out, everything on this machine."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.client import Load, run, until
from bench.figures import Figure, at_least, at_most, say
from tests.support.api import Api
from tests.support.bind import RealBind
from tests.support.system import Sandbox, Split

OPTIONS = "[DEFAULT]\nquota_zones = -1\nquota_zone_recordsets = -1\nquota_zone_records = -1\n"
CREATES = 1500
ZONES = 1000
CHANGES = 100
MANY_ZONES = 10_000


def embedded(folder: Path) -> list[Figure]:
    """`redesignate serve` on SQLite with one BIND."""
    figures: list[Figure] = []
    with Sandbox(folder / "system", options=OPTIONS) as system, RealBind(folder / "bind") as bind:
        figures.append(at_most("ready after start", _ready(system), "s", 3))
        time.sleep(3)  # idle is what is measured
        figures.append(at_most("idle memory of the whole (PSS)", _memory(system.process.pid), "MB", 150))
        system.use_binds(bind)
        say("changes, one at a time")
        figures += latency(system.api, bind)
        say("record sets")
        figures += creates(system.api, system.port, "SQLite", 300)
        say("zones")
        figures += zones(system.api, system.port)
        say("reads")
        figures += reads(system.api, system.port)
    return figures


def _ready(system: Sandbox) -> float:
    """Stop and start again: seconds to the ready line of a start that makes nothing new."""
    system.api.close()
    system.process.stop()
    began = time.perf_counter()
    system.start()
    return time.perf_counter() - began


def split(folder: Path, *, database: str, transport_url: str) -> list[Figure]:
    """Each service in a process of its own, over RabbitMQ and MariaDB."""
    counts = {"central": 1, "mdns": 1, "worker": 1, "producer": 1, "api": 1}
    with (
        Split(folder, database=database, transport_url=transport_url, counts=counts, options=OPTIONS) as system,
        RealBind(folder / "bind") as bind,
    ):
        system.use_binds(bind)
        found = creates(system.api, system.ports[0], "RabbitMQ and MariaDB", 150)
        say("changes, one at a time, split")
        return found + latency(system.api, bind, words=", split")


def latency(api: Api, bind: RealBind, *, words: str = "") -> list[Figure]:
    """One change at a time: 202 → BIND answers with it → ACTIVE."""
    name = "latency.example."
    zone = api.zone(name)
    api.active(zone["id"], timeout=60)
    served, active = [], []
    for n in range(CHANGES):
        time.sleep(0.02 + 0.007 * (n % 10))  # a change at any moment of whatever clock ticks
        api.rrset(zone["id"], f"w{n}.{name}", "A", ["192.0.2.1"])
        began = time.perf_counter()
        served.append(until(lambda n=n: bool(bind.rdata(f"w{n}.{name}", "A")), pause=0.001))  # type: ignore[misc]
        until(lambda: api.get(f"/v2/zones/{zone['id']}")["status"] == "ACTIVE", pause=0.002)
        active.append(time.perf_counter() - began - served[-1])
    return [
        at_most(f"a change served by BIND after its 202, median{words}", 1000 * statistics.median(served), "ms", 60),
        at_most(f"… 95 %{words}", 1000 * sorted(served)[int(0.95 * CHANGES)], "ms", 400),
        at_most(f"ACTIVE in the API after that, 95 %{words}", 1000 * sorted(active)[int(0.95 * CHANGES)], "ms", 100),
    ]


def creates(api: Api, port: int, words: str, goal: float) -> list[Figure]:
    """Record set creates on one zone, 8 connections."""
    name = "creates.example."
    zone = api.zone(name)
    path = f"/v2/zones/{zone['id']}/recordsets"

    def requests(label: str, count: int) -> list[tuple[str, str, object]]:
        return [
            ("POST", path, {"name": f"{label}{n}.{name}", "type": "A", "records": ["192.0.2.1"]}) for n in range(count)
        ]

    run(port, requests("warm", 100), connections=8)
    load = run(port, requests("w", CREATES), connections=8)
    until(lambda: api.get(f"/v2/zones/{zone['id']}")["status"] == "ACTIVE")
    return [at_least(f"record set creates on one zone, 8 connections ({words})", load.rate, "/s", goal)]


def zones(api: Api, port: int) -> list[Figure]:
    """Zone creates, 8 connections, and until BIND serves them all."""
    began = time.perf_counter()
    load = _create_zones(port, "z", ZONES)
    until(lambda: api.get("/v2/zones?status=PENDING&limit=1")["metadata"]["total_count"] == 0, timeout=300, pause=0.1)
    say(f"{ZONES} zones: last 202 after {load.seconds:.1f} s, all ACTIVE after {time.perf_counter() - began:.1f} s")
    return [at_least("zone creates, 8 connections (SQLite, one BIND)", load.rate, "/s", 200)]


def _create_zones(port: int, label: str, count: int) -> Load:
    email = "hostmaster@example.org"
    bodies = [{"name": f"{label}{n}.zones{n % 50}.example.", "email": email} for n in range(count)]
    return run(port, [("POST", "/v2/zones", body) for body in bodies], connections=8)


def reads(api: Api, port: int) -> list[Figure]:
    """GET of one zone, and pages out of 10,000 zones."""
    one = api.get("/v2/zones?limit=1")["zones"][0]["id"]
    gets = run(port, [("GET", f"/v2/zones/{one}", None)] * 5000, connections=8)
    say(f"{MANY_ZONES} zones for the pages")
    _create_zones(port, "many", MANY_ZONES - ZONES)
    until(lambda: api.get("/v2/zones?status=PENDING&limit=1")["metadata"]["total_count"] == 0, timeout=600, pause=0.5)
    first = "/v2/recordsets?limit=100"
    last = _last_page(api)
    figures = [at_least("GET of one zone", gets.rate, "/s", 1000)]
    for words, path in (("first", first), ("last", last)):
        load = run(port, [("GET", path, None)] * 200, connections=1)
        figures.append(
            at_most(
                f"a page of 100 record sets out of 10,000 zones, {words} page, 95 %", load.percentile(0.95), "ms", 15
            )
        )
    say("one change beside 10,000 zones")
    return figures + growth(api, port)


def _last_page(api: Api) -> str:
    """The path of the last full page, found from the other end."""
    tail = api.get("/v2/recordsets?limit=101&sort_dir=desc")["recordsets"]
    return f"/v2/recordsets?limit=100&marker={tail[100]['id']}"


def growth(api: Api, port: int) -> list[Figure]:
    """The rate of creates beside 10,000 zones, as a share of the rate beside 1,000: a cost that does not grow."""
    zone = api.zone("growth.example.")
    path = f"/v2/zones/{zone['id']}/recordsets"
    batches = []
    for batch in range(6):
        load = run(
            port,
            [
                ("POST", path, {"name": f"b{batch}w{n}.growth.example.", "type": "A", "records": ["192.0.2.1"]})
                for n in range(500)
            ],
            connections=8,
        )
        batches.append(load.rate)
    return [
        at_least("creates beside 10,000 zones (SQLite, 3,000 in one zone, the slowest 500)", min(batches), "/s", 300)
    ]


def _memory(pid: int) -> float:
    """Proportional set size of a process and its children, MB."""
    total = 0
    for one in (pid, *_children(pid)):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def as_json(figures: list[Figure]) -> str:
    """The figures for a machine to read."""
    return json.dumps(
        [{"what": f.what, "value": f.value, "unit": f.unit, "goal": f.goal, "met": f.met} for f in figures]
    )


Part = Callable[[Path], list[Figure]]
