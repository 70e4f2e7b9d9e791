# SPDX-License-Identifier: Apache-2.0
"""Reads the key for a control channel from rndc's own files: rndc.key and rndc.conf."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from redesignate.backends.named_conf import Statement, setting, statements
from redesignate.backends.rndc_message import ALGORITHMS, RndcKey, secret_bytes

USUAL_FILES = ("/etc/bind/rndc.conf", "/etc/rndc.conf", "/etc/bind/rndc.key", "/etc/rndc.key", "/etc/named/rndc.key")


@dataclass
class RndcFile:
    """The contents of an rndc file: its keys, and the server of each."""

    keys: dict[str, RndcKey] = field(default_factory=dict)
    default_key: str | None = None
    server_keys: dict[str, str] = field(default_factory=dict)


def key_for(server: str, path: str | None) -> RndcKey:
    """The key to reach `server` with, from the file at `path`, or from the first of rndc's usual files that exists.

    Raises ValueError (one line that names the file and the fix).
    """
    paths = [Path(path)] if path else [Path(usual) for usual in USUAL_FILES]
    for candidate in paths:
        try:
            text = candidate.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ValueError(f"cannot read {candidate}: {error.strerror}") from None
        try:
            return choose(parse(text), server)
        except ValueError as error:
            raise ValueError(f"{candidate}: {error}") from None
    raise ValueError(f"no rndc key: {' and '.join(map(str, paths))} missing; set rndc_key_file")


def choose(file: RndcFile, server: str) -> RndcKey:
    """The server's own key, else the default key, else the only one. Raises ValueError."""
    name = file.server_keys.get(server) or file.default_key
    if name is None and len(file.keys) == 1:
        return next(iter(file.keys.values()))
    if name is None:
        raise ValueError("the file has no key" if not file.keys else "the file has several keys and no default-key")
    if name not in file.keys:
        raise ValueError(f"key {name!r} is used but not defined")
    return file.keys[name]


def parse(text: str) -> RndcFile:
    """The keys in a text of rndc.conf's syntax; statements other than keys are ignored. Raises ValueError."""
    file = RndcFile()
    for words, block in statements(text):
        match words:
            case ("key", name):
                file.keys[name] = _key(name, block)
            case ("options",):
                file.default_key = setting(block, "default-key")
            case ("server", server) if (key := setting(block, "key")) is not None:
                file.server_keys[server] = key
            case _:
                pass
    return file


def _key(name: str, block: list[Statement]) -> RndcKey:
    algorithm = (setting(block, "algorithm") or "hmac-md5").lower().removesuffix(".sig-alg.reg.int")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"key {name!r} has unknown algorithm {algorithm!r}; known: {', '.join(ALGORITHMS)}")
    secret = setting(block, "secret")
    if secret is None:
        raise ValueError(f"key {name!r} has no secret")
    try:
        return RndcKey(name, algorithm, secret_bytes(secret))
    except ValueError as error:
        raise ValueError(f"key {name!r}: {error}") from None
