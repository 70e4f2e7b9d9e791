# SPDX-License-Identifier: Apache-2.0
"""docs/commands.md is what the parsers say."""

from __future__ import annotations

from redesignate.run.reference import page
from tests.house.tree import page as stored


def test_the_page_of_commands_is_what_the_parsers_say() -> None:
    assert stored("docs/commands.md") == page(), "run: python -m redesignate.run.reference docs/commands.md"


def test_every_command_has_its_section() -> None:
    for command in ("redesignate serve", "redesignate worker", "redesignate manage token create"):
        assert f"## `{command}`\n" in page()
