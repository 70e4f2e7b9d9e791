# SPDX-License-Identifier: Apache-2.0
"""The texts of records, a row each, for the API's filter by data. Written by `store/ending.py` alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, bindparam

from redesignate.model.rrset import Held
from redesignate.store.fast import run
from redesignate.store.schema import rrset_data

DATA_PREFIX = 255
"""Characters of a record's text that the filter by data sees."""
_BULK = 1000
# Built once, as in store.zones.
_ADD = rrset_data.insert()
_REMOVE = rrset_data.delete().where(rrset_data.c.rrset_id.in_(bindparam("ids", expanding=True)))


def add(conn: Connection, rrsets: Iterable[Held]) -> None:
    """Insert the texts of RRsets that have none here. One statement."""
    rows = [
        {"rrset_id": held.id, "position": at, "zone_id": held.zone_id, "data": text[:DATA_PREFIX]}
        for held in rrsets
        for at, text in enumerate(held.records)
    ]
    if rows:
        run(conn, _ADD, rows)


def remove(conn: Connection, rrset_ids: Collection[str]) -> None:
    """Delete the texts of RRsets. One statement a thousand."""
    ids = list(rrset_ids)
    for at in range(0, len(ids), _BULK):
        run(conn, _REMOVE, {"ids": ids[at : at + _BULK]})
