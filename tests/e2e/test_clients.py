# SPDX-License-Identifier: Apache-2.0
"""The clients that users have, with keystone and without: `openstack` and openstacksdk, then the nameserver by DNS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from redesignate.config.settings import DEFAULT_POOL_ID
from tests.support.bind import RealBind
from tests.support.clients import ClientFailed, openstack, openstack_plain, sdk, with_keystone, without_login
from tests.support.keystone import Keystone
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.system import Sandbox, Split

pytestmark = [pytest.mark.external, pytest.mark.timeout(300)]


def by_command_line(at: Mapping[str, str], bind: RealBind, zone: str) -> None:
    """Zone and record set work as a user types it, each step asked of the nameserver."""
    made = openstack(at, "zone", "create", "--email", "admin@example.org", "--ttl", "300", zone)
    assert (made["name"], made["action"], made["status"]) == (zone, "CREATE", "PENDING")
    openstack(at, "recordset", "create", "--type", "A", "--record", "192.0.2.1", zone, "www")
    shown = _until_active(at, zone)
    assert bind.serial(zone) == shown["serial"]
    assert bind.rdata(f"www.{zone}", "A") == ["192.0.2.1"]

    (listed,) = [one for one in openstack(at, "recordset", "list", zone) if one["name"] == f"www.{zone}"]
    openstack(at, "recordset", "set", "--record", "192.0.2.2", "--record", "192.0.2.3", zone, listed["id"])
    openstack(at, "zone", "set", "--description", "kept", "--ttl", "600", zone)
    assert _until_active(at, zone)["description"] == "kept"
    assert bind.rdata(f"www.{zone}", "A") == ["192.0.2.2", "192.0.2.3"]
    assert bind.ask(f"www.{zone}", "A").answer[0].ttl == 600

    openstack_plain(at, "recordset", "delete", zone, listed["id"])
    _until_active(at, zone)
    assert bind.rdata(f"www.{zone}", "A") == []
    openstack_plain(at, "zone", "delete", zone)
    sdk(at, f"dns.wait_for_delete(dns.find_zone({zone!r}), interval=0.1, wait=30) if dns.find_zone({zone!r}) else None")
    assert bind.serial(zone) is None


def _until_active(at: Mapping[str, str], zone: str) -> dict[str, object]:
    script = f"""
import time
deadline = time.monotonic() + 30
while True:
    zone = dns.find_zone({zone!r})
    if zone.status == "ACTIVE" or time.monotonic() > deadline:
        break
    time.sleep(0.1)
print(json.dumps(dict(status=zone.status, serial=zone.serial, description=zone.description)))
"""
    found = sdk(at, script)
    assert isinstance(found, dict)
    assert found["status"] == "ACTIVE"
    return found


def by_sdk(at: Mapping[str, str], bind: RealBind, zone: str) -> None:
    """The same through openstacksdk, with its own waiting."""
    script = f"""
zone = dns.create_zone(name={zone!r}, email="admin@example.org")
dns.wait_for_status(zone, "ACTIVE", interval=0.1, wait=30) if hasattr(dns, "wait_for_status") else None
rrset = dns.create_recordset(zone, name="sdk." + zone.name, type="TXT", records=['"one" "two"'])
rrset = dns.update_recordset(rrset, records=['"three"'], ttl=60)
names = sorted(one.type for one in dns.recordsets(zone))
limits = [limit.to_dict() for limit in dns.limits()][:1]
print(json.dumps(dict(zone=zone.id, rrset=rrset.id, names=names, limits=len(limits))))
"""
    told = sdk(at, script)
    assert told["names"] == ["NS", "SOA", "TXT"]
    _until_active(at, zone)
    assert bind.rdata(f"sdk.{zone}", "TXT") == ['"three"']
    sdk(at, f"dns.delete_recordset({told['rrset']!r}, {told['zone']!r}); dns.delete_zone({told['zone']!r})")


def by_operator(at: Mapping[str, str]) -> None:
    """The lists that say which zone names are accepted, as an administrator types them and by openstacksdk."""
    tld = openstack(at, "tld", "create", "--name", "Example", "--description", "for tests")
    assert (tld["name"], tld["description"]) == ("example", "for tests")
    openstack(at, "tld", "set", "example", "--name", "test", "--no-description")
    assert [one["name"] for one in openstack(at, "tld", "list")] == ["test"]
    assert openstack(at, "tld", "show", tld["id"])["description"] is None
    entry = openstack(at, "zone", "blacklist", "create", "--pattern", r"^acme[0-9]*\.test\.$")
    openstack(at, "zone", "blacklist", "set", entry["id"], "--pattern", r"^acme\.test\.$", "--description", "ours")
    assert openstack(at, "zone", "blacklist", "show", entry["id"])["description"] == "ours"
    assert [one["pattern"] for one in openstack(at, "zone", "blacklist", "list")] == [r"^acme\.test\.$"]
    with pytest.raises(ClientFailed, match="not below any TLD"):
        openstack(at, "zone", "create", "--email", "a@example.org", "zone.example.")
    told = sdk(at, """
