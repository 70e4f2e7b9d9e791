# SPDX-License-Identifier: Apache-2.0
"""Forks processes before threads, engines and connections exist, and waits for the signal to stop.

`workers` > 1 makes a parent that only watches: it starts that many children before anything else exists, starts a dead
one again, and forwards SIGTERM and SIGINT. A child runs the service as a single process would.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from types import FrameType

from redesignate.model.errors import Problem
from redesignate.observe.log import events

log = events(__name__)

RESTART_PAUSE = 1.0
_STOPS = (signal.SIGTERM, signal.SIGINT)


def until_stopped(taken: Callable[[], None] | None = None) -> None:
    """Block until SIGTERM or SIGINT. For the main thread. SIGHUP is only logged: files are read at start.

    taken   called once the signals are taken: whoever is told then that the process is ready may stop it at once

    The signals are read from a pipe: the kernel may give one to any thread, and Python would then leave the main
    thread waiting.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (*_STOPS, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    if taken is not None:
        taken()
    while True:
        received = os.read(reader, 64)
        if signal.SIGHUP in received:
            log.info("options are read at start only; restart to change them")
        if any(number in received for number in _STOPS):
            return


def run(serve: Callable[[], None], workers: int) -> int:
    """Run `serve` in this process, or in `workers` supervised children; the exit code."""
    if workers <= 1:
        serve()
        return 0
    return _Parent(serve, workers).watch()


class _Parent:
    def __init__(self, serve: Callable[[], None], workers: int) -> None:
        self._serve = serve
        self._workers = workers
        self._children: dict[int, float] = {}
        self._stopping = False

    def watch(self) -> int:
        for number in _STOPS:
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for _ in range(self._workers):
            self._start()
        while self._children:
            try:
                pid, status = os.wait()
            except InterruptedError:
                continue
            except ChildProcessError:
                break
            born = self._children.pop(pid, None)
            if born is None or self._stopping:
                continue
            log.error("worker process died; starting another", pid=pid, status=os.waitstatus_to_exitcode(status))
            if time.monotonic() - born < RESTART_PAUSE:
                time.sleep(RESTART_PAUSE)
            if not self._stopping:
                self._start()
        return 0

    def _start(self) -> None:
        # A child that still had our handlers would take a signal during its start for the parent's and never stop.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        pid = os.fork()
        if pid == 0:
            for number in _STOPS:
                signal.signal(number, signal.SIG_DFL)
        else:
            self._children[pid] = time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        if pid == 0:
            os._exit(self._live())

    def _live(self) -> int:
        """Run the service in a child; its exit code."""
        try:
            self._serve()
        except Problem as problem:
            log.error("cannot serve", why=problem.message)
            return 1
        except BaseException:  # no caller reports it: the child ends here
            log.exception("cannot serve")
            return 1
        return 0

    def _on_stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        for pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
