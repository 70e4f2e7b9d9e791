# SPDX-License-Identifier: Apache-2.0
"""Each call of openstacksdk's `dns` and of python-designateclient's v2 Client, with keystone; the answers are asked of
BIND. The latter is what Heat, Rally and Horizon's plug-in stand on.

What either brings and is not called here fails the last test.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.cloud import OTHER_POOL, SECRET, Cloud, cloud_of
from tests.support.clients import ClientFailed
from tests.support.keystone import Keystone
from tests.support.primary import Primary
from tests.support.servers import until

pytestmark = [pytest.mark.external, pytest.mark.timeout(300)]

IDENT = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
FAULTY = {
    "create_zone_export": "KeyError: 'zone_id'",
    "create_zone_import": "400",
    "create_zone_transfer_request": "KeyError: 'zone_id'",
    "get_zone_export_text": f"{IDENT}/export/{IDENT}",
    "update_zone_transfer_request": "405",
}
"""What openstacksdk 4.22.0 cannot do with any server, and how that shows: two fail before they ask anything, an import
is sent without its file, a file is asked for by a path with two ids, and a PUT stands for a PATCH."""
NO_ANSWER = {
    "sdk": {*FAULTY, "floating_ips", "get_floating_ip", "unset_floating_ip", "update_floating_ip"},
    "designate": {"floatingips.get", "floatingips.list", "floatingips.set", "floatingips.unset"},
}
FILE = r"$ORIGIN files.example.\n@ 900 IN SOA ns1 admin 2026112201 3600 600 86400 300\nwww 900 IN A 192.0.2.7\n"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, keystone: Keystone) -> Iterator[Cloud]:
    with cloud_of(keystone, tmp_path_factory.mktemp("calls"), "calls") as made:
        yield made


def test_zones_and_record_sets_by_openstacksdk(cloud: Cloud) -> None:
    told = cloud.alice.script("""
zone = dns.create_zone(name="sdk.example.", email="a@example.org", ttl=300)
dns.wait_for_status(zone, "ACTIVE", interval=0.1, wait=30)
zone = dns.update_zone(zone, description="kept")
rrset = dns.create_recordset(zone, name="www.sdk.example.", type="A", records=["192.0.2.1"])
rrset = dns.update_recordset(rrset, records=["192.0.2.2"], ttl=60)
dns.wait_for_status(rrset, "ACTIVE", interval=0.1, wait=30)
found = dict(
    names=[one.hostname for one in dns.zone_nameservers(zone)], zones=[one.name for one in dns.zones(name="sdk.*")],
    description=dns.get_zone(zone.id).description, id=zone.id == dns.find_zone("sdk.example.").id,
    records=dns.get_recordset(rrset, zone).records, types=sorted(one.type for one in dns.recordsets(zone)),
    same=dns.find_recordset(zone, "www.sdk.example.").id == rrset.id, limit=[one.max_zones for one in dns.limits()],
)
print(json.dumps(found))
""")  # fmt: skip
    assert told == {
        "names": ["ns.default.example.net."], "zones": ["sdk.example."], "description": "kept", "id": True,
        "records": ["192.0.2.2"], "types": ["A", "NS", "SOA"], "same": True, "limit": [10],
    }  # fmt: skip
    assert cloud.bind.rdata("www.sdk.example.", "A") == ["192.0.2.2"]
    cloud.alice.script("""
zone = dns.find_zone("sdk.example.")
dns.delete_recordset(dns.find_recordset(zone, "www.sdk.example."), zone)
zone = dns.delete_zone(zone)
dns.wait_for_delete(zone, interval=0.1, wait=30)
""")
    assert cloud.bind.serial("sdk.example.") is None


def test_shares_and_transfers_by_openstacksdk(cloud: Cloud) -> None:
    bob = cloud.bob.project_id
    offer = cloud.alice.script(f"""
zone = dns.create_zone(name="hand.example.", email="a@example.org")
share = dns.create_zone_share(zone, target_project_id={bob!r})
assert dns.get_zone_share(zone, share).target_project_id == {bob!r}
assert dns.find_zone_share(zone, share.id).id == share.id
assert [one.id for one in dns.zone_shares(zone)] == [share.id]
dns.delete_zone_share(zone, share)
withdrawn = dns.get_zone_transfer_request(designate.zone_transfers.create_request(zone.id, None)["id"])
dns.delete_zone_transfer_request(withdrawn)
offer = designate.zone_transfers.create_request(zone.id, {bob!r})
assert dns.get_zone_transfer_request(offer["id"]).key == offer["key"]
print(json.dumps([offer["id"], offer["key"], zone.id]))
""")
    cloud.bob.script(f"""
