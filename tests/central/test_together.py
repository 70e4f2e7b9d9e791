# SPDX-License-Identifier: Apache-2.0
"""Changes of one zone that are carried out together, over each database: one transaction, and the same outcome."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redesignate.commands.rrsets import CreateRRset, DeleteRRset, ListRRsets, UpdateRRset, UpsertRRset
from redesignate.commands.zones import GetZone
from redesignate.config.settings import QUOTAS
from redesignate.model.errors import DuplicateRRset, InvalidRRsetLocation, OverQuota, Problem, RRsetNotFound
from redesignate.model.paging import ListQuery
from redesignate.model.rrset import NewRRset, RRset, RRsetChange
from redesignate.model.zone import Zone
from tests.central.conftest import Build
from tests.central.driver import CentralDriver, member
from tests.central.test_journal import fresh

KINDS = {"A": ("192.0.2.1", "192.0.2.2"), "CNAME": ("there.example.",), "TXT": ('"one"', '"two"')}
LABELS = ("there", "also", "new")


def create(zone: Zone, label: str) -> CreateRRset:
    new = NewRRset(name=f"{label}.{zone.name}", type="A", records=("192.0.2.1",))
    return CreateRRset(caller=member(), zone_id=zone.id, new=new)


def names(central: CentralDriver, zone: Zone) -> set[str]:
    found = central.call(ListRRsets(caller=member(), zone_id=zone.id, query=ListQuery(limit=100)))
    return {rrset.name.removesuffix("." + zone.name) for rrset in found.items if not rrset.managed}


def test_each_is_a_revision_of_its_own_and_the_zone_is_queued_once(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    central.serve()
    before, central.hints = central.get(zone.id), []
    made = central.service.together([create(zone, label) for label in "abc"])
    after = central.get(zone.id)
    assert [rrset.revision - before.revision for rrset in made] == [1, 2, 3]
    assert (after.revision, after.serial) == (before.revision + 3, before.serial + 3)
    assert central.hints == [zone.id]
    central.serve()
    assert central.get(zone.id).status.value == "ACTIVE"
    assert names(central, zone) == {"a", "b", "c"}


def test_each_sees_what_those_before_it_did(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    made = central.rrset(zone, "a")
    central.service.together(
        [
            UpdateRRset(caller=member(), zone_id=zone.id, rrset_id=made.id, change=RRsetChange(ttl=60)),
            DeleteRRset(caller=member(), zone_id=zone.id, rrset_id=made.id),
            create(zone, "a"),
        ]
    )
    assert names(central, zone) == {"a"}


def test_where_one_fails_none_is_done(anywhere: Build) -> None:
    central = anywhere(quotas=dict(QUOTAS, zone_recordsets=5))
    zone = central.zone()
    central.rrset(zone, "there")
    before = central.get(zone.id)
    with pytest.raises(DuplicateRRset):
        central.service.together([create(zone, "a"), create(zone, "there")])
    with pytest.raises(OverQuota):
        central.service.together([create(zone, label) for label in "abc"])
    with pytest.raises(RRsetNotFound):
        central.service.together([create(zone, "a"), DeleteRRset(caller=member(), zone_id=zone.id, rrset_id=zone.id)])
    assert central.get(zone.id) == before
    assert names(central, zone) == {"there"}


def test_the_second_costs_less_than_the_first(central: CentralDriver) -> None:
    zone = central.zone()
    central.serve()
    central.rrset(zone, "warm")
    with central.counted() as one:
        central.service.together([create(zone, "a")])
    with central.counted() as three:
        central.service.together([create(zone, label) for label in "bcd"])
    assert len(one) <= 10
    assert len(three) <= len(one) + 2, "\n".join(three)  # each looks at what is around its own name


def test_new_rrsets_are_written_in_one_statement_and_the_zone_once(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    with central.counted() as statements:
        central.service.together([create(zone, label) for label in "abc"])
    assert sum(one.startswith("INSERT INTO rrsets ") for one in statements) == 1
    assert sum(one.startswith("UPDATE zones ") for one in statements) == 1
    assert sum("FROM zones" in one and "rrset_count" in one for one in statements) == 1, "it is locked once"
    (counted,) = central.rows("zones", id=zone.id)
    assert counted.rrset_count == len(central.rows("rrsets", zone_id=zone.id)) == 5
    assert counted.record_count == 3


@pytest.mark.parametrize(("kind", "refusal"), [("A", DuplicateRRset), ("CNAME", InvalidRRsetLocation)])
def test_a_name_that_is_new_in_the_message_is_taken(anywhere: Build, kind: str, refusal: type[Problem]) -> None:
    central = anywhere()
    zone = central.zone()
    new = NewRRset(name=f"a.{zone.name}", type=kind, records=KINDS[kind][:1])
    with pytest.raises(refusal):
        central.service.together([create(zone, "a"), CreateRRset(caller=member(), zone_id=zone.id, new=new)])
    assert names(central, zone) == set()


def test_an_upsert_changes_what_the_same_message_has_made(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    again = UpsertRRset(
        caller=member(), zone_id=zone.id, name=f"a.{zone.name}", type="A", change=RRsetChange(records=("192.0.2.9",))
    )
    first, second = central.service.together([create(zone, "a"), again])
    assert (second.id, second.records) == (first.id, ("192.0.2.9",))
    central.serve()
    assert central.get(zone.id).status.value == "ACTIVE"


def test_zones_that_share_a_transaction_are_each_written(anywhere: Build) -> None:
    central = anywhere()
    zones = [central.zone(name=f"z{n}.example.net.") for n in range(2)]
    before = [central.get(zone.id).revision for zone in zones]
    central.service.together([create(zones[at], label) for label in "ab" for at in (1, 0)])
    assert [central.get(zone.id).revision for zone in zones] == [one + 2 for one in before]
    assert [names(central, zone) for zone in zones] == [{"a", "b"}, {"a", "b"}]


def end(central: CentralDriver, zone: Zone) -> tuple[Any, ...]:
    """What is stored of a zone, without its ids and times."""
    (row,) = central.rows("zones", id=zone.id)
    rrsets = sorted(
        (one.name.removesuffix(zone.name), one.type, one.ttl, one.records, one.version, one.revision, one.born)
        for one in central.rows("rrsets", zone_id=zone.id)
        if not one.managed
    )
    texts = sorted(one.data for one in central.rows("rrset_data", zone_id=zone.id))
    return row.revision, row.version, row.rrset_count, row.record_count, rrsets, len(texts)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["create", "create", "update", "delete"]),
            st.sampled_from(LABELS),
            st.sampled_from(sorted(KINDS)),
            st.integers(1, 2),
        ),
        min_size=2,
        max_size=8,
    )
)
def test_a_message_ends_as_its_changes_one_by_one(empty_database: Any, steps: list[tuple[str, str, str, int]]) -> None:
    with fresh(empty_database) as central:
        together, apart = (central.zone(name=f"z{n}.example.net.") for n in range(2))
        first = central.content(together)

        def commands(zone: Zone) -> list[Any]:
            there = {label: central.rrset(zone, label).id for label in LABELS[:2]}
            made: list[Any] = []
            for what, label, kind, count in steps:
                common: dict[str, Any] = {"caller": member(), "zone_id": zone.id}
                records = KINDS[kind][:count]
                if what == "create":
                    made.append(
                        CreateRRset(new=NewRRset(name=f"{label}.{zone.name}", type=kind, records=records), **common)
                    )
                elif what == "update":
                    change = RRsetChange(records=KINDS["A"][:count], ttl=300 * count)
                    made.append(UpdateRRset(rrset_id=there.get(label, zone.id), change=change, **common))
                else:
                    made.append(DeleteRRset(rrset_id=there.get(label, zone.id), **common))
            return made

        one_by_one, refused = commands(apart), None
        before = end(central, apart)
        try:
            for command in one_by_one:
                central.call(command)
        except Problem as problem:
            refused = type(problem)
        message = commands(together)
        if refused is not None:
            with pytest.raises(refused):
                central.service.together(message)
            assert end(central, together) == before
            return
        answers = central.service.together(message)
        assert all(isinstance(answer, RRset) for answer in answers)
        assert end(central, together) == end(central, apart)
        assert central.replayed(together, first) == central.content(together)


def test_only_changes_can_be_carried_out_together(central: CentralDriver) -> None:
    zone = central.zone()
    with pytest.raises(ValueError, match=r"zone\.get"):
        central.service.together([GetZone(caller=member(), zone_id=zone.id)])
