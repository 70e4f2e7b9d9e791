# SPDX-License-Identifier: Apache-2.0
"""How often a worker looks for work that no hint announced."""

from __future__ import annotations

QUIET_S = 30.0
QUIET = 4
"""A worker that had no hint and found nothing for QUIET_S looks QUIET times as seldom: whatever it tries again then has
waited for longer, and what a lost hint announced waits QUIET intervals at most."""


class Pace:
    """The pauses between searches. Times in seconds, `now` by one clock.

    hinted   whether hints come at all; where none do, searches are the only way to learn of work
    active   when something was last hinted at, or found; set by who learns of it
    """

    def __init__(self, interval_s: float, now: float, *, hinted: bool) -> None:
        self._interval_s, self._hinted = interval_s, hinted
        self.active = now

    def pause(self, now: float) -> float:
        """Return how long the next search may wait."""
        quiet = self._hinted and now - self.active >= QUIET_S
        return self._interval_s * (QUIET if quiet else 1)
