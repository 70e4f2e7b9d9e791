# SPDX-License-Identifier: Apache-2.0
"""The two ports of the bus.

`Central.call` sends central one question, a `Command` (room `commands/`) that names its reply, and waits for the
answer. `Wake` carries hints to the workers; a lost hint costs only seconds, because the row in the database decides.
Both have two implementations that pass the same tests: `inproc` and `amqp`. A failure is raised as the `Problem` that
central raised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from redesignate.commands.base import Command
from redesignate.commands.hint import Hint
from redesignate.threads.deadline import Deadline

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a question was sent that may arrive late, or twice.

    deadline  nothing is begun after it, by this machine's clock
    until     nothing is committed after it, by the database's clock (µs): the question may have waited on its way
    id        a question with this id is carried out once. None: the question is harmless when it comes twice
    again     it was sent before, and may have been carried out
    """

    deadline: Deadline
    until: int | None = None
    id: str | None = None
    again: bool = False


class Central(Protocol):
    """Access to central's operations. Safe to call from any thread; blocks until the answer arrives."""

    def call(self, command: Command[R]) -> R:
        """Send the question; return the answer or raise its Problem.

        Raises Unavailable when central cannot be reached, or the question waited too long: nothing was carried out.
        Raises TimedOut when no answer came in time: the change may have been made. It is not begun any more, but a
        commit that was under way may still end.
        """
        ...


class Wake(Protocol):
    """Sends hints. Never blocks for long and never raises: the sweep finds the work of lost hints."""

    def wake(self, hints: Sequence[Hint]) -> None:
        """Send these hints to some worker."""
        ...


Handler = Callable[[tuple[Hint, ...]], None]
"""Works on the hinted zones and returns when they are done or the message need not be held any longer; only then is it
acknowledged. If the handler raises, the message is returned to the queue."""


class WorkSource(Protocol):
    """Delivers hints to a worker."""

    def start(self, handler: Handler) -> None:
        """Deliver hints to `handler`, from threads of the source's own."""
        ...

    def stop(self) -> None:
        """Stop delivering; unacknowledged messages go to another worker."""
        ...
