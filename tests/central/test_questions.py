# SPDX-License-Identifier: Apache-2.0
"""Questions that come too late are not carried out, those that come twice are carried out once, over each database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from redesignate.bus import codec
from redesignate.bus.amqp import COMMIT_S
from redesignate.bus.inproc import Shares
from redesignate.bus.port import Asked
from redesignate.central.questions import Questions
from redesignate.central.rules import Rules
from redesignate.central.service import CentralService
from redesignate.commands.base import Command
from redesignate.commands.rrsets import CreateRRset, UpdateRRset
from redesignate.commands.tsigkeys import CreateTSIGKey
from redesignate.commands.zones import CreateZone, GetZone, UpdateZone
from redesignate.model.clock import SECOND, new_id
from redesignate.model.errors import DuplicateRRset, TimedOut
from redesignate.model.rrset import NewRRset, RRset, RRsetChange
from redesignate.model.tsigkey import NewTSIGKey, Scope
from redesignate.model.zone import NewZone, Zone, ZoneChange
from redesignate.store import migrate
from redesignate.store.engine import EngineOptions
from redesignate.store.questions import Questions as Kept
from redesignate.store.unit import Retries, Store
from redesignate.threads.deadline import Deadline, TooLate
from tests.central.conftest import Build
from tests.central.driver import OPERATOR, POLICY, CentralDriver, member
from tests.faults.drills import row_held
from tests.support.mariadb import MariaDB
from tests.support.servers import until

MINUTE = 60 * SECOND
SHARES = Shares.of(24, connections=24)


def desk(central: CentralDriver) -> Questions:
    return Questions(central.service, central.store, SHARES)


def asked(questions: Questions, seconds: float = 60, deadline: Deadline | None = None) -> Asked:
    """A question with an id and so much time by the database's clock; by ours it has a minute."""
    until = questions.clock() + int(seconds * SECOND)
    return Asked(deadline=deadline or Deadline.after(60), until=until, id=new_id())


def create(zone: Zone, label: str = "www", address: str = "192.0.2.1") -> CreateRRset:
    new = NewRRset(name=f"{label}.{zone.name}", type="A", records=(address,))
    return CreateRRset(caller=member(), zone_id=zone.id, new=new)


def told(command: Command[Any], answer: bytes) -> Any:
    return codec.reply_to(command, answer)


def test_a_question_in_time_is_carried_out_and_its_answer_kept(anywhere: Build) -> None:
    central = anywhere()
    questions, zone = desk(central), central.zone()
    how = asked(questions)
    made = told(create(zone), questions.carry(create(zone), how))
    (kept,) = central.rows("questions")
    assert kept.id == how.id
    assert told(create(zone), kept.answer) == made


def test_what_waited_too_long_on_its_way_is_not_carried_out(anywhere: Build) -> None:
    central = anywhere()
    questions, zone = desk(central), central.zone()
    late = asked(questions, -1)  # in somebody's buffers, while no clock of ours saw it
    with pytest.raises(TooLate):
        desk(central).carry(create(zone), late)
    assert central.get(zone.id).revision == zone.revision
    assert not central.rows("questions")


