# SPDX-License-Identifier: Apache-2.0
"""Work in another process: requests that run beside what is measured, and functions that must not share our Python."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bench.client import Address, Load, Request, run

PR_SET_PDEATHSIG = 1
SPAWN = multiprocessing.get_context("spawn")


@dataclass(slots=True)
class Beside:
    """Requests under way in another process; `load` is their result once they are over."""

    load: Load | None = None


@contextmanager
def beside(
    address: Address, requests: Iterable[Request], *, connections: int, rate: float | None = None
) -> Iterator[Beside]:
    """Send requests from another process until the block ends. Raises RuntimeError where they failed."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_send, args=(theirs, address, requests, connections, rate), daemon=True)
    process.start()
    theirs.close()
    result = Beside()
    try:
        ours.recv()
        yield result
        ours.send("stop")
        found = ours.recv()
        if not isinstance(found, Load):
            raise RuntimeError(f"the requests beside it failed: {found}")
        result.load = found
        process.join(10)
    except EOFError:
        raise RuntimeError("the process of the requests beside it ended") from None
    finally:
        process.kill()
        process.join()


def _send(
    pipe: Connection, address: Address, requests: Iterable[Request], connections: int, rate: float | None
) -> None:
    leash()
    pipe.send("begun")
    try:
        pipe.send(run(address, requests, connections=connections, rate=rate, stop=pipe))
    except (RuntimeError, TimeoutError, OSError) as error:
        pipe.send(str(error))


def leash() -> None:
    """Let this process end with the one that started it, which alone hears Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def apart(do: Callable[..., object], *arguments: object) -> object:
    """The result of `do` in another process, so that client and server do not share one interpreter."""
    with SPAWN.Pool(1, initializer=leash) as pool:
        pool.apply(os.getpid)
        return pool.apply(do, arguments)
