# SPDX-License-Identifier: Apache-2.0
"""Serials of many zones from several servers in one call."""

from __future__ import annotations

import asyncio
import time

from redesignate.wire.message import Rcode
from redesignate.wire.survey import Question, Survey
from tests.support.nameservers import SmallServer


def asked(
    *questions: Question, per_second: float = 2000, patience_s: float = 0.2
) -> list[tuple[int, int | None] | None]:
    """Rcode and serial of each answer."""

    async def run() -> list[tuple[int, int | None] | None]:
        survey = Survey()
        try:
            found = await survey.ask(questions, per_second=per_second, patience_s=patience_s)
        finally:
            survey.close()
        return [None if answer is None else (answer.rcode, answer.serial) for answer in found]

    return asyncio.run(run())


def at(server: SmallServer, zone: str, host: str = "127.0.0.1") -> Question:
    return Question(zone, host, server.port)


def test_each_question_has_its_own_answer() -> None:
    zones: dict[str, int | None] = {f"z{n}.example.": n for n in range(300)}
    with SmallServer(zones=zones) as one, SmallServer(zones={"z7.example.": 70}) as other:
        questions = [at(one, zone) for zone in zones]
        found = asked(*questions, at(other, "z7.example."), at(other, "z8.example."))
    assert found == [(0, n) for n in range(300)] + [(0, 70), (Rcode.REFUSED, None)]


def test_a_silent_server_is_asked_three_times_and_the_others_are_heard() -> None:
    with SmallServer(silent=True) as silent, SmallServer(zones={"a.example.": 1}) as well:
        assert asked(at(silent, "a.example."), at(well, "a.example.")) == [None, (0, 1)]
        assert len(silent.questions("SOA")) == 3
        assert len(well.questions("SOA")) == 1


def test_an_answer_after_the_first_try_still_counts() -> None:
    with SmallServer(zones={"a.example.": 1}, delay=0.3) as slow:
        assert asked(at(slow, "a.example.")) == [(0, 1)]


def test_questions_keep_their_pace() -> None:
    zones: dict[str, int | None] = {f"z{n}.example.": n for n in range(40)}
    with SmallServer(zones=zones) as server:
        started = time.monotonic()
        asked(*(at(server, zone) for zone in zones), per_second=100)
        assert time.monotonic() - started >= 0.38


def test_a_host_name_is_resolved_and_one_without_address_answers_nothing() -> None:
    with SmallServer(zones={"a.example.": 1}) as server:
        assert asked(at(server, "a.example.", "localhost"))[0] in {(0, 1), None}  # localhost may be ::1
        assert asked(at(server, "a.example.", "nowhere.invalid")) == [None]
