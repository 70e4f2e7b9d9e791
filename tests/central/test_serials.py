# SPDX-License-Identifier: Apache-2.0
"""Serials rise, by RFC 1982, whatever the clock does and wherever they stand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redesignate.model.serial import newer
from redesignate.model.zone import Zone
from tests.central.driver import CentralDriver
from tests.central.test_journal import check_chain, fresh


def stand_at(central: CentralDriver, zone: Zone, serial: int) -> None:
    with central.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE zones SET serial = ? WHERE id = ?", (serial, zone.id))
        connection.exec_driver_sql("UPDATE journal SET serial_to = ? WHERE zone_id = ?", (serial, zone.id))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    start=st.one_of(st.integers(1, 2**32 - 1), st.integers(2**32 - 5, 2**32 - 1), st.integers(1, 5)),
    jumps=st.lists(st.sampled_from([-3600, -120, -1, 0, 0.2, 1, 120, 3600, 10**9]), min_size=1, max_size=12),
)
def test_every_change_has_a_newer_serial(empty_database: Any, start: int, jumps: list[float]) -> None:
    with fresh(empty_database) as central:
        zone = central.zone()
        stand_at(central, zone, start)
        serial = start
        for at, jump in enumerate(jumps):
            central.pass_time(jump)
            central.rrset(zone, f"n{at}")
            now = central.get(zone.id).serial
            assert newer(now, serial)
            assert 0 < now < 2**32
            serial = now


@pytest.mark.parametrize("start", [2**32 - 1, 2**31, 2**31 - 1, 1])
def test_a_serial_near_its_end_goes_round(central: CentralDriver, start: int) -> None:
    zone = central.zone()
    stand_at(central, zone, start)
    for n in range(5):
        central.rrset(zone, f"n{n}")
    rows = central.rows("journal", zone_id=zone.id)
    assert len(rows) == 6
    now = central.get(zone.id)
    assert newer(now.serial, start)


def test_a_zone_ahead_of_the_clock_counts_on_by_one(central: CentralDriver) -> None:
    zone = central.zone()
    stand_at(central, zone, 2026010101)
    central.rrset(zone, "www")
    assert central.get(zone.id).serial == 2026010102


def test_the_serial_is_the_clock_where_that_is_newer(central: CentralDriver) -> None:
    zone = central.zone()
    central.pass_time(1000)
    central.rrset(zone, "www")
    assert central.get(zone.id).serial == central.time // 1_000_000
    central.pass_time(-3600)
    central.rrset(zone, "www2")
    assert central.get(zone.id).serial == zone.serial + 1001
    check_chain(central, zone)
