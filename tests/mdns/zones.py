# SPDX-License-Identifier: Apache-2.0
"""Zones written straight into a database, for mdns to serve, with a journal as central would keep it."""

from __future__ import annotations

import base64
import functools
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dns.rdata
import dns.zone
from msgspec import structs
from sqlalchemy import create_engine

from redesignate.config.settings import DEFAULT_POOL_ID
from redesignate.model.rrset import place
from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.store.journal import Entry
from redesignate.store.schema import rrsets, zones
from redesignate.store.served_zone import ServedZone
from redesignate.store.serving import Serving, Snapshot
from redesignate.store.tables import metadata
from redesignate.store.unit import Store, Work
from redesignate.wire import rrset

POOL = DEFAULT_POOL_ID
SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

Key = tuple[str, str]
"""Name and type of an RRset."""

Value = tuple[int | None, tuple[str, ...]]
"""TTL (None: the zone's) and texts of an RRset."""


@dataclass
class StoredZone:
    """A zone as it stands in the database: its row, and its RRsets as (ttl, texts)."""

    zone: Zone
    content: dict[Key, Value] = field(default_factory=dict)

    def as_dnspython(self) -> dns.zone.Zone:
        """The same zone, built by dnspython from text."""
        zone = self.zone
        local, _, domain = zone.email.rpartition("@")
        times = f"{zone.serial} {zone.refresh} {zone.retry} {zone.expire} {zone.minimum}"
        mailbox = local.replace(".", "\\.") + "." + domain + "."
        lines = [f"{zone.name} {zone.ttl} IN SOA {zone.mname} {mailbox} {times}"]
        for (name, rrtype), (ttl, texts) in self.content.items():
            lines += [f"{name} {zone.ttl if ttl is None else ttl} IN {rrtype} {text}" for text in texts]
        return dns.zone.from_text("\n".join(lines), origin=zone.name, relativize=False, check_origin=False)


def blob(zone: Zone, name: str, rrtype: str, ttl: int | None, texts: Iterable[str]) -> bytes:
    """An RRset's wire form, by way of dnspython's parser."""
    rdatas = [dns.rdata.from_text("IN", rrtype, text, relativize=False).to_wire() for text in texts]
    return rrset.pack(zone.name, name, rrtype, ttl, [rdata for rdata in rdatas if rdata is not None])


def served(view: Snapshot, zone: Zone) -> ServedZone:
    """The zone as a view shows it; it is there."""
    found = view.zone(zone.id)
    assert found is not None
    return found


