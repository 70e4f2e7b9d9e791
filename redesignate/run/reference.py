# SPDX-License-Identifier: Apache-2.0
"""Makes docs/commands.md from the parsers: `python -m redesignate.run.reference docs/commands.md` rewrites it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from redesignate.manage.main import parser as manage_parser
from redesignate.run.main import command_parser

HEAD = """# Commands

Every command and its arguments; made by `python -m redesignate.run.reference docs/commands.md`. The names
`designate-api`, `designate-central`, `designate-manage`, `designate-mdns`, `designate-producer` and `designate-worker`
run the command at their end.

Exit status: 0 done; 1 failed, with the reason in one line on standard error; 2 the command line is wrong.
`redesignate --debug …` adds the traceback to a failure.
"""


def page() -> str:
    """The whole page, in Markdown."""
    sections = [*_sections(command_parser()), *_sections(manage_parser())]
    return HEAD + "".join(f"\n{section}" for section in sections)


def _sections(parser: argparse.ArgumentParser) -> Iterator[str]:
    if parser.prog == "redesignate manage" and not parser.description:
        return  # its own parser describes it
    yield _section(parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in dict.fromkeys(action.choices.values()):
                yield from _sections(one)


def _section(parser: argparse.ArgumentParser) -> str:
    rows = [row for action in parser._actions if (row := _row(action))]
    table = ["", "| | |", "|---|---|", *rows] if rows else []
    return "\n".join([f"## `{parser.prog}`", "", parser.description or "", *table, ""])


def _row(action: argparse.Action) -> str | None:
    """One line of the table; none for `--help` and for the list of commands."""
    if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
        return None
    value = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper())
    takes = "" if action.nargs == 0 else f" {value}"
    name = ", ".join(f"`{one}{takes}`" for one in action.option_strings) or f"`{value}`"
    needed = " Required." if action.required and action.option_strings else ""
    return f"| {name} | {action.help or ''}{needed} |".replace("NAME|ID", "NAME or ID")


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        file.write_text(page(), encoding="utf-8")
