# SPDX-License-Identifier: Apache-2.0
"""No server outlives the bench: not after Ctrl-C, not after `kill` or `kill -9`, not after a fault in the bench itself.

The bench runs in a child. This process waits for it and ends whatever the child leaves; where this process ends first,
the kernel tells the child to stop.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from bench.meter import family

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LAST_S = 5.0


class Interrupted(BaseException):
    """A signal asked for the end; every `with` block on the way out stops what it started."""


def guarded(do: Callable[[], int]) -> int:
    """Run `do` in a child, and return its exit code, here once nothing that it started is left. Returns in both."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans of what the child starts stay below us
    child = os.fork()
    if child == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        return _code(do)
    for number in SIGNALS:
        signal.signal(number, lambda number, _: os.kill(child, number))
    _, status = os.waitpid(child, 0)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _end_all()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _code(do: Callable[[], int]) -> int:
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        return do()
    except Interrupted as end:
        return 128 + int(end.args[0])


def _interrupt(number: int, _: FrameType | None) -> None:
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)  # stopping the servers is not interrupted
    with contextlib.suppress(OSError):
        os.write(2, b"  stopping the servers ...\n")
    raise Interrupted(number)


def _end_all() -> None:
    """Kill what is left below this process, and wait for its end."""
    deadline = time.monotonic() + LAST_S
    while left := [pid for pid in family(os.getpid()) if pid != os.getpid() and not _is_zombie(pid)]:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True
