# SPDX-License-Identifier: Apache-2.0
"""Time as the package counts it: microseconds since 1970, UTC. It is passed as an argument, so tests can set it."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
SECOND = 1_000_000


def now() -> int:
    """The wall clock, in microseconds since 1970."""
    return time.time_ns() // 1000
