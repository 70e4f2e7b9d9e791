# SPDX-License-Identifier: Apache-2.0
"""The whole system as its users run it: the installed command, in processes of its own, on free ports.

with Sandbox(tmp_path) as system:                      # `redesignate serve`
    system.manage("pool", "update", "--file", …); system.api.zone("example.org.")

with Split(tmp_path, database=url, transport_url=url) as system: …      # a process per service, two of each
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from tests.support.api import Api
from tests.support.bind import RealBind, free_port

START_S = 90.0
STOP_S = 60.0
CLOCK = Path(__file__).with_name("clock")
DEFAULT_POOL = "794ccc2c-d751-44fe-b57f-8894c9f5c842"


class Process:
    """One `redesignate` process; its output is kept."""

    def __init__(self, arguments: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.arguments = list(arguments)
        self._log = log
        self._environment = dict(os.environ) | dict(environment or {})
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start; `wait_for` says when it is ready."""
        with self._log.open("ab") as out:
            self._from = out.tell()
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "redesignate.run.main", *self.arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )

    def set_clock(self, ahead_s: float) -> None:
        """From its next start on its wall clock is so many seconds ahead of the machine's (negative: behind)."""
        self._environment |= {"PYTHONPATH": str(CLOCK), "TEST_CLOCK_S": str(ahead_s)}

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._popen is not None
        return self._popen.pid

    @property
    def lives(self) -> bool:
        """Whether it was started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    def said(self) -> str:
        """What it printed since its last start."""
        return self._log.read_bytes()[self._from :].decode(errors="replace")

    def wait_for(self, word: str, timeout: float = START_S) -> None:
        """Wait until it has printed the word; fails when it ends before."""
        assert self._popen is not None
        deadline = time.monotonic() + timeout
        while word not in self.said():
            assert self._popen.poll() is None, f"{self.arguments} ended: {self.said()}"
            assert time.monotonic() < deadline, f"{self.arguments} never said {word!r}: {self.said()}"
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM, timeout: float = STOP_S) -> int:
        """Signal it and wait for its end; its exit code."""
        if self._popen is None:
            return 0
        if self._popen.poll() is None:
            self._popen.send_signal(number)
        try:
            code = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
            raise AssertionError(f"{self.arguments} did not stop: {self.said()[-3000:]}") from None
        self._popen = None
        return code

    def wait_code(self, timeout: float = START_S) -> int:
        """Wait until it ends by itself; its exit code."""
        assert self._popen is not None
        code = self._popen.wait(timeout)
        self._popen = None
        return code

    def kill(self) -> None:
        """kill -9, with its children."""
        if self._popen is not None:
            for child in children(self._popen.pid):
                os.kill(child, signal.SIGKILL)
            self._popen.kill()
            self._popen.wait()
            self._popen = None


def children(pid: int) -> list[int]:
    """The ids of the processes that a process has started."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


