# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of the tests' own. Nothing is synced to the disk: it survives `kill`, not a power cut."""

from __future__ import annotations

import signal
import uuid
from pathlib import Path

import psycopg

from tests.support.servers import LOOPBACK, Server


class Postgres(Server):
    """Trusts every connection from loopback; the superuser is "redesignate"."""

    kind = "postgres"
    user = "postgres"
    gently = signal.SIGINT

    def prepare(self) -> None:
        """Make the cluster (about one second)."""
        options = ["--no-sync", "--auth=trust", "--username=redesignate", "--encoding=UTF8", "--locale=C.UTF-8"]
        self.run(_tool("initdb"), "--pgdata", "data", *options)

    def command(self) -> list[str]:
        """Listens on loopback alone, with the socket in its own folder."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": 200,
            "shared_buffers": "64MB",
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [_tool("postgres"), "-D", "data", *flags]

    def answers(self) -> bool:
        """Whether it takes a login (it listens before it has recovered)."""
        try:
            self._admin().close()
        except psycopg.OperationalError:
            return False
        return True

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        with self._admin() as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return f"postgresql+psycopg://redesignate@{LOOPBACK}:{self.port}/{name}"

    def back_up(self, url: str) -> str:
        """A backup of a database, taken while it is in use, as docs/production.md does it; the file's name."""
        name = url.rpartition("/")[2]
        self.run(_tool("pg_dump"), *self._login(), "--format=custom", f"--file={name}.dump", name)
        return f"{name}.dump"

    def restore(self, url: str, backup: str) -> None:
        """Put a backup in the place of a database that nobody uses."""
        name = url.rpartition("/")[2]
        self.run(_tool("pg_restore"), *self._login(), "--clean", "--if-exists", f"--dbname={name}", backup)

    def _login(self) -> tuple[str, ...]:
        return f"--host={LOOPBACK}", f"--port={self.port}", "--username=redesignate"

    def configure(self, name: str, value: str) -> None:
        """Set an option of the whole server, for sessions that there are too."""
        with self._admin() as connection:
            connection.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
            connection.execute(b"SELECT pg_reload_conf()")

    def drop(self, url: str) -> None:
        """Remove a database, with whoever is still connected to it."""
        with self._admin() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)'.encode())

    def _admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=LOOPBACK, port=self.port, user="redesignate", dbname="postgres", autocommit=True, connect_timeout=5
        )


def _tool(name: str) -> str:
    """Debian keeps the server's tools out of PATH; the newest version wins."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else name
