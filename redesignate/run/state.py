# SPDX-License-Identifier: Apache-2.0
"""The folder of `redesignate serve`: database, keys, lock, and a configuration file for the command line."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from redesignate.config.settings import Settings
from redesignate.model.errors import Misconfigured

CONFIG = "redesignate.conf"
_OTHER = "choose another folder with --state-dir (make serve STATE=…)"


def make_state(folder: Path) -> None:
    """The folder, for its owner only if it is new, and locked until this process ends.

    Raises Misconfigured: it cannot be created or written, or another `serve` uses it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)  # open until the end: it is the lock
    except OSError as error:
        raise Misconfigured(f"{folder}: {error.strerror}; {_OTHER}.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise Misconfigured(f"{folder} is in use by another `redesignate serve`; {_OTHER}.") from error


def write_config(folder: Path, settings: Settings) -> None:
    """A file for `redesignate --config-file … manage`, so that the command line works on the same database.

    It may hold a password: only its owner may read it, even if an earlier file was readable by all.
    Raises Misconfigured.
    """
    path = folder / CONFIG
    state, url = (str(text).replace("$", "$$") for text in (settings.state_path, settings.store.url))
    try:
        path.touch(mode=0o600, exist_ok=True)
        path.chmod(0o600)
        path.write_text(
            "# Written at each start by `redesignate serve`; for `redesignate --config-file` of this folder.\n"
            f"[DEFAULT]\nstate_path = {state}\n\n"
            f"[storage:sqlalchemy]\nconnection = {url}\n"
        )
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}; {_OTHER}.") from error
