# SPDX-License-Identifier: Apache-2.0
"""Bringing a database to the schema this code needs, by Alembic; and asking where it stands."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from redesignate.model.errors import Misconfigured, Problem, Unavailable
from redesignate.store.engine import EngineOptions, engine
from redesignate.store.errors import Meaning, said

_LOCK_KEY = 0x7265646573696700
_PATIENT = EngineOptions(lock_wait_s=300, idle_s=300, statement_s=0)
"""An upgrade waits for whoever upgrades already, and may take its time over a large table."""
_HERE = Path(__file__).parent / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to a revision. Idempotent; the first call makes every table."""
    with _connected(url) as connection:
        _queue(connection)
        configured = _config()
        configured.attributes["connection"] = connection
        command.upgrade(configured, revision)
        connection.commit()


def current(url: str) -> str | None:
    """The revision that the database is at; None where it has no tables of ours."""
    with _connected(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def heads() -> tuple[str, ...]:
    """The revision that this code needs."""
    return tuple(ScriptDirectory.from_config(_config()).get_heads())


def history() -> tuple[str, ...]:
    """Every revision, newest first, a line each."""
    return tuple(
        f"{script.revision} {script.doc}" for script in ScriptDirectory.from_config(_config()).walk_revisions()
    )


def require_head(url: str) -> None:
    """Raise Misconfigured, with the command that mends it, where the database is not at this code's revision."""
    found = current(url)
    if (found,) != heads():
        raise Misconfigured(
            f"The database is at revision {found}, this code needs {heads()[0]}: "
            "run `redesignate manage database sync`."
        )


def _config() -> Config:
    configured = Config()
    configured.set_main_option("script_location", str(_HERE))
    configured.set_main_option("path_separator", "os")
    return configured


def _queue(connection: Connection) -> None:
    """Wait until nobody else upgrades this database. SQLite has waited already: its transactions begin IMMEDIATE.

    The lock is the session's and ends with the connection, because migrations commit on their way.
    """
    match connection.dialect.name:
        case "postgresql":
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK_KEY})
        case "mysql" | "mariadb":
            connection.execute(text("SELECT GET_LOCK(CONCAT('redesignate.', LEFT(DATABASE(), 48)), 300)"))


def _unusable(url: URL, error: DBAPIError) -> Problem:
    """Why a database cannot be connected to, with its server's own words and without the password."""
    words = str(error.orig.args[-1] if error.orig is not None and error.orig.args else error.orig)
    where = url.render_as_string(hide_password=True)
    text = f"The database {where} cannot be used: {' '.join(words.split())}. Check [storage:sqlalchemy] connection."
    waits = url.get_backend_name() != "sqlite" and said(error)[0] is not Meaning.OURS
    return Unavailable(text) if waits else Misconfigured(text)


class _connected:
    """A connection of an engine of its own, gone with the block."""

    def __init__(self, url: str) -> None:
        self._engine = engine(url, writes=True, options=_PATIENT)

    def __enter__(self) -> Connection:
        """Raises Unavailable where waiting may help, else Misconfigured."""
        try:
            self._connection = self._engine.connect()
        except DBAPIError as error:
            self._engine.dispose()
            raise _unusable(self._engine.url, error) from error
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._engine.dispose()
