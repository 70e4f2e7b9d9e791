# SPDX-License-Identifier: Apache-2.0
"""/v2/tsigkeys by HTTP: shapes, statuses, errors, where secrets are shown, and from when on mdns honours a key."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

import dns.rcode
import pytest

from redesignate.api.app import build
from redesignate.auth.noauth import NoAuth
from redesignate.config.settings import DEFAULT_POOL_ID, ApiSettings, MdnsSettings
from redesignate.mdns.answer import Answerer, Transfer
from redesignate.store.serving import Serving
from redesignate.wire import message
from tests.api.client import HOST, Client, is_fault
from tests.api.conftest import System
from tests.mdns.test_tsig import NOW, ring, signed

NOWHERE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
SECRET, OTHER = "c2VjcmV0c2VjcmV0", "b3RoZXJvdGhlcg=="
KEY = {
    "name": "Key1",
    "algorithm": "hmac-sha256",
    "secret": SECRET,
    "scope": "POOL",
    "resource_id": DEFAULT_POOL_ID,
}


@pytest.fixture
def admin(system: System) -> Client:
    return system.client(roles="admin,member,reader")


def made(admin: Client, **members: Any) -> dict[str, Any]:
    answer = admin.ask("POST", "/v2/tsigkeys", KEY | members)
    assert answer.status == 201, answer.content
    found: dict[str, Any] = answer.json
    return found


def test_a_key_from_its_creation_to_its_end(admin: Client) -> None:
    answer = admin.ask("POST", "/v2/tsigkeys", KEY)
    body = answer.json
    here = f"/v2/tsigkeys/{body['id']}"
    assert answer.status == 201
    assert answer.headers["location"] == body["links"]["self"] == f"http://{HOST}{here}"
    assert list(body) == ["id", *KEY, "created_at", "updated_at", "links"]
    assert {name: body[name] for name in KEY} == KEY
    assert body["updated_at"] is None
    assert admin.ask("GET", here).json == body

    changed = admin.ask("PATCH", here, {"name": "key2", "secret": OTHER, "id": body["id"], "scope": "POOL"})
    assert changed.status == 200
    assert (changed.json["name"], changed.json["secret"], changed.json["algorithm"]) == ("key2", OTHER, "hmac-sha256")
    assert changed.json["updated_at"] is not None
    assert admin.ask("GET", here).json == changed.json

    gone = admin.ask("DELETE", here)
    assert (gone.status, gone.content) == (204, b"")
    for verb in ("GET", "PATCH", "DELETE"):
        assert is_fault(admin.ask(verb, here, {} if verb == "PATCH" else None), 404, "tsigkey_not_found")


def test_the_list_has_filters_and_sort_keys_and_no_total(admin: Client) -> None:
    for name, algorithm in (("b", "hmac-sha512"), ("a", "hmac-md5"), ("c", "hmac-sha512")):
        made(admin, name=name, algorithm=algorithm)

    def names(query: str) -> list[str]:
        return [one["name"] for one in admin.ask("GET", f"/v2/tsigkeys?{query}").json["tsigkeys"]]

    page = admin.ask("GET", "/v2/tsigkeys?limit=2").json
    assert list(page) == ["tsigkeys", "links"]
    assert "marker=" in page["links"]["next"]
    assert names("") == ["b", "a", "c"]
    assert names("sort_key=name&sort_dir=desc") == ["c", "b", "a"]
    assert names("algorithm=hmac-sha512") == ["b", "c"]
    assert names("name=A") == ["a"]
    assert names("scope=ZONE") == []
    assert is_fault(admin.ask("GET", "/v2/tsigkeys?secret=x"), 400, "bad_request")
    assert is_fault(admin.ask("GET", "/v2/tsigkeys?sort_key=algorithm"), 400, "invalid_sort_key")


@pytest.mark.parametrize("missing", [name for name in KEY if name != "secret"])
def test_all_members_but_the_secret_are_required(admin: Client, missing: str) -> None:
    answer = admin.ask("POST", "/v2/tsigkeys", {name: value for name, value in KEY.items() if name != missing})
    assert is_fault(answer, 400, "invalid_object")
    assert [fault["path"] for fault in answer.json["errors"]["errors"]] == [["records", 0, missing]]


@pytest.mark.parametrize("members", [{}, {"secret": None}, {"secret": ""}])
def test_whoever_sends_no_secret_is_shown_a_generated_one(admin: Client, members: dict[str, Any]) -> None:
    body = {name: value for name, value in KEY.items() if name != "secret"} | members
    shown = admin.ask("POST", "/v2/tsigkeys", body).json
    assert len(base64.b64decode(shown["secret"], validate=True)) == 32
    assert admin.ask("GET", f"/v2/tsigkeys/{shown['id']}").json["secret"] == shown["secret"]


def test_an_operator_may_have_empty_secrets_refused(system: System) -> None:
    settings = ApiSettings(allow_empty_secrets_for_tsig=False)
    admin = Client(build(system.central, settings, NoAuth()), **{"X-Roles": "admin"})
    assert is_fault(admin.ask("POST", "/v2/tsigkeys", KEY | {"secret": ""}), 400, "invalid_object")
    there = made(admin)
    assert is_fault(admin.ask("PATCH", f"/v2/tsigkeys/{there['id']}", {"secret": ""}), 400, "invalid_object")
    assert admin.ask("PATCH", f"/v2/tsigkeys/{there['id']}", {"secret": None}).json["secret"] not in ("", SECRET)


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"scope": "CLOUD"}, "invalid_object"),
        ({"algorithm": "rot13"}, "invalid_object"),
        ({"secret": [SECRET]}, "invalid_object"),
        ({"secret": "x" * 161}, "invalid_object"),
        ({"name": None}, "invalid_object"),
        ({"created_at": "now"}, "invalid_object"),
        ({"resource_id": NOWHERE}, "invalid_tsigkey"),
        ({"scope": "ZONE"}, "invalid_tsigkey"),
    ],
)
def test_what_breaks_a_rule_is_a_400_without_the_secret(admin: Client, members: dict[str, Any], kind: str) -> None:
    there = made(admin, name="there")
    for verb, path, body in (
        ("POST", "/v2/tsigkeys", KEY | members),
        ("PATCH", f"/v2/tsigkeys/{there['id']}", {"secret": SECRET} | members),
    ):
        answer = admin.ask(verb, path, body)
        assert is_fault(answer, 400, kind)
        assert SECRET not in answer.content.decode()
        assert "x" * 161 not in answer.content.decode()


def test_a_name_is_taken_once(admin: Client) -> None:
    made(admin)
    second = made(admin, name="second")
    assert is_fault(admin.ask("POST", "/v2/tsigkeys", KEY | {"name": "KEY1."}), 409, "duplicate_tsigkey")
    renamed = admin.ask("PATCH", f"/v2/tsigkeys/{second['id']}", {"name": "key1"})
    assert is_fault(renamed, 409, "duplicate_tsigkey")


def test_members_of_a_project_hear_of_the_right_first(system: System, admin: Client) -> None:
    there = f"/v2/tsigkeys/{made(admin)['id']}"
    for client in (system.client(), system.client(roles="reader")):
        for verb, path, body in (
            ("GET", "/v2/tsigkeys", None),
            ("POST", "/v2/tsigkeys", b"{"),
            ("POST", "/v2/tsigkeys", KEY),
            ("GET", there, None),
            ("PATCH", there, b"["),
            ("DELETE", there, None),
        ):
            answer = client.ask(verb, path, body)
            assert is_fault(answer, 403, "forbidden"), (verb, path)
            assert SECRET not in answer.content.decode()


def test_no_log_line_holds_a_secret(admin: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    there = f"/v2/tsigkeys/{made(admin)['id']}"
    admin.ask("PATCH", there, {"secret": OTHER})
    admin.ask("PATCH", there, {"secret": "no base64 at all"})
    admin.ask("POST", "/v2/tsigkeys", KEY | {"secret": "x" * 161})
    admin.ask("GET", "/v2/tsigkeys")
    text = json.dumps([str(vars(record)) for record in caplog.records])
    assert "signs nothing" in text
    assert not [secret for secret in (SECRET, OTHER, "no base64 at all", "x" * 161) if secret in text]


# -- in force


class Nameserver:
    """Two processes of mdns over the API's database, as each answers a signed AXFR."""

    def __init__(self, system: System) -> None:
        self.source = Serving(system.store)
        self.processes = [Answerer(MdnsSettings(), clock=lambda: NOW * 1_000_000) for _ in range(2)]

    def transfers(self, zone: str, **key: Any) -> bool:
        """Whether both send the zone to whoever signs with this key, or neither."""
        query = signed(ring(**{"name": "key1", "secret": SECRET} | key), zone, "AXFR")
        answers = set()
        for process in self.processes:
            with self.source.read() as view:
                found = process.answer(view, query, tcp=True, peer="192.0.2.99")
            if not isinstance(found, Transfer):
                assert isinstance(found, bytes)
                assert message.read(found).rcode in (dns.rcode.NOTAUTH, dns.rcode.REFUSED)
            answers.add(isinstance(found, Transfer))
        (answer,) = answers
        return answer


