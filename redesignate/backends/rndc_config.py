# SPDX-License-Identifier: Apache-2.0
"""Reads the key for a control channel from rndc's own files: rndc.key and rndc.conf."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from redesignate.backends.rndc_message import ALGORITHMS, RndcKey, secret_bytes

USUAL_FILES = ("/etc/bind/rndc.conf", "/etc/rndc.conf", "/etc/bind/rndc.key", "/etc/rndc.key", "/etc/named/rndc.key")
TOKEN = re.compile(
    r"""(?P<skip> \s+ | //[^\n]* | \#[^\n]* | /\*.*?\*/ )
      | "(?P<quoted> (?: [^"\\] | \\. )* )"
      | (?P<sign> [{};] )
      | (?P<word> [^\s{};"]+ )""",
    re.VERBOSE | re.DOTALL,
)

Statement = tuple[tuple[str, ...], "list[Statement]"]
"""The words before a block or semicolon, and the block's statements."""


@dataclass
class RndcFile:
    """What an rndc file says: its keys, and which of them is for which server."""

    keys: dict[str, RndcKey] = field(default_factory=dict)
    default_key: str | None = None
    server_keys: dict[str, str] = field(default_factory=dict)


def key_for(server: str, path: str | None) -> RndcKey:
    """The key to reach `server` with, from the file at `path`, or from the first of rndc's usual files that exists.

    Raises ValueError (one line that names the file and the mend).
    """
    paths = [Path(path)] if path else [Path(usual) for usual in USUAL_FILES]
    for candidate in paths:
        try:
            told = candidate.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ValueError(f"cannot read {candidate}: {error.strerror}") from None
        try:
            return choose(parse(told), server)
        except ValueError as error:
            raise ValueError(f"{candidate}: {error}") from None
    raise ValueError(f"no rndc key: {' and '.join(map(str, paths))} missing; set rndc_key_file")


def choose(file: RndcFile, server: str) -> RndcKey:
    """The server's own key, else the default key, else the only one. Raises ValueError."""
    name = file.server_keys.get(server) or file.default_key
    if name is None and len(file.keys) == 1:
        return next(iter(file.keys.values()))
    if name is None:
        raise ValueError("it holds no key" if not file.keys else "it holds several keys and names no default-key")
    if name not in file.keys:
        raise ValueError(f"key {name!r} is named and not defined")
    return file.keys[name]


def parse(told: str) -> RndcFile:
    """The keys in a text of rndc.conf's syntax; what is not about keys is passed over. Raises ValueError."""
    file = RndcFile()
    for words, block in _statements(told):
        match words:
            case ("key", name):
                file.keys[name] = _key(name, block)
            case ("options",):
                file.default_key = _setting(block, "default-key")
            case ("server", server) if (key := _setting(block, "key")) is not None:
                file.server_keys[server] = key
            case _:
                pass
    return file


def _key(name: str, block: list[Statement]) -> RndcKey:
    algorithm = (_setting(block, "algorithm") or "hmac-md5").lower().removesuffix(".sig-alg.reg.int")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"key {name!r} has unknown algorithm {algorithm!r}; known: {', '.join(ALGORITHMS)}")
    secret = _setting(block, "secret")
    if secret is None:
        raise ValueError(f"key {name!r} has no secret")
    try:
        return RndcKey(name, algorithm, secret_bytes(secret))
    except ValueError as error:
        raise ValueError(f"key {name!r}: {error}") from None


def _setting(block: list[Statement], name: str) -> str | None:
    for words, _ in block:
        if len(words) == 2 and words[0] == name:
            return words[1]
    return None


def _statements(told: str) -> list[Statement]:
    top: list[Statement] = []
    open_blocks = [top]
    words: list[str] = []
    block: list[Statement] = []
    for kind, token in _tokens(told):
        if kind != "sign":
            words.append(token)
        elif token == "{":
            block = []
            open_blocks[-1].append((tuple(words), block))
            open_blocks.append(block)
            words = []
        elif token == "}":
            if len(open_blocks) == 1:
                raise ValueError("a '}' too many")
            if words:
                raise ValueError(
                    f"a ';' is missing after {words[-1]!r}" if words[0] != "secret" else "a ';' is missing"
                )
            open_blocks.pop()
        else:
            if words:
                open_blocks[-1].append((tuple(words), []))
            words = []
    if len(open_blocks) > 1 or words:
        raise ValueError("it ends in the middle of a statement")
    return top


def _tokens(told: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(told):
        found = TOKEN.match(told, at)
        if found is None:
            raise ValueError(f"line {told.count(chr(10), 0, at) + 1} cannot be read")
        at = found.end()
        kind = found.lastgroup or "skip"
        if kind != "skip":
            tokens.append((kind, found[kind]))
    return tokens
