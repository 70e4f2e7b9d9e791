# SPDX-License-Identifier: Apache-2.0
"""Questions and answers of the bus as bytes: JSON, the same for every transport.

A command is one member of the union of all, identified by its tag. A broker carries it in a `Question`, together with
its deadline and id; one message carries several. An answer is `{"ok": …}` or `{"problem": {kind, message, errors}}`;
with `"late": true` the question came too late. The two sides, client and `serve`, share only these bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any, Literal, TypeVar

import msgspec

from redesignate.bus.port import Asked
from redesignate.commands.base import Command, reply_type
from redesignate.commands.table import ALL
from redesignate.model.errors import Problem, TimedOut, Unavailable, restore
from redesignate.observe.log import events
from redesignate.threads.deadline import Deadline, TooLate

R = TypeVar("R")
Body = bytes | msgspec.Raw
"""JSON: by itself, or a part of a message that is not decoded yet."""
Dispatch = Callable[[Command[Any]], Any]
"""Carries out one command; returns its answer or raises its Problem."""
Carry = Callable[[Command[Any], Asked], "bytes | Any"]
"""The same for a question that may arrive late, or twice. A `Kept` answer is encoded already."""
Together = Callable[[Sequence[tuple[Command[Any], Asked]]], Sequence[Any]]
"""Carries out all commands or none and returns their answers. Raises TooLate and Problems where none was carried out,
Unavailable and TimedOut where that is not known."""

log = events(__name__)
_encode = msgspec.json.Encoder().encode


class Kept(bytes):
    """An encoded answer that was stored with its change."""


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One command as it is sent over a broker.

    ask    the command
    left   seconds that the caller still waits, at the time of sending
    until  id again   as in `Asked`
    """

    ask: msgspec.Raw
    left: float
    until: int | None = None
    id: str | None = None
    again: bool = False


class _Questions(msgspec.Struct, frozen=True):
    """A message to central: questions, none where only the clock is asked for."""

    v: Literal[1]
    questions: list[msgspec.Raw]


class Reply(msgspec.Struct, frozen=True):
    """Central's message: the answers in the order of the questions.

    clock   the database's clock (µs); None: the database is unavailable
    """

    answers: list[msgspec.Raw]
    clock: int | None
    v: Literal[1] = 1


unreadable = 0
"""The number of questions and hints that this process could not read."""


class _Failure(msgspec.Struct, frozen=True):
    kind: str
    message: str
    errors: dict[str, Any] | None = None


class _Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    problem: _Failure
    late: bool = False


class _Answer(msgspec.Struct, frozen=True):
    """Either kind of answer; `ok` stays undecoded until it is known that there is no problem (None is an answer)."""

    ok: msgspec.Raw = msgspec.Raw(b"null")
    problem: _Failure | None = None
    late: bool = False


_answer = msgspec.json.Decoder(_Answer).decode


_question = msgspec.json.Decoder(Question).decode
_message = msgspec.json.Decoder(_Questions).decode
_reply = msgspec.json.Decoder(Reply).decode
# Made here, by one thread: msgspec crashes (SIGSEGV) when two threads prepare the same type at once.
_questions: msgspec.json.Decoder[Command[Any]] = msgspec.json.Decoder(reduce(or_, ALL))
_replies: dict[type[Command[Any]], Callable[[Body], Any]] = {
    command: msgspec.json.Decoder(reply_type(command)).decode for command in ALL
}


def question(command: Command[Any]) -> bytes:
    """Encode a command."""
    return _encode(command)


def asked(body: Body) -> Command[Any]:
    """Decode a command. Raises msgspec.ValidationError or DecodeError on anything else."""
    return _questions.decode(body)


def sent(body: bytes, how: Asked) -> bytes:
    """Encode a command for a broker, with its deadline and id."""
    left = round(how.deadline.left(), 3)
    return _encode(Question(ask=msgspec.Raw(body), left=left, until=how.until, id=how.id, again=how.again))


def together(questions: Iterable[bytes]) -> bytes:
    """Encode a message to central of questions that are encoded (`sent`)."""
    return _encode(_Questions(1, [msgspec.Raw(one) for one in questions]))


def apart(message: bytes) -> list[msgspec.Raw]:
    """Return the encoded questions of a message. Raises msgspec.ValidationError or DecodeError."""
    return _message(message).questions


