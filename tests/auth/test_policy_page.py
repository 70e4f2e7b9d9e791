# SPDX-License-Identifier: Apache-2.0
"""docs/policy.md says of every rule what the program says."""

from __future__ import annotations

import re
from pathlib import Path

from redesignate.auth.rules import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
ROW = re.compile(r"(?m)^\| `(\w+)`( \*)? \| (.+?) \| (.+?) \| (.+?) \|$")
BLOCKS = dict(re.findall(r"(?m)^\| ([\w+-]+) \| `(.+)` \|$", PAGE))


def _check(cell: str) -> str | None:
    if cell == "-":
        return None
    return cell.strip("`") if cell.startswith("`") else BLOCKS[cell]


def test_every_rule_has_its_row_and_no_row_is_of_nothing() -> None:
    told = {
        name: (_check(default), _check(legacy), guards, bool(star))
        for name, star, default, legacy, guards in ROW.findall(PAGE)
    }
    assert told == {rule.name: (rule.check, rule.legacy, rule.guards, rule.any_scope) for rule in RULES}
