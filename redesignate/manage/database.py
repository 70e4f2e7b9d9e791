# SPDX-License-Identifier: Apache-2.0
"""`database …`: shows and upgrades the schema's revision. What does so is imported by these commands alone."""

from __future__ import annotations

from redesignate.manage.job import Job


def upgrade(job: Job) -> int:
    """Bring the database to a revision; `sync` means the newest. Raises Misconfigured."""
    from redesignate.store import migrate

    url = job.database()
    before = migrate.current(url)
    migrate.upgrade(url, getattr(job.args, "revision", "head"))
    after = migrate.current(url)
    origin = "an empty database" if before is None else f"revision {before}"
    job.screen.line(
        f"The database is at revision {after}." if before == after else f"Upgraded from {origin} to revision {after}."
    )
    return 0


def current(job: Job) -> int:
    """Print the database's revision."""
    from redesignate.store import migrate

    job.screen.line(migrate.current(job.database()) or "None")
    return 0


def heads(job: Job) -> int:
    """Print the revision that this release needs."""
    from redesignate.store import migrate

    for revision in migrate.heads():
        job.screen.line(revision)
    return 0


def history(job: Job) -> int:
    """Print every revision, newest first."""
    from redesignate.store import migrate

    for line in migrate.history():
        job.screen.line(line)
    return 0


def version(job: Job) -> int:
    """Print the database's revision beside the newest."""
    from redesignate.store import migrate

    job.screen.line(f"Current: {migrate.current(job.database())} Latest: {', '.join(migrate.heads())}")
    return 0
