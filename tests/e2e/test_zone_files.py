# SPDX-License-Identifier: Apache-2.0
"""Zone files by the `openstack` command, and by a process that is killed in the middle; the results by DNS."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.bind import RealBind
from tests.support.clients import openstack, openstack_plain, without_login
from tests.support.system import Sandbox

pytestmark = [pytest.mark.external, pytest.mark.timeout(300)]

HEAD = "$ORIGIN files.example.\n$TTL 900\n@ IN SOA ns. admin.files.example. 2026112201 7200 900 86400 60\n"
PLENTY = "[DEFAULT]\nquota_zone_recordsets = -1\nquota_zone_records = -1\nquota_api_export_size = -1\n"


def test_the_command_imports_and_exports(tmp_path: Path) -> None:
    file = tmp_path / "zone"
    file.write_text(HEAD + 'www IN A 192.0.2.1\n@ IN TXT "a;b" c\n')
    with RealBind(tmp_path / "bind") as bind, Sandbox(tmp_path / "system") as system:
        system.use_binds(bind)
        at = without_login(system.api.url)
        made = openstack(at, "zone", "import", "create", str(file))
        assert made["status"] == "PENDING"
        done = system.api.until(
            f"/v2/zones/tasks/imports/{made['id']}", lambda one: one["status"] != "PENDING", timeout=30
        )
        assert (done["status"], done["message"]) == ("COMPLETE", "files.example. imported")
        assert openstack(at, "zone", "import", "show", made["id"])["zone_id"] == done["zone_id"]
        assert [one["id"] for one in openstack(at, "zone", "import", "list")] == [made["id"]]
        system.api.active(done["zone_id"])
        assert bind.serial("files.example.") == 2026112201
        assert bind.rdata("www.files.example.", "A") == ["192.0.2.1"]
        assert bind.rdata("files.example.", "TXT") == ['"a;b" "c"']

        export = openstack(at, "zone", "export", "create", "files.example.")
        assert openstack(at, "zone", "export", "show", export["id"])["status"] == "COMPLETE"
        text = openstack_plain(at, "zone", "export", "showfile", export["id"])
        assert "www.files.example. 900 IN A 192.0.2.1" in text
        assert [one["id"] for one in openstack(at, "zone", "export", "list")] == [export["id"]]
        openstack_plain(at, "zone", "export", "delete", export["id"])
        openstack_plain(at, "zone", "import", "delete", made["id"])
        assert (openstack(at, "zone", "export", "list"), openstack(at, "zone", "import", "list")) == ([], [])

        file.write_text(HEAD.replace("files", "broken") + "www IN A 192.0.2.256\n")
        broken = openstack(at, "zone", "import", "create", str(file))
        path = f"/v2/zones/tasks/imports/{broken['id']}"
        failed = system.api.until(path, lambda one: one["status"] != "PENDING", timeout=30)
        assert failed["status"] == "ERROR"
        assert failed["message"].startswith("line 4: A: ")
        assert bind.serial("broken.example.") is None


def test_an_import_survives_kill_9(tmp_path: Path) -> None:
    lines = "".join(f"h{number} IN A 10.0.{number >> 8}.{number & 255}\n" for number in range(4000))
    with Sandbox(tmp_path / "system", options=PLENTY) as system:
        made = system.api.post("/v2/zones/tasks/imports", {"zonefile": HEAD + lines})
        path = f"/v2/zones/tasks/imports/{made['id']}"
        system.api.until(path, lambda one: "stored" in (one["message"] or ""), timeout=30)
        system.process.kill()
        system.start()
        assert system.api.get(path)["status"] == "PENDING"
        assert system.api.get("/v2/zones")["zones"] == []
        began = time.monotonic()
        done = system.api.until(path, lambda one: one["status"] != "PENDING", timeout=90)
        assert done["status"] == "COMPLETE", done
        assert time.monotonic() - began < 60
        system.api.active(done["zone_id"])
        found = system.api.get(f"/v2/zones/{done['zone_id']}/recordsets?limit=1")
        assert found["metadata"]["total_count"] == 4002
        status, text = system.api.ask("GET", f"/v2/zones/{done['zone_id']}", headers={"Accept": "text/dns"})
        assert (status, text.count(" IN A ")) == (200, 4000)
