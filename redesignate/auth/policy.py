# SPDX-License-Identifier: Apache-2.0
"""Decides what a caller may do: the built-in rules of `auth/rules.py`, overridden by policy.yaml and policy.d.

oslo.policy evaluates them. The files are checked at most once a second, and verdicts kept until they change: one
costs a few microseconds. A file that becomes invalid at run time changes nothing and is logged; at start it is refused.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import Any

from oslo_config import cfg
from oslo_policy import policy as oslo

from redesignate.auth.rules import RULES, Rule
from redesignate.model.caller import Caller
from redesignate.model.errors import Forbidden, InvalidTokenScope, Misconfigured
from redesignate.observe.log import events

log = events(__name__)

LOOK_EVERY = 1.0
MEMORY = 20_000
_IN_TARGET = re.compile(r"%\(([^)]*)\)")
_PURE = {"TrueCheck", "FalseCheck", "NotCheck", "AndCheck", "OrCheck", "RuleCheck", "RoleCheck", "GenericCheck"}
_SINCE = "W"
_WHY = "reader and member roles stand beside the owning project"
_ABSENT = object()

Print = tuple[tuple[str, int, int], ...]
"""The state of the policy files: path, time of change in nanoseconds, size."""


def beside(files: Sequence[str]) -> Policy:
    """The rules as processes decide that read these configuration files. Raises Misconfigured."""
    conf = cfg.ConfigOpts()
    conf(args=[], project="designate", default_config_files=list(files), default_config_dirs=[])
    return Policy(conf)


def list_rules() -> list[oslo.RuleDefault]:
    """The built-in rules in oslo.policy's form (entry point `oslo.policy.policies`)."""
    return [_default(rule) for rule in RULES]


def _default(rule: Rule) -> oslo.RuleDefault:
    old = None
    if rule.legacy is not None:
        old = oslo.DeprecatedRule(rule.name, rule.legacy, deprecated_reason=_WHY, deprecated_since=_SINCE)
    return oslo.RuleDefault(
        name=rule.name,
        check_str=rule.check,
        description=rule.guards,
        deprecated_rule=old,
        scope_types=None if rule.any_scope else ["project"],
    )


def get_enforcer() -> oslo.Enforcer:
    """An enforcer over the operator's files (entry point `oslo.policy.enforcer`, for oslo's tools).

    `--config-file` and `--config-dir` of the tool's own command line are read too.
    """
    known = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    known.add_argument("--config-file", action="append", default=[])
    known.add_argument("--config-dir", action="append", default=[])
    given, _ = known.parse_known_args(sys.argv[1:])
    words = [word for file in given.config_file for word in ("--config-file", file)]
    words += [word for folder in given.config_dir for word in ("--config-dir", folder)]
    conf = cfg.CONF  # oslopolicy-validator reads it beside the enforcer
    conf(args=words, project="designate", prog="redesignate")
    return _enforcer(conf)


def _enforcer(conf: cfg.ConfigOpts) -> oslo.Enforcer:
    made = oslo.Enforcer(conf)
    made.suppress_default_change_warnings = True
    made.register_defaults(list_rules())
    return made


@dataclass(slots=True)
class _Loaded:
    """The rules of one state of the files, and the verdicts given by them so far.

    reads   rule name to the target's members that its check looks at; None where a verdict must not be kept,
            because it depends on more than caller and target (an `http:` check asks a server)
    """

    enforcer: oslo.Enforcer
    seen: Print
    looked: float
    reads: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    verdicts: dict[tuple[object, ...], bool] = field(default_factory=dict)


