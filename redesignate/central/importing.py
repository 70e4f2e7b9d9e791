# SPDX-License-Identifier: Apache-2.0
"""Makes zones of files that were received: read whole, stored in steps, published in one transaction.

    the file is read and sorted       nothing is written; a fault of the file ends the import with its line
    the zone is made and undone       every rule of a new zone is asked before anything is stored
    its RRsets are stored             STEP in a transaction, under an id that no zone has: nobody sees them
    the zone is made                  one transaction, with every rule again
    what is left is removed           the file; after a failure the RRsets too

Who works on an import holds its lease. A process that dies leaves a lease that runs out: the next one reads the file
again, and goes on behind what is stored.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from redesignate.central import quotas
from redesignate.central.arrival import Unacceptable, inflate
from redesignate.central.edit import Edit
from redesignate.central.importwords import cut, said
from redesignate.central.rules import Rules, fields, target_of
from redesignate.central.zones import Loaded, add_zone
from redesignate.commands.imports import PART
from redesignate.model.clock import SECOND
from redesignate.model.errors import BadInput, OverQuota, Problem, Unavailable
from redesignate.model.names import ancestors
from redesignate.model.rdata import CHECKED, check_entry
from redesignate.model.rrset import Held, new_rrset
from redesignate.model.zone import NewZone, Zone
from redesignate.model.zonefile import Content, Found, TooManyRecords, ZoneFileError, gather
from redesignate.model.zonetask import ImportTask, TaskStatus
from redesignate.observe.log import events
from redesignate.store.imports import Imports, Lost
from redesignate.store.unit import Store, Work
from redesignate.wire.rrset import MAX_RR, pack

STEP = 1000
"""RRsets that one transaction stores, if they have EACH octets or fewer on average."""
EACH = 1024
SHORT_STEP = 50
"""As many while others write on SQLite, where they wait for it: some 5 ms."""
OTHERS_S = 1.0
"""How long after a writer was seen to wait others are taken to write."""
LEASE_S = 30
RENEW_S = 5.0
"""How often the lease is renewed, and the progress written, while a file is read."""
ABANDONED_S = 900
"""How long after its first part a file that is not whole is forgotten."""
FOUND_AT_ONCE = 20
MOST_CHILDREN = 10_000
BESIDE = 1000
"""Records that are read of a file beyond its project's quota, in SPELLINGS: those at the apex that the pool has."""
TRIALS = 3
"""How often a file is read where the temporary file cannot be written."""
AGAIN_S = 5.0
SKIPPED = 256
"""Stored RRsets that are skipped between two looks at the lease."""
T = TypeVar("T")
log = events(__name__)


class _Undone(Exception):
    """The zone could be made; the transaction is rolled back."""


class _Stopped(Exception):
    """The process is to end: another one goes on."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the RRsets of a file are held against.

    zone      as it would be made now
    children  names of zones of its pool below it, which have their names to themselves
    limits    the project's quotas
    """

    zone: Zone
    children: frozenset[str]
    limits: dict[str, int]


