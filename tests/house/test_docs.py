# SPDX-License-Identifier: Apache-2.0
"""Every error kind, record type, option, policy rule and message has its line in docs/."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re

from redesignate.auth.rules import RULES
from redesignate.commands.table import ALL
from redesignate.config import settings
from redesignate.config.options import sections
from redesignate.model.errors import KINDS, Problem
from redesignate.model.rdata import TYPES
from tests.house.tree import PACKAGE, files, page, parsed, rows


def test_every_error_kind_has_its_line_with_its_status() -> None:
    told = {kind: row.split("|")[2].strip() for kind, row in rows(page("docs/errors.md")).items()}
    every: list[type[Problem]] = [Problem, *KINDS.values()]
    assert told == {problem.kind: str(problem.status) for problem in every}


def test_every_record_type_has_its_line() -> None:
    text = page("docs/record-types.md")
    missing = [
        name for name in TYPES if not re.search(rf"`{name}`|^#+ .*\b{name}\b|^\| *{name} *\|", text, re.MULTILINE)
    ]
    assert not missing


def test_every_option_has_its_line() -> None:
    text = page("docs/configuration.md")
    missing = []
    for section, options in sections().items():
        _, heading, rest = text.partition(f"\n### `[{section}]`\n")
        here = re.split(r"\n##+ ", rest, maxsplit=1)[0]
        missing += [f"[{section}] {option.dest}" for option in options if not heading or f"`{option.dest}`" not in here]
    assert not missing


def test_every_setting_is_read_by_somebody() -> None:
    """An option that nobody reads is said to have no effect, and has no place in the settings."""
    config = PACKAGE / "config"
    trees = [parsed(path) for path in files(".py", under=PACKAGE) if not path.is_relative_to(config)]
    read = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    kinds = inspect.getmembers(settings, dataclasses.is_dataclass)
    assert len(kinds) > 8
    assert not [f"{name}.{f.name}" for name, kind in kinds for f in dataclasses.fields(kind) if f.name not in read]


def test_every_policy_rule_has_its_line() -> None:
    missing = {rule.name for rule in RULES} - set(rows(page("docs/policy.md")))
    assert not missing


def test_every_message_has_its_line() -> None:
    commands = {str(command.__struct_config__.tag): command for command in ALL}
    told = rows(page("docs/messages.md"))
    assert set(told) == set(commands)
    nameless = [tag for tag, command in commands.items() if f"`{command.__name__}`" not in told[tag]]
    assert not nameless
