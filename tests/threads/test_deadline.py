# SPDX-License-Identifier: Apache-2.0
"""Deadlines by a clock that tests move."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from redesignate.model.errors import Unavailable
from redesignate.threads.deadline import Deadline, asking, current, uptime


def test_what_is_left_never_falls_below_nothing() -> None:
    now = [100.0]
    deadline = Deadline.after(5, lambda: now[0])
    assert deadline.left() == 5
    deadline.check()
    now[0] = 105.0
    assert deadline.left() == 0
    assert deadline.over()
    with pytest.raises(Unavailable, match="not carried out"):
        deadline.check()


def test_the_earlier_deadline_holds() -> None:
    soon, late = Deadline(1), Deadline(2)
    assert soon.earlier(late) == late.earlier(soon) == soon.earlier(None) == soon
    with asking(soon):
        with asking(late):
            assert current() == soon
        with asking(Deadline(0.5)):
            assert current() == Deadline(0.5)
        assert current() == soon
    assert current() is None


def test_a_deadline_is_its_threads_own() -> None:
    seen: list[Deadline | None] = []
    with asking(Deadline(1)):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_the_clock_goes_on_while_the_process_is_stopped() -> None:
    script = (
        "import sys\nfrom redesignate.threads.deadline import Deadline\n"
        "deadline = Deadline.after(0.3)\nprint(deadline.over(), flush=True)\n"
        "sys.stdin.readline()\nprint(deadline.over())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline().strip() == "False"
        os.kill(process.pid, signal.SIGSTOP)
        stopped_at = uptime()
        while uptime() < stopped_at + 0.5:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGCONT)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() == "True"
