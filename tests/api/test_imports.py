# SPDX-License-Identifier: Apache-2.0
"""Zone files over HTTP: as text, as JSON, in parts, and too large."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from redesignate.api.door import SPOOLED
from redesignate.central.service import CentralService
from redesignate.config.settings import ApiSettings, CentralSettings
from tests.api.client import is_fault
from tests.api.conftest import PLENTY, System

HEAD = "$ORIGIN example.net.\n$TTL 900\n@ IN SOA ns. a.example.net. 1 7200 900 86400 60\n"
PATH = "/v2/zones/tasks/imports"
TEXT = {"Content-Type": "text/dns"}


@pytest.fixture
def small(empty_database: Path, tmp_path: Path) -> Iterator[System]:
    """A system whose largest zone file has 4 MiB."""
    settings = ApiSettings(healthcheck_disable_file=None, max_import_size=4 << 20)
    made = System(
        Path(shutil.copy(empty_database, tmp_path / "small.sqlite")), settings, CentralSettings(quotas=PLENTY)
    )
    yield made
    made.store.close()


def carried_out(system: System) -> None:
    service: CentralService = system.service
    assert service.importer("one").turn()


def test_a_zone_file_is_imported_as_v2_publishes_it(system: System) -> None:
    client = system.client()
    answer = client.ask("POST", PATH, (HEAD + "www IN A 192.0.2.1\n").encode(), TEXT)
    made = answer.json
    here = f"http://dns.example.net{PATH}/{made['id']}"
    assert (answer.status, answer.headers["location"], made["links"]) == (202, here, {"self": here})
    assert (made["status"], made["zone_id"], made["message"]) == ("PENDING", None, None)
    assert set(made) == {
        "id", "status", "message", "zone_id", "project_id", "version", "created_at", "updated_at", "links",
    }  # fmt: skip
    carried_out(system)
    done = client.ask("GET", f"{PATH}/{made['id']}").json
    assert (done["status"], done["message"], done["version"]) == ("COMPLETE", "example.net. imported", 2)
    assert done["links"] == {"self": here, "zone": f"http://dns.example.net/v2/zones/{done['zone_id']}"}
    assert client.ask("GET", f"/v2/zones/{done['zone_id']}").json["name"] == "example.net."
    listed = client.ask("GET", f"{PATH}?status=COMPLETE&zone_id={done['zone_id']}").json
    assert (listed["imports"], listed["metadata"]) == ([done], {"total_count": 1})
    assert client.ask("DELETE", f"{PATH}/{made['id']}").status == 204
    assert is_fault(client.ask("GET", f"{PATH}/{made['id']}"), 404, "zone_import_not_found")


def test_json_carries_attributes(system: System) -> None:
    client = system.client()
    made = client.ask("POST", PATH, {"zonefile": HEAD, "attributes": {"tier": "gold"}}).json
    carried_out(system)
    zone = client.ask("GET", f"{PATH}/{made['id']}").json["zone_id"]
    assert zone


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "invalid_object"),
        ({"zonefile": None}, "invalid_object"),
        ({"zonefile": ["a"]}, "invalid_object"),
        ({"zonefile": HEAD, "attributes": {"a": 1, "b": {}}}, "invalid_object"),
        ({"zonefile": HEAD, "attributes": {"a": "x" * 51}}, "invalid_object"),
        ({"zonefile": ""}, "empty_request_body"),
        ({"zonefile": HEAD, "other": 1}, "invalid_object"),
        (b"{", "invalid_json"),
    ],
)
def test_a_body_of_another_shape_is_refused(system: System, body: object, kind: str) -> None:
    assert is_fault(system.client().ask("POST", PATH, body), 400, kind)
    assert is_fault(system.client(roles="reader").ask("POST", PATH, body), 403, "forbidden")


def test_an_empty_text_and_another_type_are_refused(system: System) -> None:
    client = system.client()
    assert is_fault(client.ask("POST", PATH, b"", TEXT), 400, "empty_request_body")
    assert is_fault(client.ask("POST", PATH, b"x", {"Content-Type": "text/plain"}), 415, "unsupported_content_type")
    for kind in ("text/dnsx", "x-text/dns", "application/text/dns"):
        assert is_fault(client.ask("POST", PATH, b"x", {"Content-Type": kind}), 415, "unsupported_content_type")
    odd = {"Content-Type": "application/json; a=text/dns"}
    assert is_fault(client.ask("POST", PATH, b"x", odd), 400, "invalid_json")


def test_a_large_file_goes_to_central_in_parts(small: System) -> None:
    client = small.client()
    lines = "".join(f"h{number} IN TXT {'x' * 200}\n" for number in range(12_000))
    made = client.ask("POST", PATH, (HEAD + lines).encode(), TEXT).json
    with small.store.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT parts FROM zone_imports").all()
    assert [row[0] for row in rows] == [3]
    assert client.ask("GET", f"{PATH}/{made['id']}").json["status"] == "PENDING"


def test_a_file_beyond_the_limit_is_413(small: System) -> None:
    client, large = small.client(), b"x" * ((4 << 20) + 1)
    for headers in (TEXT, {"Content-Type": "application/json"}):
        assert client.ask("POST", PATH, large, headers).status == 413
    chunked = client.ask("POST", PATH, large, TEXT, CONTENT_LENGTH=None, HTTP_TRANSFER_ENCODING="chunked")
    assert chunked.status == 413
    assert client.ask("POST", "/v2/zones", b"x" * 200_000).status == 413


def test_a_body_that_ends_early_is_not_imported(small: System) -> None:
    client = small.client()
    cut = client.ask("POST", PATH, HEAD.encode(), TEXT, CONTENT_LENGTH=str(len(HEAD) + 10), checked=False)
    assert is_fault(cut, 400, "bad_request")
    assert client.ask("GET", PATH).json["imports"] == []


def test_a_file_that_our_server_has_received_is_read_from_there(small: System, tmp_path: Path) -> None:
    stored = tmp_path / "file"
    stored.write_text(HEAD)
    with stored.open("rb") as file:
        given = {"wsgi.input": file, SPOOLED: True}
        answer = small.client().ask("POST", PATH, b"", TEXT, checked=False, **given)
    assert answer.status == 202
    assert io.BytesIO(answer.content).read(1) == b"{"
