# SPDX-License-Identifier: Apache-2.0
"""Imports run downhill: a room imports lower floors, or itself."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

import pytest

from tests.house.tree import PACKAGE, code, files, parsed, short

FLOORS = [
    ["model"],
    ["config", "observe"],
    ["commands", "threads"],
    ["wire", "store", "auth", "bus", "coord", "backends"],
    ["central", "mdns"],
    ["api", "worker", "producer", "manage"],
    ["run"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
TOP = {"__init__", "__main__", "wsgi"}
"""Modules beside the rooms: the version, and entry points that a WSGI server or `python -m` names."""


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything of ours that a module imports, inside functions and for type checkers too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "redesignate":
            yield from ((node.lineno, f"redesignate.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("redesignate."):
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.startswith("redesignate."))


def climbs(room: str, tree: ast.Module) -> list[str]:
    """The imports of a room's module that do not run downhill, as `line: room`."""
    wrong = []
    for line, name in imported(tree):
        there = name.split(".")[1]
        if there not in FLOOR:
            if not there.startswith("__"):  # `from redesignate import __version__` is a value, not a room
                wrong.append(f"{line}: {there} is not a room")
        elif there != room and FLOOR[there] >= FLOOR[room]:
            wrong.append(f"{line}: climbs to {there}/")
    return wrong


def test_imports_run_downhill() -> None:
    wrong = []
    for path in files(".py", under=PACKAGE):
        parts = path.relative_to(PACKAGE).parts
        if len(parts) > 1 and parts[0] in FLOOR:
            wrong += [f"{short(path)}:{fault}" for fault in climbs(parts[0], parsed(path))]
    assert not wrong, "\n".join(wrong)


def test_every_folder_is_a_room_and_every_module_beside_them_an_entry_point() -> None:
    parts = [path.relative_to(PACKAGE).parts for path in files(".py", under=PACKAGE)]
    assert {first for first, *rest in parts if rest} == set(FLOOR)
    assert {first.removesuffix(".py") for first, *rest in parts if not rest} <= TOP


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Inside a room the floors allow it, and a reader would have to know all of a circle at once."""
    modules = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): parsed(path)
        for path in files(".py", under=PACKAGE)
    }
    needs = {module: needed(tree, modules.keys()) for module, tree in modules.items()}
    while free := {module for module, wanted in needs.items() if not wanted & needs.keys()}:
        needs = {module: wanted for module, wanted in needs.items() if module not in free}
    assert not needs, "\n".join(f"{module}: {sorted(wanted & needs.keys())}" for module, wanted in needs.items())


def needed(tree: ast.Module, modules: Collection[str]) -> set[str]:
    """The modules of ours that a module imports, or takes something from."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("redesignate"):
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= whole & set(modules)
            if not whole <= set(modules):
                found.add(node.module or "")
    return found


def test_imports_are_absolute() -> None:
    relative = [
        f"{short(path)}:{node.lineno}"
        for path in code()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative, "\n".join(relative)


def test_threads_are_started_in_their_room_alone() -> None:
    """A thread needs a name, a bounded stop and a log of its failure: `threads/` has them once."""
    started = [
        f"{short(path)}:{node.lineno}"
        for path in files(".py", under=PACKAGE)
        if not path.is_relative_to(PACKAGE / "threads")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).removeprefix("threading.") in {"Thread", "Timer"}
    ]
    assert not started, "\n".join(started)


def test_a_migration_says_by_itself_what_it_makes() -> None:
    """What it imported of the store would change, and with it what the migration makes."""
    wrong = [
        f"{short(path)}:{line}: {name}"
        for path in files(".py", under=PACKAGE / "store" / "migrations" / "versions")
        for line, name in imported(parsed(path))
        if name.split(".")[1] != "model"
    ]
    assert not wrong, "\n".join(wrong)


def test_the_package_never_imports_its_tests() -> None:
    wrong = [
        f"{short(path)}:{node.lineno}"
        for path in files(".py", under=PACKAGE)
        for node in ast.walk(parsed(path))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"tests", "bench"})
        or (
            isinstance(node, ast.Import) and any(alias.name.split(".")[0] in {"tests", "bench"} for alias in node.names)
        )
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("store", "from redesignate.central.zones import create_zone"),
        ("store", "import redesignate.central.zones as zones"),
        ("store", "def late():\n    from redesignate.bus import port"),
        ("wire", "from redesignate import store"),
        ("model", "from redesignate.config import load"),
        ("api", "from redesignate.worker import plan"),
        ("api", "from redesignate.common import tools"),
    ],
)
def test_a_climb_is_seen(room: str, source: str) -> None:
    assert climbs(room, ast.parse(source))


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("central", "from redesignate.store.zones import lock"),
        ("store", "import redesignate.model.zone"),
        ("run", "from redesignate import api, __version__"),
        ("api", "from redesignate.api import shapes"),
        ("model", "import redesignated"),
    ],
)
def test_a_way_down_is_free(room: str, source: str) -> None:
    assert not climbs(room, ast.parse(source))
