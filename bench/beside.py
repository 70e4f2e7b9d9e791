# SPDX-License-Identifier: Apache-2.0
"""Work in another process: requests that run beside what is measured, and functions that must not share our Python."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from bench.client import Address, Load, Request, run

PR_SET_PDEATHSIG = 1
SPAWN = multiprocessing.get_context("spawn")
END_S = 5.0
"""The longest that the end of another process is waited for."""


class Ended(RuntimeError):
    """The other process failed; the text says why."""


class Companion:
    """Another process that runs a function. The two send each other values.

    pid  its process id
    """

    def __init__(self, do: Callable[..., None], arguments: tuple[object, ...]) -> None:
        self._ours, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=_run, args=(theirs, do, arguments))
        self._process.start()
        theirs.close()
        self.pid = self._process.pid or 0

    def hear(self) -> Any:
        """Wait for the next value that it sends. Raises Ended where it failed instead."""
        try:
            heard = self._ours.recv()
        except EOFError:
            raise Ended("the process beside it ended") from None
        if isinstance(heard, _Failed):
            raise Ended(f"the process beside it failed: {heard.why}")
        return heard

    def ask(self, value: object) -> Any:
        """Send a value, and wait for what it sends next. Raises Ended."""
        with suppress(BrokenPipeError):  # it has said why, or will be seen to have ended
            self._ours.send(value)
        return self.hear()

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join(END_S)
        self._process.kill()
        self._process.join()
        self._ours.close()


@contextmanager
def companion(do: Callable[..., None], *arguments: object) -> Iterator[Companion]:
    """Run `do(pipe, *arguments)` in another process until the block ends. What it raises, `hear` raises as Ended."""
    made = Companion(do, arguments)
    try:
        yield made
    finally:
        made.close()


@dataclass(frozen=True, slots=True)
class _Failed:
    why: str


def _run(pipe: Connection, do: Callable[..., None], arguments: tuple[object, ...]) -> None:
    leash()
    try:
        do(pipe, *arguments)
    except (AssertionError, EOFError, LookupError, OSError, RuntimeError, ValueError) as error:
        pipe.send(_Failed(f"{type(error).__name__}: {error}"))


def leash() -> None:
    """Let this process end with the one that started it, which alone hears Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(slots=True)
class Beside:
    """Requests under way in another process; `load` is their result once they are over."""

    load: Load | None = None


@contextmanager
def beside(
    address: Address, requests: Iterable[Request], *, connections: int, rate: float | None = None
) -> Iterator[Beside]:
    """Send requests from another process until the block ends. Raises Ended where they failed."""
    with companion(_send, address, requests, connections, rate) as other:
        other.hear()
        result = Beside()
        yield result
        result.load = other.ask("stop")


def _send(
    pipe: Connection, address: Address, requests: Iterable[Request], connections: int, rate: float | None
) -> None:
    pipe.send("begun")
    pipe.send(run(address, requests, connections=connections, rate=rate, stop=pipe))


def apart(do: Callable[..., object], *arguments: object) -> object:
    """The result of `do` in another process, so that client and server do not share one interpreter."""
    with SPAWN.Pool(1, initializer=leash) as pool:
        pool.apply(os.getpid)
        return pool.apply(do, arguments)
