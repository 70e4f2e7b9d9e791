# SPDX-License-Identifier: Apache-2.0
"""The substitution in a NAPTR record: delimiter, extended regular expression, replacement (RFC 3402 §3.2).

Nameservers read it when they load a zone, and a zone with one that they cannot read is refused whole. So we accept
what POSIX defines (IEEE 1003.1 §9.4) and nothing that it leaves open.
"""

from __future__ import annotations

import re
from typing import NoReturn

_PRINTABLE = re.compile(rb"[ -~]*")
_DELIMITER = re.compile(r"[^A-Za-z0-9\\]")
_BOUND = re.compile(r"\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}")
_BRACKET = re.compile(r"\[\^?\]?(?:\[:[a-z]{1,8}:\]|[^\]\[]|\[(?![:.=]))*\]")
_RANGE = re.compile(r"([^\]\[-])-([^\]\[-])")
_CLASS = re.compile(r"\[:([a-z]+):\]")
_CLASSES = frozenset(
    ("alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit")
)
_MOST = 255  # what POSIX promises for a bound


def check(content: bytes) -> None:
    """Raises ValueError unless the octets are empty or one whole substitution."""
    if not content:
        return
    if _PRINTABLE.fullmatch(content) is None:
        raise ValueError("regexp has a character that is not printable ASCII")
    text = content.decode("ascii")
    delimiter = text[0]
    if _DELIMITER.fullmatch(delimiter) is None:
        raise ValueError(f"regexp begins with {delimiter}, which cannot delimit its parts; write ! instead")
    parts = _divide(text[1:], delimiter)
    if len(parts) != 3 or parts[2] not in ("", "i"):
        raise ValueError(
            f"regexp does not have the form {delimiter}expression{delimiter}replacement{delimiter}, optionally "
            "followed by i"
        )
    groups = _Expression(parts[0]).check()
    _check_replacement(parts[1], groups)


def _divide(text: str, delimiter: str) -> list[str]:
    """The parts between delimiters that no backslash stands before."""
    parts = [""]
    at = 0
    while at < len(text):
        size = 2 if text[at] == "\\" else 1
        piece = text[at : at + size]
        at += size
        if piece == delimiter:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _check_replacement(text: str, groups: int) -> None:
    for piece in re.findall(r"\\(.?)", text):
        if not piece:
            raise ValueError("regexp's replacement ends with a backslash")
        if piece.isdigit() and not 1 <= int(piece) <= groups:
            raise ValueError(f"regexp's replacement names group {piece}; the expression has {groups}")


class _Expression:
    """One walk over an expression, which must be well-formed in the sense of POSIX."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.groups = 0
        self.depth = 0

    def check(self) -> int:
        """How many groups there are. Raises ValueError."""
        if not self.text:
            self._refuse("is empty")
        atom = False  # whether something stands before this place in its branch
        repeatable = False  # whether a quantifier may follow
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in "*+?{":
                if not repeatable:
                    self._refuse(f"has {char} with nothing to repeat before it")
                self._quantifier(char)
                repeatable = False
            elif char in "|)":
                if not atom:
                    self._refuse("has an empty branch")
                atom = repeatable = self._close(char)
            elif char == "(":
                self._open()
                atom = repeatable = False
            else:
                atom, repeatable = True, self._atom(char)
        if self.depth or not atom:
            self._refuse("has a ( without )" if self.depth else "has an empty branch")
        return self.groups

    def _open(self) -> None:
        self.at += 1
        self.groups += 1
        self.depth += 1
        if self.groups > 9:
            self._refuse("has more than nine groups")

    def _close(self, char: str) -> bool:
        """Pass a | or a ); says whether an atom now stands before this place."""
        self.at += 1
        if char == "|":
            return False
        self.depth -= 1
        if self.depth < 0:
            self._refuse("has a ) without (")
        return True

    def _atom(self, char: str) -> bool:
        """Pass a character, an escape, an anchor or a bracket expression; says whether it can be repeated."""
        if char == "[":
            self._bracket()
            return True
        if char in "]}":
            self._refuse(f"has a {char} that nothing opens")
        if char == "\\":
            escaped = self.text[self.at + 1 : self.at + 2]
            if not escaped or escaped.isdigit():
                self._refuse("has a backslash that escapes nothing")
            self.at += 1
        self.at += 1
        return char not in "^$"

    def _quantifier(self, char: str) -> None:
        if char != "{":
            self.at += 1
            return
        bound = _BOUND.match(self.text, self.at)
        if bound is None:
            self._refuse("has a { that does not begin a bound such as {1,3}")
        low, high = int(bound[1]), int(bound[3] or bound[1])
        if not low <= high <= _MOST:
            self._refuse(f"has the bound {bound[0]}; write two rising numbers up to 255")
        self.at = bound.end()

    def _bracket(self) -> None:
        found = _BRACKET.match(self.text, self.at)
        if found is None:
            self._refuse("has a [ without a ]")
        inner = found[0][1:-1]
        for name in _CLASS.findall(inner):
            if name not in _CLASSES:
                self._refuse(f"has the unknown class [:{name}:]")
        for low, high in _RANGE.findall(_CLASS.sub("", inner)):
            if low > high:
                self._refuse(f"has the range {low}-{high}, which is empty")
        self.at = found.end()

    def _refuse(self, why: str) -> NoReturn:
        raise ValueError(f"regexp's expression {why}")
