# SPDX-License-Identifier: Apache-2.0
"""Each command of `openstack` for DNS, with keystone, as its three users type it; the answers are asked of BIND.

What designateclient brings and is not typed here fails the last test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dns.rcode
import pytest

from tests.e2e.cloud import OTHER_POOL, SECRET, Cloud, cloud_of
from tests.support.clients import ClientFailed, openstack_started
from tests.support.keystone import Keystone
from tests.support.primary import Primary
from tests.support.servers import until

pytestmark = [pytest.mark.external, pytest.mark.timeout(300)]

NOT_THERE_YET = {"ptr record list", "ptr record set", "ptr record show", "ptr record unset"}
FILE = """\
$ORIGIN files.example.
$TTL 900
@ IN SOA ns1.files.example. admin.files.example. 2026112201 3600 600 86400 300
www IN A 192.0.2.7
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, keystone: Keystone) -> Iterator[Cloud]:
    with cloud_of(keystone, tmp_path_factory.mktemp("commands"), "commands") as made:
        yield made


def test_zones_and_record_sets(cloud: Cloud) -> None:
    alice = cloud.alice
    made = alice("zone create --email a@example.org --ttl 300 own.example.")
    assert (made["name"], made["action"], made["status"]) == ("own.example.", "CREATE", "PENDING")
    alice("recordset create --type A --record 192.0.2.1 own.example. www")
    alice.active(made["id"])
    assert cloud.bind.rdata("www.own.example.", "A") == ["192.0.2.1"]
    assert [one["id"] for one in alice("zone list --name own.example.")] == [made["id"]]
    assert made["id"] in openstack_started(alice.at, "zone", "list")
    assert alice("zone nameservers list own.example.") == [{"hostname": "ns.default.example.net.", "priority": 1}]
    assert alice("zone set --description kept --ttl 600 own.example.")["ttl"] == 600
    alice("recordset set --record 192.0.2.2 --record 192.0.2.3 own.example. www.own.example.")
    assert alice("recordset show own.example. www.own.example.")["records"] == "192.0.2.2\n192.0.2.3"
    assert len(alice("recordset list own.example.")) == 3
    assert len(alice("recordset list all")) == 3
    shown = alice.active(made["id"])
    assert cloud.bind.rdata("www.own.example.", "A") == ["192.0.2.2", "192.0.2.3"]
    assert cloud.bind.serial("own.example.") == shown["serial"]
    assert alice("zone show own.example.")["description"] == "kept"
    alice("recordset delete own.example. www.own.example.")
    cloud.served("www.own.example.", "A", [])
    alice("zone delete own.example.")
    until(lambda: cloud.bind.serial("own.example.") is None, what="the end of the zone")
    assert alice("zone list") == []


def test_a_zone_is_shared(cloud: Cloud) -> None:
    alice, bob = cloud.alice, cloud.bob
    zone = alice("zone create --email a@example.org shared.example.")
    share = alice("zone share create shared.example.", bob.project_id)
    assert (share["zone_id"], share["target_project_id"]) == (zone["id"], bob.project_id)
    assert [one["id"] for one in alice("zone share list shared.example.")] == [share["id"]]
    assert alice("zone share list shared.example. --target-project-id", alice.project_id) == []
    assert alice("zone share show shared.example.", share["id"])["project_id"] == alice.project_id

    assert [one["name"] for one in bob("zone list")] == ["shared.example."]
    bob("recordset create --type A --record 192.0.2.4 shared.example. bobs")
    cloud.served("bobs.shared.example.", "A", ["192.0.2.4"])
    assert [one["name"] for one in bob("recordset list all")] == ["bobs.shared.example."]
    with pytest.raises(ClientFailed):
        bob("zone set --ttl 60 shared.example.")
    with pytest.raises(ClientFailed, match="shared"):
        alice("zone delete shared.example.")
    with pytest.raises(ClientFailed):  # bob's record set is there
        alice.plain("zone share delete shared.example.", share["id"])
    bob("recordset delete shared.example. bobs.shared.example.")
    alice.plain("zone share delete shared.example.", share["id"])
    assert bob("zone list") == []
    cloud.served("bobs.shared.example.", "A", [])
    alice("zone share create shared.example.", bob.project_id)
    alice("zone delete --delete-shares shared.example.")
    until(lambda: cloud.bind.serial("shared.example.") is None, what="the end of the zone")


def test_a_zone_changes_hands(cloud: Cloud) -> None:
    alice, bob, admin = cloud.alice, cloud.bob, cloud.admin
    zone = alice("zone create --email a@example.org given.example.")
    withdrawn = alice("zone transfer request create", zone["id"])
    assert alice("zone transfer request set --description wait", withdrawn["id"])["description"] == "wait"
    alice.plain("zone transfer request delete", withdrawn["id"])
    offer = alice("zone transfer request create --target-project-id", admin.project_id, zone["id"])
    offer = alice("zone transfer request set --target-project-id", bob.project_id, offer["id"])
    assert alice("zone transfer request show", offer["id"])["key"] == offer["key"]
    (seen,) = bob("zone transfer request list")
    assert (seen["id"], seen["zone_name"]) == (offer["id"], "given.example.")

    with pytest.raises(ClientFailed):
        bob("zone transfer accept request --key WRONGKEY --transfer-id", offer["id"])
    accepted = bob("zone transfer accept request --key", offer["key"], "--transfer-id", offer["id"])
    assert (accepted["status"], accepted["zone_id"]) == ("COMPLETE", zone["id"])
    assert bob("zone transfer accept show", accepted["id"])["zone_transfer_request_id"] == offer["id"]
    assert [one["id"] for one in admin("zone transfer accept list --all-projects")] == [accepted["id"]]
    assert alice("zone list") == []
    bob("recordset create --type A --record 192.0.2.5 given.example. new")
    cloud.served("new.given.example.", "A", ["192.0.2.5"])
    bob("zone delete given.example.")


