# SPDX-License-Identifier: Apache-2.0
"""Time as the whole house counts it: microseconds since 1970, UTC. Passed as an argument, so that tests move it."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
SECOND = 1_000_000


def now() -> int:
    """The wall clock, in microseconds since 1970."""
    return time.time_ns() // 1000
