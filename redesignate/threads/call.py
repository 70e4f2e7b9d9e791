# SPDX-License-Identifier: Apache-2.0
"""One call on a thread of its own, which may take longer than anybody waits for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from redesignate.observe.log import events

log = events(__name__)


class OneCall:
    """Calls `call` once, when `go` is first called. An exception is logged with its traceback."""

    def __init__(self, name: str, call: Callable[[], object]) -> None:
        self._call = call
        self._going = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def ready(self) -> OneCall:
        """Start the thread, which waits for `go`: at the end of an interpreter (atexit) no thread can start."""
        with self._lock:
            if self._thread.ident is None:
                self._thread.start()
        return self

    def go(self) -> OneCall:
        """Begin the call. Does nothing where the interpreter is ending and the thread was not made ready."""
        self._going.set()
        with contextlib.suppress(RuntimeError):
            self.ready()
        return self

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the call to end, at most `timeout_s`; return whether it has ended, or did not begin."""
        if not self._going.is_set() or self._thread.ident is None or self._thread is threading.current_thread():
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._going.wait()
        try:
            self._call()
        except Exception:  # nobody may be waiting for it any more
            log.exception("a call failed", thread=self._thread.name)
