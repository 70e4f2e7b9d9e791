# SPDX-License-Identifier: Apache-2.0
"""Zone files in and out: how long an import takes until it is COMPLETE and until a nameserver serves the zone, the
memory that it needs, what others' writes wait for meanwhile; and how fast a zone is downloaded.

The files have records of several types, each at a name of its own, without an order.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench import running
from bench.beside import beside
from bench.client import until
from bench.dns import wait_served
from bench.figures import Figure, at_most, of_runs, say
from bench.meter import memory
from bench.options import Options
from bench.requests import Creates, address
from bench.running import Running

SIZE, SMALL = 100_000, 20_000
COMPLETE_S = {100_000: 6.0, 1_000_000: 70.0}
SERVED_S, MORE_MB = 2.0, 150.0
WRITES = 50
"""Changes that others send a second, evenly."""
IDLE_S = 6.0
RUNS = 3
LONGEST_S = 280.0
_TYPES = (
    "h{n} A {address}\n",
    "h{n} A {address}\n",
    "h{n} A {address}\n",
    "h{n} AAAA 2001:db8:1{high:x}::{low:x}\n",
    "c{n} CNAME h{n}\n",
    "m{n} MX 10 h{n}\n",
    't{n} TXT "v={n}"\n',
)


@dataclass(frozen=True, slots=True)
class Imported:
    """One import. `complete served`: seconds from its first octet, and from when it was COMPLETE; `memory`: at its
    highest, MB."""

    zone_id: str
    complete: float
    served: float
    memory: float


def figures(folder: Path, options: Options) -> Iterator[Figure]:
    """What `python -m bench imports` prints."""
    sizes = options.sizes or ((SMALL,) if options.small else (SIZE,))
    for database in options.databases:
        started = (
            running.split(folder / database)
            if options.split
            else running.embedded(folder / database, database=database)
        )
        with started as (where, _):
            time.sleep(2)
            words = "" if options.databases == ("sqlite",) or options.split else f", {database}"
            yield from _measured(where, sizes, words)


def _measured(where: Running, sizes: tuple[int, ...], words: str) -> Iterator[Figure]:
    pids = [pid for name, some in where.roots().items() if name in where.services for pid in some]
    others = where.zone("others")
    say(f"others' writes, {WRITES} a second")
    with beside(where.address, Creates([others], "idle"), connections=1, rate=WRITES) as idle:
        time.sleep(IDLE_S)
    assert idle.load is not None
    before = memory(pids)
    for size in sizes:
        name = f"i{size}-{where.label}.example."
        say(f"an import of {size:,} records")
        with where.meter() as meter:
            done = _imported(where, name, zone_file(name, size), pids)
        per = meter.used.per(size)
        what = f"import of {size:,} records{words}"
        goal = COMPLETE_S.get(size, 6.0 * size / 100_000)
        yield at_most(f"{what}, COMPLETE", done.complete, "s", goal, others=meter.used.others, cpu=per)
        yield at_most("… served after that", done.served, "s", SERVED_S)
        yield at_most("… memory at its highest, more than before (PSS)", done.memory - before, "MB", MORE_MB)
        yield from _exported(where, done.zone_id, size, words)
    name = f"o{sizes[0]}-{where.label}.example."
    say(f"an import of {sizes[0]:,} records beside others")
    text = zone_file(name, sizes[0])
    with beside(where.address, Creates([others], "busy"), connections=1, rate=WRITES) as busy:
        done = _imported(where, name, text, pids)
    assert busy.load is not None
    what = f"import of {sizes[0]:,} records{words} beside {WRITES} writes/s"
    yield at_most(f"{what}, COMPLETE", done.complete, "s")
    quiet, slow = idle.load.percentile(0.5), busy.load.percentile(0.5)
    yield at_most("… others' writes, median", slow, "ms")
    yield at_most("… times their idle median", slow / quiet, "", 2.0)
    yield at_most("… others' writes, 95 %", busy.load.percentile(0.95), "ms")


def zone_file(name: str, records: int) -> bytes:
    """A zone of so many records beside its SOA and its NS record, as a file."""
    lines = [
        _TYPES[n % len(_TYPES)].format(n=n, address=address(n), high=n >> 16, low=n & 65535) for n in range(records)
    ]
    random.Random(1).shuffle(lines)
    head = (
        f"$ORIGIN {name}\n$TTL 900\n@ IN SOA ns.example. admin.example. 2026010100 7200 900 86400 60\nlast A 10.1.2.3\n"
    )
    return (head + "".join(lines[1:])).encode()


def _imported(where: Running, name: str, text: bytes, pids: list[int]) -> Imported:
    """Send a file and wait until its zone is COMPLETE, and served by every nameserver. Raises RuntimeError."""
    with _highest(pids) as highest:
        began = time.perf_counter()
        path = f"{where.address.prefix}/v2/zones/tasks/imports"
        connection = http.client.HTTPConnection(where.address.host, where.address.port, timeout=60)
        connection.request("POST", path, text, {"Content-Type": "text/dns"})
        answer = connection.getresponse()
        made = json.loads(answer.read())
        connection.close()
        if answer.status != 202:
            raise RuntimeError(f"an import was answered with {answer.status}: {made}")
        ended = partial(_ended, where, made["id"])
        until(lambda: ended() is not None, timeout=LONGEST_S, pause=0.05)
        complete = time.perf_counter() - began
        zone_id = ended()
        assert zone_id is not None
        served = wait_served(where.askers(), f"last.{name}")
    return Imported(zone_id, complete, served, highest[0])


def _ended(where: Running, import_id: str) -> str | None:
    """The id of the zone, once it is there. Raises RuntimeError."""
    found = where.api.get(f"/v2/zones/tasks/imports/{import_id}")
    if found["status"] == "ERROR":
        raise RuntimeError(f"the import failed: {found['message']}")
    return str(found["zone_id"]) if found["status"] == "COMPLETE" else None


@contextmanager
def _highest(pids: list[int]) -> Iterator[list[float]]:
    """The most memory, in MB, that these processes and what is below them have in this block."""
    found, over = [memory(pids)], threading.Event()

    def look() -> None:
        while not over.wait(0.3):
            found[0] = max(found[0], memory(pids))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def _exported(where: Running, zone_id: str, records: int, words: str) -> Iterator[Figure]:
    say("its export")
    runs = [_downloaded(where, zone_id, records) for _ in range(RUNS)]
    rates = [records / seconds for seconds, _ in runs]
    yield of_runs(f"export of {records:,} records{words}", rates, "records/s", least=True, goal=150_000.0)
    yield at_most("… its first octet", 1000 * median(first for _, first in runs), "ms", 50.0)


def _downloaded(where: Running, zone_id: str, records: int) -> tuple[float, float]:
    """Seconds until the last octet of a zone's file, and until the first. Raises RuntimeError where it is not whole."""
    head = f"GET {where.address.prefix}/v2/zones/{zone_id} HTTP/1.0\r\nHost: {where.address.host}\r\n"
    began, first, lines, start = time.perf_counter(), 0.0, 0, b""
    with socket.create_connection((where.address.host, where.address.port)) as connection:
        connection.sendall("\r\n".join((head.rstrip(), "Accept: text/dns", *where.address.headers, "", "")).encode())
        while data := connection.recv(1 << 18):
            first = first or time.perf_counter() - began
            start = start or data[:200]
            lines += data.count(b"\n")
    seconds = time.perf_counter() - began
    if lines < records:
        raise RuntimeError(f"an export ended after {lines} lines: {start!r}")
    return seconds, first
