# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/configuration.md: `python -m redesignate.config.document docs/configuration.md` rewrites them."""

from __future__ import annotations

import sys
from pathlib import Path

from oslo_config import cfg

from redesignate.config.describe import default_text, old_spellings, takes
from redesignate.config.options import sections
from redesignate.config.service_options import IGNORED

BEGIN, END = "<!-- options: begin -->\n", "<!-- options: end -->\n"


def tables() -> str:
    """One table a section, in Markdown; options without effect last, in a line of their own."""
    return "\n".join(_section(name, options) for name, options in sections().items())


def rewritten(page: str) -> str:
    """The page with its tables as they should be. Raises ValueError where it has no place for them."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the lines {BEGIN.strip()} and {END.strip()}")
    return f"{head}{begin}\n{tables()}\n{end}{tail}"


def _section(name: str, options: list[cfg.Opt]) -> str:
    read = [option for option in options if not (option.help or "").startswith(IGNORED)]
    idle = [option for option in options if option not in read]
    lines = [f"### `[{name}]`", ""]
    if read:
        lines += ["| Option | Takes | Default | Meaning |", "|---|---|---|---|"]
        lines += [_row(name, option) for option in read]
        lines.append("")
    if idle:
        lines += ["Accepted, no effect:", ""]
        lines += [f"- `{option.dest}`: {(option.help or '').removeprefix(IGNORED)}" for option in idle]
        lines.append("")
    return "\n".join(lines)


def _row(section: str, option: cfg.Opt) -> str:
    default = default_text(option)
    old = old_spellings(option, section)
    also = f" Also read as {', '.join(f'`{one}`' for one in old)}." if old else ""
    shown = f"`{default}`" if default else ""
    cells = [f"`{option.dest}`", takes(option), shown, (option.help or "") + also]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        file.write_text(rewritten(file.read_text(encoding="utf-8")), encoding="utf-8")
