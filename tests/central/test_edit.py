# SPDX-License-Identifier: Apache-2.0
"""An edit is a value: what it says is what is there afterwards, and what it took back is as it was."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redesignate.central.change import apply
from redesignate.central.edit import Change, Edit, Key, difference, inverse
from redesignate.commands.rrsets import CreateRRset, DeleteRRset, UpdateRRset
from redesignate.model.rdata import parse
from redesignate.model.rrset import Held, NewRRset, RRsetChange, new_rrset
from redesignate.model.zone import Zone
from redesignate.store.unit import Work
from redesignate.wire.rrset import pack
from tests.central.driver import CentralDriver, member
from tests.central.test_journal import check_chain, check_counts
from tests.store import makers

ZONE = "example.org."
Set = tuple[int | None, tuple[str, ...]]
Content = dict[Key, Set]
"""TTL and records by owner and type: what a zone holds beside its own records."""

TEXTS = {"A": ("192.0.2.1", "192.0.2.2", "192.0.2.3"), "TXT": ('"one"', '"two"'), "MX": ("10 a.example.org.",)}
keys = st.tuples(st.sampled_from([ZONE, f"a.{ZONE}", f"b.{ZONE}", f"x.a.{ZONE}"]), st.sampled_from(sorted(TEXTS)))


def sets(key: Key) -> st.SearchStrategy[Set]:
    texts = st.lists(st.sampled_from(TEXTS[key[1]]), max_size=3, unique=True).map(tuple)
    return st.tuples(st.sampled_from([None, 0, 60, 300]), texts)


contents = st.lists(keys, max_size=8, unique=True).flatmap(
    lambda chosen: st.fixed_dictionaries({key: sets(key) for key in chosen})
)
every = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def wire(key: Key, wanted: Set) -> bytes:
    return pack(ZONE, key[0], key[1], wanted[0], [parse(key[1], text).wire for text in wanted[1]])


def new(zone: Zone, key: Key, wanted: Set, **given: Any) -> Held:
    return new_rrset(zone, *key, wanted[1], wire(key, wanted), ttl=wanted[0], project_id="p1", **given)


def same(held: Held, wanted: Set) -> bool:
    return (held.ttl, held.records) == wanted


@contextmanager
def fresh(empty: Path) -> Iterator[tuple[CentralDriver, Zone]]:
    """Central with one zone, for one example."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "central.sqlite"
        shutil.copy(empty, file)
        central = CentralDriver(f"sqlite:///{file}")
        central.pool()
        try:
            yield central, central.zone(ZONE)
        finally:
            central.close()


def theirs(work: Work, zone: Zone) -> Iterator[Held]:
    return (held for held in work.rrsets.walk(zone.id) if not held.managed)


def become(zone_id: str, wanted: Mapping[Key, Set], *, streamed: bool, **fields: Any) -> Any:
    """A use-case: make the zone's content this. What it applied."""

    def do(work: Work) -> Edit:
        found = work.zones.lock(zone_id)
        assert found is not None
        edit = Edit(found[0], work.now)
        if fields:
            edit.set(**fields)
        pairs = difference(theirs(work, edit.zone), sorted(wanted.items()), same)
        if streamed:
            edit.more = (stream(edit, *pair) for pair in pairs)
        else:
            for stored, want in pairs:
                put(edit, stored, want)
        apply(work, member(), edit)
        return edit

    return do


def put(edit: Edit, stored: Held | None, want: tuple[Key, Set] | None) -> None:
    if want is None:
        assert stored is not None
        edit.drop(stored)
    else:
        edit.put(replacement(edit.zone, stored, *want), over=stored)


def stream(edit: Edit, stored: Held | None, want: tuple[Key, Set] | None) -> Change:
    if want is None:
        return Change(stored, None)
    return Change(stored, edit.stamped(replacement(edit.zone, stored, *want), stored))


def replacement(zone: Zone, stored: Held | None, key: Key, want: Set) -> Held:
    if stored is None:
        return new(zone, key, want)
    return stored._replace(ttl=want[0], records=want[1], wire=wire(key, want))


def content(central: CentralDriver, zone: Zone) -> Content:
    with central.store.read() as work:
        return {(held.name, held.type): (held.ttl, held.records) for held in theirs(work, zone)}


