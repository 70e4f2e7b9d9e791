# SPDX-License-Identifier: Apache-2.0
"""The rules as published, over every kind of caller; and the files that override them."""

from __future__ import annotations

import itertools
import subprocess
import sys
import timeit
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from oslo_config import cfg
from oslo_policy import policy as oslo

from redesignate.auth import policy
from redesignate.auth.policy import LOOK_EVERY, Policy
from redesignate.auth.rules import RULES
from redesignate.model.caller import Caller, operator
from redesignate.model.errors import Forbidden, InvalidTokenScope, Misconfigured
from redesignate.model.zone import ZoneType

MINE, OTHER = "a" * 32, "b" * 32

PUBLISHED = {
    "admin": """all_tenants edit_managed_records use_low_ttl use_sudo hard_delete create_blacklist find_blacklists
        get_blacklist update_blacklist delete_blacklist use_blacklisted_zone create_pool find_pools find_pool get_pool
        update_pool delete_pool zone_create_forced_pool set_quota reset_quotas find_service_status
        find_service_statuses update_service_status delete_service_status find_tenants get_tenant count_tenants
        create_tld find_tlds get_tld update_tld delete_tld create_tsigkey find_tsigkeys get_tsigkey update_tsigkey
        delete_tsigkey abandon_zone purge_zones pool_move_zone find_zone_transfer_accepts""",
    "member": """share_zone get_zone_share find_project_zone_share unshare_zone create_zone update_zone delete_zone
        xfr_zone create_zone_import update_zone_import delete_zone_import create_zone_export zone_export
        update_zone_export delete_zone_export create_zone_transfer_request update_zone_transfer_request
        delete_zone_transfer_request default""",
    "reader": """find_records count_records get_recordsets find_recordset find_recordsets count_recordset get_zones
        get_zone_servers get_zone_ns_records find_zones count_zones count_zones_pending_notify find_zone_imports
        get_zone_import find_zone_exports get_zone_export get_zone_transfer_request_detailed
        get_zone_transfer_accept""",
    "reader or shared": "get_zone get_recordset",
    "reader or all": "get_quotas",
    "anyone": "find_zone_shares find_zone_transfer_requests",
    "transfer": "get_zone_transfer_request create_zone_transfer_accept",
    "rrset create": "create_recordset",
    "rrset write": "update_recordset delete_recordset",
    "old admin": "admin",
    "owner": "owner",
    "admin or owner": "admin_or_owner",
}
BY_RULE = {rule: kind for kind, rules in PUBLISHED.items() for rule in rules.split()}

Facts = Mapping[str, object]


def _owns(caller: Caller, target: Facts, key: str = "project_id") -> bool:
    return key in target and caller.project_id is not None and str(target[key]) == caller.project_id


def _member(caller: Caller, target: Facts) -> bool:
    return "admin" in caller.roles or ("member" in caller.roles and _owns(caller, target))


def _reader(caller: Caller, target: Facts) -> bool:
    return "admin" in caller.roles or ("reader" in caller.roles and _owns(caller, target))


def _shared(target: Facts) -> bool:
    return target.get("zone_shared") is True


def _primary(target: Facts) -> bool:
    return target.get("zone_type") == "PRIMARY"


def _on_zone(caller: Caller, target: Facts) -> bool:
    if "admin" in caller.roles:
        return target.get("zone_type") in ("PRIMARY", "SECONDARY")
    return _member(caller, target) and _primary(target)


EXPECTED: dict[str, Callable[[Caller, Facts], bool]] = {
    "admin": lambda c, t: "admin" in c.roles,
    "old admin": lambda c, t: "admin" in c.roles,
    "member": _member,
    "reader": _reader,
    "reader or shared": lambda c, t: _reader(c, t) or _shared(t),
    "reader or all": lambda c, t: _reader(c, t) or (t.get("all_tenants") is True and "reader" in c.roles),
    "anyone": lambda c, t: True,
    "transfer": lambda c, t: (
        _member(c, t)
        or _owns(c, t, "target_project_id")
        or ("target_project_id" in t and t["target_project_id"] is None)
    ),
    "rrset create": lambda c, t: _on_zone(c, t) or (_shared(t) and _primary(t)),
    "rrset write": lambda c, t: (
        _on_zone(c, t) or ("member" in c.roles and _owns(c, t, "recordset_project_id") and _primary(t))
    ),
    "owner": _owns,
    "admin or owner": lambda c, t: "admin" in c.roles or _owns(c, t),
}