assert [one.id for one in dns.zone_transfer_requests()] == [{offer[0]!r}]
accept = dns.create_zone_transfer_accept(zone_transfer_request_id={offer[0]!r}, key={offer[1]!r})
assert dns.get_zone_transfer_accept(accept.id).status == "COMPLETE"
dns.create_recordset({offer[2]!r}, name="new.hand.example.", type="A", records=["192.0.2.3"])
""")
    cloud.served("new.hand.example.", "A", ["192.0.2.3"])
    count = "print(json.dumps(len(list(dns.zone_transfer_accepts(all_projects=True)))))"
    assert cloud.admin.script(count) == 1
    cloud.bob.script('dns.delete_zone(dns.find_zone("hand.example."))')


def test_zone_files_by_openstacksdk(cloud: Cloud) -> None:
    """What openstacksdk cannot make, designateclient makes."""
    told = cloud.alice.script(
        """
zone = dns.create_zone(name="out.example.", email="a@example.org")
export = dns.get_zone_export(designate.zone_exports.create(zone.id)["id"])
assert [one.id for one in dns.zone_exports(zone_id=zone.id)] == [export.id]
assert dns.get_zone_export(export).status == "COMPLETE"
dns.delete_zone_export(export)
made = dns.get_zone_import(designate.zone_imports.create("a line that is no record")["id"])
dns.wait_for_status(made, "ERROR", failures=["COMPLETE"], interval=0.1, wait=30)
assert [one.id for one in dns.zone_imports()] == [made.id]
message = dns.get_zone_import(made).message
dns.delete_zone_import(made)
dns.delete_zone(zone)
print(json.dumps([message, len(list(dns.zone_imports())), len(list(dns.zone_exports()))]))
"""
    )
    assert told[0].startswith("The $ORIGIN statement is required")
    assert told[1:] == [0, 0]


def test_what_operators_do_by_openstacksdk(cloud: Cloud) -> None:
    with Primary(serial=1) as primary:
        cloud.alice.script(f"""
zone = dns.create_zone(name="copy.example.", type="SECONDARY", masters=[{primary.address!r}])
dns.wait_for_status(zone, "ACTIVE", interval=0.1, wait=30)
""")
        primary.serial = 2
        cloud.alice.script('dns.xfr_zone(dns.find_zone("copy.example."))')
        until(lambda: cloud.bind.serial("copy.example.") == 2, what="the transfer")
        cloud.alice.script('dns.delete_zone(dns.find_zone("copy.example."))')
    project = cloud.alice.project_id
    cloud.admin.script(f"""
tld = dns.create_tld(name="test")
assert dns.update_tld(tld, description="ours").description == "ours"
assert dns.get_tld(tld.id).name == dns.find_tld("test").name == "test"
assert [one.id for one in dns.tlds()] == [tld.id]
dns.delete_tld(tld)
entry = dns.create_blacklist(pattern="brand")
assert dns.update_blacklist(entry, pattern="other").pattern == "other"
assert dns.get_blacklist(entry.id).id == [one.id for one in dns.blacklists()][0]
dns.delete_blacklist(entry)
key = dns.create_tsigkey(name="sdk", algorithm="hmac-sha256", secret="c2Rr", scope="POOL", resource_id={OTHER_POOL!r})
assert dns.get_tsigkey(key.id).secret == "c2Rr"
assert dns.find_tsigkey("sdk").id == [one.id for one in dns.tsigkeys()][0] == key.id
dns.delete_tsigkey(key)
services = list(dns.service_statuses())
assert dns.get_service_status(services[0]).service_name == services[0].service_name
assert dns.update_quota({project!r}, zones=4).zones == 4
assert dns.get_quota({project!r}).zones == 4
dns.delete_quota({project!r})
assert [one.zones for one in dns.quotas()] == [10]
zone = dns.create_zone(name="left.example.", email="a@example.org")
dns.wait_for_status(zone, "ACTIVE", interval=0.1, wait=30)
dns.abandon_zone(zone)
assert dns.find_zone("left.example.") is None
""")
    assert cloud.bind.serial("left.example.") is not None
    own = f"print(json.dumps(dns.get_quota({project!r}).zones))"
    assert cloud.alice.script(own) == 10  # a member names his own project as the one to act as


def test_what_ansible_and_certbot_call(cloud: Cloud) -> None:
    """openstacksdk's cloud layer, as their modules call it."""
    cloud.alice.script("""
zone = cloud.create_zone(name="play.example.", zone_type="primary", email="a@example.org", ttl=3600)
assert cloud.get_zone("play.example.").id == zone.id
assert cloud.update_zone("play.example.", ttl=7200).ttl == 7200
made = cloud.create_recordset(zone["id"], "_acme-challenge.play.example.", "TXT", ["LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6"])
dns.wait_for_status(made, "ACTIVE", interval=0.1, wait=30)
""")
    assert cloud.bind.rdata("_acme-challenge.play.example.", "TXT") == ['"LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6"']
    cloud.alice.script("""
zone = cloud.get_zone("play.example.")
cloud.delete_recordset(zone["id"], "_acme-challenge.play.example.")
cloud.delete_zone("play.example.")
""")
    until(lambda: cloud.bind.serial("play.example.") is None, what="the end of the zone")


