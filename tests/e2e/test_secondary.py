# SPDX-License-Identifier: Apache-2.0
"""A customer's own BIND as the primary: its zone comes in, is published, and follows each change."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.rcode
import dns.rdatatype
import pytest

from tests.e2e.test_sandbox import answered, asked, meant
from tests.support.bind import RealBind, free_port
from tests.support.mariadb import MariaDB
from tests.support.rabbitmq import RabbitMQ
from tests.support.system import Sandbox, Split

pytestmark = pytest.mark.external

ZONE = "customer.example."
CONTENT = """\
$TTL 300
@ 600 IN SOA ns1.customer.example. dns\\.admin.customer.example. 2026010101 1200 180 86400 60
@ IN NS ns1
@ IN MX 10 mail.Customer.example.
ns1 IN A 192.0.2.53
www 77 IN A 192.0.2.80
www IN AAAA 2001:db8::80
odd\\ name IN TXT "a" "b"
_dns IN TYPE65280 \\# 3 010203
"""


class Customer:
    """A BIND that is the primary of ZONE and tells the sandbox of changes."""

    def __init__(self, folder: Path, notified: int, *, more: str = "", text: str = CONTENT) -> None:
        folder.mkdir(parents=True)
        (folder / "zone.db").write_text(text)
        config = (
            f'zone "{ZONE}" {{ type primary; file "zone.db"; notify explicit; notify-delay 0; {more}'
            f"also-notify {{ 127.0.0.1 port {notified}; }}; allow-update {{ 127.0.0.1; }}; }};\n"
        )
        self.bind = RealBind(folder, config=config)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.bind.port}"

    def update(self, *commands: str) -> None:
        lines = [f"server 127.0.0.1 {self.bind.port}", f"zone {ZONE}", *(f"update {c}" for c in commands), "send"]
        done = subprocess.run(["nsupdate"], input="\n".join(lines), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "system") as made:
        yield made


@pytest.fixture
def customer(tmp_path: Path, system: Sandbox) -> Iterator[Customer]:
    made = Customer(tmp_path / "customer", system.dns_port)
    with made.bind:
        yield made


def secondary(system: Sandbox, *masters: str) -> Any:
    return system.api.post("/v2/zones", {"name": ZONE, "type": "SECONDARY", "masters": list(masters)})


def records(system: Sandbox, zone: Any) -> dict[tuple[str, str], Any]:
    found = system.api.get(f"/v2/zones/{zone['id']}/recordsets?limit=1000")["recordsets"]
    return {(one["name"], one["type"]): one for one in found}


def test_a_customers_zone_comes_in_and_follows_its_primary(system: Sandbox, customer: Customer) -> None:
    zone = secondary(system, customer.address)
    assert (zone["status"], zone["transferred_at"]) == ("PENDING", None)
    ready = system.api.active(zone["id"])

    assert (ready["serial"], ready["email"], ready["ttl"]) == (2026010101, "dns.admin@customer.example", 600)
    assert ready["transferred_at"] is not None
    assert answered(system.dns_port, f"www.{ZONE}", "A") == meant("A", ["192.0.2.80"])
    soa = asked(system.dns_port, ZONE, "SOA").answer[0]
    assert soa[0].to_text() == "ns1.customer.example. dns\\.admin.customer.example. 2026010101 1200 180 86400 60"
    assert asked(system.dns_port, f"www.{ZONE}", "A").answer[0].ttl == 77
    shown = records(system, zone)
    assert shown[ZONE, "MX"]["records"] == ["10 mail.customer.example."]
    assert shown[f"_dns.{ZONE}", "TYPE65280"]["records"] == ["\\# 3 010203"]
    assert {one["status"] for one in shown.values()} == {"ACTIVE"}

    customer.update(f"add new.{ZONE} 60 A 192.0.2.99", f"delete www.{ZONE} AAAA")
    after = system.api.until(f"/v2/zones/{zone['id']}", lambda body: body["serial"] > ready["serial"])
    system.api.active(zone["id"])
    assert after["serial"] == customer.bind.serial(ZONE)
    assert answered(system.dns_port, f"new.{ZONE}", "A") == meant("A", ["192.0.2.99"])
    now = records(system, zone)
    assert (f"www.{ZONE}", "AAAA") not in now
    assert now[f"www.{ZONE}", "A"] == shown[f"www.{ZONE}", "A"], "what did not change stays as it was"


def test_the_pools_own_nameserver_serves_it(tmp_path: Path, system: Sandbox, customer: Customer) -> None:
    with RealBind(tmp_path / "pool") as pool:
        system.use_binds(pool)
        zone = secondary(system, customer.address)
        system.api.active(zone["id"])
        assert pool.rdata(f"www.{ZONE}", "A") == ["192.0.2.80"]
        assert pool.rdata(f"_dns.{ZONE}", "TYPE65280") == ["\\# 3 010203"]

        since = pool.mark()
        customer.update(f"add new.{ZONE} 60 A 192.0.2.99")
        pool.wait_log("Transfer completed", since=since)
        pool.wait_serial(ZONE, customer.bind.serial(ZONE) or 0)
        assert pool.rdata(f"new.{ZONE}", "A") == ["192.0.2.99"]

        assert system.api.ask("DELETE", f"/v2/zones/{zone['id']}")[0] == 202
        system.api.gone(f"/v2/zones/{zone['id']}")
        assert pool.ask(ZONE, "SOA").rcode() == dns.rcode.REFUSED


def test_a_dead_master_is_named_and_another_one_helps(system: Sandbox, customer: Customer) -> None:
    dead = f"127.0.0.1:{free_port()}"
    zone = secondary(system, dead)

    def told(body: Any) -> bool:
        return any(peer["role"] == "primary" and peer["error"] for peer in body["peers"])

    peers = system.api.until(f"/v2/zones/{zone['id']}/peers", told, timeout=30)["peers"]
    assert (peers[0]["state"], dead in peers[0]["error"]) == ("absent", True)
    assert asked(system.dns_port, ZONE, "SOA").rcode() == dns.rcode.SERVFAIL

    change = {"masters": [dead, customer.address]}
    assert system.api.ask("PATCH", f"/v2/zones/{zone['id']}", change)[0] == 202
    system.api.active(zone["id"], timeout=30)
    assert answered(system.dns_port, f"www.{ZONE}", "A") == meant("A", ["192.0.2.80"])


def test_a_transfer_may_be_asked_for_by_hand(system: Sandbox, customer: Customer) -> None:
    zone = secondary(system, customer.address)
    first = system.api.active(zone["id"])

    assert system.api.ask("POST", f"/v2/zones/{zone['id']}/tasks/xfr") == (202, "")
    path = f"/v2/zones/{zone['id']}"
    again = system.api.until(path, lambda body: body["transferred_at"] > first["transferred_at"])
    assert again["serial"] == first["serial"]
    own = system.api.zone("own.example.")
    status, refusal = system.api.ask("POST", f"/v2/zones/{own['id']}/tasks/xfr")
    assert (status, refusal["type"]) == (400, "bad_request")


def test_a_zone_that_its_owner_signed_is_published_with_its_signatures(tmp_path: Path, system: Sandbox) -> None:
    signed = Customer(tmp_path / "signed", system.dns_port, more="dnssec-policy default; inline-signing yes; ")
    with signed.bind, RealBind(tmp_path / "pool") as pool:
        system.use_binds(pool)
        signed.bind.wait_log("generated salt|sending notifies|zone_needdump|signed", timeout=20)
        zone = secondary(system, signed.address)

        def whole(_: Any) -> bool:
            return pool.serial(ZONE) == signed.bind.serial(ZONE) and bool(pool.rdata(ZONE, "DNSKEY"))

        system.api.until(f"/v2/zones/{zone['id']}", whole, timeout=30)
        for name, rrtype in ((ZONE, "DNSKEY"), (f"www.{ZONE}", "RRSIG"), (ZONE, "RRSIG"), (f"www.{ZONE}", "NSEC")):
            assert pool.rdata(name, rrtype) == signed.bind.rdata(name, rrtype), (name, rrtype)
        assert any(rrtype == "TYPE46" for _, rrtype in records(system, zone))


def test_a_primary_that_wants_a_key_is_asked_with_the_zones_own(tmp_path: Path, system: Sandbox) -> None:
    secret = base64.b64encode(b"k" * 32).decode()
    guarded = Customer(tmp_path / "guarded", system.dns_port, more='allow-transfer { key "customer"; }; ')
    guarded.bind.config = f'key "customer" {{ algorithm hmac-sha256; secret "{secret}"; }};\n' + guarded.bind.config
    with guarded.bind:
        zone = secondary(system, guarded.address)
        path = f"/v2/zones/{zone['id']}"
        system.api.until(f"{path}/peers", lambda body: "REFUSED" in (body["peers"][0]["error"] or ""))
        key = ("customer", "--algorithm", "hmac-sha256", "--secret", secret, "--zone", zone["id"])
        system.manage("tsigkey", "create", *key)
        assert system.api.ask("POST", f"{path}/tasks/xfr") == (202, "")
        system.api.active(zone["id"])
        assert answered(system.dns_port, f"www.{ZONE}", "A") == meant("A", ["192.0.2.80"])
        assert "primary" in system.manage("zone", "status", ZONE)


@pytest.mark.timeout(180)
def test_a_notify_goes_all_the_way_through_separate_processes(
    tmp_path: Path, mariadb: MariaDB, rabbitmq: RabbitMQ
) -> None:
    database, transport_url = mariadb.database(), rabbitmq.transport_url()
    with (
        Split(tmp_path / "system", database=database, transport_url=transport_url) as split,
        RealBind(tmp_path / "pool") as pool,
    ):
        split.use_binds(pool)
        customer = Customer(tmp_path / "customer", split.dns_port)
        with customer.bind:
            body = {"name": ZONE, "type": "SECONDARY", "masters": [customer.address]}
            zone = split.api.post("/v2/zones", body)
            split.api.active(zone["id"], timeout=40)
            assert pool.rdata(f"www.{ZONE}", "A") == ["192.0.2.80"]
            customer.update(f"add new.{ZONE} 60 A 192.0.2.99")
            pool.wait_serial(ZONE, customer.bind.serial(ZONE) or 0, timeout=20)
            assert pool.rdata(f"new.{ZONE}", "A") == ["192.0.2.99"]