def check_texts(central: CentralDriver) -> None:
    """What filters look in is what the RRsets hold."""
    expected = {
        (row.id, at, text)
        for row in central.rows("rrsets")
        for at, text in enumerate(json.loads(row.records))
    }  # fmt: skip
    assert {(row.rrset_id, row.position, row.data) for row in central.rows("rrset_data")} == expected


@every
@given(first=contents, second=contents, streamed=st.booleans(), ttl=st.sampled_from([None, 60, 3600]))
def test_what_makes_one_content_of_another_makes_it(
    empty_database: Path, first: Content, second: Content, streamed: bool, ttl: int | None
) -> None:
    with fresh(empty_database) as (central, zone):
        start = central.content(zone)
        central.store.transact(become(zone.id, first, streamed=not streamed))
        assert content(central, zone) == first
        fields = {} if ttl is None else {"ttl": ttl}
        central.store.transact(become(zone.id, second, streamed=streamed, **fields))
        assert content(central, zone) == second
        assert central.replayed(zone, start) == central.content(zone)
        check_chain(central, zone)
        check_counts(central, zone)
        check_texts(central)


@every
@given(first=contents, second=contents, ttl=st.sampled_from([None, 60, 3600]))
def test_the_inverse_of_an_edit_restores_what_was_there(
    empty_database: Path, first: Content, second: Content, ttl: int | None
) -> None:
    with fresh(empty_database) as (central, zone):
        start = central.content(zone)
        central.store.transact(become(zone.id, first, streamed=False))
        before, served = central.rrsets(zone), central.content(zone)
        fields = {} if ttl is None else {"ttl": ttl}
        done: Edit = central.store.transact(become(zone.id, second, streamed=False, **fields))

        def back(work: Work) -> None:
            found = work.zones.lock(zone.id)
            assert found is not None
            apply(work, member(), inverse(done, found[0], work.now))

        central.store.transact(back)
        after = central.rrsets(zone)
        assert {key: (one.id, one.ttl, one.records) for key, one in after.items() if one.type != "SOA"} == {
            key: (one.id, one.ttl, one.records) for key, one in before.items() if one.type != "SOA"
        }
        assert central.content(zone) == served
        assert central.replayed(zone, start) == central.content(zone)
        check_counts(central, zone)
        check_texts(central)


@given(first=contents, second=contents)
def test_a_difference_is_in_order_and_names_what_differs_alone(first: Content, second: Content) -> None:
    zone = makers.zone(ZONE)
    stored = {key: new(zone, key, wanted) for key, wanted in sorted(first.items())}
    pairs = list(difference(stored.values(), sorted(second.items()), same))
    touched = [(held.name, held.type) if held else want[0] for held, want in pairs if held or want]  # type: ignore[index]  # one of the two is there
    assert touched == sorted(set(touched))
    assert set(touched) == {key for key in first | second if first.get(key) != second.get(key)}
    for held, want in pairs:
        assert held is None or held is stored[held.name, held.type]
        assert want is None or want[1] == second[want[0]]


steps = st.lists(st.tuples(st.sampled_from(["put", "drop"]), st.integers(0, 2), st.integers(0, 9)), max_size=12)


@given(stored=st.sets(st.integers(0, 2)), steps=steps)
def test_an_rrset_is_in_one_change_and_its_before_is_what_is_stored(
    stored: set[int], steps: list[tuple[str, int, int]]
) -> None:
    zone = makers.zone(ZONE)
    rows = [new(zone, (f"n{n}.{ZONE}", "A"), (None, ("192.0.2.1",))) for n in range(3)]
    edit = Edit(zone, 5)
    there: dict[int, Held] = {n: rows[n] for n in stored}
    for what, which, ttl in steps:
        if what == "put":
            there[which] = edit.put(rows[which]._replace(ttl=ttl), over=rows[which] if which in stored else None)
        elif which in there:
            edit.drop(there.pop(which))
    for n, row in enumerate(rows):
        change = edit.changes.get(row.id)
        if change is None:
            assert there.get(n) == (row if n in stored else None)
        else:
            assert change == Change(row if n in stored else None, there.get(n))
            assert change != Change(None, None)


