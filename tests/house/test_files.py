# SPDX-License-Identifier: Apache-2.0
"""What stands in every file (the licence) and in none (a machine's paths, a package mirror)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.house.tree import ROOT, code, files, page, short

LICENCE = "# SPDX-License-Identifier: Apache-2.0"
TEXTS = {".py", ".md", ".toml", ".lock", ".cfg", ".ini", ".yaml", ".yml", ".conf", ".json", ".txt", ".sh", ".mako", ""}
LOCKS = (
    "requirements.lock", "requirements-test.lock", "requirements-mysqlclient.lock", "requirements-openstack.lock"
)  # fmt: skip

# somebody's home, checkout or tool folder; DevStack's folder is the same everywhere
MACHINE_PATH = re.compile(r"(?<![\w.$}\-])/(?:root|home|Users|mnt|work|workspace|opt(?!/stack\b))/\w")
# pip's and uv's ways to name an index, and the servers that mirrors run on
MIRROR = re.compile(
    r"(?:--|\bPIP_|\bUV_)(?:extra[-_])?(?:index|default)(?:[-_](?:url|index))?\b[= ]+\S*(?:http|file):|--find-links"
    r"|\b(?:artifactory|devpi|nexus|bandersnatch)\b|/simple/?$",
    re.IGNORECASE | re.MULTILINE,
)


def texts() -> list[Path]:
    """Every file that a person reads."""
    return [path for path in files() if path.suffix in TEXTS and path.name != "LICENSE"]


def test_every_python_file_opens_with_its_licence() -> None:
    bare = [
        short(path)
        for path in code()
        if (text := path.read_text())
        and LICENCE not in (text.splitlines()[:2] if text.startswith("#!") else text.splitlines()[:1])
    ]
    assert not bare, "\n".join(bare)


def test_the_licence_is_in_the_house() -> None:
    assert "Apache License" in page("LICENSE")
    assert "Version 2.0, January 2004" in page("LICENSE")


@pytest.mark.parametrize("pattern", [MACHINE_PATH, MIRROR], ids=["path", "mirror"])
def test_no_file_knows_the_machine_it_was_written_on(pattern: re.Pattern[str]) -> None:
    found = [
        f"{short(path)}: {match[0]}"
        for path in texts()
        if path != Path(__file__)
        for match in pattern.finditer(path.read_text(errors="replace"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (MACHINE_PATH, "cd /root/project"),
        (MACHINE_PATH, '"/home/me/x"'),
        (MIRROR, "--index-url https://mirror.example/simple"),
        (MIRROR, "PIP_EXTRA_INDEX_URL=file:///srv/x"),
        (MIRROR, "--find-links wheels"),
    ],
)
def test_a_machines_trace_is_seen(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_pins_everything_by_hash_and_names_no_server(lock: str) -> None:
    text = page(lock)
    assert "://" not in text
    for block in re.split(r"\n(?=[a-zA-Z0-9])", text.split("\n", 1)[1]):
        assert re.match(r"[a-z0-9.\-]+==\S+( ;| \\)", block), block[:80]
        assert "--hash=sha256:" in block, block[:80]


def test_the_lock_files_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads(page("pyproject.toml"))
    groups = project["dependency-groups"]
    wanted = {
        "requirements.lock": [*project["project"]["dependencies"], *groups["build"]],
        "requirements-test.lock": [*project["project"]["dependencies"], *groups["build"], *groups["dev"]],
        "requirements-mysqlclient.lock": project["project"]["optional-dependencies"]["mysqlclient"],
        "requirements-openstack.lock": groups["openstack"],
    }
    missing = []
    for lock, requirements in wanted.items():
        locked = set(re.findall(r"^([a-z0-9.\-]+)==", page(lock), re.MULTILINE))
        names = (re.split(r"[\[<>=!~; ]", one, maxsplit=1)[0] for one in requirements)
        missing += [f"{lock}: {name}" for name in names if re.sub(r"[-_.]+", "-", name).lower() not in locked]
    assert not missing, f"run `make lock`: {missing}"


def test_the_two_lock_files_of_one_environment_agree() -> None:
    def pins(lock: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9.\-]+)==(\S+)", page(lock), re.MULTILINE))

    product, tests = pins("requirements.lock"), pins("requirements-test.lock")
    assert {name: tests.get(name) for name in product} == product


def test_ci_runs_what_the_readme_says_and_nothing_else() -> None:
    lines = [line for line in page(".ci/run").splitlines() if line and not line.startswith("#")]
    assert lines == ["set -eu", 'cd "$(dirname "$0")/.."', "exec make test"]
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
