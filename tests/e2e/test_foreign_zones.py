# SPDX-License-Identifier: Apache-2.0
"""Zones that a nameserver's operator wrote into its configuration: a user of the API may want the same names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.bind import ConsumedCatalog, RealBind
from tests.support.primary import Primary
from tests.support.system import Sandbox

pytestmark = pytest.mark.external

BRISK = "[service:worker]\npoll_retry_interval = 2\npoll_max_retries = 2\n"
OLDER, NEWER = 7, 3_000_000_000
"""Serials of the operator's zones, before and after those that we give (RFC 1982)."""
NAMES = ("older.example.com.", "newer.example.com.", "corp.example.com.")


def operators(folder: Path, primary: Primary) -> str:
    """Two primaries and a secondary, for named.conf."""
    folder.mkdir(parents=True)
    clauses = []
    for name, serial in (("older", OLDER), ("newer", NEWER)):
        (folder / name).write_text(f"$TTL 60\n@ SOA ns h {serial} 60 60 3600 60\n@ NS ns\nns A 192.0.2.1\n")
        clauses.append(f'zone "{name}.example.com" {{ type primary; file "{name}"; }};')
    clauses.append(f'zone "corp.example.com" {{ type secondary; primaries {{ 127.0.0.1 port {primary.port}; }}; }};')
    return "\n".join(clauses)


@pytest.fixture
def primary() -> Iterator[Primary]:
    with Primary(serial=OLDER) as running:
        yield running


def why(system: Sandbox, zone: Any, action: str) -> str:
    """What the API says of a zone that ended in ERROR: its nameserver's reason."""
    path = f"/v2/zones/{zone['id']}"
    system.api.until(path, lambda body: (body["status"], body["action"]) == ("ERROR", action))
    (server,) = [peer for peer in system.api.get(f"{path}/peers")["peers"] if peer["role"] == "nameserver"]
    return str(server["error"])


def served(bind: RealBind) -> list[object]:
    return [bind.serial(name) for name in NAMES] + [bind.rdata(name, "NS") for name in NAMES]


def test_they_survive_a_member_who_creates_and_deletes_their_names(tmp_path: Path, primary: Primary) -> None:
    with (
        RealBind(tmp_path / "bind", config=operators(tmp_path / "bind", primary)) as bind,
        Sandbox(tmp_path / "system", options=BRISK) as system,
    ):
        bind.wait_serial("corp.example.com.", OLDER)
        before = served(bind)
        system.use_binds(bind)
        zones = [system.api.zone(name) for name in NAMES]
        for zone in zones:
            assert "was not created by this service; it is left unchanged" in why(system, zone, "CREATE")
            headers = {"X-Designate-Hard-Delete": "true"} if zone is zones[-1] else {}
            assert system.api.ask("DELETE", f"/v2/zones/{zone['id']}", headers=headers)[0] == 202
        for zone in zones:
            assert "was not created by this service; it is left unchanged" in why(system, zone, "DELETE")
        assert served(bind) == before
        bind.restart()
        bind.wait_serial("corp.example.com.", OLDER)
        assert served(bind) == before


def test_a_catalogs_consumer_keeps_them_and_the_status_says_what_is_served(tmp_path: Path, primary: Primary) -> None:
    with Sandbox(tmp_path / "system", options=BRISK) as system:
        catalog = ConsumedCatalog("catalog.example.", system.dns_port)
        folder = tmp_path / "bind"
        with RealBind(folder, catalog=catalog, config=operators(folder, primary)) as bind:
            bind.wait_serial("corp.example.com.", OLDER)
            before = served(bind)
            system.use_binds(bind, catalog="catalog.example.")
            zones = [system.api.zone(name) for name in NAMES if name != "newer.example.com."]
            for zone in zones:
                assert f"still serves serial {OLDER}" in why(system, zone, "CREATE")
                assert system.api.ask("DELETE", f"/v2/zones/{zone['id']}")[0] == 202
                assert f"still serves serial {OLDER}" in why(system, zone, "DELETE")
            assert served(bind) == before
