# SPDX-License-Identifier: Apache-2.0
"""Time as the package counts it, and the ids that rise with it.

Time is microseconds since 1970, UTC. It is passed as an argument, so tests can set it. Ids are UUIDs that rise with
time (RFC 9562 §5.7), so that new rows are adjacent in every index. Random ids would touch a different page of each
index for each row, which costs more than all other work of a change.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

Clock = Callable[[], int]
SECOND = 1_000_000
_lock = threading.Lock()
_last = 0


def now() -> int:
    """The wall clock, in microseconds since 1970."""
    return time.time_ns() // 1000


def new_id() -> str:
    """A UUID of version 7: 48 bits of Unix milliseconds, 12 bits that rise within one, 62 random bits."""
    global _last  # noqa: PLW0603  # two ids of one process never fall into one tick
    with _lock:
        tick = max(time.time_ns() * 4096 // 1_000_000, _last + 1)
        _last = tick
    number = (tick >> 12) << 80 | 7 << 76 | (tick & 0xFFF) << 64 | 2 << 62 | secrets.randbits(62)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def shard_of(ident: str) -> int:
    """Return the shard (0 to 4095) of an id: its last three hex digits, which are random, so shards are equal."""
    return int(ident[-3:], 16)
