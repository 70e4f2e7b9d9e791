# SPDX-License-Identifier: Apache-2.0
"""Questions and answers of the bus as bytes: JSON, the same for every way that they travel.

A command is one member of the union of all, told apart by its tag. Over a broker it travels in a `Question`, with how
it is asked. An answer is `{"ok": …}` or `{"problem": {kind, message, errors}}`; with `"late": true` the question came
too late. Both sides, the asker and `serve`, share these bytes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Any, TypeVar

import msgspec

from redesignate.bus.port import Asked
from redesignate.commands.base import Command, reply_type
from redesignate.commands.table import ALL
from redesignate.model.errors import Problem, TimedOut, Unavailable, restore
from redesignate.observe.log import events
from redesignate.threads.deadline import Deadline, TooLate

R = TypeVar("R")
Dispatch = Callable[[Command[Any]], Any]
"""Central's table: carries out one command, returns its answer or raises its Problem."""
Carry = Callable[[Command[Any], Asked], "bytes | Any"]
"""The same for a question that may come late, or twice. A `Kept` answer is encoded already."""
Together = Callable[[Sequence[tuple[Command[Any], Asked]]], Sequence[Any]]
"""Carries out commands all or none and returns their answers. Raises TooLate and Problems where none was carried out,
Unavailable and TimedOut where that is not known."""

log = events(__name__)
_encode = msgspec.json.Encoder().encode


class Kept(bytes):
    """An answer as it travels, as it was kept with the change."""


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One command on its way over a broker.

    ask    the command
    left   seconds that the asker still waited when it was sent
    until  id again   as `Asked` has them
    """

    ask: msgspec.Raw
    left: float
    until: int | None = None
    id: str | None = None
    again: bool = False


unreadable = 0
"""Messages of either kind that this process could not read."""


class _Failure(msgspec.Struct, frozen=True):
    kind: str
    message: str
    errors: dict[str, Any] | None = None


class _Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    problem: _Failure
    late: bool = False


class _Answer(msgspec.Struct, frozen=True):
    """Either half; `ok` stays undecoded until it is known that there is no problem (None is an answer too)."""

    ok: msgspec.Raw = msgspec.Raw(b"null")
    problem: _Failure | None = None
    late: bool = False


_answer = msgspec.json.Decoder(_Answer).decode


_question = msgspec.json.Decoder(Question).decode
# Made here, by one thread: a type whose description another thread is still making crashes msgspec (SIGSEGV).
_questions: msgspec.json.Decoder[Command[Any]] = msgspec.json.Decoder(reduce(or_, ALL))
_replies: dict[type[Command[Any]], Callable[[bytes | msgspec.Raw], Any]] = {
    command: msgspec.json.Decoder(reply_type(command)).decode for command in ALL
}


def question(command: Command[Any]) -> bytes:
    """A command as it travels."""
    return _encode(command)


def asked(body: bytes | msgspec.Raw) -> Command[Any]:
    """The command that was asked. Raises msgspec.ValidationError or DecodeError on anything else."""
    return _questions.decode(body)


def sent(body: bytes, how: Asked) -> bytes:
    """A command as it travels over a broker, with how it is asked from now on."""
    left = round(how.deadline.left(), 3)
    return _encode(Question(ask=msgspec.Raw(body), left=left, until=how.until, id=how.id, again=how.again))


def received(envelope: bytes) -> tuple[Command[Any], Asked]:
    """The command and how it is asked. Raises msgspec.ValidationError or DecodeError."""
    found = _question(envelope)
    how = Asked(deadline=Deadline.after(found.left), until=found.until, id=found.id, again=found.again)
    return asked(found.ask), how


def answer(value: object) -> bytes:
    """What was found, as it travels."""
    return _encode({"ok": value})


def refusal(problem: Problem) -> bytes:
    """A Problem as it travels."""
    errors = None if problem.errors is None else dict(problem.errors)
    return _encode(_Refusal(_Failure(problem.kind, problem.message, errors), isinstance(problem, TooLate)))


def told(command: Command[R], body: bytes) -> R:
    """The answer to `command`. Raises the Problem that the other side raised; TooLate where the question came late."""
    try:
        heard = _answer(body)
        if heard.problem is None:
            reply: R = _replies[type(command)](heard.ok)
            return reply
    except msgspec.DecodeError as error:
        raise Problem(f"Central's answer makes no sense ({error}); are all services of one version?") from error
    if heard.late:
        raise TooLate(heard.problem.message)
    raise restore(heard.problem.kind, heard.problem.message, heard.problem.errors)


def serve(dispatch: Dispatch, body: bytes) -> bytes:
    """Carry out one command and give the answer; never raises."""
    try:
        command = asked(body)
    except msgspec.MsgspecError as error:
        return _unread(error, body)
    try:
        return answer(dispatch(command))
    except Exception as error:  # noqa: BLE001  # the last line of a service: logged, and the asker gets an answer
        return _failed(command, error)


def serve_question(carry: Carry, envelope: bytes) -> bytes:
    """The same for a question that came over a broker."""
    try:
        command, how = received(envelope)
    except msgspec.MsgspecError as error:
        return _unread(error, envelope)
    try:
        given = carry(command, how)
        return given if isinstance(given, Kept) else answer(given)
    except Exception as error:  # noqa: BLE001  # as in `serve`
        return _failed(command, error)


def serve_all(carry: Carry, together: Together, envelopes: Sequence[bytes]) -> list[bytes]:
    """Carry out the questions of one message and give each its answer; never raises.

    All at once where all are well. Where one is not, none was carried out: then each by itself, so that it alone fails.
    """
    if len(envelopes) == 1:
        return [serve_question(carry, envelopes[0])]
    try:
        answers = together([received(envelope) for envelope in envelopes])
    except TooLate:
        return [serve_question(carry, envelope) for envelope in envelopes]
    except (Unavailable, TimedOut) as problem:
        return [refusal(problem)] * len(envelopes)
    except Exception as error:  # noqa: BLE001  # whose fault it is shows when each is asked by itself
        log.debug("questions that came together are carried out one by one", why=str(error), questions=len(envelopes))
        return [serve_question(carry, envelope) for envelope in envelopes]
    return [given if isinstance(given, Kept) else answer(given) for given in answers]


def cannot_read(kind: str, size: int, why: object) -> None:
    """Count a message that is malformed, and say so in the log: the first, and then each thousandth."""
    global unreadable  # noqa: PLW0603  # a figure of the process
    unreadable += 1
    if unreadable % 1000 == 1:
        log.warning("message cannot be read", kind=kind, octets=size, why=str(why), so_far=unreadable)


def _unread(error: Exception, body: bytes) -> bytes:
    cannot_read("question", len(body), error)
    return refusal(Problem("Central cannot read this question; are all services of one version?"))


def _failed(command: Command[Any], error: Exception) -> bytes:
    """A Problem as itself; anything else is a fault of ours: the log has its traceback, the asker a plain 500."""
    if isinstance(error, Problem):
        return refusal(error)
    log.exception("command failed", op=command.__struct_config__.tag)
    return refusal(Problem("Internal error; see the server log for this request id"))