ROLES: list[tuple[str, ...]] = [(), ("reader",), ("member",), ("member", "reader"), ("admin",), ("ADMIN", "other")]
CALLERS = [
    Caller(request_id="req-1", user_id="u", project_id=project, roles=tuple(r.lower() for r in roles))
    for project, roles in itertools.product((MINE, None), ROLES)
]


def _owned(project: str | None) -> dict[str, object]:
    return {"project_id": project, "tenant_id": project}


def _zone(kind: str, shared: bool) -> dict[str, object]:
    return {"zone_type": kind, "zone_shared": shared}


def _targets() -> list[dict[str, object]]:
    owners: list[dict[str, object]] = [{}, *map(_owned, (MINE, OTHER, None))]
    zones: list[dict[str, object]] = [
        {},
        *itertools.starmap(_zone, itertools.product(("PRIMARY", "SECONDARY", "CATALOG"), (True, False))),
    ]
    more: list[dict[str, object]] = [
        {},
        {"target_project_id": None},
        {"target_project_id": MINE, "recordset_project_id": MINE},
        {"target_project_id": OTHER, "recordset_project_id": OTHER, "all_tenants": False},
        {"all_tenants": True},
    ]
    return [{**a, **b, **c} for a, b, c in itertools.product(owners, zones, more)]


TARGETS = _targets()
BUILT_IN = Policy()


def test_the_published_rules_are_all_there_and_no_other() -> None:
    assert {rule.name for rule in RULES} == set(BY_RULE)
    assert len(RULES) == len(BY_RULE)


@pytest.mark.parametrize("rule", sorted(BY_RULE))
def test_a_rule_says_what_is_published_to_every_caller_on_every_target(rule: str) -> None:
    expected = EXPECTED[BY_RULE[rule]]
    for caller, target in itertools.product(CALLERS, TARGETS):
        assert BUILT_IN.allows(rule, caller, target) == expected(caller, target), (caller, target)


@pytest.mark.parametrize("rule", sorted(BY_RULE))
def test_a_verdict_is_the_one_that_oslo_policy_itself_gives(rule: str) -> None:
    enforcer = oslo.Enforcer(_conf())
    enforcer.register_defaults(policy.list_rules())
    for caller, target in itertools.product(CALLERS, TARGETS[::7]):
        facts = {name: value for name, value in vars_of(caller).items() if value is not None}
        assert BUILT_IN.allows(rule, caller, target) == enforcer.enforce(rule, target, facts), (caller, target)


def vars_of(caller: Caller) -> dict[str, object]:
    return {"roles": list(caller.roles), "project_id": caller.project_id, "user_id": caller.user_id}


@pytest.mark.parametrize("rule", sorted(BY_RULE))
def test_a_system_token_passes_the_rules_without_a_scope_alone(rule: str) -> None:
    caller = Caller(request_id="req-1", roles=("admin", "member", "reader"), system_scope="all")
    open_to_all = {"find_zone_shares", "find_zone_transfer_requests", "admin", "owner", "admin_or_owner", "default"}
    if rule in open_to_all:
        BUILT_IN.allows(rule, caller, {})
    else:
        with pytest.raises(InvalidTokenScope):
            BUILT_IN.may(rule, caller, {})
        assert not BUILT_IN.allows(rule, caller, {})


def test_a_refusal_names_the_rule_that_refused() -> None:
    with pytest.raises(Forbidden, match="The policy rule create_tld does not allow this"):
        BUILT_IN.may("create_tld", Caller(request_id="req-1", project_id=MINE, roles=("member",)), {})


def test_an_unknown_rule_is_the_default_rule() -> None:
    caller = Caller(request_id="req-1", project_id=MINE, roles=("member",))
    assert BUILT_IN.allows("count_recordsets", caller, {"project_id": MINE})
    assert not BUILT_IN.allows("count_recordsets", caller, {"project_id": OTHER})


def test_nobodys_project_does_not_own_nobodys_zone() -> None:
    caller = Caller(request_id="req-1", project_id=None, roles=("member", "reader"))
    assert not BUILT_IN.allows("get_zone", caller, {"project_id": None})


