# SPDX-License-Identifier: Apache-2.0
"""Questions to central over a message broker: central's side.

A question is acknowledged after the work, so what a killed central held goes to another at once. Two exceptions: while
a central works on many long questions it acknowledges the oldest early, so that the broker need give it only few that
it has not begun; and a question that comes again is acknowledged before the work, so that one that kills central kills
two. What is lost that way the client sends again (`amqp.py`), marked, and each of those kills one at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import msgspec

from redesignate.bus import codec
from redesignate.bus.amqp import QUESTIONS, SILENCE_S, WORKING
from redesignate.bus.broker import Broker, own
from redesignate.bus.connection import Lost, Refused
from redesignate.bus.port import Asked
from redesignate.bus.reader import Reader, Received
from redesignate.commands.base import Command
from redesignate.model.errors import Problem, Unavailable
from redesignate.threads.deadline import uptime

PREFETCH = 16
"""The most messages that one central holds and has not acknowledged, half of which it has not begun. With more,
messages would wait for it while others are free, and their clients would lose time when it is stopped; with fewer, it
would wait for the broker."""
LARGEST_REPLY = 16 * 2**20 - 2**16
"""The longest reply, in bytes: a longer message ends its channel on RabbitMQ 4, and everything on it."""
SIGN_S = SILENCE_S / 4
"""How often the clients of long questions hear that central works on them."""


class CentralServer:
    """Central's side: it answers questions on `executor_thread_pool_size` threads; any number of processes share them.

    carry     carries out one question
    together  carries out the questions that came in one message, all or none
    clock     the database's clock (µs), from which clients estimate it. Raises Unavailable
    host      this node's name, which the broker shows
    """

    def __init__(
        self,
        broker: Broker,
        carry: codec.Carry,
        *,
        together: codec.Together,
        clock: Callable[[], int],
        host: str,
        topic: str = "central",
    ) -> None:
        self._carry, self._together, self._clock = carry, together, clock
        self._signs_at = 0.0
        self._reader = Reader(
            broker,
            f"central {host}",
            own(QUESTIONS, topic),
            self._work,
            threads=broker.settings.executor_thread_pool_size,
            prefetch=broker.rabbit.rabbit_qos_prefetch_count or PREFETCH,
            early=True,
            tick=self._signs,
        )

    def start(self) -> None:
        """Start to answer as soon as the broker is available; returns at once, and reconnects after an outage."""
        self._reader.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it answers; return whether it does by then."""
        return self._reader.wait_ready(timeout_s)

    def stop(self) -> None:
        """Accept no more questions; returns when those under way are answered. The others go to another central."""
        self._reader.stop()

    def _work(self, one: Received) -> None:
        reply = self._answer(one)
        ack = self._reader.settle(one)
        if not one.to or reply is None:
            if ack is not None:
                one.link.acknowledge(ack)
            return
        if len(reply) > LARGEST_REPLY:
            refusal = Problem(f"Central's answer of {len(reply)} octets is too long for the broker; ask for less.")
            reply = codec.replied([codec.refusal(refusal)], None)
        one.link.publish(reply, one.to, ack=ack, correlation_id=one.number)

    def _answer(self, one: Received) -> bytes | None:
        """Carry out the questions of a message; return the encoded reply. None: the client is to send them again."""
        try:
            questions: Sequence[codec.Body] = codec.apart(one.body)
        except msgspec.MsgspecError:
            questions = [one.body]  # it is answered as a question that cannot be read
        if one.again:
            again = _Again(self._carry)
            answers = [codec.serve_question(again.carry, question) for question in questions]
            if again.unsure:
                return None
        else:
            answers = codec.serve_all(self._carry, self._together, questions) if questions else []
        try:
            return codec.replied(answers, self._clock())
        except Unavailable:
            return codec.replied(answers, None)

    def _signs(self) -> float | None:
        """Tell the clients of long questions that central works on them. On the link's own thread.

        Returns in how many seconds it is to be called again.
        """
        now = uptime()
        if now < self._signs_at:
            return self._signs_at - now
        held = self._reader.held()
        for one in held:
            if one.to and now - one.since >= SIGN_S:
                with suppress(Refused, Lost):
                    one.link.publish(b"", one.to, correlation_id=one.number, type=WORKING)
        if not held:
            return None
        self._signs_at = now + SIGN_S
        return SIGN_S


class _Again:
    """Carries out questions that may have been carried out before, by a central that did not acknowledge them.

    unsure   whether one could not be, and nobody knows whether it was before: the refusal would say that it was not
    """

    def __init__(self, carry: codec.Carry) -> None:
        self._carry = carry
        self.unsure = False

    def carry(self, command: Command[object], asked: Asked) -> object:
        """Carry out one question, or return the answer that was stored with its change."""
        try:
            return self._carry(command, replace(asked, again=True))
        except Unavailable:
            self.unsure = self.unsure or asked.id is not None
            raise
