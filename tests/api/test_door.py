# SPDX-License-Identifier: Apache-2.0
"""What is answered before the API proper: health, versions, sizes, CORS, proxies, maintenance."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from redesignate.config.settings import ApiSettings, CorsSettings
from tests.api.client import HOST, Answer, api_client, is_fault
from tests.api.conftest import System

ORIGIN = {"Origin": "https://dash.example"}
CORS = ApiSettings(cors=CorsSettings(allowed_origin=("https://dash.example",)))


def test_health_is_ok_until_the_file_exists(tmp_path: Path) -> None:
    sign = tmp_path / "disable"
    client = api_client(settings=ApiSettings(healthcheck_disable_file=str(sign)))
    well = client.ask("GET", "/healthcheck")
    assert (well.status, well.content, well.headers["content-type"]) == (200, b"OK", "text/plain")
    sign.touch()
    assert client.ask("GET", "/healthcheck").status == 503


def test_a_line_of_the_log_has_a_bound_whatever_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    api_client().ask("GET", "/" + "a" * 60_000, headers={"X-OpenStack-Request-ID": "b" * 60_000})
    (line,) = [record for record in caplog.records if record.getMessage().startswith("request")]
    assert "a" * 400 in str(line.__dict__)
    assert len(str(line.__dict__)) < 5_000


def test_the_versions_page_needs_no_token_and_names_v2() -> None:
    page = api_client().ask("GET", "/")
    assert page.status == 200
    last = page.json["versions"][-1]
    assert (last["id"], last["status"]) == ("v2.3", "CURRENT")
    assert {link["rel"]: link["href"] for link in last["links"]}["self"] == "http://dns.example.net/v2"


def test_the_versions_page_is_read_only() -> None:
    answer = api_client().ask("POST", "/")
    assert is_fault(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, OPTIONS"


@pytest.mark.parametrize("path", ["/v2", "/v2/", "/v2/nothing", "/v3", "/v2/zones.json", "/v2x"])
def test_an_unknown_path_is_a_json_404(path: str) -> None:
    assert is_fault(api_client().ask("GET", path), 404, "not_found")


@pytest.mark.parametrize("path", ["/v2/reverse/floatingips", "/v2/reverse/floatingips/region:6ba7b810"])
def test_what_is_not_built_yet_is_a_json_404(path: str) -> None:
    for verb in ("GET", "POST"):
        assert is_fault(api_client().ask(verb, path), 404, "not_found")


def test_v2_can_be_switched_off() -> None:
    client = api_client(settings=ApiSettings(enable_api_v2=False))
    off = client.ask("GET", "/v2/zones")
    assert (off.status, off.content) == (404, b"")
    assert client.ask("GET", "/").json == {"versions": []}


def test_every_answer_carries_an_id_of_its_own() -> None:
    client = api_client()
    paths = ["/", "/healthcheck", "/v2", "/v2/zones?a=1", "/v2/zones"]
    ids = [
        client.ask("HEAD" if path == "/v2/zones" else "GET", path).headers["x-openstack-request-id"] for path in paths
    ]
    assert len(set(ids)) == len(paths)
    assert all(re.fullmatch(r"req-[0-9a-f-]{36}", ident) for ident in ids)


def test_options_is_200_and_empty_everywhere() -> None:
    for path in ("/", "/v2/zones", "/v2/nothing"):
        answer = api_client().ask("OPTIONS", path)
        assert (answer.status, answer.content) == (200, b"")


@pytest.mark.parametrize("path", ["/v2/zones", "/v2/quotas", "/v2/limits", "/v2/recordsets", "/v2/pools", "/"])
def test_head_is_405_without_a_body(path: str) -> None:
    answer = api_client().ask("HEAD", path)
    assert (answer.status, answer.content) == (405, b"")


def test_a_body_of_the_limit_passes_and_one_byte_more_is_413_in_plain_text() -> None:
    client = api_client(settings=ApiSettings(max_request_body_size=100))
    assert is_fault(client.ask("POST", "/v2/zones", b" " * 100), 400, "invalid_json")
    large = client.ask("POST", "/v2/zones", b" " * 101)
    assert (large.status, large.headers["content-type"]) == (413, "text/plain")


def test_a_chunked_body_is_measured_while_it_is_read() -> None:
    client = api_client(settings=ApiSettings(max_request_body_size=100))

    def send(length: int, **how: Any) -> int:
        stream: dict[str, Any] = {"wsgi.input": io.BytesIO(b" " * length), "CONTENT_LENGTH": None, **how}
        return client.ask("POST", "/v2/zones", b"", **stream).status

    assert send(101, HTTP_TRANSFER_ENCODING="chunked") == 413
    assert send(10**6, **{"wsgi.input_terminated": True}) == 413
    assert send(100, HTTP_TRANSFER_ENCODING="chunked") == 400


def test_what_is_too_large_is_read_to_its_end_so_that_the_answer_arrives() -> None:
    client = api_client(settings=ApiSettings(max_request_body_size=100))
    hows: list[dict[str, Any]] = [{}, {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"}]
    for how in hows:
        stream = how["wsgi.input"] = io.BytesIO(b" " * 300_000)
        assert client.ask("POST", "/v2/zones", b" " * 300_000, **how).status == 413
        assert stream.tell() == 300_000


def test_a_body_that_claims_to_be_endless_is_not_waited_for() -> None:
    stream = io.BytesIO(b" " * 1000)
    for length in ("99999999999", "9" * 40):
        how: dict[str, Any] = {"CONTENT_LENGTH": length, "wsgi.input": stream}
        assert api_client().ask("POST", "/v2/zones", b"", **how).status == 413
        assert stream.tell() == 0


def test_empty_segments_of_a_path_count_for_nothing(system: System) -> None:
    """An endpoint in a catalog may end with a slash."""
    client = system.client()
    zone = client.ask("POST", "/v2//zones", {"name": "a.example.", "email": "a@example.org"})
    assert (zone.status, zone.json["links"]["self"]) == (202, f"http://{HOST}/v2/zones/{zone.json['id']}")
    assert client.ask("GET", f"/v2//zones///{zone.json['id']}//recordsets//").status == 200


def test_a_caller_may_come_without_roles(system: System) -> None:
    """An empty header is not a missing one, which is an admin's."""
    assert is_fault(system.client(roles="").ask("GET", "/v2/zones"), 403, "forbidden")


