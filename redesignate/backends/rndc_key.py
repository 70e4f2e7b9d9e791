# SPDX-License-Identifier: Apache-2.0
"""Holds a control channel's key, and reads its file again after a refusal, but not too often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from redesignate.backends.rndc_message import RndcKey

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 4.0


class KeySource:
    """A key that `read` reads. `read` raises ValueError; the key is first read here, which raises it too.

    Times are the loop's seconds.
    """

    def __init__(self, read: Callable[[], RndcKey]) -> None:
        self._read = read
        self.key = read()
        self._pause = FIRST_PAUSE_S
        self._next = 0.0

    async def renewed(self) -> bool:
        """Read the key again after the server has refused it. Returns whether it has changed.

        Between two readings there is a pause, which doubles while the file is unchanged. Raises ValueError.
        """
        time = asyncio.get_running_loop().time()
        if time < self._next:
            return False
        self._next, self._pause = time + self._pause, min(self._pause * 2, LONGEST_PAUSE_S)
        found = await asyncio.to_thread(self._read)  # the file may be on a slow disk
        changed, self.key = found != self.key, found
        return changed

    def accepted(self) -> None:
        """Note that the server accepts the key: after its next refusal the file is read at once."""
        self._pause, self._next = FIRST_PAUSE_S, 0.0
