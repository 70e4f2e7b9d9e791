# SPDX-License-Identifier: Apache-2.0
"""Secrets at rest: sealed with a key from a file (Fernet: AES-128-CBC and HMAC-SHA256), opened on the way out.

A secret that this process's key does not open is passed on as it is stored, sealed: what needs it fails (it is not
base64), and all else goes on. Whoever starts a process says so (`Secrets.lost`).
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection, select

from redesignate.model.errors import Misconfigured
from redesignate.store.settings_schema import pools, tsigkeys

SEALED = "sealed:"
SECRET_KEY = "secret.key"
"""The key's file in the state folder."""
_SHOWN = 10
"""Names of lost secrets that one line holds."""


class Secrets:
    """Seals and opens short texts. Without a key file they are stored unsealed (tests, temporary installations)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._box: Fernet | None = None

    def seal(self, text: str, conn: Connection) -> str:
        """The text as it may be stored. The first secret of a database makes the key file.

        Raises Misconfigured: the key cannot be used, or the database holds secrets of a key that is not there.
        """
        if self._path is None or text.startswith(SEALED):
            return text
        box = self._key()
        if box is None:
            if names := [name for name, _ in _sealed(conn)]:
                raise Misconfigured(f"{self._path} does not exist. {_remedy(names)}")
            _make(self._path)
            box = self._key()
        assert box is not None
        return SEALED + box.encrypt(text.encode()).decode()

    def open(self, stored: str) -> str:
        """The text again; as it is stored where the key is not there, or another. Raises Misconfigured."""
        if not stored.startswith(SEALED) or self._path is None:
            return stored
        box = self._key()
        try:
            return stored if box is None else box.decrypt(stored.removeprefix(SEALED).encode()).decode()
        except InvalidToken:
            return stored

    def lost(self, conn: Connection) -> str | None:
        """Say which of the database's secrets the key does not open, and the fix; None if there are none.

        Raises Misconfigured. Cost   two queries.
        """
        names = [name for name, stored in _sealed(conn) if self.open(stored) == stored]
        if not names or self._path is None:
            return None
        fault = "is not the key of secrets in the database" if self._path.exists() else "does not exist"
        return f"{self._path} {fault}. {_remedy(names)}"

    def _key(self) -> Fernet | None:
        """The Fernet object, made on first use: most processes never see a secret. None where there is no file.

        Raises Misconfigured.
        """
        if self._box is None:
            assert self._path is not None
            try:
                self._box = Fernet(self._path.read_bytes().strip())
            except FileNotFoundError:
                return None
            except OSError as error:
                raise _unusable(self._path, error) from error
            except ValueError as error:
                raise Misconfigured(f"{self._path} does not hold a key; restore it from a backup.") from error
        return self._box


def _sealed(conn: Connection) -> Iterator[tuple[str, str]]:
    """What is sealed in the database: each secret's name for a person, and its stored form."""
    for name, secret in conn.execute(select(tsigkeys.c.name, tsigkeys.c.secret).order_by(tsigkeys.c.name)):
        if secret.startswith(SEALED):
            yield f"TSIG key {name}", secret
    for name, body in conn.execute(select(pools.c.name, pools.c.body).order_by(pools.c.name)):
        secret = (json.loads(body)["catalog"] or {}).get("secret") or ""
        if secret.startswith(SEALED):
            yield f"the catalog zone's key of pool {name}", secret


def _remedy(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return (
        "Put the right file back and restart. If it is lost, make a new one (docs/production.md, secret.key) and these "
        f"secrets anew: {shown}."
    )


def _unusable(path: Path, error: OSError) -> Misconfigured:
    why = error.strerror or error
    return Misconfigured(f"{path}: {why}; this process must be able to read the key, or to create it.")


def _make(path: Path) -> None:
    """Make a key file, readable only by its owner, unless another process has just made it. Raises Misconfigured."""
    try:
        # written to a temporary file first: no process ever reads a part of it, and of two writers one wins
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(Fernet.generate_key() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(beside, path)
        finally:
            os.unlink(beside)
    except OSError as error:
        raise _unusable(path, error) from error