tld = dns.create_tld(name="invalid")
tld = dns.update_tld(tld, description="by the SDK")
entry = dns.create_blacklist(pattern="brand")
found = dict(tlds=sorted(one.name for one in dns.tlds()), patterns=sorted(one.pattern for one in dns.blacklists()))
found["description"] = dns.find_tld("invalid").description
dns.delete_tld(tld)
dns.delete_blacklist(entry)
print(json.dumps(found))
""")  # fmt: skip
    assert told == {"tlds": ["invalid", "test"], "patterns": ["^acme\\.test\\.$", "brand"], "description": "by the SDK"}
    openstack_plain(at, "tld", "delete", "test")
    openstack_plain(at, "zone", "blacklist", "delete", entry["id"])
    assert (openstack(at, "tld", "list"), openstack(at, "zone", "blacklist", "list")) == ([], [])


def keys(at: Mapping[str, str]) -> None:
    """TSIG keys as an administrator types them and by openstacksdk; services."""
    pool = DEFAULT_POOL_ID
    words = ("--algorithm", "hmac-sha256", "--scope", "POOL", "--resource-id", pool)
    made = openstack(at, "tsigkey", "create", "--name", "Typed", "--secret", "c2VjcmV0", *words)
    assert (made["name"], made["secret"], made["resource_id"]) == ("Typed", "c2VjcmV0", pool)
    generated = openstack(at, "tsigkey", "create", "--name", "generated", "--secret", "", *words)
    assert len(generated["secret"]) == 44
    changed = openstack(at, "tsigkey", "set", made["id"], "--name", "other", "--algorithm", "hmac-sha512")
    assert openstack(at, "tsigkey", "show", made["id"]) == changed
    assert [one["name"] for one in openstack(at, "tsigkey", "list")] == ["other", "generated"]
    told = sdk(at, f"""
