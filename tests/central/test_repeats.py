# SPDX-License-Identifier: Apache-2.0
"""Requests that clients send several times under one Idempotency-Key, over each database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from redesignate.central.repeats import KEPT_S
from redesignate.commands.base import CallerCommand
from redesignate.commands.exports import CreateExport
from redesignate.commands.rrsets import CreateRRset
from redesignate.commands.upkeep import ForgetQuestions
from redesignate.commands.zones import CreateZone, DeleteZone, GetZone
from redesignate.model import errors
from redesignate.model.caller import Caller, Repeat
from redesignate.model.clock import SECOND
from redesignate.model.rrset import NewRRset
from redesignate.model.zone import NewZone, Zone
from redesignate.store.repeats_schema import repeats
from tests.central.conftest import Build
from tests.central.driver import CentralDriver, member
from tests.central.test_races import at_once


def asking(key: str = "k", digest: str = "d", project: str = "p1", *roles: str, **more: Any) -> Caller:
    return member(project, *roles, repeat=Repeat(key=key, digest=digest), **more)


def create(central: CentralDriver, caller: Caller, name: str = "example.org.") -> Zone:
    return central.call(CreateZone(caller=caller, new=NewZone(name=name, email="a@example.org")))


def age(central: CentralDriver) -> None:
    """Let a day pass for what is stored."""
    with central.store.engine.begin() as connection:
        connection.execute(repeats.update().values(at=repeats.c.at - KEPT_S * SECOND - 1))


def test_a_copy_gets_the_answer_of_the_first(anywhere: Build) -> None:
    central = anywhere()
    made = create(central, asking())
    central.serve()
    assert create(central, asking()) == made
    assert central.get(made.id).status is not made.status
    new = NewRRset(name="www.example.org.", type="A", records=("192.0.2.1",))
    first, again = (central.call(CreateRRset(caller=asking("r"), zone_id=made.id, new=new)) for _ in range(2))
    assert first == again
    assert len(central.rows("zones")) == 1


def test_whoever_lost_the_right_is_not_shown_the_answer_again(anywhere: Build) -> None:
    central = anywhere()
    made = create(central, asking())
    new = NewRRset(name="www.example.org.", type="A", records=("192.0.2.1",))

    def copies(*roles: str) -> list[object]:
        acts: list[CallerCommand[Any]] = [
            CreateZone(caller=asking("k", "d", "p1", *roles), new=NewZone(name="example.org.", email="a@example.org")),
            CreateRRset(caller=asking("r", "d", "p1", *roles), zone_id=made.id, new=new),
            CreateExport(caller=asking("e", "d", "p1", *roles), zone_id=made.id),
        ]
        return [outcome(central, act) for act in acts]

    first = copies()
    assert copies() == first
    assert copies("reader") == [errors.Forbidden] * 3
    central.call(DeleteZone(caller=member("p1"), zone_id=made.id))
    central.serve()
    assert copies() == first


def outcome(central: CentralDriver, command: CallerCommand[Any]) -> object:
    try:
        return central.call(command).id
    except errors.Problem as problem:
        return type(problem)


def test_of_many_copies_at_once_one_is_carried_out_and_all_get_its_answer(anywhere: Build) -> None:
    central = anywhere()
    for n in range(3):
        made: list[Zone] = []

        def act(n: int = n, made: list[Zone] = made) -> None:
            made.append(create(central, asking(f"k{n}"), f"z{n}.org."))

        assert at_once(*[act] * 5) == {"ok": 5}
        assert len({zone.id for zone in made}) == 1
    zone = made[0]
    new = NewRRset(name=f"www.{zone.name}", type="A", records=("192.0.2.1",))
    ids: list[str] = []
    acts: list[Callable[[], object]] = [
        lambda: ids.append(central.call(CreateRRset(caller=asking("r"), zone_id=zone.id, new=new)).id)
    ] * 5
    assert at_once(*acts) == {"ok": 5}
    assert len(set(ids)) == 1


def test_a_key_is_of_one_request_of_one_user_and_project(anywhere: Build) -> None:
    central = anywhere()
    create(central, asking())
    with pytest.raises(errors.KeyReused):
        create(central, asking(digest="other"), "other.org.")
    mine = Caller(request_id="r", user_id="u2", project_id="p1", roles=("member",), repeat=Repeat(key="k", digest="d"))
    for caller in (mine, asking(project="p2")):
        with pytest.raises(errors.DuplicateZone):
            create(central, caller)
    assert len(central.rows("zones")) == len(central.rows("repeats")) == 1


def test_a_refused_request_leaves_its_key_free(anywhere: Build) -> None:
    central = anywhere()
    other = create(central, member("p2"))
    with pytest.raises(errors.DuplicateZone):
        create(central, asking())
    assert central.rows("repeats") == []
    central.delete(other, member("p2"))
    central.serve()
    assert create(central, asking()) == create(central, asking())


def test_a_key_is_forgotten_after_a_day_swept_or_not(anywhere: Build) -> None:
    central = anywhere()
    create(central, asking())
    create(central, asking("k2"), "b.org.")
    age(central)
    assert create(central, asking(digest="other"), "c.org.").name == "c.org."
    assert central.call(ForgetQuestions(age_s=1, limit=100)) == 1
    assert [row.digest for row in central.rows("repeats")] == ["other"]
    with pytest.raises(errors.DuplicateZone):
        create(central, asking("k2"), "b.org.")


def test_changes_of_one_message_are_carried_out_once_each(central: CentralDriver) -> None:
    zone = central.zone()
    commands = [
        CreateRRset(
            caller=asking(f"k{n // 2}"),
            zone_id=zone.id,
            new=NewRRset(name=f"n{n // 2}.example.org.", type="A", records=("192.0.2.1",)),
        )
        for n in range(6)
    ]
    answers = central.service.together(commands)
    assert [one.id for one in answers[::2]] == [one.id for one in answers[1::2]]
    assert len({one.id for one in answers}) == 3


def test_a_read_claims_no_key(central: CentralDriver) -> None:
    zone = central.zone()
    central.call(GetZone(caller=asking(), zone_id=zone.id))
    assert central.rows("repeats") == []


def test_a_request_without_a_key_costs_no_statement_and_one_with_it_three(central: CentralDriver) -> None:
    zone = central.zone()
    counts = []
    for n, caller in enumerate((member(), asking(), asking())):
        name = f"n{min(n, 1)}.example.org."
        new = NewRRset(name=name, type="A", records=("192.0.2.1",))
        with central.counted() as statements:
            central.call(CreateRRset(caller=caller, zone_id=zone.id, new=new))
        counts.append(len(statements))
        assert n or not [one for one in statements if "repeats" in one]
    assert counts == [counts[0], counts[0] + 3, 5]