def replied(answers: Iterable[bytes], clock: int | None) -> bytes:
    """Encode central's reply of encoded answers."""
    return _encode(Reply([msgspec.Raw(one) for one in answers], clock))


def reply(message: bytes) -> Reply:
    """Decode central's reply. Raises Problem."""
    try:
        return _reply(message)
    except msgspec.DecodeError as error:
        raise _not_valid(error) from error


def received(envelope: Body) -> tuple[Command[Any], Asked]:
    """Decode a broker's command with its deadline and id. Raises msgspec.ValidationError or DecodeError."""
    found = _question(envelope)
    how = Asked(deadline=Deadline.after(found.left), until=found.until, id=found.id, again=found.again)
    return asked(found.ask), how


def answer(value: object) -> bytes:
    """Encode an answer."""
    return _encode({"ok": value})


def refusal(problem: Problem) -> bytes:
    """Encode a Problem."""
    errors = None if problem.errors is None else dict(problem.errors)
    return _encode(_Refusal(_Failure(problem.kind, problem.message, errors), isinstance(problem, TooLate)))


def reply_to(command: Command[R], body: Body) -> R:
    """Decode the answer to `command`. Raises the Problem that central raised; TooLate where the question came late."""
    try:
        found = _answer(body)
        if found.problem is None:
            reply: R = _replies[type(command)](found.ok)
            return reply
    except msgspec.DecodeError as error:
        raise _not_valid(error) from error
    if found.late:
        raise TooLate(found.problem.message)
    raise restore(found.problem.kind, found.problem.message, found.problem.errors)


def _not_valid(error: Exception) -> Problem:
    return Problem(f"Central's answer is not valid ({error}); are all services of one version?")


def serve(dispatch: Dispatch, body: bytes) -> bytes:
    """Carry out one command and return the encoded answer; never raises."""
    try:
        command = asked(body)
    except msgspec.MsgspecError as error:
        return _unread(error, body)
    try:
        return answer(dispatch(command))
    except Exception as error:  # noqa: BLE001  # the outermost call of a service: logged, and the caller gets an answer
        return refusal(failure(command, error))


def serve_question(carry: Carry, envelope: Body) -> bytes:
    """Carry out a question that came over a broker and return the encoded answer; never raises."""
    try:
        command, how = received(envelope)
    except msgspec.MsgspecError as error:
        return _unread(error, envelope)
    try:
        given = carry(command, how)
        return given if isinstance(given, Kept) else answer(given)
    except Exception as error:  # noqa: BLE001  # as in `serve`
        return refusal(failure(command, error))


def serve_all(carry: Carry, together: Together, envelopes: Sequence[Body]) -> list[bytes]:
    """Carry out the questions of one message and return each one's encoded answer; never raises.

    All are carried out in one transaction. Where one fails, none was carried out: then each is carried out by itself,
    so that only the faulty one fails.
    """
    if len(envelopes) == 1:
        return [serve_question(carry, envelopes[0])]
    try:
        answers = together([received(envelope) for envelope in envelopes])
    except TooLate:
        return [serve_question(carry, envelope) for envelope in envelopes]
    except (Unavailable, TimedOut) as problem:
        return [refusal(problem)] * len(envelopes)
    except Exception as error:  # noqa: BLE001  # carried out one by one, only the faulty question fails
        log.debug("questions of one message are carried out one by one", why=str(error), questions=len(envelopes))
        return [serve_question(carry, envelope) for envelope in envelopes]
    return [given if isinstance(given, Kept) else answer(given) for given in answers]


def cannot_read(kind: str, size: int, why: object) -> None:
    """Count a malformed message, and log the first and then each thousandth."""
    global unreadable  # noqa: PLW0603  # a figure of the process
    unreadable += 1
    if unreadable % 1000 == 1:
        log.warning("message cannot be read", kind=kind, octets=size, why=str(why), so_far=unreadable)


def _unread(error: Exception, body: Body) -> bytes:
    cannot_read("question", len(body), error)
    return refusal(Problem("Central cannot read this question; are all services of one version?"))


def failure(command: Command[Any], error: Exception) -> Problem:
    """A Problem as it is; any other exception is our fault: its traceback is logged, the caller gets a 500."""
    if isinstance(error, Problem):
        return error
    log.exception("command failed", op=command.__struct_config__.tag)
    return Problem("Internal error; see the server log for this request id")
