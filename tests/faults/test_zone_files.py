# SPDX-License-Identifier: Apache-2.0
"""Zone files on their way in and out while processes are killed: an import goes on by itself, a download is whole or
ends before its last chunk."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import create_engine, func, select

from redesignate.store import task_schema
from redesignate.store.schema import rrsets
from tests.faults import drills
from tests.support.api import Api
from tests.support.bind import RealBind
from tests.support.mariadb import MariaDB
from tests.support.rabbitmq import RabbitMQ
from tests.support.system import Sandbox, Split

pytestmark = [pytest.mark.external, pytest.mark.timeout(400)]

RECORDS = 20_000
PLENTY = (
    "[DEFAULT]\nquota_zone_recordsets = -1\nquota_zone_records = -1\nquota_api_export_size = -1\n"
    "[service:api]\nthreads = 20\n"
)
LONG = "x" * 230
"""So that a file does not fit in the buffers between a server and a client that does not read."""
COUNTS = {"api": 1, "central": 2, "mdns": 1, "worker": 1, "producer": 1}


def zone_file(name: str) -> bytes:
    head = f"$ORIGIN {name}\n$TTL 900\n@ IN SOA ns. admin.files.example. 2026112201 7200 900 86400 60\n"
    order = (7919 * number % RECORDS for number in range(RECORDS))
    return (head + "".join(f'h{n} IN TXT "{n}{LONG}"\n' for n in order)).encode()


def send(api: Api, text: bytes) -> str:
    with closing(http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=60)) as connection:
        connection.request("POST", "/v2/zones/tasks/imports", text, {"Content-Type": "text/dns"})
        answer = connection.getresponse()
        assert answer.status == 202, answer.read()
        return str(answer.headers["Location"].rpartition("/")[2])


def path_of(task: str) -> str:
    return f"/v2/zones/tasks/imports/{task}"


def stored(api: Api, task: str) -> None:
    """Wait until an import has stored some of its record sets."""
    api.until(path_of(task), lambda one: "stored" in (one["message"] or "") or one["status"] != "PENDING", timeout=120)


def whole(api: Api, task: str) -> str:
    """Wait for the end of an import; the id of its zone, which has all of the file."""
    done = api.until(path_of(task), lambda one: one["status"] != "PENDING", timeout=200)
    assert done["status"] == "COMPLETE", done
    found = api.get(f"/v2/zones/{done['zone_id']}/recordsets?limit=1")
    assert found["metadata"]["total_count"] == RECORDS + 2
    return str(done["zone_id"])


def nothing_is_left(api: Api, url: str, zones: int) -> None:
    """No file, and no record set of a zone that is not there."""
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(task_schema.zone_import_parts)) == 0
        assert connection.scalar(select(func.count()).select_from(rrsets)) == zones * (RECORDS + 2)
    engine.dispose()
    assert api.get("/v2/zones?limit=1")["metadata"]["total_count"] == zones


@contextmanager
def download(api: Api, zone_id: str) -> Iterator[http.client.HTTPResponse]:
    """A zone's file of which the first octets were read."""
    with closing(http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=60)) as connection:
        connection.sock = socket.socket()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.sock.settimeout(60)
        connection.sock.connect((connection.host, connection.port))
        connection.request("GET", f"/v2/zones/{zone_id}", headers={"Accept": "text/dns"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.read(100)
        yield answer


def is_whole(api: Api, zone_id: str) -> bool:
    with download(api, zone_id) as answer:
        return answer.read().count(b" IN TXT ") >= RECORDS - 3


def test_embedded(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "system", options=PLENTY) as system:
        task = send(system.api, zone_file("first.example."))
        for wait in (bool, lambda: stored(system.api, task)):  # it is read, or received; it is stored
            wait()
            system.process.kill()
            system.start()
        zone_id = whole(system.api, task)
        system.api.active(zone_id)
        with download(system.api, zone_id) as answer:
            system.process.kill()
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                answer.read()
        system.start()
        assert is_whole(system.api, zone_id)
        nothing_is_left(system.api, f"sqlite:///{system.state / 'redesignate.db'}", 1)


def test_a_process_a_service(tmp_path: Path, mariadb: MariaDB, rabbitmq: RabbitMQ) -> None:
    url = mariadb.database()
    made = Split(
        tmp_path / "system", database=url, transport_url=rabbitmq.transport_url(), counts=COUNTS, options=PLENTY
    )
    with RealBind(tmp_path / "bind") as bind, made as system:
        system.use_binds(bind)
        api, at = system.api, system.processes
        cut_off(system)
        task = send(api, zone_file("first.example."))
        stored(api, task)
        for kind in ("central", "api", "worker", "mdns", "producer"):
            drills.kill_and_start(*at[kind])
        zone_id = whole(api, task)
        api.active(zone_id, timeout=60)
        assert bind.rdata("h7.first.example.", "TXT") == [f'"7{LONG}"']
        with download(api, zone_id) as answer:  # any central gives the next part
            drills.kill_and_start(at["central"][0])
            drills.kill_and_start(at["central"][1])
            assert answer.read().count(b" IN TXT ") >= RECORDS - 3
        with download(api, zone_id) as answer:
            drills.kill_and_start(*at["api"])
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                answer.read()
        assert is_whole(api, zone_id)
        nothing_is_left(api, url, 1)


def cut_off(system: Split) -> None:
    """The API is killed while it receives a file, of which nothing is seen then."""
    text = zone_file("half.example.")
    with closing(http.client.HTTPConnection(urlsplit(system.api.url).netloc, timeout=60)) as connection:
        connection.putrequest("POST", "/v2/zones/tasks/imports")
        for name, value in (("Content-Type", "text/dns"), ("Content-Length", str(len(text)))):
            connection.putheader(name, value)
        connection.endheaders(text[: len(text) // 2])
        drills.kill_and_start(*system.processes["api"])
    assert system.api.get("/v2/zones/tasks/imports")["imports"] == []
