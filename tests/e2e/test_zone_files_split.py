# SPDX-License-Identifier: Apache-2.0
"""Zone files where the API reaches central over the broker: large bodies in parts, downloads in parts."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.bind import RealBind
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.system import Split

pytestmark = [pytest.mark.external, pytest.mark.timeout(300)]

HEAD = "$ORIGIN files.example.\n$TTL 900\n@ IN SOA ns. admin.files.example. 2026112201 7200 900 86400 60\n"
PLENTY = (
    "[DEFAULT]\nquota_zone_recordsets = -1\nquota_zone_records = -1\nquota_recordset_records = -1\n"
    "quota_api_export_size = -1\n"
)


@pytest.mark.parametrize("broker", [True, False], ids=["broker", "no broker"])
def test_a_large_file_goes_in_and_comes_out(
    tmp_path: Path, postgres: Postgres, rabbitmq: RabbitMQ, *, broker: bool
) -> None:
    text = HEAD + "".join(f'h{number // 10} IN TXT "{number}{"x" * 200}"\n' for number in range(10_000))
    counts = {"api": 1, "central": 1, "mdns": 1, "worker": 1, "producer": 1}
    url = rabbitmq.transport_url() if broker else None
    made = Split(tmp_path / "system", database=postgres.database(), transport_url=url, counts=counts, options=PLENTY)
    with RealBind(tmp_path / "bind") as bind, made as system:
        system.use_binds(bind)
        request = urllib.request.Request(
            f"{system.api.url}/v2/zones/tasks/imports", text.encode(), {"Content-Type": "text/dns"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 202
        (task,) = system.api.get("/v2/zones/tasks/imports")["imports"]
        path = f"/v2/zones/tasks/imports/{task['id']}"
        done: Any = system.api.until(path, lambda one: one["status"] != "PENDING", timeout=60)
        assert done["status"] == "COMPLETE", done
        status, file = system.api.ask("GET", f"/v2/zones/{done['zone_id']}", headers={"Accept": "text/dns"})
        assert (status, file.count(" IN TXT ")) == (200, 10_000)
