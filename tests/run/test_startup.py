# SPDX-License-Identifier: Apache-2.0
"""Whatever keeps a process from starting is one line that names the fix, and no traceback."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.house.tree import ROOT, page, rows
from tests.support.system import Process

DEAD_MYSQL = "mysql+pymysql://u:pw@127.0.0.1:1/db"
DEAD = "(refused|Can't connect).*connection"  # PyMySQL's words and mysqlclient's
DEAD_POSTGRES = "postgresql://u:pw@127.0.0.1:1/db"
FILES = {
    "not.db": "not a database " * 400,
    "down.conf": f"[storage:sqlalchemy]\nconnection = {DEAD_MYSQL}\nmax_retries = 0\n",
    "empty.conf": "[storage:sqlalchemy]\nconnection = sqlite:///{folder}/empty.db\n",
    "not.conf": "[storage:sqlalchemy]\nconnection = sqlite:///{folder}/not.db\n",
    "noauth.conf": "[service:api]\nauth_strategy = noauth\n[storage:sqlalchemy]\nconnection = sqlite:///{folder}/s.db\n",
    "taken.conf": "[service:api]\nauth_strategy = noauth\nlisten = 127.0.0.1:{taken}\n"
    "[service:mdns]\nlisten = 127.0.0.1:{taken}\n[storage:sqlalchemy]\nconnection = sqlite:///{folder}/s.db\n",
    "keystone.conf": "[service:api]\nauth_strategy = keystone\n[storage:sqlalchemy]\nconnection = sqlite:///{folder}/s.db\n",
    "half.conf": "[keystone_authtoken]\nauth_type = password\n[storage:sqlalchemy]\nconnection = sqlite:///{folder}/s.db\n",
}
SERVE = "serve --port 0 --dns-port 0 --state-dir state "
CASES = [
    (SERVE + "--database nonsense", "--database: expected a URL such as"),
    (SERVE + "--database oracle://u:pw@h/db", "sqlite, postgresql, mysql or mariadb"),
    (SERVE + f"--database {DEAD_MYSQL}", r"mysql\+(pymysql|mysqldb)://u:\*\*\*@127.0.0.1:1/db.* " + DEAD),
    (SERVE + f"--database {DEAD_POSTGRES}", "postgresql.*refused.*connection"),
    (SERVE + "--database sqlite:///not.db", "file is not a database.*connection"),
    (SERVE + "--database sqlite:////nonexistent/x.db", "unable to open database file.*connection"),
    (SERVE + "--listen here.example", "--listen here.example: write an address"),
    ("serve --port 0 --dns-port 0 --state-dir /proc/state", "/proc/state: .*--state-dir"),
    ("serve --port 0 --dns-port 0 --state-dir not.db", "not.db: .*--state-dir"),
    ("serve --port 0 --dns-port {taken} --state-dir state", "nameserver cannot .*:{taken}: .*in use; .*--dns-port"),
    ("serve --port {taken} --dns-port 0 --state-dir state", "API cannot .*:{taken}: .*in use; .*--port"),
    ("--config-file noauth.conf " + SERVE + "--listen 0.0.0.0", "noauth.*allow_noauth_beyond_loopback"),
    ("--config-file keystone.conf " + SERVE, r"\[keystone_authtoken\] names no auth_type"),
    ("--config-file keystone.conf api", r"\[keystone_authtoken\] names no auth_type"),
    ("--config-file half.conf api", r"\[keystone_authtoken\]: .*auth_url"),
    ("--config-file noauth.conf api", "0.0.0.0:9001.*listen = 127.0.0.1:9001.*allow_noauth_beyond_loopback"),
    ("--config-file taken.conf api", r"API cannot .*:{taken}: .*in use; set \[service:api\] listen"),
    ("--config-file taken.conf mdns", r"mdns cannot .*:{taken}: .*in use; set \[service:mdns\] listen"),
    ("--config-file noauth.conf central", r"set \[DEFAULT\] transport_url"),
    *((f"--config-file down.conf {name}", DEAD) for name in ("mdns", "worker", "producer")),
    *((f"--config-file empty.conf {name}", "manage database sync") for name in ("mdns", "worker", "producer")),
    ("--config-file not.conf worker", "file is not a database"),
    ("--config-file down.conf manage database sync", DEAD),
    ("--config-file down.conf manage database version", DEAD),
    ("--config-file down.conf manage pool show-config", DEAD),
    ("--config-file not.conf manage database sync", "file is not a database"),
    ("--config-file empty.conf manage pool show-config", "manage database sync"),
    ("--config-file nowhere.conf worker", "nowhere.conf: .*--config-file"),
]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of loopback that is taken, by TCP and by UDP."""
    with closing(socket.socket()) as tcp, closing(socket.socket(type=socket.SOCK_DGRAM)) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        port: int = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        yield port


