# SPDX-License-Identifier: Apache-2.0
"""Processor time is put down to the process that used it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bench.meter import Meter, family, memory

SPIN = (
    "import time\nprint('ready', flush=True); input(); end = time.process_time() + {}\n"
    "while time.process_time() < end: pass\nprint('spun', flush=True); input()"
)


def test_a_childs_time_belongs_to_its_kind_and_not_to_the_bench() -> None:
    command = ["sh", "-c", f'{sys.executable} -c "{SPIN.format(0.3)}"; true']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        with Meter(lambda: {"spinner": [process.pid]}) as meter:
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.stdout.readline()
        assert len(family(process.pid)) == 2
        assert memory([process.pid]) > 1
        process.stdin.close()
    assert 0.2 < meter.used.cpu["spinner"] < 0.6
    assert meter.used.client < 0.2
    assert meter.used.per(100)["spinner"] == pytest.approx(10 * meter.used.cpu["spinner"])


def test_our_own_time_is_the_clients() -> None:
    until = time.process_time() + 0.3
    with Meter(dict) as meter:
        while time.process_time() < until:
            pass
    assert 0.25 < meter.used.client < 0.6
    assert 0 <= meter.used.others <= 1


def test_a_process_that_has_ended_has_no_family() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert family(process.pid) == []
    assert os.getpid() in family(os.getpid())
