# SPDX-License-Identifier: Apache-2.0
"""One run of one import: its file is read, its rows are stored in steps, its zone is made in one transaction."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from redesignate.central import quotas
from redesignate.central.arrival import Unacceptable, inflate
from redesignate.central.importrows import EACH, Block, Frame, Head, Here, Note, Reader, Readers, TooManyOfOne
from redesignate.central.importwords import cut, said
from redesignate.central.rules import Rules, fields, target_of
from redesignate.central.zones import Loaded, add_zone
from redesignate.commands.imports import PART
from redesignate.model.errors import BadInput, OverQuota, Problem, Unavailable
from redesignate.model.zone import NewZone, Zone
from redesignate.model.zonefile import TooManyRecords, ZoneFileError
from redesignate.model.zonetask import ImportTask, TaskStatus
from redesignate.observe.log import events
from redesignate.store.imports import Imports, Lost
from redesignate.store.schema import DATA_PREFIX
from redesignate.store.unit import Store, Work

STEP = 1000
"""RRsets that one transaction stores, if they have EACH octets or fewer on average."""
SHORT_STEP = 50
"""As many while others write on SQLite, where they wait for it: some 3 ms."""
RENEW_S = 5.0
"""How often the lease is renewed, and the progress written, while a file is read."""
SHORT_FILE = 16 * 1024
"""Octets of a file, compressed, that is read in this process: another one takes as long to start."""
MOST_CHILDREN = 10_000
BESIDE = 1000
"""Records that are read of a file beyond its project's quota, in SPELLINGS: those at the apex that the pool has."""
T = TypeVar("T")
log = events(__name__)


class Stopped(Exception):
    """The process is to end: another one goes on."""


class _Undone(Exception):
    """The zone could be made; the transaction is rolled back."""


class Steps(Protocol):
    """Who works on the import: it holds the lease, and writes."""

    stopping: Callable[[], bool]

    @property
    def rules(self) -> Rules:
        """The operator's rules."""

    @property
    def store(self) -> Store:
        """The database."""

    @property
    def readers(self) -> Readers:
        """What reads files that are not short."""

    @property
    def others(self) -> bool:
        """Whether others write just now."""

    def step(self, task: ImportTask, do: Callable[[Work], T], **written: Any) -> T:
        """One transaction of the work on an import, which renews its lease and writes these members. Raises Lost,
        Stopped, and what `do` raises."""

    def paced(self, task: ImportTask, do: Callable[[Work], T], **written: Any) -> T:
        """As `step`, and leaves the database to others then, where they wait for it."""


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


@dataclass(slots=True)
class _Ready:
    """Rows that wait for their step."""

    blocks: list[Block] = field(default_factory=list)
    rrsets: int = 0
    octets: int = 0

    def add(self, block: Block) -> None:
        self.blocks.append(block)
        self.rrsets += len(block.rows)
        self.octets += sum([len(row[_WIRE]) for row in block.rows])

    def taken(self) -> tuple[list[Any], list[Any]]:
        """The rows, and their texts."""
        rows = [row for block in self.blocks for row in block.rows]
        texts = [text for block in self.blocks for some in block.texts for text in some]
        self.blocks, self.rrsets, self.octets = [], 0, 0
        return rows, texts


_WIRE = 7
"""Of a row."""


def _is_short(packed: bytes) -> bool:
    """Whether a file is of few octets, and has no $GENERATE, which makes many records of few."""
    try:
        return len(packed) <= SHORT_FILE and b"$GENERATE" not in inflate(packed, PART).upper()
    except Unacceptable:  # which is said when it is read
        return True


