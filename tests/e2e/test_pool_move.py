# SPDX-License-Identifier: Apache-2.0
"""A zone moves from one BIND to another, while these are down and ours is killed, and is served at every moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dns.rcode
import pytest
import yaml

from tests.support.bind import RealBind
from tests.support.system import DEFAULT_POOL, Sandbox

pytestmark = pytest.mark.external

OTHER = "cf2e8eab-76cd-4162-bf76-8aeee3556de0"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ=="
SIGNS = f'key "second" {{ algorithm hmac-sha256; secret "{SECRET}"; }}; server 127.0.0.1 {{ keys {{ "second"; }}; }};'
BRISK = "[service:worker]\npoll_retry_interval = 2\n"


@pytest.fixture
def binds(tmp_path: Path) -> Iterator[tuple[RealBind, RealBind]]:
    with RealBind(tmp_path / "bind1") as first, RealBind(tmp_path / "bind2", config=SIGNS) as second:
        yield first, second


@pytest.fixture
def system(tmp_path: Path, binds: tuple[RealBind, RealBind]) -> Iterator[Sandbox]:
    """A pool a BIND; the second one signs what it asks."""
    with Sandbox(tmp_path / "system", options=BRISK) as made:
        pools = [
            {
                "id": ident,
                "name": name,
                "ns_records": [{"hostname": f"ns.{name}.example.", "priority": 1}],
                "nameservers": [{"host": "127.0.0.1", "port": bind.port}],
                "targets": [
                    {
                        "type": "bind9",
                        "masters": [{"host": "127.0.0.1", "port": made.dns_port}],
                        "options": bind.target_options(),
                    }
                ],
            }
            for ident, name, bind in ((DEFAULT_POOL, "default", binds[0]), (OTHER, "second", binds[1]))
        ]
        file = made.folder / "two.yaml"
        file.write_text(yaml.safe_dump(pools))
        made.manage("pool", "update", "--file", str(file))
        key = {
            "name": "second", "algorithm": "hmac-sha256", "secret": SECRET, "scope": "POOL", "resource_id": OTHER,
        }  # fmt: skip
        assert made.api.ask("POST", "/v2/tsigkeys", key)[0] == 201
        yield made


def kill_and_start(system: Sandbox) -> None:
    system.api.close()
    system.process.kill()
    system.start()


def test_a_zone_is_served_all_the_while_that_it_moves(system: Sandbox, binds: tuple[RealBind, RealBind]) -> None:
    former, new = binds
    zone = system.api.zone("move.example.")
    system.api.rrset(zone["id"], "www.move.example.", "A", ["192.0.2.1"])
    system.api.active(zone["id"])
    moves = f"/v2/zones/{zone['id']}/moves"

    new.stop()
    status, body = system.api.ask("POST", f"/v2/zones/{zone['id']}/tasks/pool_move", {"pool_id": OTHER})
    assert (status, body) == (202, "")
    kill_and_start(system)
    system.api.until(moves, lambda body: bool(body["sources"][0]["error"]))
    (source,) = system.api.get(moves)["sources"]
    assert (source["pool_id"], source["step"]) == (DEFAULT_POOL, "WAITING")
    assert former.rdata("www.move.example.", "A") == ["192.0.2.1"]

    former.stop()  # it cannot drop the zone for a while
    new.start()
    system.api.until(moves, lambda body: body["sources"][0]["step"] == "REMOVING")
    assert new.rdata("www.move.example.", "A") == ["192.0.2.1"]
    kill_and_start(system)
    assert system.api.active(zone["id"])["pool_id"] == OTHER
    former.start()
    system.api.until(moves, lambda body: body["status"] == "COMPLETE")
    assert former.ask("move.example.", "SOA").rcode() == dns.rcode.REFUSED
    assert new.rdata("move.example.", "NS") == ["ns.second.example."]

    status, _ = system.api.ask("POST", f"/v2/zones/{zone['id']}/tasks/pool_move", {"pool_id": DEFAULT_POOL})
    assert status == 202
    system.api.until(moves, lambda body: body["status"] == "COMPLETE")
    assert former.rdata("www.move.example.", "A") == ["192.0.2.1"]
    assert new.ask("move.example.", "SOA").rcode() == dns.rcode.REFUSED


def test_an_abandoned_zone_stays_on_its_server(system: Sandbox, binds: tuple[RealBind, RealBind]) -> None:
    zone = system.api.zone("left.example.")
    system.api.active(zone["id"])
    assert system.api.ask("POST", f"/v2/zones/{zone['id']}/tasks/abandon")[0] == 204
    assert system.api.ask("GET", f"/v2/zones/{zone['id']}")[0] == 404
    kill_and_start(system)
    again = system.api.zone("other.example.")  # whatever was left to do is done before or with this
    system.api.active(again["id"])
    assert binds[0].serial("left.example.") == zone["serial"]