def test_the_operator_may_everything_an_admin_may() -> None:
    assert all(BUILT_IN.allows(r, operator("req-1"), {}) for r, kind in BY_RULE.items() if kind == "admin")


def test_an_enum_in_the_target_counts_by_its_value() -> None:
    caller = Caller(request_id="req-1", project_id=MINE, roles=("member",))
    assert BUILT_IN.allows("create_recordset", caller, {"project_id": MINE, "zone_type": ZoneType.PRIMARY})


def _conf(folder: Path | None = None, **options: object) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    files = []
    if folder is not None:
        main = folder / "redesignate.conf"
        lines = [f"{key} = {value}" for key, value in options.items()]
        main.write_text("\n".join(["[oslo_policy]", *lines]) + "\n")
        files = [str(main)]
    conf(args=[], default_config_files=files, default_config_dirs=[])
    return conf


class Time:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


ANNA = Caller(request_id="req-1", project_id=MINE, roles=("dns_boss",))


def test_a_policy_file_overrides_one_rule_and_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text('"create_tld": "role:dns_boss"\n')
    rules = Policy(_conf(tmp_path))
    assert rules.allows("create_tld", ANNA, {})
    assert not rules.allows("delete_tld", ANNA, {})


def test_a_folder_of_policies_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text('"create_tld": "!"\n')
    (tmp_path / "policy.d").mkdir()
    (tmp_path / "policy.d" / "10.yaml").write_text('"create_tld": "role:dns_boss"\n')
    assert Policy(_conf(tmp_path)).allows("create_tld", ANNA, {})


def test_override_files_of_old_find_tenant_id_and_admin_or_owner(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        '"create_zone": "rule:admin_or_owner"\n"get_zone": "tenant_id:%(tenant_id)s"\n'
    )
    rules = Policy(_conf(tmp_path))
    nobody = Caller(request_id="req-1", project_id=MINE, roles=())
    assert rules.allows("create_zone", nobody, {"project_id": MINE})
    assert rules.allows("get_zone", nobody, {"project_id": MINE})
    assert not rules.allows("create_zone", nobody, {"project_id": OTHER})


def test_old_defaults_are_added_where_the_operator_asks(tmp_path: Path) -> None:
    nobody = Caller(request_id="req-1", project_id=MINE, roles=())
    target = {"project_id": MINE, "zone_type": "PRIMARY", "zone_shared": False}
    new, old = Policy(_conf(tmp_path)), Policy(_conf(tmp_path, enforce_new_defaults=False))
    for rule in ("create_zone", "find_zones", "create_recordset", "delete_recordset", "get_zone"):
        assert not new.allows(rule, nobody, target)
        assert old.allows(rule, nobody, target), rule
    assert not old.allows("create_tld", nobody, target)
    assert not old.allows("create_recordset", nobody, {**target, "zone_type": "SECONDARY"})
    (tmp_path / "policy.yaml").write_text('"get_zone": "!"\n')
    both = Policy(_conf(tmp_path, enforce_new_defaults=False))
    assert both.allows("create_zone", nobody, target)
    assert not both.allows("get_zone", nobody, target)


def test_a_changed_file_counts_within_a_second_and_not_before_it_is_looked_at(tmp_path: Path) -> None:
    clock, file = Time(), tmp_path / "policy.yaml"
    rules = Policy(_conf(tmp_path), clock=clock)
    assert not rules.allows("create_tld", ANNA, {})
    file.write_text('"create_tld": "role:dns_boss"\n')
    assert not rules.allows("create_tld", ANNA, {})
    clock.now += LOOK_EVERY
    assert rules.allows("create_tld", ANNA, {})
    file.unlink()
    clock.now += LOOK_EVERY
    assert not rules.allows("create_tld", ANNA, {})


