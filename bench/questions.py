# SPDX-License-Identifier: Apache-2.0
"""How many questions mdns answers by UDP with a second of one core; what a flood of them does is in `flood`.

    python -m bench questions --databases sqlite,mariadb,postgresql --sizes 10,500000

The zone is written straight into the database, and dnsperf asks over loopback.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import flood
from bench.figures import Figure, at_least
from bench.nameserver import Primary, serving
from bench.options import Options
from bench.running import database_server
from bench.transfer import NAME, fill
from redesignate.store.unit import Store

FEW = 1000
"""Of how many names the questions are that come again and again."""
MOST = 200_000
"""Of how many the others are: more than are answered while it is measured."""
SIZES = (100_000,)
_RATE = re.compile(r"Queries completed:\s+(\d+) ")


def questions(folder: Path, count: int) -> dict[str, Path]:
    """Files of dnsperf's, one a kind of question, for a zone of so many names."""
    rng = random.Random(1)
    some = rng.sample(range(count), min(FEW, count))
    every = rng.sample(range(count), min(MOST, count))
    kinds = {
        "SOA": [f"{NAME} SOA"],
        "a name that exists": [f"host-{at:06d}.{NAME} A" for at in some],
        "NXDOMAIN": [f"no-{at}.{NAME} A" for at in some],
        "no data": [f"host-{at:06d}.{NAME} AAAA" for at in some],
        "NXDOMAIN, each name once": [f"no-{at}-{rng.randrange(10**9)}.{NAME} A" for at in range(MOST)],
        "a name that exists, each once": [f"host-{at:06d}.{NAME} A" for at in every],
        "no data, each name once": [f"host-{at:06d}.{NAME} AAAA" for at in every],
    }
    if count <= FEW:  # all of its names would be remembered at once
        kinds = {kind: lines for kind, lines in kinds.items() if "once" not in kind or "NXDOMAIN" in kind}
    files = {}
    for at, (kind, lines) in enumerate(kinds.items()):
        files[kind] = folder / f"questions-{at}"
        files[kind].write_text("\n".join(lines) + "\n")
    return files


def answered(primary: Primary, file: Path, seconds: float, *, once: bool) -> float:
    """Ask; how many answers a second of the nameserver's processor time gives."""
    limits = ["-l", f"{seconds:.0f}", *(["-n", "1"] if once else [])]
    with primary.meter() as meter:
        command = flood.dnsperf(primary.address, file, *limits)
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = _RATE.search(said)
    assert found is not None, said
    return int(found[1]) / meter.used.cpu["mdns"]


def rates(url: str, files: dict[str, Path], seconds: float) -> Iterator[tuple[str, float]]:
    """Each kind of question, with a nameserver of its own that was asked a moment before."""
    for kind, file in files.items():
        with serving(url) as primary:
            once = "once" in kind
            answered(primary, files["SOA"] if once else file, 1, once=False)
            yield kind, answered(primary, file, seconds, once=once)


@contextmanager
def database(folder: Path, kind: str, count: int) -> Iterator[str]:
    """The URL of a database with a zone of so many names."""
    if kind != "sqlite":
        with database_server(kind) as server:
            url = server.database()
            _fill(url, count)
            yield url
    else:
        url = f"sqlite:///{folder / f'questions-{count}.db'}"
        _fill(url, count)
        yield url


def _fill(url: str, count: int) -> None:
    store = Store(url)
    fill(store, count)
    store.close()


def figures(folder: Path, options: Options) -> Iterator[Figure]:
    """What `make bench` prints of questions; a flood is measured over SQLite, in the first of the sizes."""
    sizes = options.sizes or SIZES
    for kind in options.databases:
        for count in sizes:
            files = questions(folder, count)
            with database(folder, kind, count) as url:
                where = f"zone of {count:,}" if kind == "sqlite" else f"zone of {count:,}, {kind}"
                for what, rate in rates(url, files, 2 if options.small else 3):
                    goal = 5_000 if "once" in what else 20_000
                    yield at_least(f"answers a second and core: {what}, {where}", rate, "/s", goal)
                if kind == "sqlite" and count == sizes[0]:
                    yield from flood.figures(url, folder, options)
