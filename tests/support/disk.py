# SPDX-License-Identifier: Apache-2.0
"""A small file system that a test can fill, where it may mount one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MB = 2**20


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """Mount an empty file system of this size at a folder; gives whether that was possible. Unmounted at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "redesignate-test", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave no space on the file system of a folder; give it back at the end."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as out:
            for size in (MB, 4096, 1):
                _write(out.fileno(), b"x" * size)
        yield
    finally:
        filler.unlink()


def _write(file: int, block: bytes) -> None:
    try:
        while os.write(file, block):
            pass
    except OSError:  # no space is left for a block of this size
        return
