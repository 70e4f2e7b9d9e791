# SPDX-License-Identifier: Apache-2.0
"""What central writes into the log, once it is committed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.central.driver import CentralDriver


def test_one_line_is_logged_when_every_server_has_a_zone(
    central: CentralDriver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    central.pool(servers=2)
    zone = central.zone()
    central.pass_time(0.25)
    (task,) = central.begin(zone)
    well = central.as_wanted(task)
    central.said(task, [well[0], replace(well[1], ok=False, present=False, serial=None), well[2]], worker="w1")
    assert not caplog.records
    central.pass_time(3600)
    central.serve()
    central.serve()
    (line,) = caplog.records
    assert line.getMessage() == "zone served"
    fields = line.__dict__["fields"]
    assert (fields["zone"], fields["serial"], fields["id"]) == (zone.name, zone.serial, zone.id)
    assert fields["after_ms"] >= 250
    central.delete(central.get(zone.id))
    central.serve()
    assert caplog.records[-1].getMessage() == "zone gone from every server"
