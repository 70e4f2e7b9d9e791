# SPDX-License-Identifier: Apache-2.0
"""Parses BIND's configuration (named.conf, rndc.conf, the output of `showzone`): words, blocks, semicolons."""

from __future__ import annotations

import re

TOKEN = re.compile(
    r"""(?P<skip> \s+ | //[^\n]* | \#[^\n]* | /\*.*?\*/ )
      | "(?P<quoted> (?: [^"\\] | \\. )* )"
      | (?P<sign> [{};] )
      | (?P<word> [^\s{};"]+ )""",
    re.VERBOSE | re.DOTALL,
)

Statement = tuple[tuple[str, ...], "list[Statement]"]
"""The words before a block or semicolon, and the block's statements."""


def setting(block: list[Statement], name: str) -> str | None:
    """The value of the first statement `name value;` of a block; None if there is none."""
    for words, _ in block:
        if len(words) == 2 and words[0] == name:
            return words[1]
    return None


def statements(text: str) -> list[Statement]:
    """The statements of a text. Raises ValueError, whose text names the fault and its line."""
    top: list[Statement] = []
    open_blocks = [top]
    words: list[str] = []
    block: list[Statement] = []
    for kind, token in _tokens(text):
        if kind != "sign":
            words.append(token)
        elif token == "{":
            block = []
            open_blocks[-1].append((tuple(words), block))
            open_blocks.append(block)
            words = []
        elif token == "}":
            if len(open_blocks) == 1:
                raise ValueError("there is one '}' too many")
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
        raise ValueError("the file ends in the middle of a statement")
    return top


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"line {text.count(chr(10), 0, at) + 1} cannot be read")
        at = found.end()
        kind = found.lastgroup or "skip"
        if kind != "skip":
            tokens.append((kind, found[kind]))
    return tokens
