# SPDX-License-Identifier: Apache-2.0
"""A parent and its children: what goes wrong in a child is said, and a signal always stops them all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

START = """
import os, sys, time
from redesignate.model.errors import Misconfigured
from redesignate.observe.setup import setup_logging
from redesignate.run.processes import run, until_stopped
setup_logging(service="test")
"""


@contextmanager
def _parent(code: str) -> Iterator[subprocess.Popen[str]]:
    program = START + textwrap.dedent(code) + "\nsys.exit(run(serve, 2))\n"
    pipe = subprocess.PIPE
    # a group of its own, so that whatever the test finds, no child outlives it
    made = subprocess.Popen([sys.executable, "-c", program], stdout=pipe, stderr=pipe, text=True, process_group=0)
    with made:
        try:
            yield made
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(made.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("raised", "told"), [("Misconfigured('set this')", "set this"), ("OSError('taken')", "OSError: taken")]
)
def test_a_child_that_cannot_serve_says_why(raised: str, told: str) -> None:
    code = f"""
        def serve():
            raise {raised}
    """
    with _parent(code) as parent:
        assert parent.stderr is not None
        said = ""
        while told not in said and (line := parent.stderr.readline()) and said.count("another starts") < 4:
            said += line
    assert told in said


def test_a_signal_during_the_start_of_the_children_stops_them() -> None:
    """Also where a terminal sends it to the children as well as to the parent."""
    code = """
        def serve():
            os.write(1, b"%d\\n" % os.getpid())
            time.sleep(0.5)
            until_stopped()
    """
    with _parent(code) as parent:
        assert parent.stdout is not None
        children = [int(parent.stdout.readline()) for _ in range(2)]
        for pid in children:
            os.kill(pid, signal.SIGINT)
        parent.send_signal(signal.SIGINT)
        assert parent.wait(timeout=10) == 0


def test_a_signal_stops_a_service_whichever_of_its_threads_the_kernel_gives_it_to() -> None:
    code = """
        import signal, threading
        def other():
            time.sleep(0.3)  # until the main thread waits
            for number in (signal.SIGHUP, signal.SIGTERM):
                signal.pthread_kill(threading.get_ident(), number)
            threading.Event().wait()
        threading.Thread(target=other, daemon=True).start()
        until_stopped()
        sys.exit(0)
    """
    with _parent(code) as process:
        assert process.wait(timeout=10) == 0
        assert process.stderr is not None
        assert "restart to change them" in process.stderr.read()
