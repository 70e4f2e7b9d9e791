# SPDX-License-Identifier: Apache-2.0
"""The blacklist: what is in it, which zones it keeps from being created, at what cost."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from sqlalchemy import event

from redesignate.central import blacklists
from redesignate.commands.base import Command
from redesignate.commands.blacklists import (
    CreateBlacklist,
    DeleteBlacklist,
    GetBlacklist,
    ListBlacklists,
    UpdateBlacklist,
)
from redesignate.model import errors
from redesignate.model.blacklist import Blacklist, BlacklistChange, NewBlacklist
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.store.allowed import Allowed
from redesignate.store.blacklists import Blacklists
from redesignate.store.unit import Work
from tests.central.conftest import Build
from tests.central.driver import CentralDriver, admin
from tests.central.test_races import at_once

REAL = r"^([A-Za-z0-9_\-]+\.)*example\.com\.$"


def add(central: CentralDriver, pattern: str, **new: Any) -> Blacklist:
    return central.call(CreateBlacklist(caller=admin(), new=NewBlacklist(pattern=pattern, **new)))


def refused(central: CentralDriver, name: str) -> bool:
    try:
        central.zone(name=name)
    except errors.InvalidZoneName:
        return True
    return False


def test_a_pattern_is_made_read_changed_and_removed(central: CentralDriver) -> None:
    made = add(central, REAL, description="not ( a regex")
    assert (made.pattern, made.description, made.updated_at) == (REAL, "not ( a regex", None)
    assert central.call(GetBlacklist(caller=admin(), blacklist_id=made.id)) == made
    assert refused(central, "a.Example.COM.")
    change = UpdateBlacklist(caller=admin(), blacklist_id=made.id, change=BlacklistChange(pattern="acme"))
    central.pass_time(5)
    after = central.call(change)
    assert (after.pattern, after.description, after.updated_at) == ("acme", made.description, central.time)
    assert not refused(central, "example.com.")
    assert refused(central, "the-ACME.org.")
    nothing = UpdateBlacklist(caller=admin(), blacklist_id=made.id, change=BlacklistChange())
    assert central.call(nothing) == after
    central.call(DeleteBlacklist(caller=admin(), blacklist_id=made.id))
    assert not refused(central, "acme.org.")
    assert not central.rows("blacklist_needles")
    gone = DeleteBlacklist(caller=admin(), blacklist_id=made.id)
    acts: tuple[Command[Any], ...] = (GetBlacklist(caller=admin(), blacklist_id=made.id), nothing, gone)
    for act in acts:
        with pytest.raises(errors.BlacklistNotFound):
            central.call(act)


def test_a_change_of_the_description_leaves_the_pattern_in_force(central: CentralDriver) -> None:
    made = add(central, "acme")
    change = BlacklistChange(description=None, pattern="acme")
    central.call(UpdateBlacklist(caller=admin(), blacklist_id=made.id, change=change))
    central.call(UpdateBlacklist(caller=admin(), blacklist_id=made.id, change=BlacklistChange(description="x")))
    assert refused(central, "acme.org.")


def test_the_pattern_is_searched_in_the_name_with_its_final_dot(central: CentralDriver) -> None:
    add(central, r"^evil\.org\.$")
    add(central, r"^[0-9]+\.", description="no fixed text of three characters")
    assert refused(central, "evil.org.")
    assert refused(central, "123.org.")
    assert not refused(central, "not-evil.org.")
    assert not refused(central, "a.evil.org.")


def test_a_caller_with_the_right_may(central: CentralDriver) -> None:
    add(central, "example")
    central.zone(caller=admin())
    with pytest.raises(errors.InvalidZoneName, match=r"^Blacklisted zone name$"):
        central.zone(name="a.example.net.")


@pytest.mark.parametrize("pattern", ["", "(", "a" * 256, "(?=a)", r"(a)\1", "ü", "([a-z]{1,60}){1,16}"])
def test_what_cannot_run_is_refused_with_its_reason(central: CentralDriver, pattern: str) -> None:
    with pytest.raises(errors.InvalidObject, match="Provided object is not valid"):
        add(central, pattern)
    made = add(central, "acme")
    with pytest.raises(errors.InvalidObject):
        central.call(UpdateBlacklist(caller=admin(), blacklist_id=made.id, change=BlacklistChange(pattern=pattern)))
    with pytest.raises(errors.InvalidObject):
        add(central, "b", description="x" * 161)


def test_a_pattern_is_found_by_itself(central: CentralDriver) -> None:
    for pattern in (REAL, "^a.*$", "plain"):
        add(central, pattern)
        op = Op.LIKE if "*" in pattern else Op.EQ
        query = ListQuery(conditions=(Condition("pattern", op, pattern),))
        found = central.call(ListBlacklists(caller=admin(), query=query)).items
        assert [one.pattern for one in found] == [pattern]


def test_there_are_bounds_and_they_say_what_to_do(central: CentralDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blacklists, "MOST_ALIKE", 3)
    for n in range(3):
        add(central, f"^[0-9]{{{n + 1}}}x")
    with pytest.raises(errors.InvalidOperation, match="no fixed text of three"):
        add(central, "^[a-z]$")
    change = BlacklistChange(pattern="^[a-z]$")
    central.call(UpdateBlacklist(caller=admin(), blacklist_id=central.rows("blacklists")[0].id, change=change))
    for n in range(3):
        add(central, f"com[0-9]{{{n + 1}}}")
    with pytest.raises(errors.InvalidOperation, match="'com' or a part"):
        add(central, "com[a-z]")
    add(central, "comes")  # it is found by another gram
    monkeypatch.setattr(blacklists, "MOST", 7)
    with pytest.raises(errors.InvalidOperation, match="holds 7 patterns"):
        add(central, "more")


def words(rnd: random.Random, count: int) -> list[str]:
    return ["".join(rnd.choices("abcdefghijklmnopqrstuvwxyz", k=rnd.randint(5, 12))) for _ in range(count)]


def fill(central: CentralDriver, count: int) -> None:
    """So many patterns of the kinds that operators write."""
    kinds = (r"^([A-Za-z0-9_\-]+\.)*{}\.com\.$", r"{}", r".*{}\.(net|org)\.$", r"^{}\.")
    patterns = [kinds[at % 4].replace("{}", word + str(at)) for at, word in enumerate(words(random.Random(5), count))]
    commands = [CreateBlacklist(caller=admin(), new=NewBlacklist(pattern=pattern)) for pattern in patterns]
    for start in range(0, count, 500):
        central.service.together(commands[start : start + 500])


def test_a_zone_costs_the_same_with_one_pattern_and_with_thousands(build: Build) -> None:
    """The same statements; and of the patterns a handful is compared, so that their number does not matter."""
    counts, compared = [], []
    for size in (1, 3000):
        central = build()
        fill(central, size)
        central.zone(name="warm.org.")
        with central.counted() as statements:
            central.zone(name="new.example.net.")
        counts.append(len(statements))
        with central.store.read() as work:
            names = [f"{word}.example.com." for word in words(random.Random(9), 100)]
            compared.append(max(len(Allowed(work.conn).about(name).patterns) for name in names))
    assert counts[0] == counts[1]
    assert compared[1] <= 3


def test_the_check_reads_no_table_from_end_to_end(central: CentralDriver) -> None:
    fill(central, 50)
    seen: list[tuple[str, Any]] = []
    engine = central.store.engines[1]

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    with central.store.read() as work:
        Allowed(work.conn).about("www.example.org.")
        event.remove(engine, "before_cursor_execute", note)
        ((statement, parameters),) = seen
        plan = [row[3] for row in work.conn.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)]
    assert not [line for line in plan if line.startswith("SCAN")], plan


def test_a_hostile_pattern_delays_no_zone(central: CentralDriver) -> None:
    for pattern in ("(a+)+$", "(a|aa)+$", "(.*a){12}x"):
        add(central, pattern)
    name = ".".join(["a" * 62] * 3) + ".org."
    began = time.process_time()
    central.zone(name=name)
    assert time.process_time() - began < 1


def test_of_two_who_add_a_pattern_at_once_one_is_told_that_it_is_there(anywhere: Build) -> None:
    central = anywhere()
    for n in range(5):
        ends = at_once(*(lambda n=n: add(central, f"brand{n}|other{n}") for _ in range(4)))
        assert ends == {"ok": 1, "DuplicateBlacklist": 3}
    assert len(central.rows("blacklist_needles")) == 10
    made = add(central, "mine")
    ends = at_once(
        lambda: central.call(
            UpdateBlacklist(caller=admin(), blacklist_id=made.id, change=BlacklistChange(pattern="theirs"))
        ),
        lambda: add(central, "theirs"),
    )
    assert ends == {"ok": 1, "DuplicateBlacklist": 1}


def test_a_pattern_holds_from_its_commit_on_in_every_central(anywhere: Build) -> None:
    """There is nothing in memory that another central's change would have to reach."""
    one, other = anywhere(), anywhere()
    assert not refused(one, "acme.org.")
    made = add(other, "acme")
    assert refused(one, "acme.net.")
    other.call(DeleteBlacklist(caller=admin(), blacklist_id=made.id))
    assert not refused(one, "acme.net.")


def test_a_pattern_that_is_not_committed_does_not_count(anywhere: Build) -> None:
    """A creation that has read the list goes on; the pattern comes after it."""
    central = anywhere()
    if central.store.engine.dialect.name == "sqlite":
        pytest.skip("its writers come one after another")
    row = Blacklist(id="1" * 36, pattern="acme", created_at=1)

    def do(work: Work) -> None:
        Blacklists(work.conn).add(row, {"acme": "acm"})
        central.zone(name="acme.org.")

    central.store.transact(do)
    assert refused(central, "acme.net.")
