# SPDX-License-Identifier: Apache-2.0
"""Questions that would queue for the same lock travel together: one message, one transaction, one commit for all.

Writers of one zone wait for each other in any case, in central, on the zone's row. Here they wait on the asking side:
the first goes at once and alone; who comes while it is on its way goes with the next, all in one message. So nobody
waits longer than without, nobody waits for somebody else's zone, and a busy zone costs a fraction for each change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from redesignate.commands.base import Command
from redesignate.commands.rrsets import CreateRRset, DeleteRRset, UpdateRRset

MOST = 32
"""Questions in one message: the first of them waits for the last."""

Carry = Callable[[Sequence[str]], Sequence[str]]
"""Asks these questions together; their answers in the same order. What it raises, each of the askers hears."""


def lane(command: Command[Any]) -> str | None:
    """What a command would queue for: the zone whose row it locks first of all. None: it goes by itself."""
    if isinstance(command, CreateRRset | UpdateRRset | DeleteRRset):
        return command.zone_id
    return None


class _Seat:
    """One question on its way. `call` is released when the answer is there, or when it is this asker's turn to lead."""

    __slots__ = ("answer", "body", "call", "error")

    def __init__(self, body: str) -> None:
        self.body = body
        self.call = threading.Semaphore(0)
        self.answer: str | None = None
        self.error: BaseException | None = None


class Convoys:
    """One convoy on its way for each lane. Safe for use from many threads; a lane that nobody uses leaves nothing."""

    def __init__(self, carry: Carry, *, most: int = MOST) -> None:
        self._carry = carry
        self._most = most
        self._lock = threading.Lock()
        self._waiting: dict[str, list[_Seat]] = {}
        """By lane on which a convoy is on its way: who goes with the next."""

    def ask(self, key: str, body: str) -> str:
        """The answer to one question of this lane. Raises what the carrier raised."""
        seat = _Seat(body)
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.append(seat)
            else:
                self._waiting[key] = []
        if waiting is None:
            self._lead(key, [seat])
        else:
            seat.call.acquire()
            if seat.answer is None and seat.error is None:
                self._lead(key, self._boarded(key))
        if seat.error is not None:
            raise seat.error
        assert seat.answer is not None
        return seat.answer

    def _boarded(self, key: str) -> list[_Seat]:
        """Those who go now, the leader first."""
        with self._lock:
            waiting = self._waiting[key]
            going, self._waiting[key] = waiting[: self._most], waiting[self._most :]
            return going

    def _lead(self, key: str, going: list[_Seat]) -> None:
        """Ask for all; then let the next convoy go before those of this one learn their answers."""
        try:
            answers = self._carry([seat.body for seat in going])
            for seat, answer in zip(going, answers, strict=True):
                seat.answer = answer
        except BaseException as error:  # noqa: BLE001  # raised again on each thread that asked
            for seat in going:
                seat.answer, seat.error = None, error
        with self._lock:
            waiting = self._waiting[key]
            if not waiting:
                del self._waiting[key]
        if waiting:
            waiting[0].call.release()
        for seat in going[1:]:
            seat.call.release()
