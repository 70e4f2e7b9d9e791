# SPDX-License-Identifier: Apache-2.0
"""The identity service that the other tests lean on: it starts, knows users, and the real clients log in to it."""

from __future__ import annotations

import pytest

from tests.support.clients import ClientFailed, openstack, sdk, with_keystone
from tests.support.keystone import Keystone, KeystoneRefused, User

pytestmark = pytest.mark.external


def test_a_token_says_whose_it_is(keystone: Keystone) -> None:
    alice = keystone.add_user("alice", project="token-alpha")
    token = keystone.request("GET", "/auth/tokens", subject=keystone.token(alice))["token"]
    assert token["user"]["name"] == "alice"
    assert token["project"]["id"] == alice.project_id
    assert "member" in {role["name"] for role in token["roles"]}


def test_a_wrong_password_gets_no_token(keystone: Keystone) -> None:
    keystone.add_user("bob", project="token-beta")
    with pytest.raises(KeystoneRefused, match="401"):
        keystone.token(User("bob", "wrong", "token-beta", None, "member"))


def test_a_user_of_the_system_gets_a_system_token(keystone: Keystone) -> None:
    reader = keystone.add_user("auditor", project=None, role="reader")
    token = keystone.request("GET", "/auth/tokens", subject=keystone.token(reader))["token"]
    assert token["system"] == {"all": True}


def test_the_service_user_may_ask_about_tokens(keystone: Keystone) -> None:
    service = keystone.service_user()
    carol = keystone.add_user("carol", project="token-gamma")
    answer = keystone.request("GET", "/auth/tokens", subject=keystone.token(carol), token=keystone.token(service))
    assert answer["token"]["user"]["name"] == "carol"
    assert keystone.middleware(service)["auth_url"] == keystone.url


def test_the_catalogue_names_the_dns_api_once(keystone: Keystone) -> None:
    for url in ("http://127.0.0.1:1", "http://127.0.0.1:2"):
        assert keystone.catalogue(url, service="designate-old", kind="dns-test", region="old") == "old"
    services = keystone.request("GET", "/auth/catalog")["catalog"]
    (entry,) = (service for service in services if service["type"] == "dns-test")
    assert {endpoint["url"] for endpoint in entry["endpoints"]} == {"http://127.0.0.1:2"}


def test_two_dns_apis_stand_in_the_catalogue_side_by_side(keystone: Keystone) -> None:
    """Tests that run at the same time share one keystone: none may lead another's clients astray."""
    urls = {
        keystone.catalogue(url, service="designate-two", kind="dns-two"): url
        for url in ("http://127.0.0.1:1", "http://127.0.0.1:2")
    }
    services = keystone.request("GET", "/auth/catalog")["catalog"]
    (entry,) = (service for service in services if service["type"] == "dns-two")
    assert {each["region_id"]: each["url"] for each in entry["endpoints"]} == urls


def test_the_command_line_logs_in(keystone: Keystone) -> None:
    dave = keystone.add_user("dave", project="cli")
    assert openstack(with_keystone(keystone, dave), "token", "issue")["project_id"] == dave.project_id


def test_the_command_line_says_why_it_may_not(keystone: Keystone) -> None:
    stranger = User("nobody", "no", "nowhere", None, "member")
    with pytest.raises(ClientFailed) as failed:
        openstack(with_keystone(keystone, stranger), "token", "issue")
    assert "401" in failed.value.told


def test_the_sdk_logs_in(keystone: Keystone) -> None:
    erin = keystone.add_user("erin", project="sdk")
    project = sdk(with_keystone(keystone, erin), "print(json.dumps(cloud.current_project_id))")
    assert project == erin.project_id
