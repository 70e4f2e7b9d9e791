# SPDX-License-Identifier: Apache-2.0
"""Everything that can be asked or answered survives the way through bytes."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.bus import codec
from redesignate.bus.port import Asked
from redesignate.commands.base import Command, reply_type
from redesignate.commands.quotas import ResetQuotas
from redesignate.commands.services import HoldPartition
from redesignate.commands.table import ALL
from redesignate.commands.zones import GetZone
from redesignate.model import errors
from redesignate.model.caller import operator
from redesignate.threads.deadline import Deadline, TooLate
from tests.bus.samples import values

GET = GetZone(caller=operator("req-1"), zone_id="z")
RESET = ResetQuotas(caller=operator("req-1"), project_id="p")


def refuse_all(_: object) -> list[None]:
    raise errors.BadInput("no")


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_command_survives_the_bytes(command: type[Command[Any]], data: st.DataObject) -> None:
    asked = data.draw(values(command))
    assert codec.asked(codec.question(asked)) == asked


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_answer_survives_the_bytes(command: type[Command[Any]], data: st.DataObject) -> None:
    asked, found = data.draw(values(command)), data.draw(values(reply_type(command)))
    assert codec.reply_to(asked, codec.serve(lambda _: found, codec.question(asked))) == found


def test_commands_are_told_apart_by_their_tags() -> None:
    tags = [command.__struct_config__.tag for command in ALL]
    assert len(set(tags)) == len(tags) >= 35


@pytest.mark.parametrize("kind", sorted(errors.KINDS))
def test_every_problem_comes_back_as_itself(kind: str) -> None:
    def refuse(_: object) -> None:
        raise errors.KINDS[kind]("why", errors={"errors": [{"path": ["ttl", 0], "message": "no"}]})

    with pytest.raises(errors.KINDS[kind]) as caught:
        codec.reply_to(GET, codec.serve(refuse, codec.question(GET)))
    assert type(caught.value) is errors.KINDS[kind]
    assert caught.value.message == "why"
    assert caught.value.errors == {"errors": [{"path": ["ttl", 0], "message": "no"}]}


def test_an_unknown_failure_is_a_plain_500_and_stands_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("the secret of line 7")

    with caplog.at_level(logging.ERROR), pytest.raises(errors.Problem) as caught:
        codec.reply_to(GET, codec.serve(fail, codec.question(GET)))
    assert (caught.value.status, caught.value.kind) == (500, "unknown")
    assert "secret" not in caught.value.message
    assert "ZeroDivisionError: the secret of line 7" in caplog.text


def test_none_is_an_answer() -> None:
    question = ResetQuotas(caller=operator("req-1"), project_id="p")
    assert codec.serve(lambda _: None, codec.question(question)) == b'{"ok":null}'
    codec.reply_to(question, b'{"ok":null}')  # raises nothing


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"op":"zone.explode"}', b'{"op":"zone.get"}', b"\xff"])
def test_what_is_no_question_gets_an_answer_and_ends_nothing(body: bytes) -> None:
    with pytest.raises(errors.Problem, match="cannot read"):
        codec.reply_to(GET, codec.serve(lambda _: None, body))


@pytest.mark.parametrize("body", [b'{"ok":{"index":"one"}}', b'{"ok":', b""])
def test_an_answer_of_another_version_is_a_problem(body: bytes) -> None:
    with pytest.raises(errors.Problem, match="of one version") as caught:
        codec.reply_to(HoldPartition(group="g", member="m", lease_s=1.0), body)
    assert caught.value.status == 500


def ask_all(dispatch: codec.Dispatch, together: codec.Together) -> list[object]:
    """What each of three questions that came together hears."""
    heard: list[object] = []
    envelope = codec.sent(codec.question(GET), Asked(deadline=Deadline.after(10)))
    for body in codec.serve_all(lambda command, _asked: dispatch(command), together, [envelope] * 3):
        try:
            heard.append(codec.reply_to(RESET, body))
        except errors.Problem as problem:
            heard.append(type(problem))
    return heard


def test_questions_that_came_together_are_carried_out_together() -> None:
    assert ask_all(refuse_all, lambda commands: [None] * len(commands)) == [None] * 3


def test_one_that_fails_among_them_fails_alone() -> None:
    answers = iter([None, errors.OverQuota("full"), None])

    def one(_: object) -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    assert ask_all(one, refuse_all) == [None, errors.OverQuota, None]


def test_how_a_question_is_asked_comes_along() -> None:
    how = Asked(deadline=Deadline.after(10), until=1_700_000_000_000_000, id="one", again=True)
    command, came = codec.received(codec.sent(codec.question(GET), how))
    assert command == GET
    assert (came.until, came.id, came.again) == (how.until, how.id, how.again)
    assert 9 < came.deadline.left() <= 10


def test_a_question_that_came_too_late_is_told_so_and_kept_apart_from_other_refusals() -> None:
    late, refused = (codec.refusal(problem) for problem in (TooLate("too late"), errors.Unavailable("not now")))
    with pytest.raises(TooLate, match="too late"):
        codec.reply_to(GET, late)
    with pytest.raises(errors.Unavailable, match="not now") as caught:
        codec.reply_to(GET, refused)
    assert not isinstance(caught.value, TooLate)


def test_where_one_of_those_that_came_together_is_late_it_alone_is() -> None:
    def late(_: object) -> list[None]:
        raise TooLate

    assert ask_all(lambda _: None, late) == [None] * 3


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"ask":{"op":"zone.get"}}', b'{"ask":[],"left":1}', b"\xff" * 9])
def test_malformed_questions_are_answered_counted_and_logged_once_with_their_size(
    body: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "unreadable", 0)
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            (answer,) = codec.serve_all(lambda *_: None, lambda _: [], [body])
            with pytest.raises(errors.Problem, match="cannot read"):
                codec.reply_to(GET, answer)
    assert codec.unreadable == 50
    (said,) = [record for record in caplog.records if record.message == "message cannot be read"]
    assert said.__dict__["fields"]["octets"] == len(body)


def test_what_may_have_been_carried_out_is_not_carried_out_again() -> None:
    def unsure(_: object) -> list[None]:
        raise errors.Unavailable("the database went away during the commit")

    def never(_: object) -> None:
        pytest.fail("carried out again")

    assert ask_all(never, unsure) == [errors.Unavailable] * 3


NO_DECODER_LATER = """
import msgspec
from redesignate.bus import codec
from redesignate.commands.zones import GetZone
from redesignate.model.caller import operator

msgspec.json.Decoder = None
command = GetZone(caller=operator("req-1"), zone_id="z")
assert codec.asked(codec.question(command)) == command
try:
    codec.reply_to(command, b'{"ok": null}')
except Exception as error:
    assert "is not valid" in str(error), error
"""


def test_every_decoder_is_there_before_the_first_thread_needs_one() -> None:
    """msgspec reads through a null pointer where two threads make the first decoder of one type."""
    subprocess.run([sys.executable, "-c", NO_DECODER_LATER], check=True, timeout=60)