@functools.cache
def _empty_database() -> bytes:
    """An SQLite file with the tables; made once, because making fifty indexes takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        engine = create_engine(f"sqlite:///{path}")
        metadata.create_all(engine)
        engine.dispose()
        return path.read_bytes()


class StoredZones:
    """A database with zones in it."""

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        self.source = Serving(self.store)

    @classmethod
    def in_folder(cls, folder: Path) -> StoredZones:
        """A new SQLite file."""
        path = folder / f"{uuid.uuid4()}.db"
        path.write_bytes(_empty_database())
        return cls(f"sqlite:///{path}")

    def close(self) -> None:
        """Leave the database."""
        self.store.close()

    def add_zone(
        self,
        name: str,
        records: Mapping[Key, tuple[str, ...]] | None = None,
        *,
        pool_id: str = POOL,
        kind: ZoneType = ZoneType.PRIMARY,
        action: Action = Action.NONE,
        primaries: tuple[str, ...] = (),
        serial: int = 1000,
    ) -> StoredZone:
        """Add a zone; RRsets get no TTL of their own where their key is given plain."""
        zone = Zone(
            id=str(uuid.uuid4()),
            name=name,
            type=kind,
            transferred_at=1 if kind is ZoneType.CATALOG else None,
            pool_id=pool_id,
            project_id="project",
            email=f"host.master@{name.rstrip('.')}",
            ttl=3600,
            serial=serial,
            revision=1,
            confirmed=1,
            mname=f"ns1.{name}",
            refresh=3500,
            retry=600,
            expire=86400,
            minimum=300,
            action=action,
            status=Status.ACTIVE,
            version=1,
            created_at=1,
            primaries=primaries,
        )
        written = StoredZone(zone)

        def do(work: Work) -> None:
            work.zones.add(zone, apex_version=1, rrsets=2)
            self._put(work, zone, (name, "SOA"), None, (), b"")
            for key, texts in ({(name, "NS"): (f"ns1.{name}",)} | dict(records or {})).items():
                written.content[key] = (None, texts)
                self._put(work, zone, key, None, texts, blob(zone, *key, None, texts))
            entry = Entry(
                zone_id=zone.id,
                revision=1,
                serial_from=0,
                serial_to=serial,
                full=True,
                removed=b"",
                added=b"",
                soa_from=b"",
                soa_to=rrset.soa(zone),
                at=1,
            )
            work.ending.journal(entry, None)

        self.store.transact(do)
        return written

    def edit(self, written: StoredZone, changes: Mapping[Key, Value | None], *, full: bool = False) -> None:
        """One revision: each RRset is set to what is given, or removed where None.

        full   too much for the journal, which then says "everything" and holds neither side
        """
        before = written.zone
        after = structs.replace(before, serial=before.serial + 1, revision=before.revision + 1)

        def do(work: Work) -> None:
            removed, added = [], []
            for key, new in changes.items():
                if key in written.content:
                    removed.append(self._timed(before, key, written.content[key]))
                    self._drop(work, before, key)
                if new is not None:
                    added.append(self._timed(after, key, new))
                    self._put(work, after, key, new[0], new[1], blob(after, *key, *new))
            entry = Entry(
                zone_id=before.id,
                revision=after.revision,
                serial_from=before.serial,
                serial_to=after.serial,
                full=full,
                removed=b"" if full else b"".join(removed),
                added=b"" if full else b"".join(added),
                soa_from=rrset.soa(before),
                soa_to=rrset.soa(after),
                at=1,
            )
            work.ending.journal(entry, None)
            work.zones.advance(before, after)

        self.store.transact(do)
        written.zone = after
        for key, new in changes.items():
            written.content.pop(key, None)
            if new is not None:
                written.content[key] = new

    def mark(self, written: StoredZone, **columns: object) -> None:
        """Write columns of the zone's row."""

        def do(work: Work) -> None:
            work.conn.execute(zones.update().where(zones.c.id == written.zone.id).values(columns))

        self.store.transact(do)

    def poison(self, written: StoredZone, name: str, wire: bytes) -> None:
        """An RRset whose blob nobody of ours would have written."""
        self.store.transact(lambda work: self._put(work, written.zone, (name, "A"), None, ("192.0.2.66",), wire))

    def add_key(
        self, name: str, scope: Scope, resource_id: str, algorithm: str = "hmac-sha256", secret: str = SECRET
    ) -> TSIGKey:
        """Store a TSIG key."""
        key = TSIGKey(
            id=str(uuid.uuid4()), name=name, algorithm=algorithm, secret=secret, scope=scope, resource_id=resource_id
        )
        self.store.transact(lambda work: work.tsigkeys.add(key))
        return key

    def _timed(self, zone: Zone, key: Key, value: Value) -> bytes:
        ttl, texts = value
        return blob(zone, *key, zone.ttl if ttl is None else ttl, texts)

    def _put(self, work: Work, zone: Zone, key: Key, ttl: int | None, texts: tuple[str, ...], wire: bytes) -> None:
        row = {
            "id": str(uuid.uuid4()),
            "zone_id": zone.id,
            "project_id": "project",
            "name": key[0],
            "type": key[1],
            "ttl": ttl,
            "records": "[]",
            "wire": wire,
            "order_key": place(key[0], key[1], zone.name) if wire or key[1] == "SOA" else None,
            "managed": False,
            "revision": zone.revision,
            "born": zone.revision,
            "version": 1,
            "created_at": 1,
        }
        work.conn.execute(rrsets.insert().values(row))

    def _drop(self, work: Work, zone: Zone, key: Key) -> None:
        where = (rrsets.c.zone_id == zone.id, rrsets.c.name == key[0], rrsets.c.type == key[1])
        work.conn.execute(rrsets.delete().where(*where))