def test_zones_and_record_sets_by_designateclient(cloud: Cloud) -> None:
    """As Heat does: makes, looks until the status is not PENDING, takes NotFound for the end."""
    cloud.alice.script("""
import time
from designateclient import exceptions
def settled(look):
    while (found := look())["status"] == "PENDING":
        time.sleep(0.1)
    assert found["status"] == "ACTIVE"
    return found
zone = designate.zones.create(name="heat.example.", type_="PRIMARY", email="a@example.org", ttl=300)
settled(lambda: designate.zones.get(zone["id"]))
assert [one["id"] for one in designate.zones.list(criterion=dict(name="heat.example."))] == [zone["id"]]
assert designate.zones.get("heat.example.")["id"] == zone["id"]
designate.zones.update(zone["id"], dict(ttl=600, description="stack"))
assert designate.zones.nameservers(zone["id"]) == designate.nameservers.list("heat.example.")
rrset = designate.recordsets.create(zone="heat.example.", name="www", type_="A", records=["192.0.2.8"])
designate.recordsets.update(recordset=rrset["id"], zone="heat.example.", values=dict(records=["192.0.2.9"], ttl=60))
settled(lambda: designate.recordsets.get(recordset=rrset["id"], zone="heat.example."))
assert len(designate.recordsets.list("heat.example.")) == 3
assert [one["name"] for one in designate.recordsets.list_all_zones(criterion=dict(type="A"))] == ["www.heat.example."]
assert designate.limits.get()["max_zones"] == 10
try:
    designate.zones.create(name="heat.example.", email="a@example.org")
except exceptions.Conflict:
    pass
else:
    raise AssertionError("made twice")
""")
    assert cloud.bind.rdata("www.heat.example.", "A") == ["192.0.2.9"]
    cloud.alice.script("""
import time
from designateclient import exceptions
zone = designate.zones.get("heat.example.")
designate.recordsets.delete(recordset="www.heat.example.", zone="heat.example.")
designate.zones.delete(zone["id"])
try:
    while designate.zones.get(zone["id"])["status"] != "ERROR":
        time.sleep(0.1)
    raise AssertionError("ERROR")
except exceptions.NotFound:
    pass
""")
    assert cloud.bind.serial("heat.example.") is None


def test_tasks_by_designateclient(cloud: Cloud) -> None:
    bob = cloud.bob.project_id
    offer = cloud.alice.script(f"""
import time
made = designate.zone_imports.create({FILE!r}.encode().decode("unicode_escape"))
while (found := designate.zone_imports.get_import_record(made["id"]))["status"] == "PENDING":
    time.sleep(0.1)
assert found["status"] == "COMPLETE", found
assert len(designate.zone_imports.list()) == 1
designate.zone_imports.delete(made["id"])
export = designate.zone_exports.create("files.example.")
assert designate.zone_exports.get_export_record(export["id"])["status"] == "COMPLETE"
assert "www.files.example. 900 IN A 192.0.2.7" in designate.zone_exports.get_export(export["id"])
assert len(designate.zone_exports.list()) == 1
designate.zone_exports.delete(export["id"])
share = designate.zone_share.create("files.example.", {bob!r})
assert designate.zone_share.get("files.example.", share["id"])["target_project_id"] == {bob!r}
assert len(designate.zone_share.list("files.example.")) == 1
designate.zone_share.delete("files.example.", share["id"])
offer = designate.zone_transfers.create_request("files.example.", None)
designate.zone_transfers.update_request(offer["id"], dict(description="for you"))
assert designate.zone_transfers.get_request(offer["id"])["key"] == offer["key"]
assert offer["id"] in [one["id"] for one in designate.zone_transfers.list_requests()]
other = designate.zones.create(name="other.example.", email="a@example.org")
designate.zone_transfers.delete_request(designate.zone_transfers.create_request(other["id"], {bob!r})["id"])
designate.zones.delete(other["id"])
print(json.dumps([offer["id"], offer["key"]]))
""")
    cloud.served("www.files.example.", "A", ["192.0.2.7"])
    cloud.bob.script(f"""
accept = designate.zone_transfers.accept_request({offer[0]!r}, {offer[1]!r})
assert designate.zone_transfers.get_accept(accept["id"])["status"] == "COMPLETE"
designate.zones.update("files.example.", dict(ttl=77))
""")
    cloud.admin.script("""
designate.session.all_projects = True
assert len(designate.zone_transfers.list_accepts()) >= 1
""")
    cloud.bob.script('designate.zones.delete("files.example.")')


