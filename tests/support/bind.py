# SPDX-License-Identifier: Apache-2.0
"""A real BIND for tests: a named of our own on free ports, in a folder of its own, stopped with the test.

    with RealBind(tmp_path) as bind:
        bind.rndc_options(), bind.port, bind.serial("example.org."), bind.ask("www.example.org.", "A")

named says on its log when it is ready and when a transfer is done, so waiting is reading that log with a deadline.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.SOA

STARTS = 5
OPTIONS = """\
    directory "{folder}";
    pid-file none;
    session-keyfile none;
    lock-file none;
    managed-keys-directory "{folder}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    dnssec-validation no;
    recursion {recursion};
    allow-query {{ any; }};
    allow-transfer {{ 127.0.0.1; }};
    allow-notify {{ 127.0.0.1; }};
    notify no;
    minimal-responses yes;
    empty-zones-enable {recursion};
    allow-new-zones yes;
    max-cache-size 2M;
    serial-query-rate 1000;
    transfers-in 200;
    transfers-out 200;
    transfers-per-ns 200;
    masterfile-format text;
"""


@dataclass(frozen=True)
class ConsumedCatalog:
    """A catalog zone (RFC 9432) that the named reads from a primary on loopback."""

    name: str
    primary_port: int


@dataclass
class RealBind:
    """One named. `options` are further lines for its options block; `views` puts everything into views of these names.

    A `view_keys` entry (view → TSIG key name, algorithm, secret) makes that view answer to that key alone.
    `recursive`: as BIND comes out of the box, with recursion and its automatic empty zones.
    """

    folder: Path
    options: str = ""
    config: str = ""
    catalog: ConsumedCatalog | None = None
    views: tuple[str, ...] = ()
    view_keys: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    key_algorithm: str = "hmac-sha256"
    recursive: bool = False
    port: int = 0
    rndc_port: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key_file = self.folder / "rndc.key"
        secret = base64.b64encode(secrets.token_bytes(32)).decode()
        self.key_file.write_text(f'key "rndc-key" {{\n\talgorithm {self.key_algorithm};\n\tsecret "{secret}";\n}};\n')
        self._process: subprocess.Popen[str] | None = None
        self._log: deque[str] = deque(maxlen=20_000)
        self._read = 0
        self._news = threading.Condition()
        self._reader: threading.Thread | None = None

    def start(self) -> Self:
        """Start, and return when it answers. Ports given as 0 are chosen; a port lost to a neighbour is chosen anew."""
        chosen = (self.port, self.rndc_port)
        for attempt in range(STARTS):
            self.port = chosen[0] or free_port()
            self.rndc_port = chosen[1] or free_port()
            if self._try_start(last=attempt == STARTS - 1 or all(chosen)):
                return self
        raise AssertionError("unreachable")

    def stop(self) -> None:
        """Stop and wait for the end. Ports and files stay, so that `start` continues where it was."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._close()

    def restart(self) -> None:
        """Stop and start again: the configuration, the key too, is read anew."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """kill -9, and wait for the end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id, for signals."""
        assert self._process is not None
        return self._process.pid

    def target_options(self, *, view: str | None = None) -> dict[str, str]:
        """What a pool target of type bind9 says to reach this server."""
        options = {
            "host": "127.0.0.1",
            "port": str(self.port),
            "rndc_host": "127.0.0.1",
            "rndc_port": str(self.rndc_port),
            "rndc_key_file": str(self.key_file),
        }
        return options | ({"view": view} if view else {})

    def rndc(self, *words: str) -> str:
        """Run the real rndc; returns what it printed, on either stream."""
        command = ["rndc", "-s", "127.0.0.1", "-p", str(self.rndc_port), "-k", str(self.key_file), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout + done.stderr

    def ask(self, name: str, rdtype: str, *, tcp: bool = False, timeout: float = 5.0) -> dns.message.Message:
        """One query, as dig would put it."""
        query = dns.message.make_query(name, rdtype)
        query.flags &= ~dns.flags.RD
        if tcp:
            return dns.query.tcp(query, "127.0.0.1", timeout=timeout, port=self.port)
        answer, _ = dns.query.udp_with_fallback(query, "127.0.0.1", timeout=timeout, port=self.port)
        return answer

    def rdata(self, name: str, rdtype: str) -> list[str]:
        """The answer's records as text, sorted; empty where there are none."""
        wanted = dns.rdatatype.from_text(rdtype)
        return sorted(str(rd) for rrset in self.ask(name, rdtype).answer if rrset.rdtype == wanted for rd in rrset)

    def serial(self, zone: str) -> int | None:
        """The serial that it serves for a zone; None where it does not serve it."""
        for rrset in self.ask(zone, "SOA").answer:
            for rdata in rrset:
                if isinstance(rdata, dns.rdtypes.ANY.SOA.SOA):
                    return int(rdata.serial)
        return None

    def wait_log(self, pattern: str, *, timeout: float = 10.0, since: int = 0) -> str:
        """The first log line (from line number `since` on; see `mark`) that has the pattern. Fails at the deadline."""
        wanted = re.compile(pattern)
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                first = self._read - len(self._log)
                for number, line in enumerate(self._log, first):
                    if number >= since and wanted.search(line):
                        return line
                left = deadline - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    raise AssertionError(f"named never said {pattern!r} in {timeout} s:\n{self.tail()}")

    def mark(self) -> int:
        """The number of the next log line, for `wait_log(since=…)`."""
        with self._news:
            return self._read

    def wait_serial(self, zone: str, serial: int, *, timeout: float = 10.0) -> None:
        """Wait until it serves the zone at exactly this serial."""
        deadline = time.monotonic() + timeout
        while (seen := self.serial(zone)) != serial:
            with self._news:  # something happens in named exactly when its log moves; 50 ms where that is silent
                self._news.wait(0.05)
            assert time.monotonic() < deadline, f"{zone} is at {seen}, not at {serial}:\n{self.tail()}"

    def tail(self, lines: int = 40) -> str:
        """The end of its log."""
        return "\n".join(list(self._log)[-lines:])

    # -- within

    def _try_start(self, *, last: bool) -> bool:
        (self.folder / "named.conf").write_text(self._named_conf())
        since = self.mark()
        leash = [setpriv, "--pdeathsig", "KILL"] if (setpriv := shutil.which("setpriv")) else []
        command = [*leash, _binary(self.folder), "-g", "-n", "2", "-c", str(self.folder / "named.conf")]
        started = threading.Event()
        self._reader = threading.Thread(target=self._run, args=(command, started), daemon=True)
        self._reader.start()
        assert started.wait(10)
        line = self.wait_log(r" running$|exiting \(|address in use|^\[ended\]", timeout=30, since=since)
        if line.endswith(" running"):
            return True
        self.kill()
        port_lost = any("address in use" in each for each in list(self._log)[-40:])
        if last or not port_lost:
            raise AssertionError(f"named did not start:\n{self.tail(20)}")
        return False

    def _run(self, command: list[str], started: threading.Event) -> None:
        """Start named and read its log to the end: the death signal comes when the thread that started it ends."""
        self._process = subprocess.Popen(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        stream = self._process.stderr
        started.set()
        for line in stream or ():
            self._say(line.rstrip("\n"))
        self._say("[ended]")

    def _say(self, line: str) -> None:
        with self._news:
            self._log.append(line)
            self._read += 1
            self._news.notify_all()

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.join(10)
        if self._process is not None and self._process.stderr is not None:
            self._process.stderr.close()
        self._process = self._reader = None

    def _named_conf(self) -> str:
        controls = f"inet 127.0.0.1 port {self.rndc_port} allow {{ 127.0.0.1; }} keys {{ rndc-key; }};"
        keys = [
            f'key "{name}" {{ algorithm {algorithm}; secret "{secret}"; }};'
            for name, algorithm, secret in self.view_keys.values()
        ]
        body = self._catalog_zone() + self.config
        views = [f'view "{view}" {{ match-clients {{ {self._clients(view)} }}; {body} }};' for view in self.views]
        options = OPTIONS.format(folder=self.folder, port=self.port, recursion="yes" if self.recursive else "no")
        options += self._catalog_option() + self.options
        return "\n".join(
            [f'include "{self.key_file}";', f"controls {{ {controls} }};", *keys, f"options {{\n{options}}};"]
            + (views or [body])
            + [""]
        )

    def _clients(self, view: str) -> str:
        return f'key "{self.view_keys[view][0]}";' if view in self.view_keys else "any;"

    def _catalog_option(self) -> str:
        if self.catalog is None:
            return ""
        source = f"default-primaries {{ 127.0.0.1 port {self.catalog.primary_port}; }}"
        return f'catalog-zones {{ zone "{self.catalog.name}" {source} in-memory yes min-update-interval 0; }};\n'

    def _catalog_zone(self) -> str:
        if self.catalog is None:
            return ""
        source = f"primaries {{ 127.0.0.1 port {self.catalog.primary_port}; }};"
        return f'zone "{self.catalog.name}" {{ type secondary; {source} file "catalog.db"; }};\n'


def free_port() -> int:
    """A port of 127.0.0.1 that is free for UDP and for TCP just now."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _binary(folder: Path) -> str:
    """named; where AppArmor confines it by its path to the distribution's folders, a copy in a folder of ours."""
    named = shutil.which("named") or shutil.which("named", path="/usr/sbin:/sbin:/usr/local/sbin")
    assert named is not None, "named is missing: apt-get install bind9"
    switch = Path("/sys/module/apparmor/parameters/enabled")
    if not switch.exists() or not os.access(switch, os.R_OK) or switch.read_text().strip() != "Y":
        return named
    copy = folder / "named"
    if not copy.exists():
        shutil.copy2(named, copy)
    return str(copy)
