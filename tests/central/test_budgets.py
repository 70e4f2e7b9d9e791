# SPDX-License-Identifier: Apache-2.0
"""How many statements a use-case may cost, and that the number does not grow with what the database holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from redesignate.commands.rrsets import ListRRsets
from redesignate.commands.work import BeginWork, Report
from redesignate.commands.zones import ListZones
from redesignate.model.paging import ListQuery
from redesignate.model.pool import CatalogSpec
from redesignate.model.work import Outcome, Task
from redesignate.model.zone import Zone
from tests.central.driver import CentralDriver, member


@pytest.fixture(params=[10, 300])
def filled(central: CentralDriver, request: pytest.FixtureRequest) -> tuple[CentralDriver, Zone]:
    """Central with so many zones, and so many RRsets in one of them."""
    zone = central.zone()
    for n in range(request.param):
        central.rrset(zone, f"n{n}")
        if n % 10 == 0:
            central.zone(name=f"z{n}.org.")
    central.serve()
    return central, zone


def cost(central: CentralDriver, act: Callable[[], object]) -> list[str]:
    with central.counted() as statements:
        act()
    return statements


def test_changes_keep_to_their_budgets(filled: tuple[CentralDriver, Zone]) -> None:
    central, zone = filled
    made = central.rrset(zone, "warm")
    for act, most in (
        (lambda: central.rrset(zone, "www", records=("192.0.2.1", "192.0.2.2"), ttl=60), 7),
        (lambda: central.put(made, records=("192.0.2.7", "192.0.2.8"), ttl=5), 9),
        (lambda: central.remove(made), 7),
        (lambda: central.patch(zone, description="x"), 4),
        (lambda: central.patch(zone, ttl=99), 5),
        (lambda: central.zone(name="new.example.net."), 15),
        (lambda: central.get(zone.id), 1),
        (lambda: central.delete(central.zone(name="gone.example.net.")), 14 + 6),
        (lambda: central.call(ListZones(caller=member(), query=ListQuery())), 3),
        (lambda: central.call(ListRRsets(caller=member(), zone_id=zone.id, query=ListQuery())), 3),
    ):
        statements = cost(central, act)
        assert len(statements) <= most, "\n".join(statements)


def test_a_projects_count_is_held_by_no_more_than_the_end_of_a_creation(central: CentralDriver) -> None:
    """All creations of the project wait for its row."""
    central.zone(name="first.example.net.")
    statements = cost(central, lambda: central.zone(name="new.example.net."))
    (counted,) = [at for at, one in enumerate(statements) if one.startswith("INSERT INTO project_usage")]
    (made,) = [at for at, one in enumerate(statements) if one.startswith("INSERT INTO zones")]
    assert made < counted
    assert len(statements) - counted <= 7, "\n".join(statements)


def test_looking_at_one_rrset_costs_two(filled: tuple[CentralDriver, Zone]) -> None:
    central, zone = filled
    made = central.rrset(zone, "www")
    assert len(cost(central, lambda: central.look(made))) <= 2


def test_a_zone_of_a_pool_with_catalog_costs_a_few_more(filled: tuple[CentralDriver, Zone]) -> None:
    central, _ = filled
    central.pool(catalog=CatalogSpec(name="catalog.invalid."))
    assert len(cost(central, lambda: central.zone(name="new.example.net."))) <= 19


def test_statements_are_the_same_with_ten_and_three_hundred(central: CentralDriver) -> None:
    zone = central.zone()
    counts = []
    for n in range(300):
        made: list[object] = []
        statements = cost(central, lambda n=n, made=made: made.append(central.rrset(zone, f"n{n}")))  # type: ignore[misc]
        if n in (10, 299):
            counts.append(len(statements))
    assert counts[0] == counts[1]


def work(central: CentralDriver, count: int) -> tuple[tuple[Task, ...], int]:
    ids = tuple(central.zone(name=f"z{n}.example.net.").id for n in range(count))
    tasks: list[tuple[Task, ...]] = []
    statements = cost(central, lambda: tasks.append(central.call(BeginWork(worker="w1", zone_ids=ids))))
    assert len(tasks[0]) == count
    return tasks[0], len(statements)


def test_work_for_many_zones_begins_with_few_statements(central: CentralDriver) -> None:
    assert work(central, 100)[1] <= 3, "lease, read, and the pool, which was not read before"


def test_the_way_back_of_one_change_costs_two_statements_and_four(central: CentralDriver) -> None:
    zone = central.zone()
    central.serve()
    central.rrset(zone, "www")
    tasks: list[Task] = []
    assert len(cost(central, lambda: tasks.extend(central.begin(zone)))) == 2
    said = central.as_wanted(tasks[0])
    statements = cost(central, lambda: central.said(tasks[0], said))
    assert len(statements) == 4, "what is known, the peers' states, the zone's status, the outbox row"
    assert central.outbox(zone) is None


@pytest.mark.parametrize("ok", [True, False])
def test_a_report_costs_four_messages_for_any_number_of_zones(central: CentralDriver, ok: bool) -> None:
    tasks, _ = work(central, 100)
    outcomes = []
    for task in tasks:
        well = central.as_wanted(task)
        said = well if ok else well[:1]
        outcomes.append(
            Outcome(zone_id=task.zone_id, revision=task.revision, present=True, peers=tuple(said), final=True)
        )
    statements = cost(central, lambda: central.call(Report(worker="w1", outcomes=tuple(outcomes))))
    assert len(statements) <= (4 if ok else 3)
    assert len(central.rows("outbox")) == (0 if ok else 100)


def test_the_way_back_costs_as_much_with_eight_nameservers_as_with_one(build: Callable[..., CentralDriver]) -> None:
    counts = []
    for servers in (1, 8):
        central = build(pool=False)
        central.pool(servers=servers, targets=servers)
        tasks, begun = work(central, 20)
        outcomes = tuple(
            Outcome(zone_id=task.zone_id, revision=task.revision, present=True, peers=tuple(central.as_wanted(task)))
            for task in tasks
        )
        assert {len(outcome.peers) for outcome in outcomes} == {2 * servers}
        reported = cost(central, partial(central.call, Report(worker="w1", outcomes=outcomes)))
        counts.append((begun, len(reported)))
        assert central.rows("outbox") == []
    assert counts[0] == counts[1]


def test_a_report_of_deletions_costs_a_few_a_zone(central: CentralDriver) -> None:
    tasks, _ = work(central, 20)
    with central.store.read() as reading:
        zones = reading.zones.many([task.zone_id for task in tasks])
    for zone in zones.values():
        central.delete(zone)
    gone = central.call(BeginWork(worker="w1", zone_ids=tuple(zones)))
    outcomes = tuple(
        Outcome(zone_id=task.zone_id, revision=task.revision, present=False, peers=tuple(central.as_wanted(task)))
        for task in gone
    )
    statements = cost(central, lambda: central.call(Report(worker="w1", outcomes=outcomes)))
    assert len(statements) <= 10 + 4 * 20
