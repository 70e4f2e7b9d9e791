# SPDX-License-Identifier: Apache-2.0
"""docs/production.md, its commands run in their order: files are written and services started as it says.

Each host of the page is a folder, with an address of loopback. Database, broker, keystone and BINDs are real. What
belongs to a machine (apt-get, useradd, chown, git, systemd, scp) has the stand-ins of `STAND_INS` and `_systemctl`.
"""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.house.tree import ROOT, page
from tests.support.bind import RealBind
from tests.support.clients import with_keystone
from tests.support.keystone import VENV, Keystone
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres
from tests.support.rabbitmq import BIN, RabbitMQ
from tests.support.system import Process

pytestmark = [pytest.mark.external, pytest.mark.timeout(600)]

BLOCK = re.compile(
    r"(?:<!-- only: (\w+) -->\n)?(?:<!-- (file|append): (\S+) (\S+) -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S
)
PROMPT = re.compile(r"^(\w+)[#$] (.+)$")
HOSTS = {"host": ("ctl1", "edge1"), "ctl": ("ctl1",), "edge": ("edge1",)}
"""The hosts of a prompt that names several: one of each kind is enough here."""
FOLDERS = ("/etc/redesignate", "/etc/systemd/system", "/etc/mysql", "/etc/postgresql", "/etc/haproxy", "/etc/bind",
           "/usr/local/lib", "/usr/local/bin", "/var/lib/redesignate", "/var/backups")  # fmt: skip
UNIT = "ExecStart=/usr/local/lib/redesignate/.venv/bin/redesignate %i\n"
STAND_INS = {
    **dict.fromkeys(("apt-get", "useradd", "chown", "chgrp"), "exit 0"),
    "git": f'[ "$1" = clone ] || exit 0; ln -s {ROOT} "$3"',
    "install": 'exec /usr/bin/install -d -m "$7" "$8"',
    "runuser": 'shift 3; exec "$@"',
    "scp": 'for last; do :; done; [ "$1" = -p ] && shift; from=${1#*:}; to=${last#*:}\n'
    'case $1 in *:*) from="$HOSTS/${1%%:*}${from#$ROOT}";; esac\n'
    'case $last in *:*) to="$HOSTS/${last%%:*}${to#$ROOT}";; esac\nexec cp -p "$from" "$to"',
    **{
        name: f'exec /usr/bin/{name} --no-defaults -h 127.0.0.1 -P "$DB_PORT" -u root "$@"'
        for name in ("mariadb", "mariadb-dump")
    },
    "rabbitmqctl": f'exec {BIN}/rabbitmqctl "$@"',
}


@dataclass
class Line:
    """One command of the page, and what the page says that it prints."""

    prompt: str
    command: str
    printed: list[str]


@dataclass
class File:
    """One file of the page."""

    host: str
    path: str
    text: str
    append: bool


def steps(database: str) -> Iterator[Line | File]:
    """The page's files and commands in their order, for one kind of database."""
    for only, how, host, path, form, text in BLOCK.findall(page("docs/production.md")):
        if only not in ("", database):
            continue
        if how:
            yield File(host, path, text, append=how == "append")
            continue
        assert form == "console", text
        found: list[Line] = []
        for line in text.splitlines():
            if start := PROMPT.match(line):
                found.append(Line(start[1], start[2], []))
            else:
                found[-1].printed.append(line)
        yield from found