def test_zone_files(cloud: Cloud, tmp_path: Path) -> None:
    alice = cloud.alice
    (tmp_path / "zone").write_text(FILE)
    made = alice("zone import create", str(tmp_path / "zone"))
    path = f"/v2/zones/tasks/imports/{made['id']}"
    done = alice.api.until(path, lambda one: one["status"] != "PENDING")
    assert alice("zone import show", made["id"])["message"] == "files.example. imported"
    assert [one["id"] for one in alice("zone import list --status COMPLETE --zone-id", done["zone_id"])] == [made["id"]]
    alice.active(done["zone_id"])
    assert cloud.bind.serial("files.example.") == 2026112201
    assert cloud.bind.rdata("www.files.example.", "A") == ["192.0.2.7"]

    export = alice("zone export create files.example.")
    assert alice("zone export show", export["id"])["status"] == "COMPLETE"
    assert "www.files.example. 900 IN A 192.0.2.7" in alice.plain("zone export showfile", export["id"])
    assert [one["id"] for one in alice("zone export list --zone-id", done["zone_id"])] == [export["id"]]
    alice.plain("zone export delete", export["id"])
    alice.plain("zone import delete", made["id"])
    assert (alice("zone export list"), alice("zone import list")) == ([], [])
    alice("zone delete files.example.")


def test_what_names_zones_may_have(cloud: Cloud) -> None:
    alice, admin = cloud.alice, cloud.admin
    entry = admin(r"zone blacklist create --pattern ^acme[0-9]*\.example\.$")
    admin(r"zone blacklist set --pattern ^acme\.example\.$ --description ours", entry["id"])
    assert admin("zone blacklist show", entry["id"])["description"] == "ours"
    assert [one["pattern"] for one in admin("zone blacklist list")] == [r"^acme\.example\.$"]
    with pytest.raises(ClientFailed, match="Blacklisted zone name"):
        alice("zone create --email a@example.org acme.example.")
    admin.plain("zone blacklist delete", entry["id"])

    tld = admin("tld create --name Test --description tests")
    admin("tld set --name invalid --no-description test")
    assert [one["name"] for one in admin("tld list")] == ["invalid"]
    assert admin("tld show", tld["id"])["description"] is None
    with pytest.raises(ClientFailed, match="not below any TLD"):
        alice("zone create --email a@example.org acme.example.")
    admin.plain("tld delete invalid")

    zone = alice("zone create --email a@example.org acme.example.")
    alice.active(zone["id"])
    assert cloud.bind.serial("acme.example.") == zone["serial"]
    alice("zone delete acme.example.")


def test_a_key_lets_the_second_pool_have_a_zone_that_moves_there(cloud: Cloud) -> None:
    alice, admin = cloud.alice, cloud.admin
    zone = alice("zone create --email a@example.org moves.example.")
    alice.active(zone["id"])
    key = admin(
        f"tsigkey create --name first --algorithm hmac-sha256 --secret {SECRET} --scope POOL --resource-id {OTHER_POOL}"
    )
    admin("tsigkey set --name second", key["id"])
    assert [one["name"] for one in admin("tsigkey list")] == ["second"]
    assert admin("tsigkey show second")["secret"] == SECRET
    with pytest.raises(ClientFailed):
        alice("tsigkey list")

    admin.plain("zone move --all-projects --pool-id", OTHER_POOL, zone["id"])
    moves = f"/v2/zones/{zone['id']}/moves"
    admin.api.until(moves, lambda body: body["status"] == "COMPLETE")
    assert cloud.second.serial("moves.example.") == alice.active(zone["id"])["serial"]
    assert cloud.bind.ask("moves.example.", "SOA").rcode() == dns.rcode.REFUSED

    admin.plain("zone abandon --all-projects", zone["id"])
    assert alice("zone list") == []
    assert cloud.second.serial("moves.example.") is not None
    admin.plain("tsigkey delete", key["id"])


def test_a_secondary_zone_is_fetched_when_asked(cloud: Cloud) -> None:
    alice = cloud.alice
    with Primary(serial=1) as primary:
        zone = alice("zone create --type SECONDARY copied.example. --masters", primary.address)
        alice.active(zone["id"])
        assert cloud.bind.serial("copied.example.") == 1
        primary.serial = 2
        alice.plain("zone axfr copied.example.")
        until(lambda: cloud.bind.serial("copied.example.") == 2, what="the transfer")
        alice("zone delete copied.example.")


def test_quotas_limits_and_services(cloud: Cloud) -> None:
    alice, admin = cloud.alice, cloud.admin
    assert alice("dns quota list")["zones"] == 10
    assert admin("dns quota set --zones 3 --project-id", alice.project_id)["zones"] == 3
    assert alice("dns quota list")["zones"] == 3
    assert ["max_zones", 3] in [list(row.values()) for row in alice("dns limit list")]
    admin.plain("dns quota reset --project-id", alice.project_id)
    assert admin("dns quota list --project-id", alice.project_id)["zones"] == 10
    services = admin("dns service list")
    assert {one["service_name"] for one in services} >= {"api", "central", "mdns", "producer", "worker"}
    assert admin("dns service show", services[0]["id"])["hostname"] == services[0]["hostname"]


def test_each_command_was_typed(cloud: Cloud) -> None:
    """By the tests above, of which each leaves nothing behind, so that they can run alone."""
    commands = cloud.clients.used()["command"]
    assert set(commands["all"]) - set(commands["used"]) == NOT_THERE_YET
