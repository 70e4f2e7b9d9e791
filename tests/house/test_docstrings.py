# SPDX-License-Identifier: Apache-2.0
"""Every public thing of the package says what it is.

Three kinds may be silent or told elsewhere: an empty `__init__`, the members of a Protocol in the Protocol's own
docstring, and the commands, each of which has its line in docs/messages.md (`test_docs.py` holds that).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.tree import PACKAGE, files, parsed, short

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def silent(tree: ast.Module) -> Iterator[str]:
    """Names of a module's public things that have no docstring; the module's own is the empty name."""
    if tree.body and not ast.get_docstring(tree):
        yield ""
    yield from _below(tree.body, "")


def _below(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not _is_command(node) and not _is_overload(node):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef) and not (_is(node, "Protocol") and ast.get_docstring(node)):
            yield from _below(node.body, f"{prefix}{node.name}.")


def _is_command(node: Definition) -> bool:
    return _is(node, "Command") or _is(node, "CallerCommand")


def _is(node: Definition, base: str) -> bool:
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    plain = [one.value if isinstance(one, ast.Subscript) else one for one in bases]
    return any(isinstance(one, ast.Name) and one.id == base for one in plain)


def _is_overload(node: Definition) -> bool:
    marks = [mark.attr if isinstance(mark, ast.Attribute) else mark for mark in node.decorator_list]
    return any(
        mark in ("setter", "deleter") or (isinstance(mark, ast.Name) and mark.id == "overload") for mark in marks
    )


def test_every_public_thing_has_a_docstring() -> None:
    wrong = [
        f"{short(path)}: {name or 'the module'}"
        for path in files(".py", under=PACKAGE)
        for name in silent(parsed(path))
    ]
    assert not wrong, "\n".join(wrong)


def test_a_silent_function_and_a_silent_method_are_seen() -> None:
    tree = ast.parse(
        '"""Said."""\ndef f(): ...\nclass A:\n    """Said."""\n    def g(self): ...\n    def _h(self): ...'
    )
    assert list(silent(tree)) == ["f", "A.g"]
