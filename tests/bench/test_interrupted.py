# SPDX-License-Identifier: Apache-2.0
"""The bench leaves no process and no folder behind, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.meter import family
from tests.support.servers import until

pytestmark = pytest.mark.external


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that servers which run as users of their own can reach."""
    made = Path(tempfile.mkdtemp(prefix="redesignate-test-bench-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def left(folder: Path) -> list[str]:
    """Processes that have anything to do with the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and process.name != str(os.getpid()):
            found.append(words.split(b"\0PATH")[0].decode(errors="replace")[:200])
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("group", "word", "number"),
    [
        ("split", "split …", signal.SIGTERM),  # its servers are starting
        ("split", "idle", signal.SIGINT),
        ("embedded", "at full load", signal.SIGTERM),  # another process sends requests
    ],
)
def test_an_interrupted_bench_leaves_nothing(folder: Path, group: str, word: str, number: int) -> None:
    environment = os.environ | {"TMPDIR": str(folder)}
    command = [sys.executable, "-m", "bench", group, "--small", "--seconds", "0.2", "--loads", "0,1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if word in line)
        assert line
        threading.Thread(target=process.stderr.read, daemon=True).start()
        process.send_signal(number)
        assert process.wait(90) == 128 + number
    until(lambda: not left(folder), deadline_s=60, what=f"the end of {left(folder)}")
    # a program that is killed as it looks for a folder for temporary files leaves the one that it wrote to try it
    assert [one for one in folder.iterdir() if one.is_dir() or one.read_bytes() not in (b"", b"blat")] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("victim", ["the bench", "its child"])
def test_a_bench_that_is_killed_leaves_no_server(folder: Path, tmp_path: Path, victim: str) -> None:
    environment = os.environ | {"TMPDIR": str(folder)}
    command = [sys.executable, "-m", "bench", "embedded", "--small", "--loads", "0"]
    said = tmp_path / "said"  # not a pipe, whose end would stop the bench too
    with said.open("w") as out, subprocess.Popen(command, stderr=out, stdout=out, env=environment) as process:
        until(lambda: "idle" in said.read_text(), deadline_s=120, what="the start")
        os.kill(process.pid if victim == "the bench" else family(process.pid)[1], signal.SIGKILL)
    until(lambda: not left(folder), deadline_s=15, what="the end of every server")
