# SPDX-License-Identifier: Apache-2.0
"""What the API has beyond Designate's, as clients see it."""

from __future__ import annotations

from typing import Any

from tests.api.client import Client, is_fault
from tests.api.conftest import System


def new_zone(client: Client, name: str = "example.org.") -> dict[str, Any]:
    made: dict[str, Any] = client.ask("POST", "/v2/zones", {"name": name, "email": "a@example.org"}).json
    return made


# -- owns


def test_the_zone_that_holds_a_name_is_listed_alone(system: System) -> None:
    client = system.client()
    new_zone(client)
    inner = new_zone(client, "a.example.org.")
    answer = client.ask("GET", "/v2/zones?owns=host.a.example.org.")
    assert answer.status == 200
    assert [zone["id"] for zone in answer.json["zones"]] == [inner["id"]]
    assert answer.json["metadata"] == {"total_count": 1}
    assert answer.json["links"] == {"self": "http://dns.example.net/v2/zones?owns=host.a.example.org."}
    empty = client.ask("GET", "/v2/zones?owns=host.example.net.").json
    assert (empty["zones"], empty["metadata"]) == ([], {"total_count": 0})


def test_owns_stands_alone_and_is_a_name(system: System) -> None:
    client = system.client()
    for query in ("owns=a.org.&name=a.org.", "owns=a.org.&limit=1", "owns=a.org.&owns=b.org.", "owns=a..org."):
        assert is_fault(client.ask("GET", f"/v2/zones?{query}"), 400, "bad_request"), query


# -- If-Match


def new_rrset(client: Client, zone: dict[str, Any], **more: Any) -> Any:
    body = {"name": "www.example.org.", "type": "A", "records": ["192.0.2.1"], **more}
    return client.ask("POST", f"/v2/zones/{zone['id']}/recordsets", body)


def test_a_zone_has_another_tag_where_shared_shows_something_else(system: System) -> None:
    owner = system.client()
    body = {"name": "example.org.", "email": "a@example.org"}
    path = f"/v2/zones/{owner.ask('POST', '/v2/zones', body).json['id']}"
    tags = [owner.ask("GET", path).headers["etag"]]
    made = []
    for project in ("p2", "p3"):
        made.append(owner.ask("POST", f"{path}/shares", {"target_project_id": project}).json["id"])
        tags.append(owner.ask("GET", path).headers["etag"])
    for share in made:
        owner.ask("DELETE", f"{path}/shares/{share}")
        tags.append(owner.ask("GET", path).headers["etag"])
    assert [one.rpartition("-")[2] for one in tags] == ['1"', '2"', '2"', '2"', '3"']
    assert is_fault(owner.ask("PATCH", path, {"ttl": 60}, headers={"If-Match": tags[0]}), 412, "precondition_failed")


def test_zones_and_recordsets_carry_their_tag(system: System) -> None:
    client = system.client()
    made = client.ask("POST", "/v2/zones", {"name": "example.org.", "email": "a@example.org"})
    path = f"/v2/zones/{made.json['id']}"
    assert made.headers["etag"] == client.ask("GET", path).headers["etag"] == f'"{made.json["id"]}-1"'
    patched = client.ask("PATCH", path, {"ttl": 60})
    assert patched.headers["etag"] == client.ask("GET", path).headers["etag"] == f'"{made.json["id"]}-2"'
    rrset = new_rrset(client, made.json)
    place = f"{path}/recordsets/{rrset.json['id']}"
    assert rrset.headers["etag"] == client.ask("GET", place).headers["etag"] == f'"{rrset.json["id"]}-1"'
    changed = client.ask("PUT", place, {"ttl": 60})
    assert changed.headers["etag"] == client.ask("GET", place).headers["etag"] == f'"{rrset.json["id"]}-2"'


def test_what_has_changed_since_it_was_read_is_412(system: System) -> None:
    client = system.client()
    zone = new_zone(client)
    rrset = new_rrset(client, zone)
    place = f"/v2/zones/{zone['id']}/recordsets/{rrset.json['id']}"
    old = rrset.headers["etag"]
    new = client.ask("PUT", place, {"ttl": 60}, headers={"If-Match": old}).headers["etag"]
    for verb, path in (("PUT", place), ("DELETE", place), ("PATCH", f"/v2/zones/{zone['id']}")):
        body = None if verb == "DELETE" else {"ttl": 61}
        assert is_fault(client.ask(verb, path, body, headers={"If-Match": old}), 412, "precondition_failed")
    assert client.ask("PUT", place, {"ttl": 62}, headers={"If-Match": f'"x" , {new}'}).status == 202
    assert client.ask("DELETE", place, headers={"If-Match": "*"}).status == 202
    assert client.ask("DELETE", place, headers={"If-Match": "*"}).status == 404


def test_a_malformed_if_match_is_refused(system: System) -> None:
    client = system.client()
    path = f"/v2/zones/{new_zone(client)['id']}"
    for text in ("x", "", ",", '"a', '"a" "b"', '"a", b', "*, *", ", ".join(['"a"'] * 101)):
        assert is_fault(client.ask("PATCH", path, {"ttl": 60}, headers={"If-Match": text}), 400, "bad_request"), text


# -- one recordset by name and type


