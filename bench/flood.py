# SPDX-License-Identifier: Apache-2.0
"""What a flood of questions does to publication: SOA polls, IXFR and AXFR of the pool's server, alone and beside it.

The flood is dnsperf without a limit, once from a stranger's address and once from that of the pool's server. A poll
that wakes a machine takes longer than one that finds it awake, so a ratio may be below 1; `floor` says what the machine
itself adds: the same polls of a BIND at rest while another is flooded.
"""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench.beside import apart
from bench.figures import Figure, at_most, say
from bench.nameserver import SERVER, STRANGER, add_pool, serving
from bench.options import Options
from bench.transfer import NAME, change_zone, ixfr_query, transfer
from redesignate.model import names
from redesignate.store.unit import Store
from redesignate.wire import message
from redesignate.wire.message import AXFR, SOA
from tests.support.bind import RealBind

Address = tuple[str, int]
MOST = 200_000
POLLS = {"an SOA poll": 200, "an IXFR": 60, "an AXFR": 8}
"""How many of each are made."""
TYPES = ("A", "AAAA", "MX", "TXT", "SRV", "CAA", "NS", "PTR")


def dnsperf(address: Address, file: Path, *more: str) -> list[str]:
    """The command that asks the questions of a file, 100 under way at a time."""
    host, port = address
    return ["dnsperf", "-s", host, "-p", str(port), "-d", str(file), "-c", "4", "-q", "100", *more]


@contextmanager
def flooded(address: Address, file: Path, source: str) -> Iterator[None]:
    """A flood of these questions from an address, for as long as the block takes."""
    command = dnsperf(address, file, "-a", source, "-l", "100")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(0.3)
            yield
        finally:
            process.kill()


def soa_polls(address: Address, count: int) -> list[float]:
    """Ask for the SOA now and then, as secondaries do; milliseconds of each answer, 1000 for a lost one."""
    query, took = message.build(7, 0, message.question(names.to_wire(NAME), SOA)), []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((SERVER, 0))
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


def transfers(address: Address, query: bytes, count: int) -> list[float]:
    """Milliseconds of each of some transfers, with a pause before each."""
    took = []
    for _ in range(count):
        time.sleep(0.01)
        took.append(1000 * transfer(address, query, SERVER)[2])
    return took


def polled(address: Address, what: str, since: int) -> list[float]:
    """The polls of one kind, from another process."""
    count = POLLS[what]
    if what == "an SOA poll":
        found = apart(soa_polls, address, count)
    else:
        axfr = message.build(7, 0, message.question(names.to_wire(NAME), AXFR))
        found = apart(transfers, address, axfr if what == "an AXFR" else ixfr_query(since), count)
    assert isinstance(found, list)
    return found


def _floods(folder: Path, small: bool) -> dict[str, Path]:
    rng = random.Random(2)
    kinds = {"NXDOMAIN": [f"no-{at}-{rng.randrange(10**9)}.{NAME} A" for at in range(MOST)]}
    if not small:
        hosts = [f"host-{rng.randrange(MOST // 2):06d}.{NAME}" for _ in range(MOST)]
        kinds |= {
            "names that exist": [f"{host} A" for host in hosts],
            "types at random": [f"{host} {rng.choice(TYPES)}" for host in hosts],
            "SOA": [f"{NAME} SOA"],
        }
    files = {}
    for at, (kind, lines) in enumerate(kinds.items()):
        files[kind] = folder / f"flood-{at}"
        files[kind].write_text("\n".join(lines) + "\n")
    return files


def _said(took: Sequence[float]) -> str:
    ordered = sorted(took)
    return f"{median(took):.2f} ms (95 % {ordered[int(0.95 * len(took))]:.2f}, most {ordered[-1]:.1f})"


def figures(url: str, folder: Path, options: Options) -> Iterator[Figure]:
    """Each kind of poll in each flood; its time alone is 1. The zone of the database gets one revision more."""
    store = Store(url)
    since = change_zone(store)
    add_pool(store)
    store.close()
    files = _floods(folder, options.small)
    yield floor(folder, files["NXDOMAIN"])
    with serving(url) as primary:
        time.sleep(0.5)  # until the pool is known
        for what in POLLS:
            polled(primary.address, what, since)
            alone = polled(primary.address, what, since)
            say(f"{what} alone: {_said(alone)}")
            for kind, file in files.items():
                for source, who in ((STRANGER, "a stranger"), (SERVER, "the pool's server")):
                    with flooded(primary.address, file, source):
                        took = polled(primary.address, what, since)
                    say(f"{what} in a flood of {kind} from {who}: {_said(took)}")
                    words = f"{what} in a flood of {kind} from {who}, its time alone = 1, median"
                    yield at_most(words, median(took) / median(alone), "", 1.5)


def floor(folder: Path, file: Path) -> Figure:
    """SOA polls of a BIND at rest while another is flooded; their time while none is = 1."""
    with ExitStack() as end:
        at_rest, other = (end.enter_context(RealBind(folder / name)) for name in ("at-rest", "flooded"))
        here, there = ((("127.0.0.1", server.port)) for server in (at_rest, other))
        polled(here, "an SOA poll", 0)
        alone = polled(here, "an SOA poll", 0)
        with flooded(there, file, STRANGER):
            took = polled(here, "an SOA poll", 0)
    say(f"an SOA poll of BIND alone: {_said(alone)}; while another BIND is flooded: {_said(took)}")
    return at_most("floor: an SOA poll of a BIND while another is flooded, median", median(took) / median(alone), "")
