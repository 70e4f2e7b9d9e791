# SPDX-License-Identifier: Apache-2.0
"""Secrets at rest: sealed with a key from a file (Fernet: AES-128-CBC and HMAC-SHA256), opened on the way out."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from redesignate.model.errors import Misconfigured


class Secrets:
    """Seals and opens short texts. Without a key file they are stored unsealed (tests, temporary installations)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._box: Fernet | None = None

    def seal(self, text: str) -> str:
        """The text as it may be stored."""
        if self._path is None:
            return text
        return "sealed:" + self._key().encrypt(text.encode()).decode()

    def open(self, stored: str) -> str:
        """The text again. Raises Misconfigured if the key file is not the one it was sealed with."""
        if not stored.startswith("sealed:"):
            return stored
        if self._path is None:
            raise Misconfigured("A secret in the database is sealed, but this process has no key to open it.")
        try:
            return self._key().decrypt(stored.removeprefix("sealed:").encode()).decode()
        except InvalidToken as error:
            raise Misconfigured(
                f"{self._path} is not the key that the database's secrets were sealed with; restore the right one."
            ) from error

    def _key(self) -> Fernet:
        """The Fernet object, made on first use: most processes never see a secret. Raises Misconfigured."""
        if self._box is None:
            assert self._path is not None
            try:
                self._box = Fernet(_read_or_make(self._path))
            except OSError as error:
                why = error.strerror or error
                fix = "this process must be able to read the key, or to create it."
                raise Misconfigured(f"{self._path}: {why}; {fix}") from error
            except ValueError as error:
                raise Misconfigured(f"{self._path} does not hold a key; restore it from a backup.") from error
        return self._box


def _read_or_make(path: Path) -> bytes:
    """The key in the file; a new one, readable only by its owner, if there is no file yet."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes().strip()
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
    return path.read_bytes().strip()
