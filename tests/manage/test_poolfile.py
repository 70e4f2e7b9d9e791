# SPDX-License-Identifier: Apache-2.0
"""pools.yaml: every key read, every mistake one line, and what is written is read back the same."""

from __future__ import annotations

import base64
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.manage.poolfile import parse, read
from redesignate.manage.pooltext import changes, document, dump, wanted
from redesignate.model.errors import Misconfigured
from redesignate.model.pool import Catalog, CatalogSpec, Endpoint, Nameserver, NSRecord, Pool, PoolSpec, Target
from redesignate.model.tsigkey import ALGORITHMS

GOOD = """\
- name: default
  ns_records:
    - {hostname: ns1.example.org., priority: 1}
  nameservers:
    - {host: 192.0.2.2, port: 53}
  targets:
    - type: bind9
      masters: [{host: 192.0.2.9, port: 5354}]
      options: {host: 192.0.2.2, port: 53}
"""


def test_every_key_is_read() -> None:
    (spec,) = parse(
        """
- id: 794CCC2CD75144FEB57F8894C9F5C842
  name: default
  description: a pool
  attributes: {external: yes, cost: 3}
  ns_records: [{hostname: NS1.Example.org., priority: 10}]
  nameservers: [{host: "::1", port: 5353, tsigkey_id: 00000000-0000-0000-0000-000000000001}, {host: ns.example.org}]
  targets:
    - type: pdns4
      description: a server
      tsigkey_id: 00000000-0000-0000-0000-000000000002
      masters: [{host: 192.0.2.9}]
      options: {api_endpoint: "http://127.0.0.1:8081", clean: false, port: 53, nothing: null}
  also_notifies: [{host: 192.0.2.4}]
  catalog_zone:
    catalog_zone_fqdn: catalog.example.org.
    catalog_zone_refresh: 30
    catalog_zone_tsig_key: c2VjcmV0
    catalog_zone_tsig_algorithm: hmac-sha512
""",
        "pools.yaml",
    )
    assert spec.id == "794ccc2c-d751-44fe-b57f-8894c9f5c842"
    assert spec.attributes == {"external": "true", "cost": "3"}
    assert spec.ns_records == (NSRecord("ns1.example.org.", 10),)
    assert spec.nameservers == (
        {"host": "::1", "port": 5353, "tsigkey_id": "00000000-0000-0000-0000-000000000001"},
        {"host": "ns.example.org", "port": 53, "tsigkey_id": None},
    )
    assert spec.targets is not None
    (target,) = spec.targets
    assert target.primaries == (("192.0.2.9", 5354),)
    assert target.options == {"api_endpoint": "http://127.0.0.1:8081", "clean": "false", "port": "53"}
    assert target.tsigkey_id == "00000000-0000-0000-0000-000000000002"
    assert spec.also_notifies == (("192.0.2.4", 53),)
    assert spec.catalog is not None
    assert (spec.catalog.refresh, spec.catalog.algorithm) == (30, "hmac-sha512")


def test_keys_that_are_absent_or_empty_keep_what_is_stored() -> None:
    (spec,) = parse("- name: a\n  targets:\n  attributes:\n  catalog_zone:\n", "f")
    assert spec == PoolSpec(name="a")
    assert parse("- name: a\n  also_notifies: []\n", "f")[0].also_notifies == ()


def test_a_catalog_may_leave_out_its_refresh_and_its_algorithm() -> None:
    text = "- name: a\n  catalog_zone: {catalog_zone_fqdn: c.example., catalog_zone_tsig_key: c2VjcmV0}\n"
    catalog = parse(text, "f")[0].catalog
    assert catalog is not None
    assert (catalog.refresh, catalog.algorithm) == (60, "hmac-sha256")


def test_an_empty_catalog_asks_for_none() -> None:
    (spec,) = parse("- name: a\n  catalog_zone: {}\n", "f")
    assert spec.catalog == CatalogSpec(name="")
    stored = Pool(id="i", name="a", version=1, created_at=0, catalog=Catalog(name="c.example.", refresh=60))
    assert changes(stored, spec) == [
        "- catalog_zone.catalog_zone_fqdn: c.example.",
        "- catalog_zone.catalog_zone_refresh: 60",
    ]
    assert changes(replace(stored, catalog=None), spec) == []


