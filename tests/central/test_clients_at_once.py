# SPDX-License-Identifier: Apache-2.0
"""Clients at one zone at once, through two centrals over one database: whatever they ask for in whatever order, there
is an order of all that was acknowledged that explains each answer (`world.explained`), and all that is stored agrees.

The acts are drawn, how the threads meet is not: what a run has found has a test of its own beside the
others of its subject (`test_races.py`).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from redesignate.central import exports
from redesignate.commands.rrsets import GetRRset
from redesignate.commands.transfers import HandOverRRsets
from redesignate.commands.work import ReleaseWork
from redesignate.commands.zones import GetZone
from redesignate.model import errors
from redesignate.model.serial import newer
from redesignate.model.zone import Status
from redesignate.store import handovers
from redesignate.wire.rrset import split
from tests.central import acts, acts_between
from tests.central.conftest import Build
from tests.central.driver import OPERATOR, CentralDriver
from tests.central.world import APEX, Act, Done, Held, Key, World, explained

PROJECTS, ZONES = ("p1", "p2", "p3"), ("", "b.", "c-")
"""A zone, one below it, and one elsewhere."""
LIMITED = {"zones": (0, 1, 1, 2), "zone_recordsets": (2, 3, 4, -1), "zone_records": (0, 2, 4, -1)}
RECORDS = (("192.0.2.1",), ("192.0.2.2",), ("192.0.2.1", "192.0.2.3"))
NOBODY = "00000000-0000-4000-8000-000000000000"
numbers = itertools.count()


@dataclass
class Known:
    """What one client has read, and been answered: ids and tags of what is there, or was."""

    zones: dict[str, tuple[str, int]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    sets: dict[tuple[str, Key], tuple[str, int]] = field(default_factory=dict)
    shares: dict[tuple[str, str], str] = field(default_factory=dict)
    requests: dict[str, tuple[str, str]] = field(default_factory=dict)

    def copy(self) -> Known:
        return Known(dict(self.zones), dict(self.owners), dict(self.sets), dict(self.shares), dict(self.requests))


@dataclass(frozen=True)
class Wish:
    """An act as it is drawn, before anybody knows the ids."""

    kind: str
    project: str
    other: str
    zone: str
    owner: str
    type: str
    records: tuple[str, ...]
    tag: str
    switch: bool
    limit: tuple[str, int]


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    name = draw(st.sampled_from(sorted(LIMITED)))
    kind = draw(st.sampled_from(("A", "A", "CNAME")))
    records = draw(st.sampled_from(RECORDS)) if kind == "A" else ("a.example.",)
    return Wish(
        kind=draw(st.sampled_from(KINDS)),
        project=draw(st.sampled_from(("owner", "owner", "owner", *PROJECTS))),
        other=draw(st.sampled_from(PROJECTS)),
        zone=draw(st.sampled_from(("", *ZONES))),
        owner=draw(st.sampled_from(("www", "www", "x.b"))),
        type=kind,
        records=records,
        tag=draw(st.sampled_from(("", "", "seen", "seen", "any", "wrong"))),
        switch=draw(st.booleans()),
        limit=(name, draw(st.sampled_from(LIMITED[name]))),
    )  # fmt: skip


NEEDS_NONE = frozenset({"zone", "import", "limit", "hand"})
_OFTEN = (
    "zone patch patch drop abandon serve serve make make make put put put upsert upsert upsert remove remove"
    " limit share share unshare offer offer withdraw accept accept hand import export export"
)
KINDS = tuple(_OFTEN.split())
"""What is asked for, each as often as it stands here."""


class Client:
    """One thread's: it makes acts of wishes by what it knows, and learns from the answers."""

    def __init__(self, central: CentralDriver, top: str, projects: Sequence[str], known: Known) -> None:
        self.central, self.top, self.projects, self.known = central, top, projects, known
        self.done: list[Done] = []
        self.died: BaseException | None = None

    def run(self, wanted: Sequence[Wish], start: threading.Barrier) -> None:
        try:
            start.wait()
            for wish in wanted:
                self._carry_out(wish)
        except BaseException as died:  # noqa: BLE001  # shown by the test's own thread
            self.died = died

    def _carry_out(self, wish: Wish) -> None:
        act: Any = self._act(wish)
        began = time.monotonic()
        try:
            how, answer = "ok", act.send(self.central)
        except errors.Problem as problem:
            how, answer = type(problem).__name__, None
        self.done.append(Done(act, began, time.monotonic(), how, answer))
        if how == "ok":
            self._learn(wish, act, answer)

    def _act(self, wish: Wish) -> Act:
        name = wish.zone + self.top
        zone_id, version = self.known.zones.get(name, (NOBODY, 1))
        by = wish.project if wish.project in self.projects else self.known.owners.get(name, self.projects[0])
        key = f"{wish.owner}.{self.top}", wish.type
        if (wish.zone and wish.owner == "www") or wish.zone == "c-":
            key = f"www.{name}", wish.type
        set_id, set_version = self.known.sets.get((name, key), (NOBODY, 1))
        request, secret = self.known.requests.get(name, (NOBODY, ""))
        share = self.known.shares.get((name, wish.other), NOBODY)
        tag, of_set = _tag(wish.tag, zone_id, version), _tag(wish.tag, set_id, set_version)
        made: dict[str, Callable[[], Act]] = {
            "zone": lambda: acts.MakeZone(by, name),
            "patch": lambda: acts.PatchZone(by, zone_id, 300 if wish.switch else 600, tag),
            "drop": lambda: acts.DropZone(by, zone_id, tag, wish.switch),
            "abandon": lambda: acts.Abandon(by, zone_id),
            "serve": lambda: acts.Serve(zone_id),
            "make": lambda: acts.MakeSet(by, zone_id, key, wish.records),
            "put": lambda: acts.PutSet(by, zone_id, set_id, wish.records, of_set),
            "upsert": lambda: acts.Upsert(by, zone_id, key, wish.records, of_set, wish.switch and not wish.tag),
            "remove": lambda: acts.DropSet(by, zone_id, set_id, of_set),
            "limit": lambda: acts_between.Limit(f"{by}", *wish.limit),
            "share": lambda: acts_between.Share(by, zone_id, wish.other),
            "unshare": lambda: acts_between.Unshare(by, zone_id, share),
            "offer": lambda: acts_between.Offer(by, zone_id),
            "withdraw": lambda: acts_between.Withdraw(by, request),
            "accept": lambda: acts_between.Accept(by, request, secret),
            "hand": acts_between.HandOver,
            "import": lambda: acts_between.Import(
                by, name, ((f"www.{name}", wish.records),) if wish.type == "A" else ()
            ),
            "export": lambda: acts_between.Export(by, zone_id),
        }
        return made[self._instead(wish, name, key)]()

    def _instead(self, wish: Wish, name: str, key: Key) -> str:
        """What is to be done: what an act needs is made first, more often than not."""
        known = self.known
        if wish.kind in NEEDS_NONE or wish.tag == "wrong":
            return wish.kind
        if name not in known.zones:
            return "zone"
        if wish.kind in ("put", "remove") and (name, key) not in known.sets:
            return "make"
        if wish.kind in ("accept", "withdraw") and name not in known.requests:
            return "offer"
        return "share" if wish.kind == "unshare" and (name, wish.other) not in known.shares else wish.kind

    def _learn(self, wish: Wish, act: Act, answer: Any) -> None:
        name, known = wish.zone + self.top, self.known
        match act:
            case acts.MakeZone() | acts_between.Import():
                known.zones[name] = answer, 1
            case acts.PatchZone():
                known.zones[name] = act.zone_id, answer
            case acts.MakeSet():
                known.sets[name, act.key] = answer, 1
            case acts.Upsert():
                known.sets[name, act.key] = answer
            case acts_between.Share():
                known.shares[name, act.target] = answer
            case acts_between.Offer():
                known.requests[name] = answer


