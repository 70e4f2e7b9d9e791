# SPDX-License-Identifier: Apache-2.0
"""A MariaDB of the tests' own. Nothing is synced to the disk: it survives `kill`, not a power cut."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pymysql

from tests.support.servers import LOOPBACK, Server

PROVIDER = "/usr/lib/galera/libgalera_smm.so"


class MariaDB(Server):
    """Lets root in from loopback without a password."""

    kind = "mariadb"
    user = "mysql"

    def prepare(self) -> None:
        """Make the system tables."""
        self.run("mariadb-install-db", "--no-defaults", *self._settings(), "--skip-test-db",
                 "--auth-root-authentication-method=normal", "--skip-name-resolve")  # fmt: skip

    def command(self) -> list[str]:
        """Listens on loopback alone, with the socket in its own folder."""
        socket = f"--socket={self.folder}/socket"
        listen = [f"--bind-address={LOOPBACK}", f"--port={self.port}", socket, f"--pid-file={self.folder}/pid"]
        return ["mariadbd", "--no-defaults", *self._settings(), *listen, "--skip-name-resolve", "--max-connections=300"]

    def answers(self) -> bool:
        """Whether it takes a login."""
        try:
            self._admin().close()
        except pymysql.err.OperationalError:
            return False
        return True

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return f"mysql+pymysql://root@{LOOPBACK}:{self.port}/{name}"

    def clerks(self, url: str) -> str:
        """The URL for a user with rights in this database alone: unlike root it heeds `read_only`."""
        name = _name(url)
        self.execute(f"CREATE USER IF NOT EXISTS clerk@'{LOOPBACK}'")
        self.execute(f"GRANT ALL ON {name}.* TO clerk@'{LOOPBACK}'")
        return url.replace("root@", "clerk@")

    def drop(self, url: str) -> None:
        """Remove a database."""
        self.execute(f"DROP DATABASE IF EXISTS {_name(url)}")

    def back_up(self, url: str) -> str:
        """A backup of a database, taken while it is in use, as docs/production.md does it; the file's name."""
        name = _name(url)
        self.run(
            "mariadb-dump", "--no-defaults", *self._login(), "--single-transaction", f"--result-file={name}.sql", name
        )
        return f"{name}.sql"

    def restore(self, url: str, backup: str) -> None:
        """Put a backup in the place of a database that nobody uses."""
        name = _name(url)
        self.drop(url)
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        self.run("mariadb", "--no-defaults", *self._login(), f"--execute=source {backup}", name)

    def _login(self) -> tuple[str, ...]:
        return f"--socket={self.folder}/socket", "--user=root"

    def execute(self, statement: str) -> None:
        """Run one statement as root."""
        connection = self._admin()
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def _settings(self) -> list[str]:
        fast = ["--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync", "--innodb-doublewrite=0"]
        small = ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M", "--performance-schema=OFF"]
        # a server that starts deletes the temporary tables of others that share its folder for them
        return [f"--datadir={self.folder}/data", f"--tmpdir={self.folder}", *fast, *small]

    def _admin(self) -> pymysql.Connection:
        return pymysql.connect(host=LOOPBACK, port=self.port, user="root", autocommit=True, connect_timeout=5)


def _name(url: str) -> str:
    """The database that a URL names."""
    return url.partition("?")[0].rpartition("/")[2]


class GaleraNode(MariaDB):
    """A node of a cluster, its first one. It can be told to take no work, as one that has lost its quorum."""

    kind = "galera"
    joins: ClassVar[str] = ""

    @classmethod
    def wanted_ports(cls) -> tuple[str, ...]:
        """The clients' port and the group's: of its messages, of missed changes, and of a whole copy of the data."""
        return (*super().wanted_ports(), "group", "missed", "copy")

    def joined(self) -> GaleraNode:
        """A new node of the same cluster, started and ready."""
        at = {"joins": f"{LOOPBACK}:{self.ports['group']}"}
        joiner: type[GaleraNode] = type("GaleraJoiner", (type(self),), at)
        return joiner.create()

    def command(self) -> list[str]:
        """As the others; a first node begins a cluster at each start."""
        group, missed, copy = (self.ports[name] for name in ("group", "missed", "copy"))
        provider = f"gmcast.listen_addr=tcp://{LOOPBACK}:{group};ist.recv_addr={LOOPBACK}:{missed};gcache.size=8M"
        return [*super().command(), "--wsrep-on=ON", f"--wsrep-provider={PROVIDER}",
                *([] if self.joins else ["--wsrep-new-cluster"]), f"--wsrep-cluster-address=gcomm://{self.joins}",
                f"--wsrep-node-address={LOOPBACK}:{group}", f"--wsrep-sst-receive-address={LOOPBACK}:{copy}",
                "--wsrep-sst-method=rsync", "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
                f"--wsrep-provider-options={provider}"]  # fmt: skip

    def answers(self) -> bool:
        """Whether it takes work: a node that joins takes logins before."""
        if not super().answers():
            return False
        connection = self._admin()
        with connection, connection.cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'wsrep_ready'")
            return ("wsrep_ready", "ON") in cursor.fetchall()

    def ready(self, ready: bool) -> None:
        """Take work, or answer all but `SELECT 1` with error 1047."""
        self.execute(f"SET GLOBAL wsrep_reject_queries = {'NONE' if ready else 'ALL'}")
