# SPDX-License-Identifier: Apache-2.0
"""A daemon: one thread that calls its function again and again, until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable

from redesignate.observe.log import events

log = events(__name__)

FAILED_S = 1.0
"""The pause after a turn that raised."""


class Daemon:
    """Calls `turn` on a thread of its own. Start it once; `stop` may be called before.

    turn   does one piece of work and returns the seconds until the next (0: at once, None: when nudged). An exception
           is logged with its traceback, and the next turn comes after FAILED_S
    """

    def __init__(self, name: str, turn: Callable[[], float | None]) -> None:
        self._turn = turn
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread, which takes the first turn at once."""
        self._thread.start()

    def nudge(self) -> None:
        """Take the next turn now, or once more after the turn that runs. Safe from any thread."""
        self._wake.set()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called; a long turn checks it now and then."""
        return self._stopping.is_set()

    def rest(self, seconds: float) -> bool:
        """Wait inside a turn, at most `seconds`; return whether the daemon is being stopped."""
        return self._stopping.wait(seconds)

    def stop(self, timeout_s: float | None = None) -> bool:
        """Take no further turn and wait for the one that runs, at most `timeout_s`; return whether it has ended."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is None or self._thread is threading.current_thread():
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            if self._stopping.is_set():  # set between the check and the clearing
                return
            try:
                pause = self._turn()
            except Exception:  # the loop of a service
                log.exception("a periodic run failed", daemon=self._thread.name)
                self._stopping.wait(FAILED_S)
                continue
            if pause is None or pause > 0:
                self._wake.wait(pause)
