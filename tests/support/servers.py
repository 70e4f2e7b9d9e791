# SPDX-License-Identifier: Apache-2.0
"""Real servers for the tests: started in a folder of their own on free ports, and only these are stopped.

`Server` is the life of one process; `shared` gives one server to every process of a test run (pytest-xdist), started
by whoever asks first and stopped when the last one is gone. Fault tests start a server of their own instead.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Self, TypeVar

LOOPBACK = "127.0.0.1"
S = TypeVar("S", bound="Server")
LIFELINE = Path(__file__).with_name("lifeline.py")


class NoStart(AssertionError):
    """A server did not come up; the text holds the end of its log."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of loopback that nobody used a moment ago."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def until(ready: Callable[[], bool], *, deadline_s: float = 30.0, what: str = "the event") -> None:
    """Wait for something that can only be asked about. Raises NoStart at the deadline."""
    end = time.monotonic() + deadline_s
    while not ready():
        if time.monotonic() > end:
            raise NoStart(f"{what} did not happen within {deadline_s} s")
        time.sleep(0.02)


def accepts(port: int) -> bool:
    """Whether somebody listens on the port."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


class Server:
    """One server process in its folder. A kind says how: `prepare` once, `command` and `answers` at each start.

    user    the system user that the server runs as when we are root (None: as we are)
    gently  the signal that ends it in good order without waiting for its clients
    """

    kind: ClassVar[str]
    user: ClassVar[str | None] = None
    gently: ClassVar[signal.Signals] = signal.SIGTERM
    start_s: ClassVar[float] = 60.0

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self.folder = folder
        self.ports = dict(ports)
        self.pid = 0
        self._holding = -1
        self._keeper: subprocess.Popen[bytes] | None = None

    # -- what a kind says of itself

    @classmethod
    def wanted_ports(cls) -> tuple[str, ...]:
        """Names of the ports that it needs; "main" is the one that clients connect to."""
        return ("main",)

    def prepare(self) -> None:
        """Make the data folder; runs once, before the first start."""

    def command(self) -> list[str]:
        """The command line, which stays in the foreground."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What the process sees besides PATH."""
        return {}

    def answers(self) -> bool:
        """Whether the server serves now."""
        return accepts(self.port)

    # -- life

    @property
    def port(self) -> int:
        """The port that clients connect to, on loopback. The same over restarts."""
        return self.ports["main"]

    @classmethod
    def create(cls, folder: Path | None = None) -> Self:
        """A new server, started and ready, in this empty folder or a new temporary one. Call `close` at the end."""
        folder = folder or Path(tempfile.mkdtemp(prefix=f"redesignate-{cls.kind}-"))
        server = cls(folder, {name: free_port() for name in cls.wanted_ports()})
        folder.chmod(0o755)
        server._own(folder)
        try:
            server.prepare()
            server.start()
        except BaseException:
            server.close()
            raise
        return server

    def start(self) -> None:
        """Start and wait until it serves. Raises NoStart with the end of the log."""
        for old in ("lifeline", "keep"):
            (self.folder / old).unlink(missing_ok=True)
        os.mkfifo(self.folder / "lifeline")
        with self.log.open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, str(LIFELINE), str(self.folder), str(int(self.gently)), *self.as_user()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder), **self.environment()},
                cwd=self.folder,
                start_new_session=True,
            )
        assert self._keeper.stdout is not None
        self.pid = int(self._keeper.stdout.readline() or 0)
        self._keeper.stdout.close()
        self.hold()
        try:
            until(self._up, deadline_s=self.start_s, what=f"the start of {self.kind}")
        except NoStart as error:
            raise NoStart(f"{error}\n{self.log_tail()}") from None

    def hold(self) -> None:
        """Take hold of a running server, so that it lives at least as long as we do or until `stop`."""
        self._holding = os.open(self.folder / "lifeline", os.O_WRONLY | os.O_NONBLOCK)

    def stop(self) -> None:
        """End it in good order; `start` brings it back with its data."""
        (self.folder / "keep").touch()
        self._release()

    def kill(self) -> None:
        """`kill -9`; `start` brings it back with what it had written."""
        (self.folder / "keep").touch()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)  # the keeper does the same to all that is left
        self._release()

    def restart(self, *, brutally: bool = False) -> None:
        """Stop (or kill) it and start it again on the same data and port."""
        if brutally:
            self.kill()
        else:
            self.stop()
        self.start()

    def close(self) -> None:
        """End it at once, and remove the folder."""
        self._release()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- for the kinds

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.folder / "log"

    def log_tail(self) -> str:
        """The last of what the server printed."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a tool of the server as the server's user; returns what it printed. Raises CalledProcessError."""
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder), **self.environment()}
        done = subprocess.run(
            self.as_user(list(command)),
            check=True, env=env, cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, input=stdin,
        )  # fmt: skip
        return done.stdout

    def as_user(self, command: list[str] | None = None) -> list[str]:
        """The command line, run as `user` when we are root."""
        command = self.command() if command is None else command
        if self.user is None or os.getuid() != 0:
            return command
        entry = pwd.getpwnam(self.user)
        ids = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
        return ["setpriv", *ids, "--", *command]

    def _release(self) -> None:
        if self._holding >= 0:
            os.close(self._holding)
            self._holding = -1
        if self._keeper is not None:
            self._keeper.wait(30)
            self._keeper = None

    def _own(self, path: Path) -> None:
        if self.user is not None and os.getuid() == 0:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _up(self) -> bool:
        if self._keeper is not None and self._keeper.poll() is not None:
            raise NoStart(f"{self.kind} ended with {self._keeper.returncode}")
        return self.answers()


@contextlib.contextmanager
def shared(kind: type[S], folder: Path) -> Iterator[S]:
    """The test run's one server of this kind; `folder` is common to the run's processes.

    Started by whoever comes first. Everyone lets go at the end, and the last one's leaving ends it.
    """
    note, lock = folder / f"{kind.kind}.json", folder / f"{kind.kind}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        server = _join(kind, note)
        if server is None:
            server = kind.create()
            note.write_text(json.dumps({"folder": str(server.folder), "ports": server.ports, "pid": server.pid}))
    try:
        yield server
    finally:
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            _leave(server)


def _join(kind: type[S], note: Path) -> S | None:
    if not note.exists():
        return None
    known = json.loads(note.read_text())
    server = kind(Path(known["folder"]), known["ports"])
    server.pid = known["pid"]
    try:
        with (server.folder / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            server.hold()
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):  # the last holder has left
            return None
        raise
    return server


def _leave(server: Server) -> None:
    if server._keeper is not None:
        server._keeper.returncode = 0  # others may go on with it: its end is not ours to wait for
        server._keeper = None
    server._release()
