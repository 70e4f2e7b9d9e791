# SPDX-License-Identifier: Apache-2.0
"""The two ports of the bus.

`Central.call` asks central one question and waits for its answer: a `Command` (room `commands/`) that names its reply.
`Wake` carries hints (zone ids) to the workers; a lost hint costs seconds, because the outbox row is the truth.
Both have two implementations that pass the same tests: `inproc` and `amqp`. A failure comes back as the `Problem`
that central raised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from redesignate.commands.base import Command
from redesignate.threads.deadline import Deadline

R = TypeVar("R")

_INBOUND = "inbound:"


def inbound_hint(zone_id: str) -> str:
    """The hint that a SECONDARY zone's primaries are to be asked; a bare zone id hints at work in the outbox."""
    return _INBOUND + zone_id


def sorted_hints(hints: Sequence[str]) -> tuple[list[str], list[str]]:
    """Zones with work in the outbox, and zones whose primaries are to be asked."""
    inbound = [hint.removeprefix(_INBOUND) for hint in hints if hint.startswith(_INBOUND)]
    return [hint for hint in hints if not hint.startswith(_INBOUND)], inbound


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a question came that may come late, or twice.

    deadline  nothing is begun after it, by this machine's clock
    until     nothing is committed after it, by the database's clock (µs): the question may have waited on its way
    id        what was carried out under it is not carried out again. None: the question is harmless when it comes twice
    again     it was asked before, and may have been carried out
    """

    deadline: Deadline
    until: int | None = None
    id: str | None = None
    again: bool = False


class Central(Protocol):
    """Where central's operations are reached. Safe to call from any thread; blocks until the answer is there."""

    def call(self, command: Command[R]) -> R:
        """Ask; returns the answer or raises its Problem.

        Raises Unavailable when central cannot be reached, or the question waited too long: nothing was carried out.
        Raises TimedOut when no answer came in time: the change may have been made, and will not be made any more.
        """
        ...


class Wake(Protocol):
    """Where hints are sent. Never blocks for long and never raises: the sweep finds what is lost."""

    def wake(self, zone_ids: Sequence[str]) -> None:
        """Tell some worker that these zones have work."""
        ...


Handler = Callable[[tuple[str, ...]], None]
"""Works on the hinted zones and returns when they are done or need no holding any longer; only then is the message
acknowledged. Raising gives the message back."""


class WorkSource(Protocol):
    """Where a worker hears of hints."""

    def start(self, handler: Handler) -> None:
        """Deliver hints to `handler`, from threads of the source's own."""
        ...

    def stop(self) -> None:
        """Deliver no more; what is unacknowledged goes to another worker."""
        ...
