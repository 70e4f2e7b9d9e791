# SPDX-License-Identifier: Apache-2.0
"""A row that somebody holds locked stops those who want that row, and nobody else."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from redesignate.store import schema
from redesignate.store.unit import Retries, Store
from tests.store.makers import add, new_id, zone


def test_a_zone_is_created_while_the_row_of_another_is_locked(store: Store) -> None:
    """On a small table MariaDB scans every row to find those below a name, and a change would wait for each of them."""
    if store.engine.dialect.name == "sqlite":
        pytest.skip("its writers come one after another")
    pool = new_id()
    first, *others = [zone(f"stays{n}.locks.example.", pool_id=pool) for n in range(3)]
    add(store, first, *others)
    patient = Store(store.url, retries=Retries(attempts=1))
    with store.engine.connect() as connection:
        connection.execute(select(schema.zones.c.id).where(schema.zones.c.id == first.id).with_for_update())
        for number in range(6):
            made = zone(f"passes{number}.locks.example.", pool_id=pool)
            add(patient, made)
            assert patient.transact(lambda work, made=made: work.zones.adopt(made)) == 0  # type: ignore[misc]
    patient.close()