WRONG = [
    ("name: default", "nmae: default", "pool no. 1: nmae: there is no such key; did you mean name?"),
    ("name: default", "name: 5", "pool no. 1: name: expected text; put it in quotes"),
    ("name: default", "name: ''", "name: expected text"),
    ("name: default", f"name: {'x' * 51}", "name: has 51 characters; at most 50 are allowed"),
    ("- name: default", "- description: none", "pool no. 1: name: is missing; add it"),
    ("name: default", "name: default\n  id: 5", "pool default: id: expected a UUID"),
    ("name: default", f"name: default\n  description: {'x' * 161}", "description: has 161 characters"),
    ("name: default", "name: default\n  masters: []", "masters: there is no such key; known are id, name"),
    ("name: default", "name: default\n  attributes: [a]", "attributes: expected keys and values"),
    ("name: default", f"name: default\n  attributes: {{a: {'x' * 51}}}", "attributes.a: has 51 characters"),
    ("name: default", "name: default\n  attributes: {a: [1]}", "attributes.a: expected text, a number"),
    ("ns1.example.org.", "ns1.example.org", "ns_records[0].hostname: "),
    ("ns1.example.org.", "'n s.example.org.'", "ns_records[0].hostname: "),
    ("hostname: ns1.example.org., ", "", "ns_records[0].hostname: is missing; add it"),
    ("priority: 1}", "priority: 0}", "ns_records[0].priority: expected a whole number from 1 to 10000"),
    ("priority: 1}", "priority: true}", "ns_records[0].priority: expected a whole number"),
    (", priority: 1}", "}", "ns_records[0].priority: is missing; add it"),
    ("priority: 1}", "priority: 1}\n    - {hostname: NS1.example.org., priority: 2}", "is the same as ns_records[0]"),
    ("port: 53}\n  t", "prot: 53}\n  t", "nameservers[0].prot: there is no such key; did you mean port?"),
    ("port: 53}\n  t", "port: 70000}\n  t", "nameservers[0].port: expected a whole number from 1 to 65535"),
    ("{host: 192.0.2.2, port: 53}\n  t", "{host: 192.0.2.300}\n  t", "nameservers[0].host: 192.0.2.300 looks like"),
    ("{host: 192.0.2.2, port: 53}\n  t", "{host: 'a b'}\n  t", "nameservers[0].host: a b is not an address"),
    ("{host: 192.0.2.2, port: 53}\n  t", "{port: 53}\n  t", "nameservers[0].host: is missing"),
    ("{host: 192.0.2.2, port: 53}\n  t", "192.0.2.2\n  t", "nameservers[0]: expected keys and values (host, port"),
    ("port: 53}\n  t", "tsigkey_id: key}\n  t", "nameservers[0].tsigkey_id: expected a UUID"),
    ("targets:\n    - type", "targets:\n      type", "targets: expected a list"),
    ("- type: bind9", "- type:", "targets[0].type: is missing"),
    ("- type: bind9", "- type: bind9\n      type: fake", "line 8: type is given twice"),
    (
        "- type: bind9",
        "- type: bind9\n      master: []",
        "targets[0].master: there is no such key; did you mean masters?",
    ),
    ("port: 5354", "port: x", "targets[0].masters[0].port: expected a whole number"),
    ("options: {", "options: {list: [1], ", "targets[0].options.list: expected text, a number, true or false"),
    (
        "options: {",
        f"options: {{long: {'x' * 256}, ",
        "targets[0].options.long: has 256 characters; at most 255 are allowed",
    ),
    ("options: {host: 192.0.2.2, port: 53}", "options: none", "targets[0].options: expected keys and values"),
]


@pytest.mark.parametrize(("old", "new", "told"), WRONG)
def test_a_mistake_is_one_line_with_file_pool_key_and_mend(old: str, new: str, told: str) -> None:
    assert GOOD.count(old) >= 1, old
    with pytest.raises(Misconfigured) as refusal:
        parse(GOOD.replace(old, new, 1), "/etc/designate/pools.yaml")
    line = refusal.value.message
    assert line.startswith("/etc/designate/pools.yaml: ")
    assert told in line
    assert "\n" not in line


CATALOGS = [
    ("{catalog_zone_refresh: 5}", "catalog_zone.catalog_zone_fqdn: is missing"),
    ("{catalog_zone_fqdn: catalog}", "catalog_zone.catalog_zone_fqdn: "),
    ("{catalog_zone_fqdn: c., catalog_zone_refresh: -1}", "catalog_zone.catalog_zone_refresh: expected a whole number"),
    ("{catalog_zone_fqdn: c., catalog_zone_tsig_key: '###'}", "catalog_zone.catalog_zone_tsig_key: expected base64"),
    ("{catalog_zone_fqdn: c., catalog_zone_tsig_algorithm: hmac-md5}", "catalog_zone_tsig_key: is missing"),
    (
        "{catalog_zone_fqdn: c., catalog_zone_tsig_key: YQ==, catalog_zone_tsig_algorithm: rot13}",
        "catalog_zone.catalog_zone_tsig_algorithm: expected one of hmac-md5",
    ),
    ("[]", "catalog_zone: expected keys and values"),
]