class Importer:
    """Works on imports, one at a time. `owner`: of its leases; `sent` is called with what was committed."""

    def __init__(self, rules: Rules, store: Store, sent: Callable[[Work], None], owner: str) -> None:
        self._rules, self._store, self._sent, self._owner = rules, store, sent, owner
        self.stopping: Callable[[], bool] = bool
        self.rest: Callable[[float], object] = time.sleep
        self._others_until = 0.0

    def turn(self) -> bool:
        """Carry out one import, if there is one to be taken; whether there was."""
        old = self._store.clock() - ABANDONED_S * SECOND
        _, due = self._store.look(lambda work: Imports(work.conn).due(work.now, old, FOUND_AT_ONCE))
        for import_id in sorted({project: ident for ident, project in reversed(due)}.values()):  # one of each project
            task = self._store.transact(
                lambda work, which=import_id: Imports(work.conn).lease(  # type: ignore[misc]  # bound
                    which, self._owner, work.now, LEASE_S * SECOND
                )
            )
            if task is not None:
                self._carry_out(task)
                return True
        return False

    def _carry_out(self, task: ImportTask) -> None:
        try:
            status = task.status
            if status is TaskStatus.PENDING and task.parts is not None:
                status = self._ended(task)
            self._clean(task, keeps=status is TaskStatus.COMPLETE)
        except Lost:
            log.info("import is worked on by another process", task=task.id)
        except _Stopped:
            self._store.transact(lambda work: Imports(work.conn).change(task.id, lease_owner=None, lease_until=0))

    def _ended(self, task: ImportTask, trials: int = TRIALS) -> TaskStatus:
        """Make the zone, or say why not; the import's status. Raises Lost, _Stopped, Unavailable."""
        run = _Run(self, task)
        try:
            return run.end()
        except OSError as failure:
            why = failure.strerror or type(failure).__name__
            log.warning("the temporary file of an import failed", task=task.id, why=why)
            if trials == 1:
                return run.failed(f"The server's temporary file failed ({why}); import it again later.")
        self.rest(AGAIN_S)
        return self._ended(self._as_it_is(task), trials - 1)

    def _as_it_is(self, task: ImportTask) -> ImportTask:
        now = self.step(task, lambda work: Imports(work.conn).task(task.id))
        if now is None:
            raise Lost
        return now

    def paced(self, task: ImportTask, do: Callable[[Work], T], **written: Any) -> T:
        """As `step`; where others wait for SQLite's turn it is left to them for as long as the step took."""
        began, waiting = time.monotonic(), [0]

        def one(work: Work) -> T:
            done = do(work)
            waiting[0] = self._store.writers_waiting()
            return done

        done = self.step(task, one, **written)
        now = time.monotonic()
        if waiting[0]:
            self._others_until = now + OTHERS_S
        if now < self._others_until:
            self.rest(now - began)
        return done

    @property
    def others(self) -> bool:
        """Whether others write just now."""
        return time.monotonic() < self._others_until

    def step(self, task: ImportTask, do: Callable[[Work], T], **written: Any) -> T:
        """One transaction of the work on an import, which renews its lease and writes these members. Raises Lost,
        _Stopped, and what `do` raises."""
        if self.stopping():
            raise _Stopped

        def one(work: Work) -> T:
            Imports(work.conn).hold(task.id, self._owner, work.now, LEASE_S * SECOND)
            if written:
                Imports(work.conn).change(task.id, updated_at=work.now, **written)
            return do(work)

        return self._store.transact(one, then=self._sent)

    def _clean(self, task: ImportTask, *, keeps: bool) -> None:
        """Remove the file, and what was stored of a zone that was not made; then nothing is left to be done."""
        while not keeps and self.paced(task, lambda work: Imports(work.conn).drop_stored(task.target_id)):
            pass
        while self.paced(task, lambda work: Imports(work.conn).drop_parts(task.id)):
            pass

        def end(work: Work) -> None:
            imports = Imports(work.conn)
            imports.change(task.id, todo=False, lease_owner=None, lease_until=0)
            now = imports.task(task.id)
            if now is not None and (now.hidden or now.parts is None):
                imports.remove(task.id)

        self.step(task, end)

    @property
    def rules(self) -> Rules:
        """The operator's rules."""
        return self._rules

    @property
    def store(self) -> Store:
        """The database."""
        return self._store