key = dns.create_tsigkey(name="sdk", algorithm="hmac-sha256", secret="c2Rr", scope="POOL", resource_id={pool!r})
found = dict(secret=dns.get_tsigkey(key.id).secret, names=sorted(one.name for one in dns.tsigkeys()))
dns.delete_tsigkey(key)
services = list(dns.service_statuses())
found["service"] = dns.get_service_status(services[0]).service_name == services[0].service_name
print(json.dumps(found))
""")  # fmt: skip
    assert told == {"secret": "c2Rr", "names": ["generated", "other", "sdk"], "service": True}
    for key in (made, generated):
        openstack_plain(at, "tsigkey", "delete", key["id"])
    assert openstack(at, "tsigkey", "list") == []
    for service in openstack(at, "dns", "service", "list"):
        assert openstack(at, "dns", "service", "show", service["id"])["hostname"] == service["hostname"]


def test_without_a_login(tmp_path: Path) -> None:
    with RealBind(tmp_path / "bind") as bind, Sandbox(tmp_path / "system") as system:
        system.use_binds(bind)
        at = without_login(system.api.url)

        by_command_line(at, bind, "cli.example.")
        by_sdk(at, bind, "sdk.example.")
        assert {one["service_name"] for one in openstack(at, "dns", "service", "list")} >= {"api", "central", "worker"}
        assert openstack(at, "dns", "quota", "list")["zones"] == 10
        by_operator(at)
        keys(at)


@pytest.fixture
def secured(
    tmp_path: Path, keystone: Keystone, postgres: Postgres, rabbitmq: RabbitMQ
) -> Iterator[tuple[Split, RealBind]]:
    service = keystone.service_user("designate")
    middleware = "\n".join(f"{name} = {value}" for name, value in keystone.middleware(service).items())
    api = "[service:api]\nauth_strategy = keystone\nquotas_verify_project_id = true\n"
    options = f"{api}[keystone_authtoken]\n{middleware}\n"
    counts = {"api": 1, "central": 1, "mdns": 1, "worker": 1, "producer": 1}
    system = Split(
        tmp_path / "system",
        database=postgres.database(),
        transport_url=rabbitmq.transport_url(),
        counts=counts,
        options=options,
        unready=(401,),
    )
    with RealBind(tmp_path / "bind") as bind, system:
        system.use_binds(bind)
        yield system, bind


def test_with_keystone_and_the_split_system(secured: tuple[Split, RealBind], keystone: Keystone) -> None:
    system, bind = secured
    alice = keystone.add_user("dns-alice", project="dns-alpha")
    at = with_keystone(keystone, alice, keystone.catalogue(system.api.url))

    by_command_line(at, bind, "alpha.example.")
    by_sdk(at, bind, "beta.example.")


def test_quotas_are_set_for_projects_that_keystone_knows(secured: tuple[Split, RealBind], keystone: Keystone) -> None:
    system, _ = secured
    project = keystone.add_user("quota-alice", project="quota-alpha").project_id
    token = {"X-Auth-Token": keystone.token(keystone.admin), "X-Auth-All-Projects": "true"}

    status, body = system.api.ask("PATCH", f"/v2/quotas/{project}", {"zones": 3}, headers=token)
    assert (status, body["zones"]) == (200, 3)
    status, body = system.api.ask("PATCH", f"/v2/quotas/{'0' * 32}", {"zones": 3}, headers=token)
    assert (status, body["type"]) == (400, "invalid_project")


def test_with_keystone_a_project_sees_its_own_alone(secured: tuple[Split, RealBind], keystone: Keystone) -> None:
    region = keystone.catalogue(secured[0].api.url)
    alice = with_keystone(keystone, keystone.add_user("own-alice", project="own-alpha"), region)
    bob = with_keystone(keystone, keystone.add_user("own-bob", project="own-beta"), region)
    reader = with_keystone(keystone, keystone.add_user("own-reader", project="own-alpha", role="reader"), region)
    openstack(alice, "zone", "create", "--email", "a@example.org", "mine.example.")

    assert openstack(bob, "zone", "list") == []
    with pytest.raises(ClientFailed, match=r"mine\.example\."):
        openstack(bob, "zone", "show", "mine.example.")
    with pytest.raises(ClientFailed):  # another tenant owns the parent
        openstack(bob, "zone", "create", "--email", "b@example.org", "sub.mine.example.")
    assert [zone["name"] for zone in openstack(reader, "zone", "list")] == ["mine.example."]
    with pytest.raises(ClientFailed):
        openstack(reader, "zone", "create", "--email", "r@example.org", "readers.example.")
    administrator = with_keystone(keystone, keystone.admin, region)
    openstack(administrator, "zone", "blacklist", "create", "--pattern", "acme")
    for command in (
        ("tld", "list"),
        ("zone", "blacklist", "list"),
        ("tsigkey", "list"),
        ("tld", "create", "--name", "example"),
    ):
        with pytest.raises(ClientFailed):
            openstack(alice, *command)
    with pytest.raises(ClientFailed, match="Blacklisted zone name"):
        openstack(alice, "zone", "create", "--email", "a@example.org", "acme.example.")
    openstack(administrator, "zone", "create", "--email", "a@example.org", "acme.example.")