@pytest.mark.parametrize(("catalog", "told"), CATALOGS)
def test_a_mistake_in_the_catalog_is_one_line(catalog: str, told: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        parse(f"{GOOD}  catalog_zone: {catalog}\n", "f")
    assert refusal.value.message.startswith(f"f: pool default: {told}") or told in refusal.value.message
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a list of pools"),
        ("[]", "expected a list of pools"),
        ("name: default", "expected a list of pools"),
        ("- name: [", "line "),
        ("- name: a\n- name: a\n", "pool a: name: two pools have it"),
        ("- default\n", "pool no. 1: expected keys and values"),
        ("- !!python/object:os.system {}\n", "correct the YAML"),
        ("\x00", "correct the YAML"),
        ("- " * 5000, "pools.yaml"),
        (
            "- {name: a, id: 00000000-0000-0000-0000-000000000001}\n- {name: b, id: 00000000000000000000000000000001}",
            "id:",
        ),
    ],
)
def test_a_file_that_is_no_list_of_pools_is_one_line(text: str, told: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        parse(text, "pools.yaml")
    assert refusal.value.message.startswith("pools.yaml: ")
    assert told in refusal.value.message
    assert "\n" not in refusal.value.message


def test_files_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="there is no such file; write one or name it with --file"):
        read(tmp_path / "nosuch.yaml")
    with pytest.raises(Misconfigured, match="Is a directory"):
        read(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"- name: \xff\n")
    with pytest.raises(Misconfigured, match="UTF-8"):
        read(tmp_path / "latin.yaml")


# -- what is written is read back

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
labels = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter(lambda s: "--" not in s)
names = st.lists(labels, min_size=1, max_size=4).map(lambda parts: ".".join(parts) + ".")
hosts = st.ip_addresses().map(str) | names.map(lambda name: name.rstrip("."))
ports = st.integers(1, 65535)
endpoints = st.builds(Endpoint, hosts, ports)
ids = st.uuids().map(str)
keys = st.none() | ids
pools = st.builds(
    Pool,
    id=ids,
    name=words,
    version=st.just(1),
    created_at=st.just(0),
    description=st.none() | words,
    attributes=st.dictionaries(words, words, max_size=3),
    ns_records=st.lists(
        st.builds(NSRecord, names, st.integers(1, 10000)), max_size=3, unique_by=lambda r: r.hostname
    ).map(tuple),
    nameservers=st.lists(
        st.builds(Nameserver, id=ids, host=hosts, port=ports, tsigkey_id=keys),
        max_size=3,
        unique_by=lambda s: (s.host, s.port),
    ).map(tuple),
    targets=st.lists(
        st.builds(
            Target,
            id=ids,
            type=words,
            options=st.dictionaries(words, words, max_size=3),
            primaries=st.lists(endpoints, max_size=2, unique=True).map(tuple),
            description=st.none() | words,
            tsigkey_id=keys,
        ),
        max_size=3,
    ).map(tuple),
    also_notifies=st.lists(endpoints, max_size=2, unique=True).map(tuple),
    catalog=st.none()
    | st.builds(
        Catalog,
        name=names,
        refresh=st.integers(0, 2**31 - 1),
        algorithm=st.sampled_from(ALGORITHMS),
        secret=st.binary(min_size=1, max_size=64).map(lambda raw: base64.b64encode(raw).decode()),
    ),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(pools, min_size=1, max_size=3, unique_by=(lambda p: p.id, lambda p: p.name)))
def test_pools_that_are_written_are_read_back_the_same(stored: list[Pool]) -> None:
    text = dump(document(pool) for pool in stored)
    specs = parse(text, "f")
    assert [wanted(spec) for spec in specs] == [document(pool) for pool in stored]
    assert [changes(pool, spec) for pool, spec in zip(stored, specs, strict=True)] == [[] for _ in stored]
    assert dump(wanted(spec) for spec in specs) == text


@settings(deadline=None, max_examples=40)
@given(pools, pools)
def test_a_difference_is_told_where_there_is_one_and_nowhere_else(one: Pool, other: Pool) -> None:
    (spec,) = parse(dump([document(one)]), "f")
    told = changes(other, spec)
    mine, theirs = document(one), document(other)
    assert bool(told) == any(mine[key] != theirs.get(key) for key in mine if key != "id")
    assert all(line[0] in "+-~" for line in told)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        parse(text, "f")
    except Misconfigured as refusal:
        line = refusal.message
    else:
        return
    assert line.startswith("f: ")
    assert len(line.splitlines()) == 1


def test_ids_of_parts_are_no_part_of_the_file() -> None:
    pool = Pool(id=str(uuid.uuid4()), name="a", version=1, created_at=0, targets=(Target(id="t1", type="fake"),))
    assert "t1" not in dump([document(pool)])