def test_without_a_length_nothing_is_read() -> None:
    answer = api_client().ask("POST", "/v2/zones", b'{"name":"a.example."}', CONTENT_LENGTH=None)
    assert is_fault(answer, 400, "empty_request_body")


def test_a_body_shorter_than_it_claims_is_refused_even_where_it_is_json() -> None:
    answer = api_client().ask("POST", "/v2/zones", b'{"name":"a.example."}', headers={"Content-Length": "4000"})
    assert is_fault(answer, 400, "bad_request")
    assert answer.json["message"].startswith("The body ended after 21 of the 4000 octets")


class Broken(io.BytesIO):
    """A body that the server cannot read: its chunks are none, or the client has left."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError("Invalid chunk size: b'zz'")


def test_a_body_that_the_server_cannot_read_is_the_clients_fault() -> None:
    def send(length: str | None, **how: Any) -> Answer:
        how |= {"wsgi.input": Broken(), "CONTENT_LENGTH": length}
        return api_client().ask("POST", "/v2/zones", b"", **how)

    assert is_fault(send("5"), 400, "bad_request")
    assert is_fault(send(None, HTTP_TRANSFER_ENCODING="chunked"), 400, "bad_request")
    assert send("200000").status == 413


def test_a_length_that_is_no_number_is_refused() -> None:
    for length in ("a", "+5", "1.5"):
        answer = api_client().ask("POST", "/v2/zones", b"{}", headers={"Content-Length": length}, checked=False)
        assert is_fault(answer, 400, "bad_request")


def test_an_allowed_origin_may_read_and_another_may_not() -> None:
    client = api_client(settings=CORS)
    assert client.ask("GET", "/", headers=ORIGIN).headers["access-control-allow-origin"] == "https://dash.example"
    assert (
        "access-control-allow-origin" not in client.ask("GET", "/", headers={"Origin": "https://evil.example"}).headers
    )
    assert "access-control-allow-origin" not in api_client().ask("GET", "/", headers=ORIGIN).headers


def test_a_preflight_names_the_methods_and_our_headers() -> None:
    asked = {**ORIGIN, "Access-Control-Request-Method": "PATCH"}
    told = api_client(settings=CORS).ask("OPTIONS", "/v2/zones", headers=asked).headers
    assert "PATCH" in told["access-control-allow-methods"]
    assert "X-Designate-Delete-Shares" in told["access-control-allow-headers"]
    assert told["access-control-max-age"] == "3600"


PROXIED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "api.example.org, inner",
    "X-Forwarded-Prefix": "/dns/",
}


def _self(settings: ApiSettings, headers: dict[str, str]) -> str:
    found: str = api_client(settings=settings).ask("GET", "/", headers=headers).json["versions"][0]["links"][0]["href"]
    return found


def test_proxy_headers_count_only_where_a_proxy_is() -> None:
    assert _self(ApiSettings(), PROXIED) == "http://dns.example.net/v2"
    assert _self(ApiSettings(enable_proxy_headers_parsing=True), PROXIED) == "https://api.example.org/dns/v2"


def test_the_standard_forwarded_header_wins() -> None:
    said = {**PROXIED, "X-Forwarded-Prefix": "", "Forwarded": 'proto=https;host="a.example:8443", proto=http;host=b'}
    assert _self(ApiSettings(enable_proxy_headers_parsing=True), said) == "https://a.example:8443/v2"


def test_a_proxy_cannot_smuggle_a_scheme() -> None:
    said = {"X-Forwarded-Proto": "javascript", "X-Forwarded-Prefix": "evil.example"}
    assert _self(ApiSettings(enable_proxy_headers_parsing=True), said) == "http://dns.example.net/v2"


def test_api_base_uri_holds_where_the_host_header_does_not() -> None:
    assert (
        _self(ApiSettings(enable_host_header=False, api_base_uri="https://dns.corp/x/"), {}) == "https://dns.corp/x/v2"
    )


def test_maintenance_turns_all_away_but_one_role() -> None:
    client = api_client(settings=ApiSettings(maintenance_mode=True, maintenance_mode_role="Keeper"))
    for path in ("/v2/zones", "/"):
        away = client.ask("GET", path, headers={"X-Roles": "member"})
        assert (away.status, away.content, away.headers["retry-after"]) == (503, b"", "60")
        assert away.headers["content-type"].startswith("text/html")
    assert is_fault(client.ask("GET", "/v2/zones?x=1", headers={"X-Roles": "keeper"}), 400, "bad_request")
    assert client.ask("GET", "/healthcheck").status == 200