class Policy:
    """Decides by the rules; safe to share between threads."""

    def __init__(self, conf: cfg.ConfigOpts | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`conf` gives the paths of policy.yaml and policy.d; None: the built-in rules only.

        Raises Misconfigured if a policy file cannot be parsed.
        """
        if conf is None:
            conf = cfg.ConfigOpts()
            conf(args=[], default_config_files=[], default_config_dirs=[])
            self._files: Callable[[], tuple[str, ...]] = tuple
        else:
            named = conf
            self._files = lambda: _policy_files(named)
        self._conf = conf
        self._scoped = _enforces_scope(conf)
        self._clock = clock
        self._now = self._load(_print(self._files()))

    def may(self, rule: str, caller: Caller, target: Mapping[str, object]) -> None:
        """Return if the caller may do it.

        target   members of the object acted on; `project_id` and `tenant_id` are synonyms
        Raises InvalidTokenScope if the rule needs a project's token, Forbidden.
        Cost   a few microseconds; once a second, a check of the policy files.
        """
        if not self.allows(rule, caller, target):
            if self._scoped and not _in_scope(rule, caller):
                raise InvalidTokenScope("The token's scope does not fit; a project's is needed.")
            raise Forbidden(f"The policy rule {rule} does not allow this to your roles in this project.")

    def allows(self, rule: str, caller: Caller, target: Mapping[str, object]) -> bool:
        """Whether the caller may do it."""
        now = self._now
        if self._clock() - now.looked >= LOOK_EVERY:
            now = self._look()
        if self._scoped and (caller.system_scope or caller.domain_id) and not _in_scope(rule, caller):
            return False
        reads = now.reads.get(rule, ())
        if rule not in now.reads:
            reads = now.reads[rule] = _reads(now.enforcer, rule)
        if reads is None:
            return _decide(now.enforcer, rule, caller, target)
        key = (rule, *_identity(caller), *[_value(target, name) for name in reads])
        try:
            verdict = now.verdicts.get(key)
        except TypeError:  # a list among the target's values
            return _decide(now.enforcer, rule, caller, target)
        if verdict is None:
            verdict = _decide(now.enforcer, rule, caller, target)
            if len(now.verdicts) >= MEMORY:
                now.verdicts.clear()
            now.verdicts[key] = verdict
        return verdict

    def _look(self) -> _Loaded:
        """Load the files again where they have changed."""
        now = self._now
        now.looked = self._clock()
        seen = _print(self._files())
        if seen == now.seen:
            return now
        now.seen = seen
        try:
            self._now = self._load(seen)
        except Misconfigured as bad:
            log.error("policy files changed but are not valid; the earlier rules stay in force", why=bad.message)
        else:
            log.info("policy files changed and are in force", files=[path for path, *_ in seen])
        return self._now

    def _load(self, seen: Print) -> _Loaded:
        for path, *_ in seen:
            _check_file(path)
        enforcer = _enforcer(self._conf)
        if seen:
            enforcer.load_rules()
        else:
            enforcer.set_rules(_built_in(enforcer), use_conf=False)
        try:
            enforcer.check_rules(raise_on_violation=True)
        except oslo.InvalidDefinitionError as bad:
            files = ", ".join(path for path, *_ in seen)
            raise Misconfigured(f"{files}: {bad}; correct the rule: names in these files") from bad
        return _Loaded(enforcer=enforcer, seen=seen, looked=self._clock())


_NAMES = {rule.name for rule in RULES}
_ANY_SCOPE = {rule.name for rule in RULES if rule.any_scope}
_identity = attrgetter(
    "roles", "project_id", "user_id", "user_domain_id", "project_domain_id", "domain_id", "system_scope"
)
"""What a caller has that a check may look at."""


def _in_scope(rule: str, caller: Caller) -> bool:
    """Whether the rule takes a token of this scope."""
    return not (caller.system_scope or caller.domain_id) or rule in _ANY_SCOPE or rule not in _NAMES


def _enforces_scope(conf: cfg.ConfigOpts) -> bool:
    """Whether a rule for projects refuses other tokens. Newer versions of oslo.policy no longer have the option."""
    if "oslo_policy" not in conf:
        oslo.Enforcer(conf)
    if "enforce_scope" not in conf.oslo_policy:
        conf.register_opt(cfg.BoolOpt("enforce_scope", default=True), group="oslo_policy")
    return bool(conf.oslo_policy.enforce_scope)


def _policy_files(conf: cfg.ConfigOpts) -> tuple[str, ...]:
    """The policy files, in the order in which they are read."""
    if "oslo_policy" not in conf:
        oslo.Enforcer(conf)
    main = conf.find_file(conf.oslo_policy.policy_file)
    files = [main] if main else []
    for name in conf.oslo_policy.policy_dirs:
        folder = conf.find_file(name)
        if folder and os.path.isdir(folder):
            files += [os.path.join(folder, f) for f in sorted(os.listdir(folder)) if not f.startswith(".")]
    return tuple(file for file in files if os.path.isfile(file))


def _print(files: tuple[str, ...]) -> Print:
    stats = [(file, os.stat(file)) for file in files]
    return tuple((file, stat.st_mtime_ns, stat.st_size) for file, stat in stats)


def _check_file(path: str) -> None:
    """Refuse rules that oslo.policy would only log and then take as "nobody" or "everybody"."""
    if path.endswith(".json"):
        raise Misconfigured(f"{path}: JSON policy files are not read; convert it with oslopolicy-convert-json-to-yaml")
    try:
        with open(path, encoding="utf-8") as file:
            rules = oslo.parse_file_contents(file.read())
    except (ValueError, OSError) as bad:
        raise Misconfigured(f"{path}: {' '.join(str(bad).split())}; correct the YAML") from bad
    if not isinstance(rules, dict):
        raise Misconfigured(f'{path}: expected lines of the form "rule": "check"')
    for name, text in rules.items():
        if not isinstance(text, str):
            raise Misconfigured(f'{path}: rule {name}: expected a check string in quotes, such as "role:admin"')
        (check,) = oslo.Rules.from_dict({name: text}).values()
        if type(check).__name__ == "FalseCheck" and text.strip() != "!":
            raise Misconfigured(f"{path}: rule {name}: the check {text!r} cannot be parsed; correct it")
        if name not in _NAMES and (close := difflib.get_close_matches(name, _NAMES, 1, cutoff=0.85)):
            log.warning("policy file has a rule that is never used", file=path, rule=name, did_you_mean=close[0])


def _built_in(enforcer: oslo.Enforcer) -> dict[str, Any]:
    """The checks without any file; with the older ones OR-ed in if the operator configures them."""
    new_only = enforcer.conf.oslo_policy.enforce_new_defaults
    texts = {
        rule.name: rule.check if new_only or rule.legacy is None else f"({rule.check}) or ({rule.legacy})"
        for rule in RULES
    }
    return dict(oslo.Rules.from_dict(texts))


def _check_of(enforcer: oslo.Enforcer, rule: str) -> Any:
    """The parsed check of a rule; of an unknown name, the default rule's; None if there is none either."""
    try:
        return enforcer.rules[rule]
    except KeyError:
        return None


def _reads(enforcer: oslo.Enforcer, rule: str) -> tuple[str, ...] | None:
    """The target's members that a rule's check looks at, through the rules that it names."""
    names: set[str] = set()
    waiting: list[Any] = [_check_of(enforcer, rule)]
    while waiting:
        check = waiting.pop()
        kind = type(check).__name__
        if kind not in _PURE:
            return None
        if kind == "RuleCheck":
            waiting.append(_check_of(enforcer, check.match))
        waiting += getattr(check, "rules", ())
        waiting += [check.rule] if kind == "NotCheck" else ()
        names.update(_IN_TARGET.findall(getattr(check, "match", "")))
    return tuple(sorted(names))


def _value(target: Mapping[str, object], name: str) -> object:
    """A member of the target; `tenant_id` is how older files spell `project_id`."""
    value = target.get(name, _ABSENT)
    if value is _ABSENT and name in _TWINS:
        value = target.get(_TWINS[name], _ABSENT)
    return value.value if isinstance(value, Enum) else value


_TWINS = {
    "tenant_id": "project_id",
    "project_id": "tenant_id",
    "target_tenant_id": "target_project_id",
    "target_project_id": "target_tenant_id",
}


def _decide(enforcer: oslo.Enforcer, rule: str, caller: Caller, target: Mapping[str, object]) -> bool:
    names = {*target, *(_TWINS[name] for name in target if name in _TWINS)}
    facts = {name: _value(target, name) for name in names}
    check = _check_of(enforcer, rule)
    return check is not None and bool(check(facts, _credentials(caller), enforcer, rule))


def _credentials(caller: Caller) -> dict[str, object]:
    """The caller's data for rules. Absent rather than None: no project must not match a zone without a project."""
    known = {
        "user_id": caller.user_id,
        "user_domain_id": caller.user_domain_id,
        "system_scope": caller.system_scope,
        "system": caller.system_scope,
        "domain_id": caller.domain_id,
        "project_id": caller.project_id,
        "tenant_id": caller.project_id,
        "project_domain_id": caller.project_domain_id,
    }
    return {name: value for name, value in known.items() if value is not None} | {
        "roles": list(caller.roles),
        "is_admin_project": True,
    }
