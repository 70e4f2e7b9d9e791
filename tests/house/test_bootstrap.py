# SPDX-License-Identifier: Apache-2.0
"""The environments are made with the Python that was named, and with no other."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bootstrap.py"
THIS = ".".join(map(str, sys.version_info[:2]))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of nothing, with an environment of Python 3.9 in which nothing was to be installed."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    lock = tmp_path / "requirements-openstack.lock"
    lock.write_text("# nothing\n")
    venv = tmp_path / ".venv-openstack"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").touch()
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.9.2\n")
    (venv / ".made-for-openstack").write_text(f"{tmp_path}\n{hashlib.sha256(lock.read_bytes()).hexdigest()}\n")
    return tmp_path


def bootstrap(checkout: Path, python: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(checkout / "scripts/bootstrap.py"), "openstack"]
    return subprocess.run(command, env={**os.environ, "PYTHON": python}, capture_output=True, text=True, check=False)


def test_a_python_that_cannot_be_used_is_one_line(checkout: Path) -> None:
    done = bootstrap(checkout, "python2.6")
    assert done.returncode == 1
    assert done.stderr.startswith("bootstrap: PYTHON=python2.6 names no Python 3.11 to 3.13")
    assert len(done.stderr.splitlines()) == 1


def test_an_environment_stays_until_another_python_is_named(checkout: Path) -> None:
    assert bootstrap(checkout, "").stderr == ""
    done = bootstrap(checkout, sys.executable)
    assert done.returncode == 0, done.stderr
    assert f"making .venv-openstack with Python {THIS}" in done.stderr
    assert f"version = {THIS}" in (checkout / ".venv-openstack/pyvenv.cfg").read_text()
    assert bootstrap(checkout, sys.executable).stderr == ""