def test_put_adds_a_recordset_and_then_changes_it(system: System) -> None:
    client = system.client()
    path = f"/v2/zones/{new_zone(client)['id']}/recordsets"
    one = f"{path}?name=www.example.org.&type=A"
    made = client.ask("PUT", one, {"records": ["192.0.2.1"], "ttl": 60})
    assert made.status == 201
    assert made.headers["location"] == made.json["links"]["self"] == f"http://dns.example.net{path}/{made.json['id']}"
    assert (made.json["name"], made.json["status"]) == ("www.example.org.", "PENDING")
    changed = client.ask("PUT", one, {"records": ["192.0.2.2"], "name": "www.example.org.", "type": "A"})
    assert (changed.status, changed.json["id"], changed.json["ttl"]) == (202, made.json["id"], 60)
    assert changed.json["records"] == ["192.0.2.2"]
    assert changed.headers["etag"] == f'"{made.json["id"]}-2"'
    assert is_fault(client.ask("PUT", one, {}, headers={"If-None-Match": "*"}), 412, "precondition_failed")
    assert is_fault(client.ask("PUT", one, {}, headers={"If-Match": made.headers["etag"]}), 412, "precondition_failed")
    assert client.ask("PUT", one, {}, headers={"If-Match": changed.headers["etag"]}).status == 202
    idle = client.ask("PUT", f"{path}?name=idle.example.org.&type=A", {"records": []})
    assert (idle.status, client.ask("PUT", f"{path}?name=idle.example.org.&type=A", {}).status) == (201, 200)


def test_put_names_one_recordset(system: System) -> None:
    client = system.client()
    path = f"/v2/zones/{new_zone(client)['id']}/recordsets"
    for query in ("", "?name=a.example.org.", "?type=A", "?name=a.example.org.&type=A&ttl=5", "?name=&type=A"):
        assert is_fault(client.ask("PUT", path + query, {"records": []}), 400, "bad_request"), query
    one = f"{path}?name=a.example.org.&type=A"
    assert is_fault(client.ask("PUT", one, {}, headers={"If-None-Match": '"x"'}), 400, "bad_request")
    assert is_fault(client.ask("PUT", one, {"id": "x"}), 400, "invalid_object")
    assert is_fault(system.client(roles="reader").ask("PUT", one, {"id": "x"}), 403, "forbidden")
    assert is_fault(system.client("p2").ask("PUT", one, {"id": "x"}), 404, "zone_not_found")


# -- Idempotency-Key


def test_a_post_with_a_key_is_carried_out_once(system: System) -> None:
    client = system.client()
    body = {"name": "example.org.", "email": "a@example.org"}
    first = client.ask("POST", "/v2/zones", body, headers={"Idempotency-Key": "k"})
    system.serve()
    again = client.ask("POST", "/v2/zones", body, headers={"Idempotency-Key": "k"})
    assert (again.status, again.json) == (first.status, first.json) == (202, first.json)
    for name in ("location", "etag"):
        assert again.headers[name] == first.headers[name]
    other = client.ask("POST", "/v2/zones", {**body, "ttl": 60}, headers={"Idempotency-Key": "k"})
    assert is_fault(other, 409, "idempotency_key_reused")
    assert is_fault(client.ask("POST", "/v2/zones", body), 409, "duplicate_zone")
    path = f"/v2/zones/{first.json['id']}"
    recordset = {"name": "www.example.org.", "type": "A", "records": ["192.0.2.1"]}
    assert is_fault(
        client.ask("POST", f"{path}/recordsets", recordset, headers={"Idempotency-Key": "k"}),
        409,
        "idempotency_key_reused",
    )
    made = [client.ask("POST", f"{path}/recordsets", recordset, headers={"Idempotency-Key": "r"}) for _ in range(2)]
    assert made[0].json == made[1].json


def test_a_post_of_an_operator_is_repeated_too(system: System) -> None:
    admin = system.client(roles="admin,member,reader")
    for path, body in (
        ("/v2/tlds", {"name": "org"}),
        ("/v2/blacklists", {"pattern": "acme"}),
        ("/v2/pools", {"name": "other"}),
        (
            "/v2/tsigkeys",
            {
                "name": "k",
                "algorithm": "hmac-sha256",
                "secret": "c2VjcmV0",
                "scope": "POOL",
                "resource_id": system.pool.id,
            },
        ),
    ):
        first, again = (admin.ask("POST", path, body, headers={"Idempotency-Key": path}) for _ in range(2))
        assert first.status == 201, (path, first)
        assert (first.status, first.json) == (again.status, again.json), path


def test_a_malformed_key_is_refused_and_other_verbs_have_none(system: System) -> None:
    client = system.client()
    body = {"name": "example.org.", "email": "a@example.org"}
    for key in ("", "x" * 256, "\u00e4"):
        answer = client.ask("POST", "/v2/zones", body, headers={"Idempotency-Key": key}, checked=False)
        assert is_fault(answer, 400, "bad_request"), key
    path = f"/v2/zones/{new_zone(client)['id']}"
    versions = [
        client.ask("PATCH", path, {"ttl": 60}, headers={"Idempotency-Key": "k"}).json["version"] for _ in range(2)
    ]
    assert versions == [2, 3]


def test_an_import_with_a_key_is_begun_once_and_goes_on_where_it_ended(system: System) -> None:
    client = system.client()
    lines = "".join(f"n{n} 60 IN A 192.0.2.1\n" for n in range(80_000))
    body = {"zonefile": f"$ORIGIN example.org.\n@ 60 IN SOA ns1 a 1 2 3 4 5\n@ 60 IN NS ns1\n{lines}"}
    path, key = "/v2/zones/tasks/imports", {"Idempotency-Key": "k"}
    first, again = (client.ask("POST", path, body, headers=key) for _ in range(2))
    assert (first.status, first.json) == (again.status, again.json) == (202, first.json)
    assert client.ask("GET", path).json["metadata"] == {"total_count": 1}
    stream = {**key, "Content-Type": "text/dns"}
    assert is_fault(client.ask("POST", path, b"$ORIGIN a.", headers=stream), 400, "bad_request")