def _tag(kind: str, ident: str, version: int) -> acts.Tag:
    return {"": None, "seen": (f'"{ident}-{version}"',), "any": ("*",), "wrong": (f'"{ident}-99"',)}[kind]


class Clients(RuleBasedStateMachine):
    """Each example has a family of names and projects of its own."""

    centrals: tuple[CentralDriver, ...] = ()

    @initialize(limits=st.lists(st.sampled_from((1, 1, 2, -1)), min_size=3, max_size=3))
    def begin(self, limits: list[int]) -> None:
        number = next(numbers)
        self.top, self.tail = f"a{number}.org.", f"-{number}"
        self.projects = tuple(project + self.tail for project in PROJECTS)
        self.world, self.known = World(), Known()
        self.contents: dict[str, dict[int, Counter[bytes]]] = {}
        for project, limit in zip(self.projects, limits, strict=True):
            one = acts_between.Limit(project, "zones", limit)
            assert one.send(self.centrals[0])
            assert one.done(self.world, answer=True)

    @rule(programs=st.lists(st.lists(wishes(), min_size=2, max_size=4), min_size=2, max_size=3))
    def at_once(self, programs: list[list[Wish]]) -> None:
        start, top = threading.Barrier(len(programs)), self.top
        clients = [Client(self.centrals[n % 2], top, self.projects, self.known.copy()) for n in range(len(programs))]
        threads = [
            threading.Thread(target=client.run, args=([self._own(wish) for wish in program], start))
            for client, program in zip(clients, programs, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            if client.died is not None:
                raise client.died
        after = explained(self.world, [client.done for client in clients])
        said = "\n".join(f"client {n}: {done}" for n, client in enumerate(clients) for done in client.done)
        assert after is not None, f"no order explains these answers:\n{said}\nbefore: {self.world}"
        self.world = after
        for client in clients:
            self.known.requests |= client.known.requests
        try:
            self.agree()
        except AssertionError as failed:
            raise AssertionError(f"{failed}\nafter:\n{said}\nas explained: {after}") from failed

    @rule()
    def settle(self) -> None:
        """The servers have all that there is, and nothing is left to be handed over."""
        central = self.centrals[0]
        central.call(ReleaseWork())
        while central.call(HandOverRRsets(limit=100)).more:
            pass
        for zone_id in list(self.world.zones):
            gone = acts.Serve(zone_id).send(central)
            acts.Serve(zone_id).done(self.world, gone)
        self.agree()
        assert all(central.get(zone_id, OPERATOR).status is Status.ACTIVE for zone_id in self.world.zones)

    def _own(self, wish: Wish) -> Wish:
        """The wish of this example's projects."""
        return replace(wish, project=wish.project + self.tail, other=wish.other + self.tail)

    # -- what is stored

    def agree(self) -> None:
        """Rows, counters, journal, outbox and status are those of the world."""
        central = self.centrals[0]
        self.known = Known(requests=self.known.requests)
        for zone in list(self.world.zones.values()):
            self._zone(central, zone)
        rows = [row for name in ZONES for row in central.rows("zones", name=name + self.top, deleted="")]
        assert {row.id for row in rows} == set(self.world.zones), "zones differ"
        for project in self.projects:
            (usage,) = central.rows("project_usage", project_id=project) or [None]
            assert (usage.zones if usage else 0) == self.world.of(project), f"{project} is charged wrongly"

    def _zone(self, central: CentralDriver, zone: Held) -> None:
        (row,) = central.rows("zones", id=zone.id)
        held = central.call(GetZone(caller=OPERATOR, zone_id=zone.id))
        assert (row.name, row.project_id, row.version) == (zone.name, zone.owner, zone.version)
        shares = {one.id: one.target_project_id for one in central.rows("zone_shares", zone_id=zone.id)}
        assert shares == zone.shares
        assert (row.shares or 0) == len(shares)
        self._sets(central, zone, row)
        waits = bool(central.rows("outbox", zone_id=zone.id))
        assert waits is (zone.deleting or row.confirmed < row.revision), "the outbox has not what is not confirmed"
        assert (held.status, held.action.value == "DELETE") == (
            Status.PENDING if waits else Status.ACTIVE, zone.deleting
        )  # fmt: skip
        self._journal(central, zone, row)
        self.known.zones[zone.name] = zone.id, zone.version
        self.known.owners[zone.name] = zone.owner
        self.known.shares |= {(zone.name, target): ident for ident, target in shares.items()}

    def _sets(self, central: CentralDriver, zone: Held, row: Any) -> None:
        found = central.rows("rrsets", zone_id=zone.id)
        users = {(one.name, one.type): one for one in found if not one.managed}
        assert row.rrset_count == len(found) == APEX + len(zone.sets), "record sets are counted wrongly"
        assert row.record_count == zone.records(), "records are counted wrongly"
        assert set(users) == set(zone.sets)
        for key, one in zone.sets.items():
            stored = users[key]
            seen = central.call(GetRRset(caller=OPERATOR, zone_id=zone.id, rrset_id=stored.id))
            assert (seen.records, seen.version) == (one.records, one.version), key
            waits = row.confirmed < stored.revision
            assert seen.status is (Status.PENDING if waits else Status.ACTIVE), key
            if row.handed is None or stored.born > row.handed:
                assert seen.project_id == one.project, key
            zone.sets[key] = replace(one, id=stored.id)
            self.known.sets[zone.name, key] = stored.id, one.version

    def _journal(self, central: CentralDriver, zone: Held, row: Any) -> None:
        rows = sorted(central.rows("journal", zone_id=zone.id), key=lambda one: one.revision)
        assert [one.revision for one in rows] == list(range(1, row.revision + (not zone.deleting)))
        assert rows[-1].serial_to == row.serial
        for earlier, later in itertools.pairwise(rows):
            assert later.serial_from == earlier.serial_to
            assert newer(later.serial_to, earlier.serial_to)
        seen = self.contents.setdefault(zone.id, {})
        seen[rows[-1].revision] = now = central.content(central.get(zone.id, OPERATOR))
        for revision, first in seen.items():
            assert replayed(first, rows[revision:]) == now, f"the journal from {revision} on does not lead to the zone"


def replayed(first: Counter[bytes], journal: Sequence[Any]) -> Counter[bytes]:
    """What a zone holds after these rows, each of which removes what is there and adds what is not."""
    held = first
    for one in journal:
        removed, added = Counter(split(bytes(one.removed))), Counter(split(bytes(one.added)))
        assert not removed - held, "the journal removes what is not there"
        held = held - removed
        assert not added & held, "the journal adds what is there"
        held = held + added
    return held


@pytest.fixture
def centrals(anywhere: Build, monkeypatch: pytest.MonkeyPatch) -> tuple[CentralDriver, ...]:
    """Two over one database, which hand over and export in small steps."""
    monkeypatch.setattr(handovers, "AT_ONCE", 0)
    monkeypatch.setattr("redesignate.store.exports.AT_ONCE", 1)
    monkeypatch.setattr(exports, "AT_ONCE", 1)
    monkeypatch.setattr(exports, "PART", 1)
    return anywhere(), anywhere()


def run(centrals: tuple[CentralDriver, ...], examples: int, *, derandomize: bool) -> None:
    machine = type("OverThese", (Clients,), {"centrals": centrals})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=12, deadline=None, database=None, derandomize=derandomize,
            phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_an_order_explains_what_clients_were_answered_at_once(centrals: tuple[CentralDriver, ...]) -> None:
    run(centrals, 12, derandomize=True)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_order_explains_what_many_clients_were_answered_at_once(centrals: tuple[CentralDriver, ...]) -> None:
    run(centrals, 400, derandomize=False)
