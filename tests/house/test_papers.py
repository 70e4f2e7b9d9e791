# SPDX-License-Identifier: Apache-2.0
"""The papers hold together: links lead somewhere, commands exist, decisions have their form."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.house.tree import ROOT, files, page, short

LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|~~~.*?~~~|`[^`\n]*`", re.DOTALL)
PAPERS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
ADR_HEADINGS = ["Status", "Question", "Choice", "Why not the others", "What would change our mind"]


def anchors(text: str) -> set[str]:
    """The names under which a page's headings can be linked to."""
    headings = re.findall(r"^#+ +(.+?) *#*$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def broken(path: Path, text: str) -> list[str]:
    """The links of a page that lead nowhere in this repository."""
    wrong = []
    for found in LINK.finditer(CODE.sub("", text)):
        target = unquote(found[1] or found[2])
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there.read_text())):
            wrong.append(f"{short(path)}: {target}")
    return wrong


def test_the_index_of_the_docs_has_every_page() -> None:
    index = page("docs/README.md")
    pages = [*files(".md", under=ROOT / "docs/backends"), *(ROOT / "docs").glob("*.md")]
    names = [str(path.relative_to(ROOT / "docs")) for path in pages if path.name not in ("README.md", "plan.md")]
    assert [name for name in names if f"({name}" not in index] == []


@pytest.mark.parametrize("paper", PAPERS)
def test_the_house_has_its_paper(paper: str) -> None:
    assert page(paper)


def test_links_lead_somewhere() -> None:
    wrong = [fault for path in files(".md") for fault in broken(path, path.read_text())]
    assert not wrong, "\n".join(wrong)


def test_a_broken_link_is_seen() -> None:
    here = ROOT / "README.md"
    assert broken(here, "[x](nowhere.md)")
    assert broken(here, "[x](CONTRIBUTING.md#no-such-heading)")
    assert not broken(here, "`[x](nowhere.md)` [y](https://example.org/x) [z](LICENSE)")


def test_every_make_command_in_the_papers_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", page("Makefile"), re.MULTILINE))
    wrong = [
        f"{short(path)}: make {target}"
        for path in files(".md")
        for target in re.findall(r"(?:^|`|\$ )make ([a-z][a-z0-9-]*)\b", path.read_text(), re.MULTILINE)
        if target not in targets
    ]
    assert not wrong, "\n".join(wrong)


def test_the_readme_names_the_commands() -> None:
    readme = page("README.md")
    assert not [target for target in ("serve", "test", "check", "bench") if f"make {target}" not in readme]


def test_every_target_is_in_the_help() -> None:
    makefile = page("Makefile")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert set(phony.split()) == set(re.findall(r"^([a-z0-9-]+):.* ## \S", makefile, re.MULTILINE))


def test_every_decision_has_its_form_and_number() -> None:
    records = sorted(path for path in files(".md", under=ROOT / "docs/adr") if path.name[:4].isdigit())
    assert records
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        assert re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE) == ADR_HEADINGS, short(path)
        assert path.read_text().startswith(f"# {path.name[:4]} "), short(path)


def test_every_fragment_of_the_changelog_says_what_kind_of_change_it_is() -> None:
    kinds = {"added", "changed", "deprecated", "removed", "fixed", "security"}
    fragments = [path for path in files(".md", under=ROOT / "changelog.d") if path.name != "README.md"]
    wrong = [short(path) for path in fragments if path.name.split(".")[-2] not in kinds]
    assert not wrong