@pytest.fixture
def nameserver(system: System) -> Nameserver:
    return Nameserver(system)


@pytest.fixture
def zones(admin: Client) -> dict[str, str]:
    """Ids of two zones by name."""
    return {
        name: admin.ask("POST", "/v2/zones", {"name": name, "email": "a@example.org"}).json["id"]
        for name in ("example.org.", "example.net.")
    }


def test_a_key_is_in_force_for_the_next_transfer_when_it_is_made_changed_or_deleted(
    admin: Client, zones: dict[str, str], nameserver: Nameserver
) -> None:
    assert not nameserver.transfers("example.org.")
    here = f"/v2/tsigkeys/{made(admin)['id']}"
    assert nameserver.transfers("example.org.")
    admin.ask("PATCH", here, {"secret": OTHER})
    assert not nameserver.transfers("example.org.")
    assert nameserver.transfers("example.org.", secret=OTHER)
    admin.ask("PATCH", here, {"algorithm": "hmac-sha512", "name": "key2"})
    assert not nameserver.transfers("example.org.", secret=OTHER)
    assert nameserver.transfers("example.org.", name="key2", secret=OTHER, algorithm="hmac-sha512")
    admin.ask("DELETE", here)
    assert not nameserver.transfers("example.org.", name="key2", secret=OTHER, algorithm="hmac-sha512")


def test_a_key_opens_the_zones_of_its_scope_alone(admin: Client, zones: dict[str, str], nameserver: Nameserver) -> None:
    here = f"/v2/tsigkeys/{made(admin)['id']}"
    assert all(map(nameserver.transfers, zones))
    admin.ask("PATCH", here, {"scope": "ZONE", "resource_id": zones["example.org."]})
    assert nameserver.transfers("example.org.")
    assert not nameserver.transfers("example.net.")
    admin.ask("PATCH", here, {"resource_id": zones["example.net."]})
    assert not nameserver.transfers("example.org.")
    assert nameserver.transfers("example.net.")


def test_a_secret_that_is_not_base64_is_kept_as_sent_and_opens_nothing(
    admin: Client, zones: dict[str, str], nameserver: Nameserver
) -> None:
    shown = made(admin, secret="tempest-secret-1234")
    assert shown["secret"] == "tempest-secret-1234"
    assert not nameserver.transfers("example.org.")
    admin.ask("PATCH", f"/v2/tsigkeys/{shown['id']}", {"secret": SECRET})
    assert nameserver.transfers("example.org.")