class _Run:
    """One run of one import."""

    def __init__(self, by: Importer, task: ImportTask) -> None:
        self._by, self._task = by, task
        self._renewed = time.monotonic()

    def end(self) -> TaskStatus:
        """Make the zone, or say why not; the import's status. Raises Lost, _Stopped, Unavailable, OSError."""
        try:
            most, allowed = self._limits()
            with gather(self._chunks(), most=most, alive=self._say) as content:
                zone = self._made(content)
        except TooManyRecords as fault:
            return self.failed(self._beyond(fault, allowed))
        except (ZoneFileError, Unacceptable) as fault:
            return self.failed(str(fault))
        except (Unavailable, OSError):
            raise
        except Problem as problem:
            return self.failed(said(problem))
        log.info("zone imported", task=self._task.id, zone=zone.id, name=zone.name)
        return TaskStatus.COMPLETE

    def _limits(self) -> tuple[int, int]:
        """How many records of the file are read, and the project's limit of them in a zone. One query."""
        rules = self._by.rules
        _, found = self._by.store.look(lambda work: quotas.limits(rules, work, self._task.project_id))
        most, allowed = rules.settings.max_import_records, found["zone_records"]
        return most if allowed < 0 else min(most, allowed * quotas.SPELLINGS + BESIDE), allowed

    def _beyond(self, fault: TooManyRecords, allowed: int) -> str:
        try:
            quotas.check({"zone_records": allowed}, zone_records=self._by.rules.settings.max_import_records)
        except OverQuota as over:
            return said(over)
        return str(fault)

    def failed(self, why: str) -> TaskStatus:
        """End the import as ERROR. Raises Lost, _Stopped."""
        log.info("zone not imported", task=self._task.id, project=self._task.project_id, why=why)
        self._by.step(self._task, lambda _: None, status=TaskStatus.ERROR.value, message=cut(why), version=2)
        return TaskStatus.ERROR

    def _chunks(self) -> Iterator[bytes]:
        """The file, part by part."""
        assert self._task.parts is not None
        for number in range(self._task.parts):
            _, data = self._by.store.look(lambda work, at=number: Imports(work.conn).part(self._task.id, at))  # type: ignore[misc]  # bound
            if data is None:
                raise Lost
            yield inflate(data, PART)
            self._say(f"{100 * (number + 1) // self._task.parts} % of the file are read.")

    def _say(self, message: str | None = None) -> None:
        """Renew the lease, and say how far it is, now and then. Raises Lost, _Stopped."""
        if self._by.stopping():
            raise _Stopped
        if time.monotonic() - self._renewed >= RENEW_S:
            self._by.step(self._task, lambda _: None, **({} if message is None else {"message": message}))
            self._renewed = time.monotonic()

    def _made(self, content: Content) -> Zone:
        task, plan = self._task, self._planned(content)
        rows, rrsets, records = self._rows(plan, content), task.stored, 0
        for number in range(task.stored):
            if not number % SKIPPED:
                self._say()
            records += len(next(rows).records)
        while some := _some(rows, SHORT_STEP if self._by.others else STEP):
            rrsets += len(some)
            records += sum([len(held.records) for held in some])
            quotas.check(plan.limits, zone_recordsets=rrsets + 2, zone_records=records)

            def store(work: Work, some: list[Held] = some) -> None:
                work.rrsets.add(some)
                work.ending.texts(gone=(), come=some)

            words = cut(f"{rrsets} record sets of {content.zone} are stored.")
            self._by.paced(task, store, stored=rrsets, message=words)
            self._renewed = time.monotonic()
        loaded = _loaded(task, content, rrsets, records)

        def publish(work: Work) -> Zone:
            zone = add_zone(self._by.rules, work, task.caller, _new(task, content), loaded)
            if _children(work, zone) != plan.children:
                raise BadInput("A zone below it was created or deleted meanwhile; import it again.")
            return zone

        return self._by.step(
            task,
            publish,
            status=TaskStatus.COMPLETE.value,
            message=cut(f"{content.typed_name or content.zone} imported"),
            zone_id=task.target_id,
            version=2,
        )

    def _planned(self, content: Content) -> _Plan:
        """What holds for the zone; every rule of a new zone is asked. Raises its Problems."""
        rules, task = self._by.rules, self._task
        found: list[_Plan] = []

        def dry(work: Work) -> None:
            zone = add_zone(rules, work, task.caller, _new(task, content), _loaded(task, content, 0, 0))
            rules.policy.may("create_recordset", task.caller, dict(target_of(zone, task.caller), recordset_name=None))
            limits = quotas.limits(rules, work, task.project_id)
            found.append(_Plan(zone, _children(work, zone), limits))
            raise _Undone

        with contextlib.suppress(_Undone):
            self._by.step(task, dry)
        return found[-1]

    def _rows(self, plan: _Plan, content: Content) -> Iterator[Held]:
        """The zone's RRsets as they are stored, in the order of the file's content. Raises ZoneFileError, OverQuota."""
        zone, rules, caller = plan.zone, self._by.rules, self._task.caller
        edit = Edit(zone, zone.created_at, is_new=True)
        types: set[str] = set()
        for found in content.rrsets():
            if found.name == zone.name and found.rrtype == "NS":
                continue  # the pool's stand there
            try:
                if found.rrtype not in types:
                    types.add(fields.rrtype(rules, found.rrtype))
                if found.ttl < rules.settings.min_ttl:
                    fields.ttl(rules, caller, found.ttl)
                _check(rules, plan, found)
            except OverQuota:
                raise
            except Problem as problem:
                raise ZoneFileError(found.line, f"{found.rrtype} at {found.name}: {said(problem)}") from problem
            except ValueError as error:
                raise ZoneFileError(found.line, f"{found.rrtype} at {found.name}: {error}") from error
            wire = pack(zone.name, found.name, found.rrtype, found.ttl, [record.wire for record in found.records])
            held = new_rrset(
                zone,
                found.name,
                found.rrtype,
                [record.text for record in found.records],
                wire,
                ttl=found.ttl,
                project_id=zone.project_id,
                typed_name=found.typed_name,
            )
            yield edit.stamped(held, None)


