# SPDX-License-Identifier: Apache-2.0
"""Which questions travel together; how they do is `tests/threads/test_batch.py`."""

from __future__ import annotations

from dataclasses import replace

from redesignate.bus.convoy import lane
from redesignate.commands.rrsets import CreateRRset, DeleteRRset, UpdateRRset
from redesignate.commands.zones import GetZone
from redesignate.model.caller import operator
from redesignate.model.rrset import NewRRset, RRsetChange

ME = replace(operator("req-1"), project_id="mine", all_projects=False)
STRANGER = replace(ME, project_id="theirs")


def test_only_changes_of_a_zones_rrsets_queue_for_it() -> None:
    new = NewRRset(name="a.", type="A", records=("192.0.2.1",))
    lanes = {
        lane(CreateRRset(caller=ME, zone_id="z", new=new)),
        lane(UpdateRRset(caller=ME, zone_id="z", rrset_id="r", change=RRsetChange())),
        lane(DeleteRRset(caller=ME, zone_id="z", rrset_id="r")),
    }
    assert lanes == {("z", "mine")}
    assert lane(GetZone(caller=ME, zone_id="z")) is None


def test_a_strangers_questions_about_a_zone_do_not_travel_with_its_owners() -> None:
    mine, theirs = (lane(DeleteRRset(caller=caller, zone_id="z", rrset_id="r")) for caller in (ME, STRANGER))
    assert mine != theirs
