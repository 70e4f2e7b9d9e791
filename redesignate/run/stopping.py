# SPDX-License-Identifier: Apache-2.0
"""Bounds the last steps of a process that depend on others, which may be unavailable already."""

from __future__ import annotations

import threading
from collections.abc import Callable

FAREWELL_S = 2.0


def within(seconds: float | None, farewell: Callable[[], None]) -> Callable[[], None]:
    """Run `farewell`, and abandon it on its thread if it is not done in time. None: it may take any time.

    The thread is started here and waits: at the end of an interpreter (atexit) no new thread can start.
    """
    go = threading.Event()

    def leave() -> None:
        go.wait()
        farewell()

    thread = threading.Thread(target=leave, name="farewell", daemon=True)
    thread.start()

    def bounded() -> None:
        go.set()
        thread.join(seconds)

    return bounded