class _System:
    """What both kinds share: an API client, the command line, pools of real BINDs."""

    api: Api
    dns_port: int
    config: Path
    folder: Path

    def manage(self, *words: str, code: int = 0) -> str:
        """Run `redesignate manage`; what it printed. Fails on another exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "redesignate.run.main", "--config-file", str(self.config), "manage", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def use_binds(self, *binds: RealBind, catalog: str | None = None, mdns_port: int | None = None) -> None:
        """Make the default pool one of these BINDs."""
        primaries = [{"host": "127.0.0.1", "port": mdns_port or self.dns_port}]
        pool: dict[str, object] = {
            "id": DEFAULT_POOL,
            "name": "default",
            "ns_records": [{"hostname": f"ns{n}.example.net.", "priority": n} for n in range(1, len(binds) + 1)],
            "nameservers": [{"host": "127.0.0.1", "port": bind.port} for bind in binds],
            "targets": [{"type": "bind9", "masters": primaries, "options": bind.target_options()} for bind in binds],
        }
        if catalog:
            pool["catalog_zone"] = {"catalog_zone_fqdn": catalog, "catalog_zone_refresh": 60}
        file = self.folder / "pools.yaml"
        file.write_text(yaml.safe_dump([pool]))
        self.manage("pool", "update", "--file", str(file))


class Sandbox(_System):
    """`redesignate serve` in a folder."""

    def __init__(
        self,
        folder: Path,
        *,
        options: str = "",
        headers: Mapping[str, str] | None = None,
        words: Sequence[str] = (),
        dns_port: int | None = None,
    ) -> None:
        """`options`: further text of its configuration file. `words`: further arguments of `serve`. `dns_port`: None
        for a free one."""
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.dns_port = free_port(), dns_port or free_port()
        self.state = folder / "state"
        self.config = self.state / "redesignate.conf"
        own = folder / "own.conf"
        own.write_text(options)
        self.process = Process(
            [
                "--config-file", str(own), "serve", "--port", str(self.port), "--dns-port", str(self.dns_port),
                "--state-dir", str(self.state), *words,
            ],
            folder / "serve.log",
        )  # fmt: skip
        self.api = Api(f"http://127.0.0.1:{self.port}", headers)

    def start(self) -> Self:
        """Start, or start again on the same state, and wait for the ready line."""
        self.process.start()
        try:
            self.process.wait_for("ready: ")
        except BaseException:
            self.process.kill()
            raise
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.api.close()
        self.process.stop(signal.SIGINT)


class Split(_System):
    """Each service in processes of its own, over a database and, where given, a broker."""

    def __init__(
        self,
        folder: Path,
        *,
        database: str,
        transport_url: str | None,
        counts: Mapping[str, int] | None = None,
        options: str = "",
        headers: Mapping[str, str] | None = None,
        unready: Sequence[int] = (),
        direct: Sequence[str] = (),
    ) -> None:
        """`counts`: how many processes of each service. `unready`: further statuses of an API that is ready. `direct`:
        services that reach the database too, and so hold central in their own processes."""
        self._with_database = {"central", "mdns", *direct}
        self._ready = {200, *unready}
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database = database
        self._transport_url = transport_url
        self._options = options
        self.dns_port = free_port()
        self.ports = [free_port(), free_port()]
        self.counts = {"central": 2, "mdns": 2, "worker": 2, "producer": 2, "api": 2} | dict(counts or {})
        if transport_url is None:
            self.counts["central"] = 0
        self.config = self._write("credentials.conf", with_database=True)
        self._bare = self._write("bare.conf", with_database=transport_url is None)
        self.processes: dict[str, list[Process]] = {}
        self.api = Api(f"http://127.0.0.1:{self.ports[0]}", headers)
        self.second_api = Api(f"http://127.0.0.1:{self.ports[1]}", headers)

    def start(self) -> Self:
        """Make the database, then start everything and wait until each process is ready; all or nothing."""
        try:
            self._start_all()
        except BaseException:
            for process in self.all():
                process.kill()
            raise
        return self

    def _start_all(self) -> None:
        self.manage("database", "sync")
        for service in ("central", "mdns", "worker", "producer", "api"):
            self.processes[service] = [self._process(service, n) for n in range(self.counts[service])]
        threads = [
            threading.Thread(target=self._start, args=(process,))
            for processes in self.processes.values()
            for process in processes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for process in self.all():
            process.wait_for(" ready " if process.arguments[-1] != "api" else "Listening at")
        for api in (self.api, self.second_api)[: self.counts["api"]]:
            self._wait_answer(api)

    def all(self) -> list[Process]:
        """Every process."""
        return [process for processes in self.processes.values() for process in processes]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.api.close()
        self.second_api.close()
        threads = [threading.Thread(target=process.stop) for process in self.all()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _start(self, process: Process) -> None:
        process.start()

    def _wait_answer(self, api: Api) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                if api.ask("GET", "/v2/limits")[0] in self._ready:
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline, "the API never answered"
            time.sleep(0.05)

    def _process(self, service: str, number: int) -> Process:
        config = self.config if service in self._with_database else self._bare
        files = ["--config-file", str(config)]
        if service == "api":
            listen = self.folder / f"api{number}.conf"
            listen.write_text(f"[service:api]\nlisten = 127.0.0.1:{self.ports[number]}\n")
            files += ["--config-file", str(listen)]
        return Process([*files, service], self.folder / f"{service}{number}.log")

    def _write(self, name: str, *, with_database: bool) -> Path:
        """`bare.conf` has no database credentials: api, worker and producer must do without."""
        default = [f"state_path = {self.folder / 'state'}", "host = testhost"]
        if self._transport_url is not None:
            default.append(f"transport_url = {self._transport_url}")
        lines = ["[DEFAULT]", *default, "[service:api]", "auth_strategy = noauth", "threads = 16"]
        lines += ["[service:worker]", "denied_masters = link-local"]
        lines += ["[service:mdns]", f"listen = 127.0.0.1:{self.dns_port}"]
        if with_database:
            lines += ["[storage:sqlalchemy]", f"connection = {self.database}"]
        (self.folder / "state").mkdir(exist_ok=True)
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n" + self._options)
        return path
