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


@pytest.mark.parametrize("name", ["python3.11", "python3.13", "python3"])
def test_any_name_that_a_python_has_will_do(checkout: Path, tmp_path: Path, name: str) -> None:
    """A bare machine may have python3.11 alone."""
    shutil.copy(SCRIPT.with_suffix(""), checkout / "scripts")
    only = tmp_path / "bin"
    only.mkdir()
    (only / name).symlink_to(sys.executable)
    (only / "sh").symlink_to("/bin/sh")
    command = [str(checkout / "scripts/bootstrap"), "nothing"]
    done = subprocess.run(command, env={"PATH": str(only)}, capture_output=True, text=True, check=False)
    assert done.stderr == "bootstrap: say which environments: serve test mysqlclient openstack\n"


@pytest.mark.parametrize(
    ("missing", "code", "says"),
    [
        ("", 0, ""),
        ("libmariadb-dev python3.99-dev", 0, "(without libmariadb-dev python3.99-dev mysqlclient is left out)"),
        ("postgresql", 1, "Debian packages are missing; as root: apt-get install postgresql"),
        ("postgresql gcc", 1, "as root: apt-get install postgresql gcc"),
    ],
)
def test_only_what_the_servers_need_is_needed_by_the_tests(tmp_path: Path, missing: str, code: int, says: str) -> None:
    """And the headers are those of the Python that was named."""
    stubs = {
        "dpkg-query": f'for last; do :; done; case " {missing} " in *" $last "*) ;; *) echo installed ;; esac',
        "id": "echo 1000",
        "python3.99": "echo python3.99-dev",
    }
    for name, text in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    for name in ("sh", "tr", "cat"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    environment = {"PATH": str(tmp_path), "PYTHON": "python3.99"}
    script = str(SCRIPT.parent / "install-test-needs")
    done = subprocess.run(["/bin/sh", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    assert done.stdout == ""


def test_a_machine_without_python_is_told_what_to_install(checkout: Path) -> None:
    shutil.copy(SCRIPT.with_suffix(""), checkout / "scripts")
    command = [str(checkout / "scripts/bootstrap"), "serve"]
    done = subprocess.run(command, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "apt-get install python3" in done.stderr


def test_every_make_target_finds_a_python_of_any_name() -> None:
    assert "bootstrap.py" not in (SCRIPT.parents[1] / "Makefile").read_text()


def test_the_example_without_its_programs_names_their_packages(tmp_path: Path) -> None:
    script = str(SCRIPT.parents[1] / "examples/bind.sh")
    done = subprocess.run(
        ["/bin/sh", "-c", f"PATH=/nowhere; command() {{ return 1; }}; set -- 1; . {script}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "bind.sh: there is no named; on Debian, as root: apt-get install bind9 bind9-utils\n"


def test_an_environment_stays_until_another_python_is_named(checkout: Path) -> None:
    assert bootstrap(checkout, "").stderr == ""
    done = bootstrap(checkout, sys.executable)
    assert done.returncode == 0, done.stderr
    assert f"making .venv-openstack with Python {THIS}" in done.stderr
    assert f"version = {THIS}" in (checkout / ".venv-openstack/pyvenv.cfg").read_text()
    assert bootstrap(checkout, sys.executable).stderr == ""
