# SPDX-License-Identifier: Apache-2.0
"""Sets the wall clock of one Python process off by TEST_CLOCK_S seconds, where this folder is on its PYTHONPATH."""

from __future__ import annotations

import os
import time

AHEAD_S = float(os.environ.get("TEST_CLOCK_S", "0"))
_time, _time_ns = time.time, time.time_ns


def _wrong() -> float:
    return _time() + AHEAD_S


def _wrong_ns() -> int:
    return _time_ns() + int(AHEAD_S * 1e9)


if AHEAD_S:
    time.time, time.time_ns = _wrong, _wrong_ns