@pytest.fixture
def folder(tmp_path: Path, taken: int) -> Path:
    """A folder with the files of the table; `s.db` has its tables."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.format(folder=tmp_path, taken=taken))
    return tmp_path


def run(folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The installed command, in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", "redesignate.run.main", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("command", "told"), CASES, ids=[command for command, _ in CASES])
def test_what_keeps_a_process_from_starting_is_one_line(folder: Path, taken: int, command: str, told: str) -> None:
    if "s.db" in "".join(FILES.get(word, "") for word in command.split()):
        assert run(folder, "--config-file", "noauth.conf", "manage", "database", "sync").returncode == 0
    done = run(folder, *command.format(taken=taken).split())
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert re.search(told.replace("{taken}", str(taken)), done.stderr)
    assert "pw" not in done.stderr


@pytest.mark.parametrize(
    ("login", "told"),
    [
        ("noauth", r"http://127\.0\.0\.2:\d+ \(no login, so loopback only\)"),
        ("token", re.escape(f"{Path(sys.executable).with_name('redesignate')} --config-file /")),
    ],
)
def test_the_ready_line_is_true_and_its_commands_can_be_run(folder: Path, login: str, told: str) -> None:
    """127.0.0.2 is loopback too; and after `make serve` the command is in no folder of PATH."""
    (folder / "login.conf").write_text(f"[service:api]\nauth_strategy = {login}\n")
    words = ["--config-file", str(folder / "login.conf"), *SERVE.split(), "--listen", "127.0.0.2"]
    words[words.index("state")] = os.path.relpath(folder / "state")  # the command is for any other folder too
    serve = Process(words, folder / "serve.log", environment={"PATH": "/usr/bin:/bin"})
    serve.start()
    try:
        serve.wait_for("ready: ")
        assert re.search(told, serve.said())
    finally:
        serve.stop()


def test_a_start_without_the_key_of_the_databases_secrets_says_so_and_makes_no_other(folder: Path) -> None:
    words = SERVE.replace(" state", f" {folder / 'state'}").split()
    manage = ["--config-file", "state/redesignate.conf", "manage", "tsigkey"]
    for number in range(2):
        serve = Process(words, folder / f"serve{number}.log")
        serve.start()
        try:
            serve.wait_for("ready: ")
            if number:
                refused = run(folder, *manage, "create", "key2").stderr
                assert re.search(
                    r"error: .*secret\.key does not exist\. Put .* secrets anew: TSIG key key1\.$", refused
                )
                assert refused.removeprefix("error: ").strip() in serve.said()
                assert run(folder, *manage, "delete", "key1").returncode == 0
            else:
                assert run(folder, *manage, "create", "key1").returncode == 0
                (folder / "state" / "secret.key").unlink()
        finally:
            serve.stop()
    assert not (folder / "state" / "secret.key").exists()


def test_a_central_without_its_broker_says_what_it_waits_for(folder: Path) -> None:
    (folder / "broker.conf").write_text("[DEFAULT]\ntransport_url = rabbit://u:pw@127.0.0.1:1/\n")
    files = ["--config-file", str(folder / "noauth.conf"), "--config-file", str(folder / "broker.conf")]
    assert run(folder, *files, "manage", "database", "sync").returncode == 0
    central = Process([*files, "central"], folder / "central.log")
    central.start()
    try:
        central.wait_for("message broker is unavailable; waiting for it", 30)
    finally:
        central.stop()


TROUBLES = {
    "The database is at revision …, this code needs …": "--config-file empty.conf worker",
    "The database … cannot be used: …": "--config-file down.conf worker",
    "… cannot listen on …: Address already in use": "--config-file taken.conf api",
    "auth_strategy = keystone, and [keystone_authtoken] names no auth_type": "--config-file keystone.conf api",
    "auth_strategy = noauth lets anybody who can reach … do everything": "--config-file noauth.conf api",
    "central is reached over a broker: set [DEFAULT] transport_url": "--config-file noauth.conf central",
    "… is in use by another …": SERVE,
}
"""By the words of docs/troubleshooting.md: a command line that leads there."""


@pytest.mark.parametrize("words", TROUBLES)
def test_a_start_fails_in_the_words_of_the_page(folder: Path, words: str) -> None:
    if "s.db" in "".join(FILES.get(word, "") for word in TROUBLES[words].split()):
        assert run(folder, "--config-file", "noauth.conf", "manage", "database", "sync").returncode == 0
    (folder / "state").mkdir()
    with (folder / "state" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run(folder, *TROUBLES[words].split())
    assert re.search(re.escape(words).replace("…", ".*"), done.stderr)


def test_every_line_of_the_page_is_tried() -> None:
    assert set(rows(page("docs/troubleshooting.md").partition("## A request fails")[0])) == set(TROUBLES)


@pytest.mark.parametrize("port", ["99999", "-1", "http", "٣"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    done = run(tmp_path, "serve", f"--port={port}")
    assert done.returncode == 2
    assert "is not a port: write a number from 0 to 65535" in done.stderr


def test_a_traceback_comes_for_who_asks(folder: Path) -> None:
    done = run(folder, "--debug", "--config-file", "not.conf", "worker")
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("redesignate: ")


def test_port_0_finds_one_and_says_which_and_ctrl_c_has_the_last_word(tmp_path: Path) -> None:
    process = Process(["serve", "--port", "0", "--dns-port", "0", "--state-dir", str(tmp_path / "s")], tmp_path / "log")
    process.start()
    try:
        process.wait_for("udp and tcp")
        port = re.search(r"API http://127\.0\.0\.1:(\d+) ", process.said())
        assert port is not None
        with socket.create_connection(("127.0.0.1", int(port[1])), timeout=5) as asked:
            asked.sendall(b"GET /healthcheck HTTP/1.0\r\n\r\n")
            assert b" 200 OK" in asked.recv(100)
        assert f"http://127.0.0.1:{port[1]}/v2/zones" in process.said()
        assert process.stop(signal.SIGINT) == 0
        assert process.said().splitlines()[-1] == "stopped"
    finally:
        process.kill()


def test_make_takes_its_words_in_small_letters() -> None:
    words = [
        "make",
        "--no-print-directory",
        "-n",
        "serve",
        "port=8001",
        "dns_port=53",
        "listen=192.0.2.1 ::1",
        "state=x",
    ]
    printed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for word in ("--port 8001", "--dns-port 53", "--listen 192.0.2.1 --listen ::1", '--state-dir "$STATE"'):
        assert word in printed


@pytest.mark.parametrize("name", ["api", "central", "manage", "mdns", "producer", "sink", "status", "worker"])
def test_operators_units_find_the_names_that_they_call(name: str) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / f"designate-{name}"), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "redesignate" in done.stdout


def test_a_unit_s_config_file_is_read(folder: Path) -> None:
    program = str(Path(sys.executable).parent / "designate-manage")
    words = [program, "--config-file", str(folder / "noauth.conf"), "database", "sync"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
