# SPDX-License-Identifier: Apache-2.0
"""`status upgrade check`: whether this release can start with the configuration, the policy files and the database.

Exit codes: 0 all is well, 1 there are warnings, 2 something is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from redesignate.manage.job import Job
from redesignate.model.errors import Problem


class Result(IntEnum):
    """The outcome of a check; the worst is the command's exit code."""

    SUCCESS = 0
    WARNING = 1
    FAILURE = 2


class Finding(NamedTuple):
    """A result, and what to do about it."""

    result: Result
    details: str = ""


def check(job: Job) -> int:
    """Print what each check finds; the exit code is the worst result."""
    worst = Result.SUCCESS
    for name, look in CHECKS.items():
        try:
            finding = look(job)
        except Problem as problem:
            finding = Finding(Result.FAILURE, problem.message or problem.kind)
        worst = max(worst, finding.result)
        job.screen.line(f"Check:   {name}")
        colour = ("green", "yellow", "red")[finding.result]
        job.screen.line(f"Result:  {finding.result.name.capitalize()}", colour)
        job.screen.line(f"Details: {finding.details or 'None'}\n")
        if look is _configuration and finding.result is Result.FAILURE:
            break  # the others read it
    return worst


def _configuration(job: Job) -> Finding:
    files = ", ".join(job.settings.files)
    return Finding(Result.SUCCESS, files or "no file was read: every option has its default")


def _policy(job: Job) -> Finding:
    from redesignate.auth.policy import beside

    beside(job.settings.files)
    return Finding(Result.SUCCESS)


def _database(job: Job) -> Finding:
    if job.settings.store.url is None:
        return Finding(Result.WARNING, "no database is configured here; run this on a host that has one")
    from redesignate.store import migrate

    found, wanted = migrate.current(job.settings.store.url), migrate.heads()[0]
    if found == wanted:
        return Finding(Result.SUCCESS, f"revision {found}")
    return Finding(
        Result.FAILURE, f"revision {found}, this release needs {wanted}: run `redesignate manage database sync`"
    )


def _secrets(job: Job) -> Finding:
    url = job.settings.store.url
    if url is None or _database(job).result is not Result.SUCCESS:
        return Finding(Result.WARNING, "not checked: see the database's revision")
    from redesignate.store.secrets import SECRET_KEY, Secrets
    from redesignate.store.unit import Store

    store = Store(url, secrets=Secrets(Path(job.settings.state_path) / SECRET_KEY))
    try:
        lost = store.lost_secrets()
    finally:
        store.close()
    return Finding(Result.WARNING, lost) if lost else Finding(Result.SUCCESS)


CHECKS: dict[str, Callable[[Job], Finding]] = {
    "Configuration": _configuration,
    "Policy File JSON to YAML Migration": _policy,
    "Database Revision": _database,
    "Secret Key": _secrets,
}
"""The checks by name; that of the policy files has the name that Designate's has."""
