# SPDX-License-Identifier: Apache-2.0
"""How many questions mdns answers by UDP with a second of one core, and what a flood of them does to publication.

    python -m bench.questions [--names 100000] [--database URL] [--seconds 3]

The zone is written straight into the database, an SQLite file without a URL. The nameserver runs in this process, so
that its processor time is known, and dnsperf asks it over loopback. Prints one line a figure.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.beside import apart
from bench.figures import Figure, at_least, at_most, say
from bench.options import Options
from bench.transfer import NAME, fill
from redesignate.config.settings import MdnsSettings
from redesignate.mdns.service import DNSService
from redesignate.model import names
from redesignate.store.serving import Serving
from redesignate.store.unit import Store
from redesignate.wire import message
from redesignate.wire.message import SOA

FEW = 1000
"""Of how many names the questions are that come again and again."""
MOST = 200_000
"""Of how many the others are: more than are answered while it is measured."""
POLLS = 300
_RATE = re.compile(r"Queries completed:\s+(\d+) ")


@dataclass(frozen=True, slots=True)
class Rate:
    """Answers in a second, and in a second of the nameserver's processor time."""

    wall: float
    core: float


def questions(folder: Path, count: int) -> dict[str, Path]:
    """Files of dnsperf's, one a kind of question."""
    rng = random.Random(1)
    some = rng.sample(range(count), min(FEW, count))
    every = rng.sample(range(count), count)
    kinds = {
        "SOA": [f"{NAME} SOA"],
        "a name that exists": [f"host-{at:06d}.{NAME} A" for at in some],
        "NXDOMAIN": [f"no-{at}.{NAME} A" for at in some],
        "no data": [f"host-{at:06d}.{NAME} AAAA" for at in some],
        "NXDOMAIN, each name once": [f"no-{at}-{rng.randrange(10**9)}.{NAME} A" for at in range(MOST)],
        "a name that exists, each once": [f"host-{at:06d}.{NAME} A" for at in every],
        "no data, each name once": [f"host-{at:06d}.{NAME} AAAA" for at in every],
    }
    if count <= FEW:
        kinds = {kind: lines for kind, lines in kinds.items() if "once" not in kind}
    files = {}
    for at, (kind, lines) in enumerate(kinds.items()):
        files[kind] = folder / f"questions-{at}"
        files[kind].write_text("\n".join(lines) + "\n")
    return files


def dnsperf(port: int, file: Path, seconds: float, *, once: bool = False) -> subprocess.Popen[str]:
    """dnsperf, begun, for so long or, `once`, to the end of the file. Raises FileNotFoundError where it is missing."""
    limits = ["-l", f"{seconds:.0f}", *(["-n", "1"] if once else [])]
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(file), "-c", "4", "-q", "100", *limits]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def measured(port: int, file: Path, seconds: float, *, once: bool) -> Rate:
    """Ask, and count what is answered and what that costs this process."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    said, _ = dnsperf(port, file, seconds, once=once).communicate()
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    found = _RATE.search(said)
    assert found is not None, said
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Rate(int(found[1]) / took, int(found[1]) / used)


def poll(address: tuple[str, int], count: int) -> list[float]:
    """Ask for the SOA now and then, as secondaries do; milliseconds of each answer, 1000 for a lost one."""
    query, took = message.build(7, 0, message.question(names.to_wire(NAME), SOA)), []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(address)
        client.settimeout(1)
        for at in range(count):
            time.sleep(0.003 + 0.001 * (at % 5))
            began = time.perf_counter()
            client.send(at.to_bytes(2, "big") + query[2:])
            try:
                while client.recv(4096)[:2] != at.to_bytes(2, "big"):
                    pass
            except TimeoutError:
                pass
            took.append(1000 * (time.perf_counter() - began))
    return took


@contextmanager
def serving(store: Store) -> Iterator[tuple[str, int]]:
    """A nameserver over the store, in this process; its address."""
    service = DNSService(Serving(store), MdnsSettings())
    service.run_in_thread([("127.0.0.1", 0)])
    yield service.addresses[0]
    service.stop_thread()


def rates(store: Store, files: dict[str, Path], seconds: float) -> Iterator[tuple[str, Rate]]:
    """Each kind of question, with a nameserver of its own that was asked a moment before."""
    for kind, file in files.items():
        with serving(store) as (_, port):
            once = "once" in kind
            measured(port, files["SOA"] if once else file, 1, once=False)
            yield kind, measured(port, file, seconds, once=once)


def beside(store: Store, files: dict[str, Path]) -> tuple[float, float]:
    """The median of SOA polls, in ms, alone and while names that do not exist are asked for without end."""
    with serving(store) as address:
        apart(poll, address, 50)
        alone = apart(poll, address, POLLS)
        flood = dnsperf(address[1], files["NXDOMAIN, each name once"], 60)
        flooded = apart(poll, address, POLLS)
        flood.kill()
        flood.wait()
    assert isinstance(alone, list)
    assert isinstance(flooded, list)
    for words, took in (("alone", alone), ("in the flood", flooded)):
        ordered = sorted(took)
        say(f"SOA polls {words}: {median(took):.2f} ms, 95 % {ordered[int(0.95 * len(took))]:.2f}, {ordered[-1]:.1f}")
    return median(alone), median(flooded)


def figures(folder: Path, options: Options) -> Iterator[Figure]:
    """What `make bench` prints of questions."""
    count = (options.sizes or (100_000,))[0]
    store = Store(f"sqlite:///{folder / 'questions.db'}")
    fill(store, count)
    files = questions(folder, count)
    for kind, rate in rates(store, files, 2 if options.small else 3):
        goal = 5_000 if "once" in kind else 20_000
        yield at_least(f"answers a second and core: {kind}, zone of {count:,}", rate.core, "/s", goal)
    alone, flooded = beside(store, files)
    yield at_most("an SOA poll in a flood of NXDOMAIN, its time alone = 1, median", flooded / alone, "", 1.5)
    store.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--database", help="the URL of an empty database")
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(options.database or f"sqlite:///{folder}/questions.db")
        fill(store, options.names)
        files = questions(Path(folder), options.names)
        for kind, rate in rates(store, files, options.seconds):
            print(f"{kind:32}{rate.wall:10,.0f} /s {rate.core:10,.0f} /s and core", flush=True)
        if options.names > FEW:
            beside(store, files)
        store.close()


if __name__ == "__main__":
    main()
