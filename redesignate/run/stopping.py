# SPDX-License-Identifier: Apache-2.0
"""Farewells that may not keep a process from ending: what leans on others, who may be gone already."""

from __future__ import annotations

import threading
from collections.abc import Callable

FAREWELL_S = 2.0


def within(seconds: float | None, farewell: Callable[[], None]) -> Callable[[], None]:
    """`farewell`, left alone on its thread when it is not done in time. None: it has all the time it takes.

    The thread is started here and waits: at the end of an interpreter (atexit) there are no new ones.
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