def test_what_operators_do_by_designateclient(cloud: Cloud) -> None:
    project = cloud.alice.project_id
    with Primary(serial=1) as primary:
        zone = cloud.alice.script(f"""
zone = designate.zones.create(name="fetch.example.", type_="SECONDARY", masters=[{primary.address!r}])
print(json.dumps(zone["id"]))
""")
        cloud.alice.active(zone)
        primary.serial = 2
        cloud.alice.script('designate.zones.axfr("fetch.example.")')
        until(lambda: cloud.bind.serial("fetch.example.") == 2, what="the transfer")
        cloud.alice.script('designate.zones.delete("fetch.example.")')
    zone = cloud.admin.script(f"""
tld = designate.tlds.create("test")
designate.tlds.update("test", dict(description="ours"))
assert designate.tlds.get("test")["description"] == designate.tlds.list()[0]["description"] == "ours"
designate.tlds.delete("test")
entry = designate.blacklists.create("brand")
designate.blacklists.update(entry["id"], dict(pattern="other"))
assert designate.blacklists.get(entry["id"])["pattern"] == designate.blacklists.list()[0]["pattern"] == "other"
designate.blacklists.delete(entry["id"])
services = designate.service_statuses.list()
assert designate.service_statuses.get(services[0]["id"])["hostname"] == services[0]["hostname"]
assert {OTHER_POOL!r} in [one["id"] for one in designate.pools.list()]
key = designate.tsigkeys.create("first", "hmac-sha256", {SECRET!r}, "POOL", {OTHER_POOL!r})
designate.tsigkeys.update(key["id"], dict(name="second"))
assert designate.tsigkeys.get("second")["secret"] == designate.tsigkeys.list()[0]["secret"] == {SECRET!r}
zone = designate.zones.create(name="roams.example.", email="a@example.org")
print(json.dumps(zone["id"]))
""")
    cloud.admin.active(zone)
    cloud.admin.script(f"designate.zones.pool_move({zone!r}, dict(pool_id={OTHER_POOL!r}))")
    cloud.admin.api.until(f"/v2/zones/{zone}/moves", lambda body: body["status"] == "COMPLETE")
    assert cloud.second.serial("roams.example.") is not None
    cloud.admin.script(f"""
designate.zones.abandon({zone!r})
designate.tsigkeys.delete("second")
designate.session.all_projects = True
assert designate.quotas.update({project!r}, dict(zones=4))["zones"] == designate.quotas.list({project!r})["zones"] == 4
designate.quotas.reset({project!r})
assert designate.quotas.list({project!r})["zones"] == 10
""")


@pytest.mark.parametrize("call", FAULTY)
def test_what_openstacksdk_cannot_do_it_cannot_do_yet(cloud: Cloud, call: str) -> None:
    """Once this fails, the call belongs into the tests above."""
    arguments = {"create_zone_import": "", "update_zone_transfer_request": f"{IDENT!r}, description='x'"}
    with pytest.raises(ClientFailed, match=FAULTY[call]):
        cloud.alice.script(f"dns.{call}({arguments.get(call, repr(IDENT))})")


@pytest.mark.parametrize("client", NO_ANSWER)
def test_each_call_was_made(cloud: Cloud, client: str) -> None:
    calls = cloud.clients.used()[client]
    assert set(calls["all"]) - set(calls["used"]) == NO_ANSWER[client]