def test_a_file_that_turns_bad_leaves_the_rules_as_they_were(tmp_path: Path) -> None:
    clock, file = Time(), tmp_path / "policy.yaml"
    file.write_text('"create_tld": "role:dns_boss"\n')
    rules = Policy(_conf(tmp_path), clock=clock)
    file.write_text('"create_tld": ["role:dns_boss"\n')
    clock.now += LOOK_EVERY
    assert rules.allows("create_tld", ANNA, {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('"create_tld": ["role:admin"\n', "correct the YAML"),
        ('"create_tld":\n', "rule create_tld"),
        ("- create_tld\n", "expected lines of the form"),
        ('"create_tld": "role:admin and"\n', "cannot be parsed"),
        ('"create_tld": "rule:nosuch"\n', "nosuch|create_tld"),
        ('"a": "rule:b"\n"b": "rule:a"\n', "a|b"),
    ],
)
def test_a_wrong_policy_file_is_refused_at_start_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "policy.yaml").write_text(text)
    with pytest.raises(Misconfigured, match=told) as refusal:
        Policy(_conf(tmp_path))
    assert "policy.yaml" in refusal.value.message
    assert "\n" not in refusal.value.message


def test_json_policy_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text("{}")
    with pytest.raises(Misconfigured, match=r"policy\.json"):
        Policy(_conf(tmp_path, policy_file="policy.json"))


def test_a_question_costs_less_than_twenty_microseconds() -> None:
    target = {"project_id": MINE, "zone_type": "PRIMARY", "zone_shared": False, "zone_name": "example.org."}
    caller = CALLERS[3]
    best = min(timeit.repeat(lambda: BUILT_IN.may("create_recordset", caller, target), number=200, repeat=20))
    assert best / 200 < 20e-6


def test_verdicts_are_kept_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "MEMORY", 10)
    rules = Policy()
    for number in range(50):
        rules.allows("get_zone", CALLERS[1], {"project_id": str(number)})
    assert len(rules._now.verdicts) <= 10


def test_a_system_token_passes_a_projects_rule_where_the_operator_does_not_enforce_scopes(tmp_path: Path) -> None:
    system = Caller(request_id="req-1", user_id="u", roles=("admin",), system_scope="all")
    reader = Caller(request_id="req-1", user_id="u", roles=("reader",), domain_id="d")
    for text in ("enforce_scope = true", "", "enforce_new_defaults = false"):
        (tmp_path / "redesignate.conf").write_text(f"[oslo_policy]\n{text}\n")
        with pytest.raises(InvalidTokenScope):
            policy.beside([str(tmp_path / "redesignate.conf")]).may("create_tld", system, {})
    open_to_all = Policy(_conf(tmp_path, enforce_scope=False))
    open_to_all.may("create_tld", system, {})
    with pytest.raises(Forbidden):
        open_to_all.may("create_tld", reader, {})


SAME, OVERRIDDEN = '"create_tld": "role:admin"', '"delete_zone": "!"'


@pytest.mark.parametrize("namespace", ["designate", "redesignate"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("oslopolicy-sample-generator --namespace {namespace}", '#"find_tsigkeys": "role:admin"'),
        ("oslopolicy-list-redundant --namespace {namespace} --config-file {folder}/a.conf", SAME),
        ("oslopolicy-policy-generator --namespace {namespace} --config-file {folder}/a.conf", OVERRIDDEN),
        ("oslopolicy-policy-upgrade --namespace {namespace} --policy {folder}/p.yaml", "delete_zone: '!'"),
        ("oslopolicy-validator --namespace {namespace} --config-file {folder}/a.conf", ""),
        ("oslo-config-generator --namespace {namespace}.conf", "#threshold_percentage = 100"),
    ],
    ids=lambda given: given.split()[0] if given.startswith("oslo") else "",
)
def test_oslos_tools_know_the_rules_and_options_by_both_names(
    tmp_path: Path, namespace: str, words: str, said: str
) -> None:
    (tmp_path / "p.yaml").write_text(f"{SAME}\n{OVERRIDDEN}\n")
    (tmp_path / "a.conf").write_text(f"[oslo_policy]\npolicy_file = {tmp_path}/p.yaml\n")
    program, *given = words.format(namespace=namespace, folder=tmp_path).split()
    command = [str(Path(sys.executable).parent / program), *given]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert "Traceback" not in done.stderr


def test_the_sample_names_every_rule_with_its_default() -> None:
    assert {rule.name: rule.check_str for rule in policy.list_rules()} == {rule.name: rule.check for rule in RULES}
    assert {rule.name for rule in RULES} == set(BY_RULE)
