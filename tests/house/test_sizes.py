# SPDX-License-Identifier: Apache-2.0
"""Files of at most 400 lines (tests 500), functions of 50; a file that passes the stop says why under its licence."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.house.tree import ROOT, code, parsed, short

STOP, STOP_TESTS, STOP_FUNCTION = 400, 500, 50
REASON = "# Long because "


def too_long(path: Path, text: str) -> bool:
    """Whether a file passes its stop and gives no reason under the licence line."""
    lines = text.splitlines()
    stop = STOP_TESTS if path.is_relative_to(ROOT / "tests") else STOP
    return len(lines) > stop and not any(line.startswith(REASON) for line in lines[:3])


def test_no_file_passes_the_stop_without_a_reason() -> None:
    assert not [short(path) for path in code() if too_long(path, path.read_text())]


def test_no_function_passes_the_stop() -> None:
    long = [
        f"{short(path)}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path in code()
        if not path.is_relative_to(ROOT / "tests")  # a test may be one long table
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > STOP_FUNCTION
    ]
    assert not long, "\n".join(long)


def test_a_long_file_is_seen_and_a_reason_lets_it_pass() -> None:
    body = "x = 1\n" * (STOP + 1)
    assert too_long(ROOT / "redesignate/x.py", body)
    assert not too_long(ROOT / "tests/x.py", body)
    assert not too_long(ROOT / "redesignate/x.py", f"# SPDX\n{REASON}it is one table\n{body}")