class Site:
    """The hosts of the page."""

    def __init__(self, folder: Path, here: dict[str, str], environment: dict[str, str]) -> None:
        """`here`: what a text of the page is on this machine; the first that fits counts."""
        self.folder = folder
        self._here = here
        self._environment = environment
        self.running: dict[tuple[str, str], Process] = {}
        self.printed = ""
        for host in ("db1", "mq1", "ctl1", "ctl2", "edge1", "ns1", "ns2", "lb", "admin", "user"):
            for there in FOLDERS[1:]:
                (self.root(host) / there.lstrip("/")).mkdir(parents=True)

    def take(self, step: Line | File) -> None:
        """Write the file, or run the command on each of its hosts."""
        prompt = step.host if isinstance(step, File) else step.prompt
        for host in HOSTS.get(prompt, (prompt,)):
            if isinstance(step, File):
                path = self.root(host) / step.path.lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                old = path.read_text() if step.append and path.exists() else ""
                path.write_text(old + self._local(step.text, host))
            elif step.command.startswith("systemctl "):
                self._systemctl(host, step.command.replace("'", "").split()[1:])
            else:
                self._until_printed(host, step)

    def root(self, host: str) -> Path:
        """The host's files."""
        return self.folder / host

    def stop(self) -> None:
        """End every service."""
        for process in self.running.values():
            process.kill()

    def _local(self, text: str, host: str) -> str:
        for there, here in self._here.items():
            text = text.replace(there, here)
        for folder in FOLDERS:
            text = re.sub(rf"(?<![\w/.-]){folder}(?=[/\s:'\"]|$)", f"{self.root(host)}{folder}", text)
        return text

    def _until_printed(self, host: str, line: Line) -> None:
        """Run it; where the page says what is printed, again until it is so."""
        deadline = time.monotonic() + 30
        while True:
            code, self.printed = self._run(host, line.command)
            wanted = [re.escape(one).replace("…", ".*").replace("\\ ", r"\s+") for one in line.printed]
            right = all(re.search(f"^{one}$", self.printed, re.M) for one in wanted)
            if code == 0 and right:
                return
            assert line.printed, f"{host}# {line.command}\n{self.printed}"
            assert time.monotonic() < deadline, f"{host}# {line.command}\n{line.printed}\n{self.printed}"

    def _run(self, host: str, command: str) -> tuple[int, str]:
        root = self.root(host)
        environment = self._environment | {
            "PATH": f"{root}/usr/local/bin:{self.folder}/stand-ins:{VENV}/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOSTS": str(self.folder), "ROOT": str(root), "OS_REDESIGNATE_CONFIG_DIR": f"{root}/etc/redesignate",
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", self._local(command, host)],
            cwd=self.folder, env=environment, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def _systemctl(self, host: str, words: list[str]) -> None:
        verb, names = words[0], [word for word in words[1:] if word.startswith("redesignate@")]
        known = [one for where, one in self.running if where == host]
        meant = [one for name in names for one in (fnmatch.filter(known, name) if "*" in name else [name])]
        if verb in ("stop", "restart", "disable"):
            with ThreadPoolExecutor() as pool:
                ended = pool.map(Process.stop, [self.running.pop((host, name)) for name in meant])
                assert set(ended) <= {0}
        if verb in ("start", "restart", "enable"):
            for process, word in [self._started(host, name) for name in meant]:
                process.wait_for(word)

    def _started(self, host: str, name: str) -> tuple[Process, str]:
        """The service, and the word that it says when it is ready."""
        unit = self.root(host) / "etc/systemd/system/redesignate@.service"
        assert UNIT in unit.read_text()
        folder = self.root(host) / "etc/redesignate"
        service = name.removeprefix("redesignate@")
        self.running[host, name] = process = Process(
            [service], self.folder / f"{host}-{service}.log", environment={"OS_REDESIGNATE_CONFIG_DIR": str(folder)}
        )
        process.start()
        return process, "Listening at" if service == "api" else " ready "


@pytest.fixture
def binds(tmp_path: Path) -> Iterator[tuple[RealBind, RealBind]]:
    with RealBind(tmp_path / "bind1") as first, RealBind(tmp_path / "bind2") as second:
        yield first, second


def site(folder: Path, port: int, here: dict[str, str], environment: dict[str, str]) -> Site:
    """The hosts, with the stand-ins in their paths. `port`: the database's."""
    (folder / "stand-ins").mkdir(parents=True)
    for name, text in STAND_INS.items():
        (folder / "stand-ins" / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / "stand-ins" / name).chmod(0o755)
    network = f"127.{1 + os.getpid() // 250 % 250}.{1 + os.getpid() % 250}"
    everywhere = {
        "192.0.2.5/": f"127.0.0.1:{port}/",
        "192.0.2.%": "127.0.0.1",
        **{f"192.0.2.{n}": f"{network}.{n}" for n in (11, 12, 21, 22)},
    }
    base = {name: os.environ[name] for name in ("LANG", "HOME") if name in os.environ} | {"DB_PORT": str(port)}
    return Site(folder, here | everywhere, base | environment)


@pytest.fixture
def keystone() -> Iterator[Keystone]:
    """One of its own: the page makes the service and its endpoints, which others of the run have made already."""
    server = Keystone.create()
    yield server
    server.close()


def test_the_page_leads_from_bare_machines_to_a_system_that_serves_and_is_restored(
    tmp_path: Path, rabbitmq: RabbitMQ, keystone: Keystone, binds: tuple[RealBind, RealBind]
) -> None:
    here = {
        "192.0.2.6:5672": f"127.0.0.1:{rabbitmq.port}",
        "https://keystone.example.net:5000/v3": keystone.url,
        "https://dns.example.net": "http://192.0.2.21:9001",
        "workers = 2": "workers = 1",
    }
    for number, bind in zip((53, 54), binds, strict=True):
        here |= {
            f"{{host: 192.0.2.{number}, port: 53": f"{{host: 127.0.0.1, port: {bind.port}",
            f"rndc_host: 192.0.2.{number}, rndc_port: 953": f"rndc_host: 127.0.0.1, rndc_port: {bind.rndc_port}",
            f"@192.0.2.{number}": f"@127.0.0.1 -p {bind.port}",
        }
    database = MariaDB.create()
    here["rndc_key_file: /etc"] = f"rndc_key_file: {tmp_path}/hosts/edge1/etc"
    environment = with_keystone(keystone, keystone.admin) | rabbitmq.environment() | {"HOME": str(rabbitmq.folder)}
    hosts = site(tmp_path / "hosts", database.port, here, environment)
    for number, bind in enumerate(binds, 1):
        (hosts.root(f"ns{number}") / "etc/bind/rndc.key").write_bytes(bind.key_file.read_bytes())
    try:
        for step in steps("mariadb"):
            hosts.take(step)
            if isinstance(step, Line) and "manage zone status example.org." in step.command:
                assert [bind.rdata("www.example.org.", "A") for bind in binds] == [["192.0.2.80"]] * 2
    finally:
        hosts.stop()
        database.close()


def test_the_page_s_postgresql_serves_with_the_rights_that_it_grants(tmp_path: Path) -> None:
    database = Postgres.create()
    try:
        with psycopg.connect(database.database().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("CREATE ROLE postgres SUPERUSER LOGIN")
        url = f"host=127.0.0.1 port={database.port} user=postgres dbname=postgres"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER ROLE redesignate RENAME TO others")
        tools = {"PGHOST": "127.0.0.1", "PGPORT": str(database.port), "PGUSER": "postgres", "PGDATABASE": "postgres"}
        hosts = site(tmp_path / "hosts", database.port, {"mysql+pymysql": "postgresql+psycopg"}, tools)
        for step in steps("postgresql"):
            words = step.path if isinstance(step, File) else f"{step.prompt} {step.command}"
            if any(word in words for word in ("db1", "owner.conf", "/usr/local/bin", "git clone", "pools.yaml")):
                hosts.take(step)
            if "database sync" in words:
                _as_services(hosts)
            if "pg_restore" in words:
                for command in ("pool show-config", "tsigkey create example.", "tsigkey list", "service clean"):
                    hosts.take(Line("ctl1", f"redesignate manage {command}", []))
    finally:
        database.close()


def _as_services(hosts: Site) -> None:
    """From here on `redesignate` is the services' user, who may not change tables."""
    config = hosts.root("ctl1") / "etc/redesignate/redesignate.conf"
    owner = config.with_name("owner.conf").read_text()
    config.write_text(
        f"[DEFAULT]\nstate_path = {config.parent}\n"
        + owner.replace("redesignate_owner:OWNER_PASSWORD", "redesignate:DATABASE_PASSWORD")
    )