class Run:
    """One run of one import."""

    def __init__(self, by: Steps, task: ImportTask) -> None:
        self._by, self._task = by, task
        self._renewed = time.monotonic()
        self._read = ""

    def end(self) -> TaskStatus:
        """Make the zone, or say why not; the import's status. Raises Lost, Stopped, Unavailable, OSError."""
        most, allowed = self._limits()
        reader = self._reader()
        try:
            head = reader.head(self._chunks(), most)
            self._read = ""
            zone = self._made(head, reader)
        except TooManyRecords as fault:
            return self.failed(self._beyond(fault, allowed))
        except (ZoneFileError, Unacceptable) as fault:
            return self.failed(str(fault))
        except (Unavailable, OSError):
            raise
        except Problem as problem:
            return self.failed(said(problem))
        finally:
            reader.close()
        log.info("zone imported", task=self._task.id, zone=zone.id, name=zone.name)
        return TaskStatus.COMPLETE

    def failed(self, why: str) -> TaskStatus:
        """End the import as ERROR. Raises Lost, Stopped."""
        log.info("zone not imported", task=self._task.id, project=self._task.project_id, why=why)
        self._by.step(self._task, lambda _: None, status=TaskStatus.ERROR.value, message=cut(why), version=2)
        return TaskStatus.ERROR

    # -- the file

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

    def _reader(self) -> Reader:
        short = self._task.parts == 1 and _is_short(self._part(0))
        return (Here if short else self._by.readers)(self._say)

    def _part(self, number: int) -> bytes:
        """Raises Lost."""
        _, data = self._by.store.look(lambda work: Imports(work.conn).part(self._task.id, number))
        if data is None:
            raise Lost
        return data

    def _chunks(self) -> Iterator[bytes]:
        """The file, part by part."""
        assert self._task.parts is not None
        for number in range(self._task.parts):
            yield inflate(self._part(number), PART)
            self._read = f"{100 * (number + 1) // self._task.parts} % of the file are read."
            self._say()

    def _say(self) -> None:
        """Renew the lease, and say how far it is, now and then. Raises Lost, Stopped."""
        if self._by.stopping():
            raise Stopped
        if time.monotonic() - self._renewed >= RENEW_S:
            self._by.step(self._task, lambda _: None, **({"message": self._read} if self._read else {}))
            self._renewed = time.monotonic()

    # -- the zone

    def _made(self, head: Head, reader: Reader) -> Zone:
        task, plan = self._task, self._planned(head)
        rrsets, records, ready = task.stored, 0, _Ready()

        def store() -> None:
            nonlocal rrsets
            rrsets += ready.rrsets
            quotas.check(plan.limits, zone_recordsets=rrsets + 2, zone_records=records)
            rows, texts = ready.taken()
            words = cut(f"{rrsets} record sets of {head.zone} are stored.")
            written = {"stored": rrsets, "message": words, "attempts": 0}
            self._by.paced(task, lambda work: Imports(work.conn).store_ahead(rows, texts), **written)
            self._renewed = time.monotonic()

        for block in self._blocks(reader, plan):
            records += block.records
            for note in block.notes:
                _ask(self._by.rules, task, note)
            ready.add(block)
            most = SHORT_STEP if self._by.others else STEP
            if ready.rrsets >= most or ready.octets >= most * EACH:
                store()
        if ready.rrsets:
            store()
        return self._published(head, plan, _loaded(task, head, rrsets, records))

    def _blocks(self, reader: Reader, plan: _Plan) -> Iterator[Block]:
        """The blocks of rows. Raises ZoneFileError, OverQuota, OSError, and what ends the work."""
        settings, zone = self._by.rules.settings, plan.zone
        frame = Frame(
            zone_id=zone.id,
            zone=zone.name,
            project_id=zone.project_id,
            revision=zone.revision,
            at=zone.created_at,
            stored=self._task.stored,
            most=min(SHORT_STEP, STEP),
            longest_name=settings.max_recordset_name_len,
            children=plan.children,
            records=plan.limits["recordset_records"],
            alpn=tuple(settings.additional_alpn_ids),
            min_ttl=settings.min_ttl,
            prefix=DATA_PREFIX,
        )
        try:
            for block in reader.blocks(frame):
                self._say()
                yield block
        except TooManyOfOne as over:
            quotas.check(plan.limits, recordset_records=over.records)

    def _planned(self, head: Head) -> _Plan:
        """What holds for the zone; every rule of a new zone is asked. Raises its Problems."""
        rules, task = self._by.rules, self._task
        found: list[_Plan] = []

        def dry(work: Work) -> None:
            zone = add_zone(rules, work, task.caller, _new(task, head), _loaded(task, head, 0, 0))
            rules.policy.may("create_recordset", task.caller, dict(target_of(zone, task.caller), recordset_name=None))
            limits = quotas.limits(rules, work, task.project_id)
            found.append(_Plan(zone, _children(work, zone), limits))
            raise _Undone

        with contextlib.suppress(_Undone):
            self._by.step(task, dry)
        return found[-1]

    def _published(self, head: Head, plan: _Plan, loaded: Loaded) -> Zone:
        task = self._task

        def publish(work: Work) -> Zone:
            zone = add_zone(self._by.rules, work, task.caller, _new(task, head), loaded)
            if _children(work, zone) != plan.children:
                raise BadInput("A zone below it was created or deleted meanwhile; import it again.")
            return zone

        return self._by.step(
            task,
            publish,
            status=TaskStatus.COMPLETE.value,
            message=cut(f"{head.typed_name or head.zone} imported"),
            zone_id=task.target_id,
            version=2,
        )


def _ask(rules: Rules, task: ImportTask, note: Note) -> None:
    """The rules that a value does not say. Raises ZoneFileError, OverQuota."""
    try:
        if note.is_first:
            fields.rrtype(rules, note.rrtype)
        if note.ttl < rules.settings.min_ttl:
            fields.ttl(rules, task.caller, note.ttl)
    except OverQuota:
        raise
    except Problem as problem:
        raise ZoneFileError(note.line, f"{note.rrtype} at {note.name}: {said(problem)}") from problem


def _children(work: Work, zone: Zone) -> frozenset[str]:
    names = work.zones.names_below(zone.name, zone.pool_id, MOST_CHILDREN + 1)
    if len(names) > MOST_CHILDREN:
        raise BadInput(f"More than {MOST_CHILDREN} zones are below {zone.name}; create it empty instead.")
    return frozenset(names)


def _new(task: ImportTask, head: Head) -> NewZone:
    if head.email is None:
        raise ZoneFileError(head.line, "the RNAME of the SOA record is not the mailbox of a mail address")
    return NewZone(name=head.typed_name or head.zone, email=head.email, ttl=head.ttl, attributes=task.attributes)


def _loaded(task: ImportTask, head: Head, rrsets: int, records: int) -> Loaded:
    return Loaded(
        id=task.target_id, serial=head.serial, retry=head.retry, expire=head.expire, rrsets=rrsets, records=records
    )
