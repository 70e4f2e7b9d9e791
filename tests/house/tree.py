# SPDX-License-Identifier: Apache-2.0
"""The files of the house, as its tests read them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "redesignate"
NOT_OURS = {"__pycache__", "build", "dist", "state", "node_modules"}


def files(*suffixes: str, under: Path = ROOT) -> list[Path]:
    """Every file of the project (all, or with one of the suffixes), without environments, caches and build results."""
    return [path for path in _all() if path.is_relative_to(under) and (not suffixes or path.suffix in suffixes)]


def code() -> list[Path]:
    """Every Python file."""
    return files(".py")


@cache
def _all() -> list[Path]:
    return sorted(_walk())


def _walk() -> Iterator[Path]:
    for folder, below, names in os.walk(ROOT):
        below[:] = [
            name
            for name in below
            if name not in NOT_OURS and not name.endswith(".egg-info") and (name == ".ci" or not name.startswith("."))
        ]
        yield from (Path(folder, name) for name in names if name != ".git" and not name.endswith((".pyc", ".new")))


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(), filename=str(path))


def short(path: Path) -> str:
    """The path as a person says it."""
    return str(path.relative_to(ROOT))


def page(name: str) -> str:
    """The text of a page that the house must have. Raises AssertionError where it is missing."""
    path = ROOT / name
    assert path.exists(), f"{name} is not written yet"
    return path.read_text()


def rows(text: str) -> dict[str, str]:
    """The rows of a page's tables by the word in backticks that opens each."""
    found = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            found[line[3:].split("`", 1)[0]] = line
    return found
