# SPDX-License-Identifier: Apache-2.0
"""Ansible's `openstack.cloud.dns_zone` and `recordset`, as openstacksdk sends what they ask for.

A play that runs again must find nothing to change: each value that is read back is compared with the play's.
The real openstacksdk is in tests/e2e/test_every_call.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import System
from tests.api.habits.tool import OPENSTACKSDK, Tool

MADE, CHANGED = (201, 202), (200, 202)
BARE = {"Accept": ""}
PLAY = {"description": "Test zone", "email": "test@example.net", "name": "example.net.", "ttl": 3600, "type": "PRIMARY"}


class Ansible(Tool):
    """Looks things up as openstacksdk's `find_…` does: by id, then by name."""

    def find(self, path: str, members: str, name: str) -> Any:
        """The one of that name, or None."""
        assert self.ask("GET", f"{path}/{name}").status in (400, 404)
        found = self.said("GET", f"{path}?name={name}")[members]
        assert len(found) <= 1
        return found[0] if found else None

    def zone(self, **play: Any) -> bool:
        """`dns_zone`, state present; whether it changed something."""
        zone = self.find("/v2/zones", "zones", play["name"])
        if zone is None:
            made = self.said("POST", "/v2/zones", {"description": None, "email": None} | play, ok=MADE)
            self.waits(f"/v2/zones/{made['id']}", "ACTIVE", ("PENDING",))
            return True
        differs = {name: value for name, value in play.items() if zone[name] != value}
        if differs:
            self.said("PATCH", f"/v2/zones/{zone['id']}", differs, ok=CHANGED)
            self.waits(f"/v2/zones/{zone['id']}", "ACTIVE", ("PENDING",))
        return bool(differs)

    def recordset(self, zone: str, **play: Any) -> bool:
        """`recordset`, state present; whether it changed something."""
        found = self.find("/v2/zones", "zones", zone)
        path = f"/v2/zones/{found['id']}/recordsets"
        rrset = self.find(path, "recordsets", play["name"])
        if rrset is None:
            self.said("POST", path, {"ttl": 300} | play, ok=MADE)
            return True
        differs = {name: value for name, value in play.items() if rrset[name] != value}
        if differs:
            self.said("PUT", f"{path}/{rrset['id']}", differs, ok=CHANGED)
        return bool(differs)


@pytest.fixture
def ansible(system: System) -> Ansible:
    return Ansible(system, OPENSTACKSDK)


def test_a_zone_play_changes_once(ansible: Ansible) -> None:
    assert [ansible.zone(**PLAY), ansible.zone(**PLAY)] == [True, False]
    again = PLAY | {"ttl": 7200}
    assert [ansible.zone(**again), ansible.zone(**again)] == [True, False]
    zone = ansible.find("/v2/zones", "zones", "example.net.")
    ansible.said("DELETE", f"/v2/zones/{zone['id']}", ok=(202,), headers=BARE)
    ansible.waits(f"/v2/zones/{zone['id']}", "DELETED", ("PENDING",))
    assert ansible.find("/v2/zones", "zones", "example.net.") is None


@pytest.mark.parametrize(
    ("rrtype", "records"),
    [
        ("A", ["10.1.1.2", "10.1.1.1"]),
        ("AAAA", ["2001:DB8::1"]),
        ("MX", ["10 mx.example.net."]),
        ("TXT", ['"v=spf1 -all"']),
        ("SRV", ["0 5 5060 sip.example.net."]),
        ("CAA", ["0 issue ca.example.net"]),
    ],
)
def test_a_record_set_play_changes_once(ansible: Ansible, rrtype: str, records: list[str]) -> None:
    ansible.zone(**PLAY)
    name = "_sip._tcp.example.net." if rrtype == "SRV" else "www.example.net."
    play = {"name": name, "type": rrtype, "records": records}
    assert [ansible.recordset("example.net.", **play), ansible.recordset("example.net.", **play)] == [True, False]
    more = play | {"ttl": 7200, "description": "test recordset", "records": records[:1]}
    assert [ansible.recordset("example.net.", **more), ansible.recordset("example.net.", **more)] == [True, False]


def test_a_play_without_an_email_fails_with_the_reason(ansible: Ansible) -> None:
    """`email: null` is sent where the play has none."""
    body = {"description": None, "email": None, "name": "example.net."}
    assert "email" in str(ansible.refused(400, "POST", "/v2/zones", body))
