# SPDX-License-Identifier: Apache-2.0
"""The README's own lines, run as they stand there; only ports and the state folder are another's."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.bind import free_port

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.external, pytest.mark.timeout(240)]


def blocks() -> list[str]:
    """The README's shell blocks, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)


class Newcomer:
    """A copy of the examples, with ports that are free here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = {name: free_port() for name in ("9001", "5354", "5301", "5302", "9531", "9532")}
        self.port, self.dns_port = ports["9001"], ports["5354"]
        self._ports = ports
        shutil.copytree(ROOT / "examples", folder / "examples")
        (folder / ".venv").symlink_to(ROOT / ".venv")
        for file in (folder / "examples").iterdir():
            # `make serve` runs in the checkout, so what it reads by a relative path is named whole here
            file.write_text(self.here(file.read_text()).replace(" state/bind", f" {folder}/state/bind"))
        bind = folder / "examples" / "bind.sh"
        text = bind.read_text()
        for number in ("1", "2"):
            text = text.replace(
                "set -eu\n",
                f'set -eu\n[ "$1" = {number} ] && DNS={ports[f"530{number}"]} CONTROL={ports[f"953{number}"]}\n',
                1,
            )
        bind.write_text(text.replace("set -eu\n", "set -u\n", 1))

    def here(self, text: str) -> str:
        for there, port in self._ports.items():
            text = re.sub(rf"\b{there}\b", str(port), text)
        return text

    def run(self, block: str) -> str:
        environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin")
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", self.here(block)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        return done.stdout


def wait_for(newcomer: Newcomer, command: str, word: str, *, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while word not in (said := newcomer.run(command)):
        assert time.monotonic() < deadline, (command, said)
        time.sleep(0.05)


def test_the_readmes_lines_lead_from_make_serve_to_every_type_on_two_binds(tmp_path: Path) -> None:
    first, every, binds, stop = blocks()
    newcomer = Newcomer(tmp_path)
    serve = subprocess.Popen(
        [
            "make", "--no-print-directory", "-C", str(ROOT), "serve", f"PORT={newcomer.port}",
            f"DNS_PORT={newcomer.dns_port}", f"STATE={tmp_path / 'state'}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert serve.stdout is not None
        said = ""
        while "ready: " not in said:
            line = serve.stdout.readline()
            assert line, said
            said += line
        _follow(newcomer, first, every, binds)
        newcomer.run(stop)
    finally:
        for pid in (tmp_path / "state").glob("bind*/named.pid"):
            # a test that failed before the README's own stop; after it, a BIND removes its file when it has ended
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int(pid.read_text()), signal.SIGTERM)
        os.killpg(serve.pid, signal.SIGINT)
        assert serve.stdout is not None
        serve.stdout.close()
        serve.wait(20)


def _follow(newcomer: Newcomer, first: str, every: str, binds: str) -> None:
    post, _, dig = first.partition("\ndig")
    assert '"status":"PENDING"' in newcomer.run(post)
    wait_for(newcomer, "dig" + dig, "admin.example.org.")
    made = newcomer.run(every.split("\n", maxsplit=1)[0])
    assert len(made.splitlines()) == 26
    wait_for(newcomer, every.partition("\n")[2], "TYPE65280")
    lines = binds.strip().split("\n")
    for line in lines[:2]:
        assert "answers on" in newcomer.run(line)
    newcomer.run(lines[2])
    wait_for(newcomer, lines[3], "ACTIVE", timeout=40)
    for line in lines[4:]:
        wait_for(newcomer, line, 'issue "ca.example.net"')
