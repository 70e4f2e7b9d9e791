# SPDX-License-Identifier: Apache-2.0
"""Farewells that may not keep a process from ending: what leans on others, who may be gone already."""

from __future__ import annotations

import threading
from collections.abc import Callable

FAREWELL_S = 2.0


def within(seconds: float, farewell: Callable[[], None]) -> Callable[[], None]:
    """`farewell`, left alone on its thread when it is not done in time."""

    def bounded() -> None:
        thread = threading.Thread(target=farewell, name="farewell", daemon=True)
        thread.start()
        thread.join(seconds)

    return bounded
