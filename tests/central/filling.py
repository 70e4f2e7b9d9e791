# SPDX-License-Identifier: Apache-2.0
"""Large databases in seconds: rows as central writes them, copied under other names and ids in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from redesignate.model.clock import new_id, shard_of
from redesignate.model.names import order_key, reverse_key
from redesignate.model.zone import Zone
from redesignate.store.schema import journal, peer_states, rrset_data, rrsets, zones
from redesignate.store.settings_schema import usage
from redesignate.store.sharing_schema import zone_shares
from redesignate.wire.rrset import pack
from tests.central.driver import CentralDriver

Row = dict[str, Any]
AT_ONCE = 2000


def fill_zone(central: CentralDriver, zone: Zone, count: int, *, name: str = "h{}") -> None:
    """Give a zone so many RRsets, each as if it had been created by itself; served, and its journal trimmed.

    A tenth are MX, a twentieth have a TTL of their own, a tenth a description; each has data of its own or one of 50.
    """
    made = central.rrset(zone, "model", ttl=60)
    central.serve()
    with central.store.engine.begin() as conn:
        (of,) = _rows(conn, zones, id=zone.id)
        (model,) = _rows(conn, rrsets, id=made.id)
        revision = of["revision"]
        for at in range(0, count, AT_ONCE):
            sets = [_rrset(of, model, revision + 1 + n, name.format(n), n) for n in range(at, min(count, at + AT_ONCE))]
            _insert(conn, rrsets, [row for row, _ in sets])
            texts = [{"rrset_id": row["id"], "position": 0, "zone_id": zone.id, "data": text} for row, text in sets]
            _insert(conn, rrset_data, texts)
        moved = {"revision": revision + count, "confirmed": revision + count}
        counted = {"rrset_count": of["rrset_count"] + count, "record_count": of["record_count"] + count}
        conn.execute(zones.update().where(zones.c.id == zone.id).values(**moved, **counted))


def _rrset(of: Row, model: Row, revision: int, label: str, n: int) -> tuple[Row, str]:
    name = f"{label}.{of['name']}"
    rrtype, text, rdata = "A", "192.0.2.1", b"\xc0\x00\x02\x01"
    if n % 10 == 0:
        rrtype, text, rdata = "MX", f"10 m{n % 50}.example.net.", b"\x00\x0a\x01m\x07example\x03net\x00"
    elif n % 2:
        number = n + (10 << 24)
        rdata = number.to_bytes(4, "big")
        text = ".".join(map(str, rdata))
    ttl = 300 + n % 7 if n % 20 == 3 else None
    new = {
        "id": new_id(), "name": name, "type": rrtype, "ttl": ttl, "records": f'["{text}"]',
        "wire": pack(of["name"], name, rrtype, ttl, [rdata]), "order_key": order_key(name, of["name"]),
        "description": f"host {n}" if n % 10 == 5 else None, "revision": revision, "born": revision,
        "created_at": model["created_at"] + n + 1,
    }  # fmt: skip
    return model | new, text


def add_zones(central: CentralDriver, count: int, *, name: str = "z{}.example.com.", project: str = "p1") -> None:
    """So many zones of a project, each as if it had been created and served by itself."""
    made = central.zone(name="model-" + name.format("x"))
    central.serve()
    tables = {table: table.c["id" if table is zones else "zone_id"] for table in OF_A_ZONE}
    with central.store.engine.begin() as conn:
        model = {table: _rows(conn, table, **{column.name: made.id}) for table, column in tables.items()}
        for at in range(0, count, AT_ONCE):
            rows: dict[Table, list[Row]] = {table: [] for table in OF_A_ZONE}
            for n in range(at, min(count, at + AT_ONCE)):
                for table, more in _zone(model, name.format(n), project, n).items():
                    rows[table] += more
            for table, some in rows.items():
                _insert(conn, table, some)
        conn.execute(usage.delete().where(usage.c.project_id == project))
        held = conn.execute(select(zones.c.id).where(zones.c.project_id == project)).all()
        conn.execute(usage.insert().values(project_id=project, zones=len(held)))


def share_zones(central: CentralDriver, target: str, first: int, count: int) -> None:
    """Share so many zones, from the one with this number in the order of ids on, with a project."""
    with central.store.engine.begin() as conn:
        found = conn.execute(select(zones).order_by(zones.c.id).offset(first).limit(count)).all()
        rows = [
            {"id": new_id(), "zone_id": of.id, "target_project_id": target, "created_at": 1, "updated_at": None,
             "zone_created_at": of.created_at, "zone_name": of.name}
            for of in found
        ]  # fmt: skip
        _insert(conn, zone_shares, rows)
        ids = [row["zone_id"] for row in rows]
        for at in range(0, count, AT_ONCE):
            conn.execute(zones.update().where(zones.c.id.in_(ids[at : at + AT_ONCE])).values(shares=1))


OF_A_ZONE = (zones, rrsets, rrset_data, journal, peer_states)


def _zone(model: dict[Table, list[Row]], name: str, project: str, n: int) -> dict[Table, list[Row]]:
    ident = new_id()
    made: dict[Table, list[Row]] = {}
    (of,) = model[zones]
    made[zones] = [
        of | {"id": ident, "shard": shard_of(ident), "name": name, "reverse_key": reverse_key(name),
              "email": f"hostmaster{n % 100}@example.org", "project_id": project, "ttl": 3600 + n % 5,
              "created_at": of["created_at"] + n + 1, "description": f"zone {n}" if n % 10 == 5 else None}
    ]  # fmt: skip
    ids = {row["id"]: new_id() for row in model[rrsets]}
    made[rrsets] = [
        row | {"id": ids[row["id"]], "zone_id": ident, "name": name, "project_id": row["project_id"] and project,
               "created_at": of["created_at"] + n + 1}
        for row in model[rrsets]
    ]  # fmt: skip
    made[rrset_data] = [row | {"zone_id": ident, "rrset_id": ids[row["rrset_id"]]} for row in model[rrset_data]]
    made[journal] = [row | {"zone_id": ident, "shard": shard_of(ident)} for row in model[journal]]
    made[peer_states] = [row | {"zone_id": ident} for row in model[peer_states]]
    return made


def _rows(conn: Connection, table: Table, **equal: Any) -> list[Row]:
    found = conn.execute(select(table).where(*(table.c[name] == value for name, value in equal.items())))
    return [dict(row._mapping) for row in found]


def _insert(conn: Connection, table: Table, rows: Sequence[Row]) -> None:
    """In bulk, as each driver is fastest."""
    if not rows:
        return
    if conn.dialect.name != "postgresql":
        conn.execute(table.insert(), list(rows))
        return
    columns = [f'"{column.name}"' for column in table.c]
    cursor: Any = conn.connection.cursor()
    with cursor.copy(f"COPY {table.name} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[column.name] for column in table.c])