def test_a_central_that_slept_over_its_transaction_does_not_commit(
    anywhere: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    central = anywhere()
    zone, now = central.zone(), [0.0]
    how = asked(desk(central), deadline=Deadline(at=10, clock=lambda: now[0]))
    keep = Kept.keep

    def slow(made: Kept, rows: Sequence[Any]) -> int:
        clock = keep(made, rows)
        now[0] = 90.0  # stopped here, and going on
        return clock

    monkeypatch.setattr(Kept, "keep", slow)
    store = Store(central.store.url, clock=lambda: central.time, retries=Retries(ticks=lambda: now[0]))
    service = CentralService(store, Rules(settings=central.settings, policy=POLICY), central)
    with pytest.raises(TooLate):
        Questions(service, store, SHARES).carry(create(zone), how)
    assert central.get(zone.id).revision == zone.revision
    store.close()


def test_a_commit_that_was_begun_in_time_may_end_after_its_asker_gave_up(anywhere: Build) -> None:
    """Nobody can take back what the database is about to save: so the 504 (`bus/amqp.py`) does not rule it out."""
    central = anywhere()
    zone, now = central.zone(), [0.0]
    how = asked(desk(central), deadline=Deadline(at=10, clock=lambda: now[0]))
    store = Store(central.store.url, clock=lambda: central.time, retries=Retries(ticks=lambda: now[0]))

    @event.listens_for(store.engine, "commit")
    def stop(_connection: Connection) -> None:
        now[0] = 90.0  # stopped here, and going on

    service = CentralService(store, Rules(settings=central.settings, policy=POLICY), central)
    Questions(service, store, SHARES).carry(create(zone), how)
    assert how.deadline.over()
    assert central.get(zone.id).revision == zone.revision + 1
    store.close()


def test_a_late_change_does_not_undo_a_newer_one(anywhere: Build) -> None:
    central = anywhere()
    questions, zone = desk(central), central.zone()
    made = central.rrset(zone, "www")

    def put(address: str) -> UpdateRRset:
        change = RRsetChange(records=(address,))
        return UpdateRRset(caller=member(), zone_id=zone.id, rrset_id=made.id, change=change)

    old = asked(questions, -1)
    questions.carry(put("192.0.2.2"), asked(questions))
    for stale in (desk(central), questions):  # with a look at the database's clock, and by what it knows of it
        with pytest.raises(TooLate):
            stale.carry(put("192.0.2.99"), old)
    assert central.look(made).records == ("192.0.2.2",)


def test_asked_twice_it_is_done_once_and_both_askings_get_the_first_answer(anywhere: Build) -> None:
    central = anywhere()
    questions, zone = desk(central), central.zone()
    first = asked(questions)
    again = replace(first, again=True)
    answers = [told(create(zone), questions.carry(create(zone), how)) for how in (first, again, again)]
    assert answers[0] == answers[1] == answers[2]
    assert central.get(zone.id).revision == zone.revision + 1


def test_a_zone_that_is_asked_for_twice_is_made_once(anywhere: Build) -> None:
    central = anywhere()
    questions = desk(central)
    command = CreateZone(caller=member(), new=NewZone(name="twice.example.", email="a@example.org"))
    first = asked(questions)
    again = replace(first, again=True)
    made = told(command, questions.carry(command, first))
    assert told(command, questions.carry(command, again)) == made


def test_the_first_asking_that_comes_after_the_second_does_nothing(anywhere: Build) -> None:
    central = anywhere()
    questions, zone = desk(central), central.zone()
    made = central.rrset(zone, "www")
    put = UpdateRRset(caller=member(), zone_id=zone.id, rrset_id=made.id, change=RRsetChange(ttl=77))
    first = asked(questions)
    done = told(put, questions.carry(put, replace(first, again=True)))
    central.put(made, ttl=99)
    assert told(put, questions.carry(put, first)) == done
    assert central.look(made).ttl == 99


def test_a_second_asking_that_is_refused_keeps_the_first_from_being_carried_out_later(anywhere: Build) -> None:
    central = anywhere()
    questions, zone = desk(central), central.zone()
    there: RRset = central.rrset(zone, "www")
    first = asked(questions)
    again = replace(first, again=True)
    with pytest.raises(DuplicateRRset):
        told(create(zone), questions.carry(create(zone), again))
    central.remove(there)
    with pytest.raises(DuplicateRRset):
        told(create(zone), questions.carry(create(zone), first))


def test_both_askings_at_once_are_one_change(anywhere: Build) -> None:
    central = anywhere()
    questions, zone = desk(central), central.zone()
    for n in range(10):
        first = asked(questions)
        again = replace(first, again=True)
        command, start = create(zone, f"n{n}"), threading.Barrier(2)

        def ask(how: Asked, command: CreateRRset = command, start: threading.Barrier = start) -> Any:
            start.wait(10)
            try:
                return told(command, questions.carry(command, how))
            except DuplicateRRset as problem:  # the first asking's, which nobody listens to any more
                assert not how.again
                return problem

        with ThreadPoolExecutor(2) as pool:
            _, second = pool.map(ask, (first, again))
        assert isinstance(second, RRset)
    assert central.get(zone.id).revision == zone.revision + 10


def test_one_of_a_convoy_that_is_done_already_does_not_hold_up_the_others(anywhere: Build) -> None:
    central = anywhere()
    questions, zone = desk(central), central.zone()
    how = [asked(questions) for _ in range(3)]
    commands = [create(zone, label) for label in "abc"]
    done = told(commands[1], questions.carry(commands[1], how[1]))
    how[1] = replace(how[1], again=True)
    envelopes = [codec.sent(codec.question(command), one) for command, one in zip(commands, how, strict=True)]
    answers = codec.serve_all(questions.carry, questions.together, envelopes)
    made = [told(command, answer) for command, answer in zip(commands, answers, strict=True)]
    assert made[1] == done
    assert central.get(zone.id).revision == zone.revision + 3


def test_an_answer_with_a_secret_is_not_kept(anywhere: Build) -> None:
    central = anywhere()
    questions = desk(central)
    pool_id = central.rows("pools")[0].id
    command = CreateTSIGKey(
        caller=OPERATOR,
        new=NewTSIGKey(name="k.", algorithm="hmac-sha256", secret="c2VjcmV0", scope=Scope.POOL, resource_id=pool_id),
    )
    first = asked(questions)
    questions.carry(command, first)
    assert [bytes(row.answer) for row in central.rows("questions")] == [b""]
    again = replace(first, again=True)
    with pytest.raises(TimedOut, match="was made"):
        questions.carry(command, again)


def test_a_read_leaves_nothing_and_is_answered_in_time_only(anywhere: Build) -> None:
    central = anywhere()
    questions, zone = desk(central), central.zone()
    command = GetZone(caller=member(), zone_id=zone.id)
    assert questions.carry(command, replace(asked(questions), id=None)) == zone
    with pytest.raises(TooLate):
        questions.carry(command, asked(questions, deadline=Deadline.after(-1)))
    assert not central.rows("questions")


def test_a_question_costs_one_statement_more_than_the_change(central: CentralDriver) -> None:
    questions, zone = desk(central), central.zone()
    central.rrset(zone, "warm")
    how = asked(questions)
    with central.counted() as plain:
        central.rrset(zone, "plain")
    with central.counted() as kept:
        questions.carry(create(zone, "kept"), how)
    assert len(kept) == len(plain) + 1


def test_nothing_is_written_after_the_comparison_with_the_deadline(central: CentralDriver) -> None:
    questions, zone = desk(central), central.zone()
    with central.counted() as statements:
        questions.carry(create(zone), asked(questions))
    assert "questions" in statements[-1], statements[-1]


def test_the_clock_is_the_databases(anywhere: Build) -> None:
    central = anywhere()
    questions = desk(central)
    first = central.store.look(lambda work: Kept(work.conn).now())[1]
    reckoned = questions.clock()
    last = central.store.look(lambda work: Kept(work.conn).now())[1]
    assert first <= reckoned + SECOND // 500  # SQLite's clock has milliseconds
    assert reckoned <= last + SECOND // 500


def test_old_questions_are_forgotten_in_batches(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    questions = desk(central)
    for label in "abc":
        questions.carry(create(zone, label), asked(questions))
    forget: Callable[[int], int] = lambda age: central.store.transact(  # noqa: E731  # twice below
        lambda work: Kept(work.conn).forget(age, 2)
    )
    assert forget(MINUTE) == 0
    assert [forget(-MINUTE), forget(-MINUTE), forget(-MINUTE)] == [2, 1, 0]


@pytest.mark.external
def test_a_zone_whose_row_is_locked_holds_its_share_of_centrals_threads(mariadb: MariaDB) -> None:
    """Whichever API they come from; the others are refused before the database's own limit ends the wait."""
    url = mariadb.database()
    migrate.upgrade(url)
    central = CentralDriver(url)
    central.pool()
    questions, locked, free = desk(central), central.zone("locked.example."), central.zone("free.example.")
    change = ZoneChange(description="new")
    how = [asked(questions, seconds=30) for _ in range(24)]
    with row_held(central.store.engine, locked.id), ThreadPoolExecutor(24) as pool:
        futures = [
            pool.submit(questions.carry, UpdateZone(caller=member(), zone_id=locked.id, change=change), each)
            for each in how
        ]
        until(lambda: sum(future.done() for future in futures) >= 24 - SHARES.zone, deadline_s=6)
        assert all("wait for this zone" in str(future.exception()) for future in futures if future.done())
        questions.carry(UpdateZone(caller=member(), zone_id=free.id, change=change), asked(questions))
        assert sum(not future.done() for future in futures) == SHARES.zone
    central.close()
    mariadb.drop(url)


def test_the_time_for_a_commit_is_that_after_which_the_database_ends_it() -> None:
    assert EngineOptions().idle_s == COMMIT_S
