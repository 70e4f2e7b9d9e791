# SPDX-License-Identifier: Apache-2.0
"""Central over a database of its own, with a clock that tests move and workers that they play."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import event, select

from redesignate.auth.policy import Policy
from redesignate.central.rules import Rules
from redesignate.central.service import CentralService
from redesignate.commands.base import Command
from redesignate.commands.hint import Hint, Kind
from redesignate.commands.pools import ApplyPool
from redesignate.commands.rrsets import CreateRRset, DeleteRRset, GetRRset, ListRRsets, UpdateRRset
from redesignate.commands.tsigkeys import CreateTSIGKey
from redesignate.commands.work import BeginWork, Report
from redesignate.commands.zones import CreateZone, DeleteZone, GetZone, UpdateZone
from redesignate.config.settings import DEFAULT_POOL_ID, QUOTAS, CentralSettings
from redesignate.model.caller import Caller, operator
from redesignate.model.clock import SECOND
from redesignate.model.paging import ListQuery
from redesignate.model.pool import CatalogSpec, NSRecord, Pool, PoolSpec, TargetSpec
from redesignate.model.rrset import NewRRset, RRset, RRsetChange
from redesignate.model.tsigkey import NewTSIGKey, Scope
from redesignate.model.work import Outcome, PeerOutcome, Role, Task
from redesignate.model.zone import NewZone, Zone, ZoneChange
from redesignate.store import tables
from redesignate.store.unit import Store
from redesignate.wire.rrset import retime, split

R = TypeVar("R")
POLICY = Policy()
PLENTY = dict.fromkeys(QUOTAS, -1)
START = 1_750_000_000 * SECOND
OPERATOR = operator("req-operator")
NS = (NSRecord("ns1.example.net.", 1), NSRecord("ns2.example.net.", 2))
OTHER_POOL = "cf2e8eab-76cd-4162-bf76-8aeee3556de0"


def member(project: str = "p1", *roles: str, **switches: Any) -> Caller:
    """A user of a project; without roles named, its member."""
    return Caller(
        request_id="req-test", user_id="u1", project_id=project, roles=roles or ("member", "reader"), **switches
    )


def admin(project: str = "p1", **switches: Any) -> Caller:
    """An administrator, who sees its own project unless a switch says otherwise."""
    return member(project, "admin", "member", "reader", **switches)


class CentralDriver:
    """One central. `clock` (µs) is moved by hand; `hints` holds what was sent since it was last looked at."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.time = START
        self.store = Store(url, clock=lambda: self.time)
        wanted: dict[str, Any] = {"quotas": PLENTY} | settings
        self.settings = CentralSettings(**wanted)
        self.hints: list[str] = []
        self.inbound_hints: list[str] = []
        self.service = CentralService(
            self.store, Rules(settings=self.settings, policy=POLICY, random=random.Random(7)), self
        )

    def wake(self, hints: Sequence[Hint]) -> None:
        self.hints += [hint.zone_id for hint in hints if hint.kind is Kind.OUTBOUND]
        self.inbound_hints += [hint.zone_id for hint in hints if hint.kind is Kind.INBOUND]

    def call(self, command: Command[R]) -> R:
        return self.service.dispatch(command)

    def pass_time(self, seconds: float) -> None:
        self.time += int(seconds * SECOND)

    # -- pools

    def pool(
        self, *, servers: int = 1, targets: int = 1, catalog: CatalogSpec | None = None, net: str = "192.0.2",
        **spec: Any,
    ) -> Pool:  # fmt: skip
        """Apply the default pool with so many nameservers and targets, on addresses of `net`."""
        given: dict[str, Any] = {
            "id": DEFAULT_POOL_ID,
            "name": "default",
            "ns_records": NS,
            "nameservers": tuple({"host": f"{net}.{n + 1}", "port": 53} for n in range(servers)),
            "targets": tuple(TargetSpec(type="fake", options={"host": f"{net}.{n + 1}"}) for n in range(targets)),
            "catalog": catalog,
        }
        return self.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(**(given | spec))))

    def second_pool(self, **spec: Any) -> Pool:
        """A pool beside the default one, with the key that it needs."""
        made = self.pool(**({"id": OTHER_POOL, "name": "second"} | spec))
        key = CreateTSIGKey(
            caller=OPERATOR,
            new=NewTSIGKey(
                name="second", algorithm="hmac-sha256", secret="c2VjcmV0", scope=Scope.POOL, resource_id=made.id
            ),
        )
        self.call(key)
        return made

    # -- what users do

    def zone(self, name: str = "example.org.", caller: Caller | None = None, **new: Any) -> Zone:
        wanted = NewZone(**({"name": name, "email": "hostmaster@example.org"} | new))
        return self.call(CreateZone(caller=caller or member(), new=wanted))

    def get(self, zone_id: str, caller: Caller | None = None) -> Zone:
        return self.call(GetZone(caller=caller or member(), zone_id=zone_id))

    def patch(self, zone: Zone, caller: Caller | None = None, **change: Any) -> Zone:
        return self.call(UpdateZone(caller=caller or member(), zone_id=zone.id, change=ZoneChange(**change)))

    def delete(self, zone: Zone, caller: Caller | None = None) -> Zone:
        return self.call(DeleteZone(caller=caller or member(), zone_id=zone.id))

    def rrset(
        self, zone: Zone, name: str, rrtype: str = "A", records: Sequence[str] = ("192.0.2.1",), *,
        caller: Caller | None = None, **new: Any,
    ) -> RRset:  # fmt: skip
        owner = f"{name}.{zone.name}" if name and not name.endswith(".") else name or zone.name
        wanted = NewRRset(name=owner, type=rrtype, records=tuple(records), **new)
        return self.call(CreateRRset(caller=caller or member(), zone_id=zone.id, new=wanted))

    def put(self, rrset: RRset, caller: Caller | None = None, **change: Any) -> RRset:
        wanted = RRsetChange(**change)
        return self.call(
            UpdateRRset(caller=caller or member(), zone_id=rrset.zone_id, rrset_id=rrset.id, change=wanted)
        )

    def remove(self, rrset: RRset, caller: Caller | None = None) -> RRset:
        return self.call(DeleteRRset(caller=caller or member(), zone_id=rrset.zone_id, rrset_id=rrset.id))

    def look(self, rrset: RRset, caller: Caller | None = None) -> RRset:
        return self.call(GetRRset(caller=caller or member(), zone_id=rrset.zone_id, rrset_id=rrset.id))

    def rrsets(self, zone: Zone, caller: Caller | None = None) -> dict[tuple[str, str], RRset]:
        """Every RRset of the zone, by name and type."""
        query = ListQuery(limit=1000)
        page = self.call(ListRRsets(caller=caller or OPERATOR, zone_id=zone.id, query=query))
        assert len(page.items) == page.total
        return {(rrset.name, rrset.type): rrset for rrset in page.items}

    # -- what workers do

    def begin(self, *zones: Zone, worker: str = "w1", lease_s: float = 10.0) -> tuple[Task, ...]:
        ids = tuple(zone.id for zone in zones) or tuple(dict.fromkeys(self.hints))
        if not zones:
            self.hints.clear()
        return self.call(BeginWork(worker=worker, zone_ids=ids, lease_s=lease_s))

    def said(
        self, task: Task, peers: Sequence[PeerOutcome], *, worker: str = "w1", final: bool = True
    ) -> tuple[Task, ...]:
        outcome = Outcome(
            zone_id=task.zone_id, revision=task.revision, present=task.present, peers=tuple(peers), final=final
        )
        return self.call(Report(worker=worker, outcomes=(outcome,)))

    def as_wanted(self, task: Task) -> list[PeerOutcome]:
        """Every peer of the task's pool is as wanted."""
        with self.store.read() as work:
            pool = work.pools.get(task.pool_id)
        assert pool is not None
        serial = task.serial if task.present else None
        found = [
            PeerOutcome(peer_id=target.id, role=Role.TARGET, ok=True, present=task.present) for target in pool.targets
        ]
        return found + [
            PeerOutcome(peer_id=server.id, role=Role.NAMESERVER, ok=True, present=task.present, serial=serial)
            for server in pool.nameservers
        ]

    def serve(self) -> None:
        """Every hinted zone is on every server, or gone from it."""
        for task in self.begin():
            self.said(task, self.as_wanted(task))

    # -- what the database holds

    def rows(self, table: str, **equal: Any) -> list[Any]:
        chosen = tables.metadata.tables[table]
        query = select(chosen).where(*(chosen.c[name] == value for name, value in equal.items()))
        with self.store.engine.connect() as connection:
            return list(connection.execute(query))

    def outbox(self, zone: Zone) -> Any:
        return next(iter(self.rows("outbox", zone_id=zone.id)), None)

    def content(self, zone: Zone) -> Counter[bytes]:
        """The zone's RRs of now with the TTLs that they are served with, without the SOA."""
        (row,) = self.rows("zones", id=zone.id)
        found: Counter[bytes] = Counter()
        for rrset in self.rows("rrsets", zone_id=zone.id):
            wire = bytes(rrset.wire)
            found.update(split(retime(wire, row.ttl) if rrset.ttl is None and wire else wire))
        return found

    def replayed(self, zone: Zone, first: Counter[bytes]) -> Counter[bytes]:
        """The zone's first content after every removal and addition of its journal, each checked as it is made."""
        held = Counter(first)
        rows = sorted(self.rows("journal", zone_id=zone.id), key=lambda row: row.revision)
        for row in rows[1:]:
            removed, added = Counter(split(bytes(row.removed))), Counter(split(bytes(row.added)))
            assert not removed - held, "removes what is not there"
            held -= removed
            assert not added & held, "adds what is there"
            held += added
        return held

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The statements that run inside, without BEGIN."""
        seen: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if not statement.startswith("BEGIN"):
                seen.append(statement)

        for engine in self.store.engines:
            event.listen(engine, "before_cursor_execute", note)
        yield seen
        for engine in self.store.engines:
            event.remove(engine, "before_cursor_execute", note)

    def close(self) -> None:
        self.store.close()
