# SPDX-License-Identifier: Apache-2.0
"""Keeps a server alive for as long as somebody holds its lifeline, and not a moment longer.

Run as a script by `servers.py`: `python lifeline.py FOLDER SIGNAL COMMAND…`. The command runs in a session of its own.
Whoever uses the server holds FOLDER/lifeline open for writing; the kernel closes it however the holder ends, `kill -9`
included. When the last holder is gone the server is ended, so no test run can leave one behind: by SIGNAL where there
is a FOLDER/keep (it is to be started again), else at once and with its folder.
FOLDER/lock is held while joining and while leaving, so that nobody joins a server that is about to end.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

GRACE_S = 20.0
PR_SET_CHILD_SUBREAPER = 36


def main(argv: list[str]) -> int:
    """Run the command until it ends by itself or the last holder lets go."""
    folder, gently, command = Path(argv[1]), int(argv[2]), argv[3:]
    fifo, lock = folder / "lifeline", folder / "lock"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # only the holders decide; a handler, for the command inherits "ignore"
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans of the server become our children
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)
    sys.stdout.write(f"{child.pid}\n")
    sys.stdout.flush()
    ended = os.pidfd_open(child.pid)
    poll = select.poll()
    poll.register(reader, 0)  # only the hang-up, which is always reported
    poll.register(ended, select.POLLIN)
    while ended not in {fd for fd, _ in poll.poll()}:
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if reader not in {fd for fd, _ in poll.poll(0)}:
                continue  # somebody joined while we waited for the lock
            fifo.unlink(missing_ok=True)
        if (folder / "keep").exists():
            child.send_signal(gently)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_S)
            kill_family()
        else:
            kill_family()
            shutil.rmtree(folder, ignore_errors=True)
        return 0
    kill_family()
    return child.returncode or 0


def kill_family() -> None:
    """`kill -9` everything below this process, and wait for it."""
    for pid in _descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [below for child in children for below in _descendants(child)]


if __name__ == "__main__":
    sys.exit(main(sys.argv))
