# SPDX-License-Identifier: Apache-2.0
"""Write by HTTP, ask two real BINDs by DNS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dns.rcode
import pytest

from tests.e2e.records import under
from tests.support.bind import ConsumedCatalog, RealBind
from tests.support.system import Sandbox

pytestmark = pytest.mark.external

QUOTAS = "[DEFAULT]\nquota_zones = 1000\nquota_zone_recordsets = 1000\nquota_zone_records = 1000\n"
BRISK = "[service:worker]\npoll_retry_interval = 2\n"


@pytest.fixture
def binds(tmp_path: Path) -> Iterator[tuple[RealBind, RealBind]]:
    with RealBind(tmp_path / "bind1") as first, RealBind(tmp_path / "bind2") as second:
        yield first, second


@pytest.fixture
def system(tmp_path: Path, binds: tuple[RealBind, RealBind]) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "system", options=QUOTAS + BRISK) as made:
        made.use_binds(*binds)
        yield made


def test_every_type_reaches_both_binds(system: Sandbox, binds: tuple[RealBind, RealBind]) -> None:
    zone = system.api.zone("every.example.")
    for name, rrtype, records in under("every.example."):
        system.api.rrset(zone["id"], name, rrtype, records)
    ready = system.api.active(zone["id"])

    for bind in binds:
        assert bind.serial("every.example.") == ready["serial"]
        for name, rrtype, records in under("every.example."):
            if not name.startswith("child."):
                assert len(bind.rdata(name, rrtype)) == len(records), (name, rrtype)


def test_create_update_and_delete_are_served_by_both(system: Sandbox, binds: tuple[RealBind, RealBind]) -> None:
    zone = system.api.zone("life.example.")
    path = f"/v2/zones/{zone['id']}"
    rrset = system.api.rrset(zone["id"], "www.life.example.", "A", ["192.0.2.1"])
    system.api.active(zone["id"])
    assert [bind.rdata("www.life.example.", "A") for bind in binds] == [["192.0.2.1"]] * 2

    assert system.api.ask("PUT", f"{path}/recordsets/{rrset['id']}", {"records": ["192.0.2.2"], "ttl": 60})[0] == 202
    system.api.active(zone["id"])
    assert [bind.rdata("www.life.example.", "A") for bind in binds] == [["192.0.2.2"]] * 2

    assert system.api.ask("DELETE", f"{path}/recordsets/{rrset['id']}")[0] == 202
    system.api.active(zone["id"])
    assert [bind.ask("www.life.example.", "A").rcode() for bind in binds] == [dns.rcode.NXDOMAIN] * 2

    assert system.api.ask("DELETE", path)[0] == 202
    system.api.gone(path)
    assert [bind.ask("life.example.", "SOA").rcode() for bind in binds] == [dns.rcode.REFUSED] * 2


def test_a_change_of_the_zones_ttl_reaches_the_records_that_have_none(
    system: Sandbox, binds: tuple[RealBind, RealBind]
) -> None:
    zone = system.api.zone("ttl.example.", ttl=300)
    system.api.rrset(zone["id"], "own.ttl.example.", "A", ["192.0.2.1"], ttl=42)
    system.api.rrset(zone["id"], "zones.ttl.example.", "A", ["192.0.2.1"])
    system.api.active(zone["id"])
    assert system.api.ask("PATCH", f"/v2/zones/{zone['id']}", {"ttl": 900})[0] == 202
    system.api.active(zone["id"])

    for bind in binds:
        assert bind.ask("own.ttl.example.", "A").answer[0].ttl == 42
        assert bind.ask("zones.ttl.example.", "A").answer[0].ttl == 900


def test_a_dead_nameserver_is_named_holds_nobody_up_and_catches_up(
    system: Sandbox, binds: tuple[RealBind, RealBind]
) -> None:
    alive, dead = binds
    zone = system.api.zone("lag.example.")
    system.api.active(zone["id"])
    dead.stop()
    for n in range(5):
        began = time.monotonic()
        system.api.rrset(zone["id"], f"w{n}.lag.example.", "A", ["192.0.2.1"])
        while not alive.rdata(f"w{n}.lag.example.", "A"):
            assert time.monotonic() - began < 2, "the living one waits for the dead one"
            time.sleep(0.005)

    def lags(body: dict[str, list[dict[str, object]]]) -> bool:
        (state,) = [peer for peer in body["peers"] if peer["address"] == f"127.0.0.1:{dead.port}"]
        return bool(state["error"]) and state["state"] == "behind"

    system.api.until(f"/v2/zones/{zone['id']}/peers", lags)
    assert system.api.get(f"/v2/zones/{zone['id']}")["status"] in ("PENDING", "ERROR")
    dead.start()
    system.api.active(zone["id"], timeout=30)
    assert dead.rdata("w4.lag.example.", "A") == ["192.0.2.1"]
    peers = system.api.get(f"/v2/zones/{zone['id']}/peers")["peers"]
    assert {peer["state"] for peer in peers} == {"current"}


def test_a_server_that_missed_a_delete_drops_the_zone_when_it_returns(
    system: Sandbox, binds: tuple[RealBind, RealBind]
) -> None:
    alive, dead = binds
    zone = system.api.zone("missed.example.")
    system.api.active(zone["id"])
    dead.stop()
    assert system.api.ask("DELETE", f"/v2/zones/{zone['id']}")[0] == 202
    system.api.until(
        f"/v2/zones/{zone['id']}/peers", lambda body: sum(peer["state"] == "absent" for peer in body["peers"]) >= 1
    )
    assert alive.ask("missed.example.", "SOA").rcode() == dns.rcode.REFUSED
    dead.start()
    system.api.gone(f"/v2/zones/{zone['id']}", timeout=30)
    assert dead.ask("missed.example.", "SOA").rcode() == dns.rcode.REFUSED


def test_an_emptied_bind_gets_its_zones_back(system: Sandbox, binds: tuple[RealBind, RealBind]) -> None:
    zone = system.api.zone("emptied.example.")
    system.api.active(zone["id"])
    binds[1].rndc("delzone", "emptied.example")
    assert binds[1].serial("emptied.example.") is None
    system.api.rrset(zone["id"], "www.emptied.example.", "A", ["192.0.2.1"])
    system.api.active(zone["id"], timeout=30)

    assert binds[1].rdata("www.emptied.example.", "A") == ["192.0.2.1"]


def test_the_same_through_a_catalog_zone(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "system", options=QUOTAS + BRISK) as system:
        catalog = ConsumedCatalog("catalog.example.", system.dns_port)
        with RealBind(tmp_path / "b1", catalog=catalog) as first, RealBind(tmp_path / "b2", catalog=catalog) as second:
            before = system.api.zone("before.example.")
            system.use_binds(first, second, catalog="catalog.example.")
            after = system.api.zone("after.example.")
            for zone in (before, after):
                system.api.active(zone["id"], timeout=30)
                for bind in (first, second):
                    assert bind.serial(zone["name"]) is not None
            assert system.api.ask("DELETE", f"/v2/zones/{before['id']}")[0] == 202
            system.api.gone(f"/v2/zones/{before['id']}", timeout=30)
            assert first.serial("before.example.") is None
            assert second.serial("after.example.") is not None
