# SPDX-License-Identifier: Apache-2.0
"""Programs that prove to hold a name (ACME, DNS-01): lego, cert-manager's Designate webhook, certbot-dns-openstack.

Each finds the zone by its name, puts a TXT at _acme-challenge, and waits until DNS answers with it.
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.api.conftest import System
from tests.api.habits.tool import GOPHERCLOUD, OPENSTACKSDK, Tool

KEY, OTHER = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM", "-g_6wRlFlOqxpIFCXEBoWBSvUjbbEOlLu2LAuR07DRE"
NAME = "_acme-challenge.www.example.org."
MADE = (201, 202)


@pytest.fixture
def lego(system: System) -> Tool:
    made = Tool(system, GOPHERCLOUD)
    for name in ("example.org.", "sub.example.org.", "xexample.org."):
        made.said("POST", "/v2/zones", {"email": "a@example.org", "name": name}, ok=MADE)
    system.serve()
    return made


def test_lego_puts_two_keys_at_a_name_and_takes_them_away(lego: Tool) -> None:
    """It compares name and TTL of the answer with what it sent, and has no filter."""
    (zone,) = [one for one in lego.pages("/v2/zones", "zones") if one["name"] == "example.org."]
    path = f"/v2/zones/{zone['id']}/recordsets"
    body = {"description": "ACME verification record", "name": NAME, "records": [KEY], "ttl": 10, "type": "TXT"}
    made = lego.said("POST", path, body, ok=MADE)
    assert (made["name"], made["ttl"]) == (NAME, 10)
    (found,) = [one for one in lego.pages(path, "recordsets") if (one["name"], one["type"]) == (NAME, "TXT")]
    assert found["records"] == [KEY]
    body = {"description": found["description"], "records": [OTHER, *found["records"]], "ttl": found["ttl"]}
    assert lego.said("PUT", f"{path}/{found['id']}", body, ok=(200, 202))["records"] == [OTHER, KEY]
    lego.said("DELETE", f"{path}/{found['id']}", ok=(202,))
    lego.system.serve()
    assert [one for one in lego.pages(path, "recordsets") if one["type"] == "TXT"] == []


def test_cert_managers_webhook_finds_its_record_by_what_it_says(lego: Tool) -> None:
    """It wants exactly one zone and exactly one record set, and quotes the key itself."""
    (zone,) = lego.pages("/v2/zones?name=example.org.", "zones")
    path = f"/v2/zones/{zone['id']}/recordsets"
    for name, key in ((NAME, KEY), ("_acme-challenge.example.org.", OTHER)):
        lego.said("POST", path, {"name": name, "records": [f'"{key}"'], "type": "TXT"}, ok=MADE)
    query = urlencode({"data": f'"{KEY}"', "name": NAME, "type": "TXT"})
    (found,) = lego.pages(f"{path}?{query}", "recordsets")
    assert lego.refused(409, "POST", path, {"name": NAME, "records": ['"again"'], "type": "TXT"})
    lego.said("DELETE", f"{path}/{found['id']}", ok=(202,))
    assert lego.pages(f"{path}?{query}", "recordsets") == []


def test_certbots_plugin_looks_a_zone_up_by_name_as_openstacksdk_does(system: System, lego: Tool) -> None:
    """First as if the name were an id: 400 and 404 send it to the list."""
    certbot = Tool(system, OPENSTACKSDK)
    assert certbot.ask("GET", "/v2/zones/example.org.").status in (400, 404)
    (zone,) = certbot.said("GET", "/v2/zones?name=example.org.")["zones"]
    path = f"/v2/zones/{zone['id']}/recordsets"
    made = certbot.said("POST", path, {"name": NAME, "records": [KEY], "type": "TXT"}, ok=MADE)
    certbot.waits(f"{path}/{made['id']}", "ACTIVE", ("PENDING",))
    certbot.said("DELETE", f"{path}/{made['id']}", ok=(202,), headers={"Accept": ""})


def test_who_cannot_tell_the_zone_asks_which_one_holds_the_name(lego: Tool) -> None:
    """An extension of ours: none of them has to guess where a zone begins."""
    (zone,) = lego.said("GET", "/v2/zones?owns=_acme-challenge.www.sub.example.org.")["zones"]
    assert zone["name"] == "sub.example.org."