def test_edits_of_several_zones_are_written_with_one_statement_a_table(central: CentralDriver) -> None:
    zones = [central.zone(f"z{n}.org.") for n in range(4)]

    def do(work: Work) -> list[Zone]:
        edits = []
        work.zones.hold(zone.id for zone in zones)
        for zone in work.zones.many(zone.id for zone in zones).values():
            edit = Edit(zone, work.now)
            owner = f"www.{zone.name}"
            blob = pack(zone.name, owner, "A", None, [b"\1\2\3\4"])
            edit.put(new_rrset(zone, owner, "A", ("1.2.3.4",), blob, project_id="p1"))
            edits.append(edit)
        return list(apply(work, member(), *edits))

    with central.counted() as statements:
        after = central.store.transact(do)
    assert [zone.revision for zone in after] == [2, 2, 2, 2]
    tables = [statement.split("rrsets" if "rrsets" in statement else " ")[0] for statement in statements]
    assert len(statements) <= 1 + 1 + 4 + 4, "\n".join(statements)
    assert sum("INSERT INTO rrsets" in one for one in statements) == 1, tables
    assert sum("INSERT INTO journal" in one for one in statements) == 1


def test_what_comes_one_after_another_is_written_a_thousand_at_a_time(central: CentralDriver) -> None:
    zone = central.zone(ZONE)
    taken: list[int] = []

    def content() -> Iterator[tuple[Key, Set]]:
        for n in range(2500):
            taken.append(n)
            yield (f"n{n:05}.{ZONE}", "A"), (60, ("192.0.2.1",))

    def do(work: Work) -> int:
        found = work.zones.lock(zone.id)
        assert found is not None
        edit = Edit(found[0], work.now)
        pairs = difference(theirs(work, edit.zone), content(), same)
        edit.more = (stream(edit, *pair) for pair in pairs)
        first = next(iter(edit.more))  # what is asked for is what is made: nothing is gathered before
        assert len(taken) <= 3
        edit.more = itertools.chain([first], edit.more)
        apply(work, member(), edit)
        return len(taken)

    with central.counted() as statements:
        assert central.store.transact(do) == 2500
    assert len(statements) < 20, "\n".join(statements)
    check_counts_of(central, zone, 2502)


def check_counts_of(central: CentralDriver, zone: Zone, rrsets: int) -> None:
    (row,) = central.rows("zones", id=zone.id)
    assert row.rrset_count == len(central.rows("rrsets", zone_id=zone.id)) == rrsets


def test_a_walk_meets_each_rrset_once_in_order_whatever_is_written_behind_it(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redesignate.store.rrsets.BULK", 2)
    zone = central.zone(ZONE)
    for name, rrtype in itertools.product("abc", sorted(TEXTS)):
        central.rrset(zone, name, rrtype, TEXTS[rrtype][:1])

    def do(work: Work) -> list[Key]:
        met = []
        for held in theirs(work, zone):
            met.append((held.name, held.type))
            work.rrsets.change([held._replace(ttl=5)])
            work.rrsets.remove([held.id])
            work.rrsets.add([held])
        return met

    expected = [(f"{name}.{ZONE}", rrtype) for name, rrtype in itertools.product("abc", sorted(TEXTS))]
    assert central.store.transact(do) == expected


def test_the_texts_that_filters_see_are_those_of_the_last_change(central: CentralDriver) -> None:
    zone = central.zone(ZONE)
    kept, gone = central.rrset(zone, "kept"), central.rrset(zone, "gone")

    def change(which: str, *records: str) -> UpdateRRset:
        return UpdateRRset(caller=member(), zone_id=zone.id, rrset_id=which, change=RRsetChange(records=records))

    made = NewRRset(name=f"gone.{ZONE}", type="A", records=("192.0.2.9",))
    central.service.together(
        [
            change(kept.id, "192.0.2.5", "192.0.2.6"),
            change(kept.id, "192.0.2.7"),
            change(gone.id, "192.0.2.8"),
            DeleteRRset(caller=member(), zone_id=zone.id, rrset_id=gone.id),
            CreateRRset(caller=member(), zone_id=zone.id, new=made),
        ]
    )
    check_texts(central)
    check_counts(central, zone)
