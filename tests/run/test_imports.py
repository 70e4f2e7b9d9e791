# SPDX-License-Identifier: Apache-2.0
"""What a command does not need it does not import: an operator's command starts as fast as it can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from redesignate.store import migrate

_RUN = """
import sys
from redesignate.run.main import main
code = main(sys.argv[1:])
assert code == 0, code
print("IMPORTED", *sorted({".".join(name.split(".")[: 1 + name.startswith("redesignate.")]) for name in sys.modules}))
"""
DATABASE = {"sqlalchemy", "alembic", "mako", "pymysql", "MySQLdb", "psycopg", "oslo_policy"}
NETWORK = {"amqp", "keystoneauth1", "keystonemiddleware", "falcon", "gunicorn", "tooz"}


ROOMS = {f"redesignate.{room}" for room in ("store", "central", "wire", "backends", "auth", "mdns", "worker")}


def imported(*words: str) -> set[str]:
    """The packages, and the rooms of ours, that a command has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *words], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("IMPORTED")[2].split())


@pytest.mark.parametrize("words", [["manage", "--help"], ["manage", "token", "--help"]])
def test_a_command_that_reads_no_database_imports_no_library_of_one(words: list[str]) -> None:
    assert not imported(*words) & (DATABASE | NETWORK | ROOMS | {"dns", "yaml", "cryptography"})


def test_a_command_over_a_database_imports_what_that_needs_and_nothing_to_upgrade_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db.sqlite"
    migrate.upgrade(url)
    config = tmp_path / "redesignate.conf"
    config.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n[storage:sqlalchemy]\nconnection = {url}\n")
    found = imported("--config-file", str(config), "manage", "token", "list")
    assert "sqlalchemy" in found
    assert not found & (NETWORK | {"alembic", "mako", "pymysql", "MySQLdb", "psycopg"})
