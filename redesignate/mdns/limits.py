# SPDX-License-Identifier: Apache-2.0
"""How many datagrams one network is answered: against floods, and against being used to flood others.

Response rate limiting as BIND and others do it: for each client network and kind of answer a balance that rises by
`each` a second and falls by one with each answer. An answer that it does not cover is dropped, or sent truncated every
`slip`-th time, so that whoever really asks goes on over TCP. What goes out over TCP is not limited here.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from redesignate.model.addresses import network
from redesignate.wire import message
from redesignate.wire.message import QR, TC, Rcode

MOST = 50_000
"""How many balances are kept; the least recently used goes first."""
WINDOW_S = 15
"""How far a balance may fall, in seconds' worth of answers: so long after a flood its network is limited still."""
_PREFIX = {"v4": 24, "v6": 56}


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Datagrams a second; 0: no limit.

    each   answers of one kind to one network (IPv4 /24, IPv6 /56): to one question, or NXDOMAIN, or no data, or errors
    every  questions of one network that are looked at
    slip   which limited answer is sent truncated: 0 none, 1 every one, 2 every second
    """

    each: int = 20
    every: int = 500
    slip: int = 2


class RateLimiter:
    """The balances of one process. For one event loop.

    trusts   addresses that no limit concerns
    """

    def __init__(
        self,
        limits: RateLimits,
        *,
        trusts: Callable[[str], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._trusts = trusts
        self._clock = clock
        self._balances: OrderedDict[tuple[object, ...], tuple[float, float]] = OrderedDict()
        self._slipped = 0
        self.limited = 0

    def __len__(self) -> int:
        """How many balances are kept."""
        return len(self._balances)

    def admits(self, peer: str) -> bool:
        """Whether a question of this peer is looked at."""
        every = self._limits.every
        if not every or self._trusts(peer) or self._spend((_network(peer),), every) >= 0:
            return True
        self.limited += 1
        return False

    def passes(self, peer: str, answer: bytes) -> bytes | None:
        """What the peer is sent: the answer, that it shall ask over TCP, or nothing."""
        each = self._limits.each
        if not each or self._trusts(peer) or self._spend((_network(peer), kind(answer)), each) >= 0:
            return answer
        self.limited += 1
        self._slipped += 1
        slip = self._limits.slip
        return truncated(answer) if slip and self._slipped % slip == 0 else None

    def _spend(self, key: tuple[object, ...], rate: int) -> float:
        """Take one off a balance; what is left."""
        now = self._clock()
        balance, at = self._balances.pop(key, (float(rate), now))
        balance = max(min(float(rate), balance + (now - at) * rate) - 1, -float(rate) * WINDOW_S)
        self._balances[key] = balance, now
        if len(self._balances) > MOST:
            self._balances.popitem(last=False)
        return balance


@lru_cache(maxsize=10_000)
def _network(peer: str) -> tuple[int, int]:
    return network(peer, **_PREFIX)


def kind(answer: bytes) -> bytes | int:
    """What an answer is counted with: with those to the same question where it holds an answer, else with all of its
    rcode (no data and referrals are NOERROR)."""
    rcode = answer[3] & 15
    if rcode != Rcode.NOERROR or answer[6:8] == b"\0\0":
        return rcode
    return question(answer).lower()


def question(answer: bytes) -> bytes:
    """The question section of a message of ours; empty where it has none."""
    if answer[4:6] != b"\0\1":
        return b""
    at = 12
    while answer[at]:
        at += answer[at] + 1
    return answer[12 : at + 5]


def truncated(answer: bytes) -> bytes | None:
    """An answer without its records, marked as truncated; None for an error, which TCP would not make better."""
    msg_id, flags = message.HEADER.unpack_from(answer)[:2]
    if flags & 15 not in {Rcode.NOERROR, Rcode.NXDOMAIN}:
        return None
    return message.build(msg_id, flags & ~15 | QR | TC, question(answer))
