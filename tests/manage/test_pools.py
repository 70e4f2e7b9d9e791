# SPDX-License-Identifier: Apache-2.0
"""`pool update`, `show-config` and `generate-file` against the real central."""

from __future__ import annotations

import dataclasses
import itertools
import stat
from pathlib import Path

import pytest
import yaml

from redesignate.commands.pools import GetPool
from redesignate.commands.rrsets import ListRRsets
from redesignate.commands.zones import CreateZone
from redesignate.config.settings import DEFAULT_POOL_ID
from redesignate.manage import poolfile
from redesignate.model.caller import operator as admin
from redesignate.model.clock import SECOND
from redesignate.model.paging import ListQuery
from redesignate.model.pool import Endpoint
from redesignate.model.zone import NewZone
from tests.manage.conftest import Operator

OWNER = dataclasses.replace(admin("req-1"), project_id="p1")
FILE = """\
---
- name: default
  description: The pool of the house
  attributes:
    external: true
    tier: gold
  ns_records:
    - hostname: ns1.example.org.
      priority: 1
    - hostname: NS2.example.org.
      priority: 2
  nameservers:
    - host: 192.0.2.2
      port: 53
    - host: "2001:DB8::2"
  targets:
    - type: bind9
      description: BIND server 1
      masters:
        - host: 192.0.2.9
          port: 5354
      options:
        host: 192.0.2.2
        port: 53
        rndc_host: 192.0.2.2
        rndc_port: 953
        rndc_key_file: /etc/designate/rndc.key
        clean_zonefile: true
        view:
  also_notifies:
    - host: 192.0.2.4
      port: 53
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "pools.yaml"
    made.write_text(FILE)
    return made


def test_a_first_update_fills_the_default_pool(operator: Operator, file: Path) -> None:
    ran = operator("pool", "update", "--file", str(file))
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[0] == "Updating Pools Configuration"
    assert ran.lines[-1] == "Create Pool: default"
    pool = operator.central.call(GetPool(caller=admin("req-1"), pool_id=DEFAULT_POOL_ID))
    assert pool.attributes == {"external": "true", "tier": "gold"}
    assert [(one.hostname, one.priority) for one in pool.ns_records] == [
        ("ns1.example.org.", 1),
        ("ns2.example.org.", 2),
    ]
    assert [(one.host, one.port) for one in pool.nameservers] == [("192.0.2.2", 53), ("2001:db8::2", 53)]
    (target,) = pool.targets
    assert target.options["rndc_port"] == "953"
    assert target.options["clean_zonefile"] == "true"
    assert "view" not in target.options
    assert target.primaries == (Endpoint("192.0.2.9", 5354),)
    assert pool.also_notifies == (Endpoint("192.0.2.4", 53),)


def test_a_second_update_changes_nothing(operator: Operator, file: Path) -> None:
    operator("pool", "update", "--file", str(file))
    before = operator.central.call(GetPool(caller=admin("req-1"), pool_id=DEFAULT_POOL_ID))
    ran = operator("pool", "update", "--file", str(file))
    assert ran.lines[-1] == "Unchanged Pool: default"
    assert operator.central.call(GetPool(caller=admin("req-1"), pool_id=DEFAULT_POOL_ID)) == before
    dry = operator("pool", "update", "--file", str(file), "--dry-run")
    assert dry.out == "No changes: every pool matches the file.\n"


def test_a_dry_run_prints_the_difference_and_changes_nothing(operator: Operator, file: Path) -> None:
    operator("pool", "update", "--file", str(file))
    before = operator("pool", "show-config").out
    text = (
        FILE.replace("tier: gold", "tier: silver")
        .replace("priority: 2", "priority: 3")
        .replace("192.0.2.4", "192.0.2.5")
    )
    second = "- name: second\n  ns_records:\n  - hostname: ns1.example.net.\n    priority: 1\n"
    file.write_text(text.replace("The pool of the house", "Ours") + second)
    ran = operator("pool", "update", "--file", str(file), "--dry-run")
    assert ran.code == 0
    assert ran.lines == [
        "The following changes will occur:",
        "*********************************",
        "Update Pool: default",
        "  ~ description: The pool of the house → Ours",
        "  ~ attributes.tier: gold → silver",
        "  - ns_records: hostname ns2.example.org., priority 2",
        "  + ns_records: hostname ns2.example.org., priority 3",
        "  - also_notifies: host 192.0.2.4, port 53",
        "  + also_notifies: host 192.0.2.5, port 53",
        "Create Pool: second",
        "  + name: second",
        "  + ns_records: hostname ns1.example.net., priority 1",
    ]
    assert operator("pool", "show-config").out == before
    assert len(operator("pool", "show-config", "--all-pools").out.split("- also_notifies:")) == 2


def test_a_dry_run_shows_no_secret(operator: Operator, file: Path) -> None:
    secret = "c2VjcmV0"
    catalog = f"  catalog_zone:\n    catalog_zone_fqdn: catalog.example.org.\n    catalog_zone_tsig_key: {secret}\n"
    file.write_text(FILE + catalog)
    ran = operator("pool", "update", "--file", str(file), "--dry-run")
    assert "+ catalog_zone.catalog_zone_tsig_key: ***" in ran.out
    assert secret not in ran.out + ran.err


def test_an_empty_catalog_zone_takes_the_stored_one_away(operator: Operator, file: Path) -> None:
    file.write_text(FILE + "  catalog_zone:\n    catalog_zone_fqdn: catalog.example.org.\n")
    operator("pool", "update", "--file", str(file))
    assert "catalog.example.org." in operator("pool", "show-config").out
    file.write_text("- name: default\n  catalog_zone: {}\n")
    assert operator("pool", "update", "--file", str(file)).lines[-1] == "Update Pool: default"
    assert "catalog" not in operator("pool", "show-config").out
    assert operator("pool", "update", "--file", str(file)).lines[-1] == "Unchanged Pool: default"


def test_keys_that_the_file_leaves_out_stay_as_they_are(operator: Operator, file: Path) -> None:
    operator("pool", "update", "--file", str(file))
    file.write_text("- name: default\n  description: only this\n")
    assert operator("pool", "update", "--file", str(file)).code == 0
    pool = operator.central.call(GetPool(caller=admin("req-1"), pool_id=DEFAULT_POOL_ID))
    assert pool.description == "only this"
    assert len(pool.targets) == 1


def test_an_id_finds_the_pool_and_renames_it(operator: Operator, file: Path) -> None:
    file.write_text(FILE.replace("- name: default", f"- id: {DEFAULT_POOL_ID}\n  name: main"))
    assert operator("pool", "update", "--file", str(file)).code == 0
    assert operator.central.call(GetPool(caller=admin("req-1"), pool_id=DEFAULT_POOL_ID)).name == "main"


def test_new_ns_records_reach_every_zone_of_the_pool(operator: Operator, file: Path) -> None:
    operator("pool", "update", "--file", str(file))
    new = NewZone(name="example.com.", email="a@example.com")
    zone = operator.central.call(CreateZone(caller=OWNER, new=new))
    file.write_text(FILE.replace("hostname: ns1.example.org.", "hostname: ns9.example.org."))
    ran = operator("pool", "update", "--file", str(file))
    assert ran.lines[-1] == "NS records changed in 1 zones"
    page = operator.central.call(ListRRsets(caller=admin("req-1"), zone_id=zone.id, query=ListQuery()))
    (apex,) = [one for one in page.items if one.type == "NS"]
    assert set(apex.records) == {"ns9.example.org.", "ns2.example.org."}


def test_delete_removes_pools_that_the_file_does_not_name(operator: Operator, file: Path) -> None:
    file.write_text(FILE + "- name: second\n  ns_records: [{hostname: ns.example.net., priority: 1}]\n")
    operator("pool", "update", "--file", str(file))
    file.write_text(FILE)
    assert operator("pool", "update", "--file", str(file), "--delete", "--dry-run").lines[-1] == "Delete Pool: second"
    assert operator("pool", "update", "--file", str(file)).code == 0
    assert "name: second" in operator("pool", "show-config", "--all-pools").out
    ran = operator("pool", "update", "--file", str(file), "--delete")
    assert ran.lines[-1] == "Delete Pool: second"
    assert "name: second" not in operator("pool", "show-config", "--all-pools").out


def test_a_pool_with_zones_is_not_deleted(operator: Operator, file: Path) -> None:
    operator("pool", "update", "--file", str(file))
    operator.central.call(CreateZone(caller=OWNER, new=NewZone(name="example.com.", email="a@example.com")))
    file.write_text("- name: other\n  ns_records: [{hostname: ns.example.net., priority: 1}]\n")
    ran = operator("pool", "update", "--file", str(file), "--delete")
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == (
        "error: pool default: pool must not contain zones; move or delete its zones first"
    )


def test_a_written_file_is_taken_back_without_a_change(operator: Operator, file: Path, tmp_path: Path) -> None:
    operator("pool", "update", "--file", str(file))
    for spelling in ("generate-file", "generate_file"):
        copy = tmp_path / f"{spelling}.yaml"
        assert operator("pool", spelling, "--file", str(copy)).code == 0
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert operator("pool", "update", "--file", str(copy), "--dry-run").lines == [
            "No changes: every pool matches the file."
        ]


def test_a_file_that_cannot_be_written_is_one_line(operator: Operator) -> None:
    ran = operator("pool", "generate-file", "--file", "/nosuch/pools.yaml")
    assert (ran.code, ran.err) == (
        1,
        "error: /nosuch/pools.yaml: No such file or directory; name another with --file\n",
    )


@pytest.mark.parametrize("spelling", ["show-config", "show_config"])
def test_show_config_prints_one_pool_or_all(operator: Operator, file: Path, spelling: str) -> None:
    file.write_text(FILE + "- name: second\n")
    operator("pool", "update", "--file", str(file))
    one = operator("pool", spelling)
    assert one.lines[:3] == ["", "Pool Configuration:", "-------------------"]
    (spec,) = poolfile.parse(one.out.partition("-\n")[2], "shown")
    assert (spec.id, spec.name) == (DEFAULT_POOL_ID, "default")
    every = operator("pool", spelling, "--all_pools")
    assert [s.name for s in poolfile.parse(every.out.partition("-\n")[2], "shown")] == ["default", "second"]
    named = operator("pool", spelling, "--pool_id", DEFAULT_POOL_ID.replace("-", ""))
    assert named.out == one.out
    wrong = operator("pool", spelling, "--pool_id", "nonsense")
    assert (wrong.code, wrong.err) == (1, "Not a valid uuid: nonsense\n")
    gone = operator("pool", spelling, "--pool-id", "00000000-0000-0000-0000-000000000001")
    assert (gone.code, gone.err) == (1, "error: Pool not found\n")


def test_show_config_is_what_tools_parse(operator: Operator, file: Path) -> None:
    """The form of `designate-manage pool show_config`: every key, in alphabetical order, empty ones too."""
    file.write_text("- name: default\n  ns_records:\n  - {hostname: ns1.example.net., priority: 1}\n")
    operator("pool", "update", "--file", str(file))
    shown = operator("pool", "show_config", "--all")
    assert shown.lines[3] == "- also_notifies: []"
    (pool,) = yaml.safe_load(shown.out.partition("-\n")[2])
    assert list(pool) == sorted(pool)
    assert set(pool) == {
        "also_notifies", "attributes", "description", "id", "name", "nameservers", "ns_records", "targets"
    }  # fmt: skip
    assert operator("pool", "show_config", "--all-pools").out == shown.out
    assert shown.err == ""


def test_a_database_without_pools_says_what_comes_next(operator: Operator) -> None:
    shown = operator("pool", "show-config")
    assert (shown.code, shown.out) == (1, "")
    assert "redesignate manage pool update --file" in shown.err


def test_backends_and_their_options_are_checked_unless_told_not_to(operator: Operator, file: Path) -> None:
    for wrong, told in (("rndc_prot: 953", "rndc_prot"), ("rndc_port: many", "rndc_port")):
        file.write_text(FILE.replace("rndc_port: 953", wrong))
        ran = operator("pool", "update", "--file", str(file))
        assert ran.code == 1
        assert len(ran.err.splitlines()) == 1
        assert ran.err.startswith(f"error: {file}: pool 'default', target of type 'bind9': options:")
        assert told in ran.err
        assert "known" in ran.err
    file.write_text(FILE.replace("type: bind9", "type: bind10"))
    ran = operator("pool", "update", "--file", str(file))
    assert ran.code == 1
    assert "there is no backend of this name; known: bind9" in ran.err
    assert operator("pool", "update", "--file", str(file), "--skip-verify-drivers").code == 0


def test_a_pool_that_cannot_serve_is_warned_of(operator: Operator, file: Path) -> None:
    file.write_text("- name: empty\n")
    ran = operator("pool", "update", "--file", str(file))
    assert ran.code == 0
    assert [line.split(": ")[3] for line in ran.err.splitlines()] == ["ns_records", "nameservers", "targets"]


def test_an_id_that_another_pool_of_the_name_lacks_is_refused(operator: Operator, file: Path) -> None:
    operator("pool", "update", "--file", str(file))
    file.write_text(FILE.replace("- name: default", "- id: 00000000-0000-0000-0000-00000000000a\n  name: default"))
    ran = operator("pool", "update", "--file", str(file), "--dry-run")
    told = f"error: {file}: pool default: id: is {DEFAULT_POOL_ID} in the database; write that, or another name\n"
    assert (ran.code, ran.err) == (1, told)


def test_what_central_refuses_names_file_and_pool(operator: Operator, file: Path) -> None:
    operator("pool", "update", "--file", str(file))
    file.write_text("- name: default\n  ns_records: []\n")
    ran = operator("pool", "update", "--file", str(file))
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == f"error: {file}: pool default: Not allowed to delete last of servers"


def test_a_file_of_many_pools_shows_progress_on_a_terminal(operator: Operator, file: Path) -> None:
    entry = "- name: pool{0}\n  ns_records: [{{hostname: ns{0}.example.net., priority: 1}}]\n"
    file.write_text("".join(entry.format(n) for n in range(60)))
    ticks = itertools.count(0, SECOND)
    operator.clock = lambda: next(ticks)
    ran = operator("pool", "update", "--file", str(file), terminal=True)
    assert ran.code == 0
    assert "60/60 (" in ran.err
    assert len(operator("pool", "show-config", "--all-pools").out.split("- also_notifies:")) == 61


def test_an_update_goes_through_more_pools_than_a_page(operator: Operator, file: Path) -> None:
    file.write_text(FILE)
    operator("pool", "update", "--file", str(file))
    file.write_text("".join(f"- name: pool{n:03}\n" for n in range(230)))
    assert operator("pool", "update", "--file", str(file)).code == 0
    again = operator("pool", "update", "--file", str(file), "--dry-run", "--delete")
    assert again.lines[-1] == "Delete Pool: default"
    assert len(again.lines) == 3
