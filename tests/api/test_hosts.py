# SPDX-License-Identifier: Apache-2.0
"""The Host header: what of it goes into links, and which hosts an API without a login answers to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.api.hosts import is_loopback, is_sane, only_loopback
from redesignate.auth.choose import authenticator
from redesignate.config.settings import ApiSettings
from redesignate.model.errors import NotFound
from tests.api.client import Failing, NeverAsked, api_client, is_fault

SANDBOX = ApiSettings(listen=(("127.0.0.1", 9001),), auth_strategy="noauth", healthcheck_disable_file=None)


@pytest.mark.parametrize(
    "host", ["dns.example", "dns.example:9001", "192.0.2.1:80", "[::1]:9001", "a_b-c", "localhost."]
)
def test_a_host_with_or_without_a_port_goes_into_links(host: str) -> None:
    page = api_client().ask("GET", "/", HTTP_HOST=host).json
    assert page["versions"][0]["links"][0]["href"] == f"http://{host}/v2"


@pytest.mark.parametrize(
    "host", ["a/b", "a@b", "a b", "a:b", "a:", "x:123456", 'a"b', "<script>", "[::1", "a\\b", "%s", ""]
)
def test_any_other_host_does_not(host: str) -> None:
    page = api_client().ask("GET", "/", HTTP_HOST=host).json
    assert page["versions"][0]["links"][0]["href"] == "http://127.0.0.1:9001/v2"


@settings(deadline=None)
@given(host=st.text(max_size=300))
def test_a_host_for_links_holds_nothing_that_ends_it(host: str) -> None:
    if is_sane(host):
        assert host.isascii()
        assert not set(host) & set("/?#@\\\"'<> \t\r\n%")


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:9001", "x.localhost", "127.0.0.1", "127.9.9.9:1", "[::1]:9001", None]
)
def test_a_sandbox_answers_to_loopback(host: str | None) -> None:
    assert api_client(settings=SANDBOX).ask("GET", "/", HTTP_HOST=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9001", "localhost.evil.example", "192.0.2.1", "[2001:db8::1]"]
)
@pytest.mark.parametrize("path", ["/", "/v2/zones"])
def test_a_sandbox_answers_to_no_other_name(host: str, path: str) -> None:
    """A page of that name in a browser would otherwise read and write everything (DNS rebinding)."""
    answer = api_client(settings=SANDBOX).ask("GET", path, HTTP_HOST=host)
    assert is_fault(answer, 400, "bad_request")
    assert "localhost" in answer.json["message"]
    assert api_client(settings=SANDBOX).ask("GET", "/healthcheck", HTTP_HOST=host).status == 200


@pytest.mark.parametrize(
    "settings",
    [
        ApiSettings(listen=(("127.0.0.1", 9001),), auth_strategy="keystone"),
        ApiSettings(listen=(("127.0.0.1", 9001),), auth_strategy="noauth", enable_proxy_headers_parsing=True),
        ApiSettings(listen=(("127.0.0.1", 9001), ("192.0.2.1", 9001)), auth_strategy="noauth"),
    ],
)
def test_behind_a_login_a_proxy_or_an_address_of_its_own_any_name_will_do(settings: ApiSettings) -> None:
    assert not only_loopback(settings)


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 404),
        ("192.0.2.1", {}, 403),
        ("2001:db8::1", {}, 403),
        ("", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.1"}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1, 192.0.2.1"}, 403),
        ("192.0.2.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1, for=192.0.2.1"}, 403),
        ("127.0.0.1", {"Forwarded": 'proto=http, for="[2001:db8::1]:4711"'}, 403),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1", "X-Forwarded-For": "192.0.2.1"}, 403),
    ],
)
def test_without_a_login_only_this_machine_is_answered_whatever_a_header_claims(
    peer: str, headers: dict[str, str], status: int
) -> None:
    """A proxy adds the address that a request comes from behind those that the client has written itself."""
    behind = ApiSettings(auth_strategy="noauth", enable_proxy_headers_parsing=True, healthcheck_disable_file=None)
    client = api_client(Failing(NotFound()), settings=behind, auth=authenticator(behind, None, NeverAsked()))
    assert client.ask("GET", "/v2/limits", headers=headers, REMOTE_ADDR=peer).status == status


def test_an_address_without_brackets_is_loopback_too() -> None:
    assert is_loopback("::1")
    assert not is_loopback("::2")
