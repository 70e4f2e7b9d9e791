# SPDX-License-Identifier: Apache-2.0
"""Every failure as v2 publishes it, and none of ours shown."""

from __future__ import annotations

import logging

import pytest

from redesignate.model.errors import KINDS, InvalidObject, NotFound, OverQuota, TimedOut, Unavailable
from tests.api.client import Answer, Failing, api_client, is_fault

ZONE = "/v2/zones/6ba7b810-9dad-11d1-80b4-00c04fd430c8"


def _ask(error: Exception) -> Answer:
    return api_client(Failing(error)).ask("GET", ZONE)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_problem_becomes_its_published_answer(kind: str) -> None:
    assert is_fault(_ask(KINDS[kind]("why")), KINDS[kind].status, kind)
    assert _ask(KINDS[kind]("why")).json["message"] == "why"


def test_a_problem_without_words_has_no_message() -> None:
    assert set(_ask(NotFound()).json) == {"code", "type", "request_id"}


def test_field_errors_stay_in_their_two_nests() -> None:
    body = _ask(InvalidObject.at(["records", 0], "'x' is not a 'A' Record", value=["A"])).json
    assert body["errors"]["errors"][0]["path"] == ["records", 0]
    assert "message" not in body


def test_over_quota_is_json_unlike_an_oversize_body() -> None:
    assert is_fault(_ask(OverQuota("Quota exceeded for zones.")), 413, "over_quota")


def test_unavailable_says_when_to_come_back() -> None:
    answer = _ask(Unavailable("central is away"))
    assert is_fault(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


def test_no_answer_in_time_is_504() -> None:
    assert is_fault(_ask(TimedOut()), 504, "timeout")


@pytest.mark.parametrize("error", [KeyError("secret"), RecursionError("secret"), MemoryError("secret")])
def test_the_unforeseen_is_logged_and_not_shown(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = _ask(error)
    assert is_fault(answer, 500, "unknown")
    assert b"secret" not in answer.content
    assert "secret" in caplog.text
    assert caplog.records[0].fields["request_id"] == answer.json["request_id"]  # type: ignore[attr-defined]


BODIES = {
    b"": "empty_request_body",
    b"null": "empty_request_body",
    b"[]": "invalid_object",
    b'[{"name":"a."}]': "invalid_object",
    b"5": "invalid_object",
    b'"x"': "invalid_object",
    b"true": "invalid_object",
    b"{": "invalid_json",
    b"{'a':1}": "invalid_json",
    b'{"a":NaN}': "invalid_json",
    b'{"a":Infinity}': "invalid_json",
    b'{"name":"\\ud800"}': "invalid_json",
    b'{"name":"\xff"}': "invalid_json",
    b"\xef\xbb\xbf{}": "invalid_json",
    "{}".encode("utf-16"): "invalid_json",
    b'{"a":' * 12000 + b"1" + b"}" * 12000: "invalid_json",  # Python 3.11 goes 1,000 deep, 3.13 goes 10,000
    b"[" * 50000 + b"]" * 50000: "invalid_json",
    b'{"ttl":1e999}': "invalid_object",
    b'{"ttl":' + b"9" * 5000 + b"}": "invalid_object",
    b'{"name":"a.","ttl":' + b"9" * 300 + b"}": "invalid_object",
    b'{"name":"a.","name":{}}': "invalid_object",
    b'{"name":"a\\u0000."}': "invalid_object",
    b'{"name":["a."]}': "invalid_object",
    b"{}": "invalid_object",
}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:24]))
def test_a_hostile_body_is_refused_by_name(body: bytes) -> None:
    for path in ("/v2/zones", f"{ZONE}/recordsets"):
        assert is_fault(api_client().ask("POST", path, body), 400, BODIES[body])


def test_what_is_missing_is_said() -> None:
    """In the words of v2."""
    assert api_client().ask("POST", "/v2/zones", b"null").json["message"] == "Request Body is empty"
    assert api_client().ask("GET", "/v2/nothing").json["message"] == "resource not found"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/json-patch+json", "application/x-www-form-urlencoded", "application/jsonx", ""]
)
def test_a_body_of_another_type_is_415(kind: str) -> None:
    answer = api_client().ask("POST", "/v2/zones", b'{"name":"a."}', CONTENT_TYPE=kind)
    assert is_fault(answer, 415, "unsupported_content_type")


def test_a_charset_beside_the_type_is_fine() -> None:
    answer = api_client().ask("POST", "/v2/zones", b"{}", CONTENT_TYPE="Application/JSON; charset=UTF-8")
    assert is_fault(answer, 400, "invalid_object")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "text/html;q=0.9, image/*"])
def test_a_client_that_reads_no_json_is_told_in_plain_text(accept: str) -> None:
    answer = api_client().ask("GET", "/v2/zones", headers={"Accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (406, "text/plain")


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/*",
        "text/html, application/json;q=0.1",
        "text/html,*/*;q=0.1",
        "Application/JSON",
        "",
        "json",
    ],
)
def test_a_client_that_reads_json_among_others_gets_it(accept: str) -> None:
    assert is_fault(api_client().ask("GET", "/v2/zones?x=1", headers={"Accept": accept}), 400, "bad_request")


@pytest.mark.parametrize("ident", ["x", "6ba7b810", "6ba7b810-9dad-11d1-80b4-00c04fd430cg", "é" * 32, "%00"])
def test_an_id_that_is_no_uuid_is_named(ident: str) -> None:
    answer = api_client().ask("GET", f"/v2/zones/{ident}")
    assert is_fault(answer, 400, "invalid_uuid")
    assert answer.json["message"].startswith("Invalid UUID zone_id: ")
    assert is_fault(api_client().ask("PUT", f"{ZONE}/recordsets/{ident}", {}), 400, "invalid_uuid")


def test_what_is_unavailable_to_thousands_is_not_logged_thousands_of_times(caplog: pytest.LogCaptureFixture) -> None:
    api = api_client(Failing(Unavailable("The database is unavailable.")))
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            assert is_fault(api.ask("GET", ZONE), 503, "unavailable")
    assert len(caplog.records) < 10
