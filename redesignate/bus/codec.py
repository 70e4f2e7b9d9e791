# SPDX-License-Identifier: Apache-2.0
"""Questions and answers of the bus as bytes: JSON, the same for every way that they travel.

A question is one member of the union of all commands, told apart by its tag; an answer is `{"ok": …}` or
`{"problem": {kind, message, errors}}`. Whoever answers (`serve`) and whoever asks share these bytes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Any, TypeVar

import msgspec

from redesignate.commands.base import Command, reply_type
from redesignate.commands.table import ALL
from redesignate.model.errors import Problem, Unavailable, restore
from redesignate.observe.log import events

R = TypeVar("R")
Dispatch = Callable[[Command[Any]], Any]
"""Central's table: carries out one command, returns its answer or raises its Problem."""
Together = Callable[[Sequence[Command[Any]]], Sequence[Any]]
"""Carries out commands all or none and returns their answers. Raises Unavailable where it is not known whether they
were carried out, and anything else only where none was."""

log = events(__name__)
_encode = msgspec.json.Encoder().encode


class _Failure(msgspec.Struct, frozen=True):
    kind: str
    message: str
    errors: dict[str, Any] | None = None


class _Refusal(msgspec.Struct, frozen=True):
    problem: _Failure


class _Answer(msgspec.Struct, frozen=True):
    """Either half; `ok` stays undecoded until it is known that there is no problem (None is an answer too)."""

    ok: msgspec.Raw = msgspec.Raw(b"null")
    problem: _Failure | None = None


_answer = msgspec.json.Decoder(_Answer).decode


# Made here, by one thread: a type whose description another thread is still making crashes msgspec (SIGSEGV).
_questions: msgspec.json.Decoder[Command[Any]] = msgspec.json.Decoder(reduce(or_, ALL))
_replies: dict[type[Command[Any]], Callable[[bytes | msgspec.Raw], Any]] = {
    command: msgspec.json.Decoder(reply_type(command)).decode for command in ALL
}


def question(command: Command[Any]) -> bytes:
    """A command as it travels."""
    return _encode(command)


def asked(body: bytes) -> Command[Any]:
    """The command that was asked. Raises msgspec.ValidationError or DecodeError on what is none."""
    return _questions.decode(body)


def answer(value: object) -> bytes:
    """What was found, as it travels."""
    return _encode({"ok": value})


def refusal(problem: Problem) -> bytes:
    """A Problem as it travels."""
    errors = None if problem.errors is None else dict(problem.errors)
    return _encode(_Refusal(_Failure(problem.kind, problem.message, errors)))


def told(command: Command[R], body: bytes) -> R:
    """The answer to `command`. Raises the Problem that the other side raised."""
    try:
        heard = _answer(body)
        if heard.problem is None:
            reply: R = _replies[type(command)](heard.ok)
            return reply
    except msgspec.DecodeError as error:
        raise Problem(f"Central's answer makes no sense ({error}); are all services of one version?") from error
    raise restore(heard.problem.kind, heard.problem.message, heard.problem.errors)


def serve(dispatch: Dispatch, body: bytes) -> bytes:
    """Carry out one question and give the answer; never raises.

    A failure that is no Problem is a fault of ours: logged with its traceback, told to the asker as a plain 500.
    """
    try:
        command = asked(body)
        return answer(dispatch(command))
    except Problem as problem:
        return refusal(problem)
    except Exception:  # the last line of a service: logged, and the asker gets an answer
        log.exception("command failed", body=_head(body))
        return refusal(Problem("Something went wrong on our side; the log has it"))


def serve_all(dispatch: Dispatch, together: Together, bodies: Sequence[bytes]) -> list[bytes]:
    """Carry out the questions of one message and give each its answer; never raises.

    All at once where all are well. Where one is not, none was carried out: then each by itself, so that it alone fails.
    """
    if len(bodies) == 1:
        return [serve(dispatch, bodies[0])]
    try:
        answers = together([asked(body) for body in bodies])
    except Unavailable as problem:
        return [refusal(problem)] * len(bodies)
    except Exception as error:  # noqa: BLE001  # whose fault it is shows when each is asked by itself
        log.debug("questions that came together are carried out one by one", why=str(error), questions=len(bodies))
        return [serve(dispatch, body) for body in bodies]
    return [answer(value) for value in answers]


def _head(body: bytes) -> str:
    """The start of a question, enough for its tag: the rest may hold secrets."""
    return body[:60].decode("utf-8", "replace")
