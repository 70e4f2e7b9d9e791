# SPDX-License-Identifier: Apache-2.0
"""`status upgrade check`: what it finds, and its exit codes, which deployment tools read."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from redesignate.store import migrate
from tests.run.test_arguments import called


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A configuration with a database that is up to date."""
    url = f"sqlite:///{tmp_path}/x.db"
    lines = ("[DEFAULT]", f"state_path = {tmp_path}", "[storage:sqlalchemy]", f"connection = {url}", "[oslo_policy]")
    (tmp_path / "designate.conf").write_text("\n".join(lines) + "\n")
    migrate.upgrade(url)
    return tmp_path


def checked(etc: Path) -> tuple[int, dict[str, str]]:
    """The exit code, and each check's result."""
    done = called("designate-status", "--config-file", str(etc / "designate.conf"), "upgrade", "check")
    assert done.stderr == ""
    lines = [line.split(None, 1) for line in done.stdout.splitlines() if line]
    found = [value for name, value in lines if name != "Details:"]
    return done.returncode, dict(zip(found[::2], found[1::2], strict=True))


def test_a_deployment_that_can_start_is_0(etc: Path) -> None:
    code, results = checked(etc)
    assert code == 0
    assert set(results.values()) == {"Success"}
    assert list(results) == ["Configuration", "Policy File JSON to YAML Migration", "Database Revision", "Secret Key"]


def test_a_database_that_is_behind_is_2(etc: Path) -> None:
    (etc / "x.db").unlink()
    code, results = checked(etc)
    assert (code, results["Database Revision"], results["Secret Key"]) == (2, "Failure", "Warning")
    assert called("designate-manage", "--config-file", str(etc / "designate.conf"), "database", "sync").returncode == 0
    assert checked(etc)[0] == 0


def test_a_policy_file_in_json_is_2(etc: Path) -> None:
    (etc / "policy.json").write_text("{}")
    with (etc / "designate.conf").open("a") as file:
        file.write("policy_file = policy.json\n")
    code, results = checked(etc)
    assert (code, results["Policy File JSON to YAML Migration"]) == (2, "Failure")


def test_a_secret_that_cannot_be_opened_is_1(etc: Path) -> None:
    engine = create_engine(f"sqlite:///{etc}/x.db")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO tsigkeys (id, name, algorithm, secret, scope, resource_id, created_at)"
            " VALUES ('i', 'k', 'hmac-sha256', 'sealed:gAAAA', 'POOL', 'p', 1)"
        )
    engine.dispose()
    code, results = checked(etc)
    assert (code, results["Secret Key"]) == (1, "Warning")


def test_a_configuration_that_cannot_be_read_is_2(etc: Path) -> None:
    (etc / "designate.conf").write_text("[service:worker]\nthreshold_percentage = many\n")
    assert checked(etc) == (2, {"Configuration": "Failure"})


def test_the_sink_says_that_it_is_not_there() -> None:
    done = called("designate-sink", "--config-file", "/etc/designate/designate.conf")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "no sink" in done.stderr
