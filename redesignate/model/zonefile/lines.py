# SPDX-License-Identifier: Apache-2.0
r"""The text of a master file as statements: lines, comments, quotes and parentheses (RFC 1035 §5.1).

Reads ahead by one block and holds one statement. What the tokens of a statement mean is known elsewhere. The lexical
rules are BIND's, save that a control character is refused wherever it stands: a carriage return that ends no line, and
a line break in a quoted string, which BIND allows after a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from redesignate.model.rdata.base import MAX_TEXT

MAX_STATEMENT = 2 * MAX_TEXT
"""Characters of one statement with all lines that its parentheses hold: the longest record there is, and as much of
comments and blanks."""

Statement = tuple[int, bool, list[str]]
"""The number of the first line, whether that begins with a blank, and at least one token: quotes and escapes kept."""

_BLOCK = 1 << 16
_PLAIN = re.compile(r"[\t !#-'*-:<-\[\]-~]*")
"""A line without comments, quotes, parentheses, escapes, control characters and characters beyond ASCII."""
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_PIECE = re.compile(
    r'[ \t]+|(?P<comment>;.*)|(?P<paren>[()])|(?P<quoted>"[^"\\]*+(?:\\.[^"\\]*+)*+")'
    r'|(?P<word>(?:[^ \t"();\\]|\\.)++(?:(?<==)"[^"\\]*+(?:\\.[^"\\]*+)*+")?)'
)
"""A word may end in a quoted value after an equals sign: a parameter of SVCB (RFC 9460 §2.1)."""


class ZoneFileError(ValueError):
    """A zone file that cannot be read, or a zone that cannot be served; the text is one line for a person.

    line   of the file, from 1; None where it is about the whole
    why    the text without the line
    """

    def __init__(self, line: int | None, why: str) -> None:
        super().__init__(why if line is None else f"line {line}: {why}")
        self.line = line
        self.why = why


def statements(chunks: Iterable[bytes | str]) -> Iterator[Statement]:
    """Divide a file, which comes in pieces of any size, into its statements. Raises ZoneFileError.

    Cost  0.7 µs for a line without quotes, comments and parentheses; memory for two blocks and one statement
    """
    lines = enumerate(chain.from_iterable(_blocks(chunks)), 1)
    for number, line in lines:
        if len(line) <= MAX_STATEMENT and _PLAIN.fullmatch(line):
            tokens = line.split()
        else:
            tokens = _gathered(number, line, lines)
        if tokens:
            yield number, line[0] in " \t", tokens


def tokenized(text: str) -> list[str]:
    """The tokens of one line. Raises ValueError."""
    try:
        return _gathered(1, text, iter(()))
    except ZoneFileError as error:
        raise ValueError(error.why) from error


# -- lines


def _blocks(chunks: Iterable[bytes | str]) -> Iterator[list[str]]:
    """The file's lines without their ends, some thousand at a time. Raises ZoneFileError."""
    number, held, fresh = 1, [b""], 0
    for piece in _pieces(chunks):
        held.append(piece)
        fresh += len(piece)
        if fresh < _BLOCK:  # joined when a block has come, or a file in pieces of one octet would be quadratic
            continue
        block = b"".join(held)
        end = block.rfind(b"\n") + 1
        if end:
            lines = _decoded(number, block[: end - 1])
            yield lines
            number += len(lines)
        elif len(block) > 4 * MAX_STATEMENT:  # octets, of which a character has four at most
            raise _too_long(number)
        held, fresh = [block[end:]], 0
    block = b"".join(held)
    if block:
        yield _decoded(number, block)


def _pieces(chunks: Iterable[bytes | str]) -> Iterator[bytes]:
    """The file as octets, in pieces of at most a block, however large the chunks are."""
    for chunk in chunks:
        for at in range(0, len(chunk), _BLOCK):
            piece = chunk[at : at + _BLOCK]
            yield piece.encode("utf-8", "surrogatepass") if isinstance(piece, str) else piece


def _decoded(number: int, block: bytes) -> list[str]:
    """The lines of a block that begins with this line and does not end in the middle of one."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").removesuffix(b"\r")  # the end of the last line is cut off
    try:
        return block.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        start = block.rfind(b"\n", 0, error.start) + 1
        raise ZoneFileError(
            number + block.count(b"\n", 0, error.start),
            f"octet {error.start - start + 1} (0x{block[error.start]:02X}) is not UTF-8; save the file as UTF-8, or "
            f"write the octet as \\{block[error.start]:03d}",
        ) from error


def _too_long(number: int) -> ZoneFileError:
    return ZoneFileError(
        number, f"the statement has more than {MAX_STATEMENT} characters; is a line break or a ) missing?"
    )


# -- tokens


def _gathered(first: int, line: str, lines: Iterator[tuple[int, str]]) -> list[str]:
    """The tokens of the statement that begins with this line; takes further lines between parentheses."""
    tokens: list[str] = []
    number, depth, size = first, 0, 0
    while True:
        size += len(line) + 1
        if size > MAX_STATEMENT:
            raise _too_long(first)
        depth = _divide(number, line, depth, tokens)
        if depth == 0:
            return tokens
        following = next(lines, None)
        if following is None:
            raise ZoneFileError(first, "a parenthesis that opens in this statement is not closed before the file ends")
        number, line = following


def _divide(number: int, line: str, depth: int, tokens: list[str]) -> int:
    """Add the tokens of one line; return how many parentheses are open after it, where `depth` were before."""
    bad = _CONTROL.search(line)
    if bad is not None:
        raise ZoneFileError(
            number,
            f"character {bad.start() + 1} is a control character (U+{ord(bad[0]):04X}); remove it, or write it in a "
            f"quoted string as \\{ord(bad[0]):03d}",
        )
    at = 0
    while at < len(line):
        piece = _PIECE.match(line, at)
        if piece is None:
            raise _stray(number, line, at)
        at = piece.end()
        match piece.lastgroup:
            case "word" | "quoted":
                tokens.append(piece[0])
            case "paren":
                depth += 1 if piece[0] == "(" else -1
                if depth < 0:
                    raise ZoneFileError(number, f"the ) at character {at} has no ( before it")
    return depth


def _stray(number: int, line: str, at: int) -> ZoneFileError:
    if line[at] == '"':
        why = f'the quote at character {at + 1} has no other on its line; write one that is meant as such as \\"'
    else:
        why = "the backslash at the end of the line has nothing to escape; write one that is meant as such as \\\\"
    return ZoneFileError(number, why)
