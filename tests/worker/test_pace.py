# SPDX-License-Identifier: Apache-2.0
"""The pauses between a worker's searches for work."""

from __future__ import annotations

import pytest

from redesignate.worker.pace import QUIET, QUIET_S, Pace


def test_a_worker_without_work_looks_seldom_until_it_has_some() -> None:
    pace = Pace(0.5, 100.0, hinted=True)
    assert pace.pause(100.0) == pace.pause(99.9 + QUIET_S) == 0.5
    assert pace.pause(100.0 + QUIET_S) == pace.pause(1e6) == QUIET * 0.5
    pace.active = 1e6
    assert pace.pause(1e6) == 0.5
    assert pace.pause(1e6 + QUIET_S) == QUIET * 0.5


@pytest.mark.parametrize("now", [0.0, 2 * QUIET_S])
def test_where_no_hints_come_it_never_does(now: float) -> None:
    assert Pace(1.0, 0.0, hinted=False).pause(now) == 1.0
