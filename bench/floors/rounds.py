# SPDX-License-Identifier: Apache-2.0
"""Work in rounds: a process beside the bench does some of it each time it is asked, and says how much and how long."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from bench.beside import Companion
from bench.figures import Figure, of_runs, say
from bench.meter import Meter, Roots
from bench.work import RUNS

Round = Callable[[int], int]
"""Does the work of the round of this number, 0 for the one that warms up; returns how many operations that was."""


def serve_rounds(pipe: Connection, do: Round) -> None:
    """In the process beside: say that all is ready, then do a round for each number that is heard. Never returns."""
    pipe.send("ready")
    while True:
        number = pipe.recv()
        began = time.perf_counter()
        count = do(number)
        pipe.send((count, time.perf_counter() - began))


def rated(what: str, doer: Companion, roots: Roots) -> Figure:
    """The median rate of three rounds after one, and the processor time of an operation by kind of process.

    `roots`: whose time is measured; `doer` need not be one of them. Raises Ended.
    """
    say(what)
    doer.hear()
    rates, every, spent, total = [], [], dict.fromkeys(roots, 0.0), 0
    for number in range(RUNS + 1):
        with Meter(lambda: roots) as meter:
            count, seconds = doer.ask(number)
        if number:
            rates.append(count / seconds)
            every.append(meter.used)
            total += count
            for kind in spent:
                spent[kind] += meter.used.cpu[kind]
    cpu = {kind: 1000 * used / max(1, total) for kind, used in spent.items()}
    return of_runs(what, rates, "/s", least=True, used=every, cpu=cpu)
