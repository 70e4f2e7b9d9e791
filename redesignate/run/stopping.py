# SPDX-License-Identifier: Apache-2.0
"""Bounds the last steps of a process that depend on others, which may be unavailable already."""

from __future__ import annotations

from collections.abc import Callable

from redesignate.threads.call import OneCall

FAREWELL_S = 2.0


def within(seconds: float | None, farewell: Callable[[], None]) -> Callable[[], None]:
    """Run `farewell`, and abandon it on its thread if it is not done in time. None: it may take any time.

    The thread is started here and waits: at the end of an interpreter (atexit) no new thread can start.
    """
    call = OneCall("farewell", farewell).ready()

    def bounded() -> None:
        call.go().wait(seconds)

    return bounded