def _some(rows: Iterator[Held], most: int) -> list[Held]:
    """The next RRsets: so many, or as many as have `most` times EACH octets. None at the end."""
    some, octets = list[Held](), 0
    while len(some) < most and octets < most * EACH and (held := next(rows, None)) is not None:
        some.append(held)
        octets += len(held.wire)
    return some


def _check(rules: Rules, plan: _Plan, found: Found) -> None:
    """The rules on an RRset that the file alone does not show. Raises ValueError, OverQuota."""
    if len(found.name) > rules.settings.max_recordset_name_len:
        raise ValueError("Name too long")
    if plan.children and not plan.children.isdisjoint((found.name, *ancestors(found.name))):
        raise ValueError("RecordSet belongs in a child zone")
    if len(found.records) > 1:
        quotas.check(plan.limits, recordset_records=len(found.records))
    for record in found.records:
        if len(record.wire) + len(found.name) + 12 > MAX_RR:
            raise ValueError(f"a record of {len(record.wire)} octets cannot be transferred")
        if found.rrtype in CHECKED:
            check_entry(found.name, found.rrtype, record, rules.settings.additional_alpn_ids)


def _children(work: Work, zone: Zone) -> frozenset[str]:
    names = work.zones.names_below(zone.name, zone.pool_id, MOST_CHILDREN + 1)
    if len(names) > MOST_CHILDREN:
        raise BadInput(f"More than {MOST_CHILDREN} zones are below {zone.name}; create it empty instead.")
    return frozenset(names)


def _new(task: ImportTask, content: Content) -> NewZone:
    if content.soa.email is None:
        raise ZoneFileError(content.line, "the RNAME of the SOA record is not the mailbox of a mail address")
    return NewZone(
        name=content.typed_name or content.zone,
        email=content.soa.email,
        ttl=content.ttl,
        attributes=task.attributes,
    )


def _loaded(task: ImportTask, content: Content, rrsets: int, records: int) -> Loaded:
    soa = content.soa
    return Loaded(
        id=task.target_id, serial=soa.serial, retry=soa.retry, expire=soa.expire, rrsets=rrsets, records=records
    )
