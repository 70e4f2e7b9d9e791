# SPDX-License-Identifier: Apache-2.0
"""Patterns of the blacklist: regular expressions that are searched in a zone's name, in time linear in its length.

They are what Python's `re` and RE2 write alike, and RE2, which never backtracks, runs them. What RE2 cannot run
(look-around, backreferences) or would read in another way is refused. Letters match in either case, as in DNS.

So that the cost of a search does not grow with the number of patterns, each has its needles: texts of which every name
that it matches holds at least one. Of each needle a gram of three characters is indexed (`store/blacklists.py`), so
that a name is compared only with the patterns whose gram it holds.
"""

from __future__ import annotations

import functools
import re
from typing import Any

LONGEST = 255
"""Characters of a pattern."""
MOST_STEPS = 1000
"""The largest program: RE2 looks at no more than so many instructions for each character of a name."""
GRAM = 3
"""Characters of a gram."""
MOST_NEEDLES = 20
"""Needles of one pattern; one with more alternatives has none."""
_MEMORY = 256 * 1024
"""Octets that RE2 may use for one pattern, its caches included; beyond it takes no more memory, but more time."""
_COMPILED = 256
"""Compiled patterns in memory: 64 MB at most, and some kilobytes each as a rule."""

_ESCAPES = frozenset("AbBdDsSwWzZafnrtvx")
"""Letters after a backslash that mean the same to both; `\\Z` is RE2's `\\z`."""
_CLASS_ESCAPES = frozenset("dDsSwWafnrtvx")
_QUANTIFIER = re.compile(r"[*+?]|\{([0-9]+)(?:,[0-9]*)?\}")
_UNLIKE = re.compile(r"\{,[0-9]*\}")
_HEX = re.compile(r"x(?:[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]+\})")
_GROUP = re.compile(r"\?(?:P<\w+>|([imsU-]*)([:)]))")
_NOTHING: tuple[str, ...] = ("",)


class InvalidPattern(ValueError):
    """A text that is not a pattern, or one that cannot be run; the message says why and what to write."""


def needles_of(pattern: str) -> tuple[str, ...]:
    """Check a pattern; return its needles in lower case, ("",) where there are none. Raises InvalidPattern."""
    if not 0 < len(pattern) <= LONGEST:
        raise InvalidPattern(f"A pattern has 1 to {LONGEST} characters")
    if not pattern.isascii():
        raise InvalidPattern("A pattern holds ASCII characters only: zone names are compared as A-labels (xn--…)")
    reader = _Reader(pattern)
    program = _compiled(pattern)
    found = reader.alternatives()
    if program.programsize > MOST_STEPS:
        raise InvalidPattern(
            f"The pattern is too large: a program of {program.programsize} steps, at most {MOST_STEPS} are allowed; "
            "write smaller repetitions"
        )
    return found


def matches(pattern: str, name: str) -> bool:
    """Whether a checked pattern matches somewhere in a name. At most MOST_STEPS steps for each character."""
    return _compiled(pattern).search(name.encode("ascii")) is not None


def grams(text: str) -> set[str]:
    """Every run of three characters in a text; for a shorter text the empty one, which every name holds."""
    return {text[at : at + GRAM] for at in range(len(text) - GRAM + 1)} or {""}


@functools.lru_cache(_COMPILED)
def _compiled(pattern: str) -> Any:
    """RE2's program. Raises InvalidPattern."""
    import re2  # a library in C++, needed by central alone

    options = re2.Options()
    options.max_mem = _MEMORY
    options.encoding = options.Encoding.LATIN1
    options.case_sensitive = False
    options.never_capture = True
    options.log_errors = False
    try:
        return re2.compile(_as_re2(pattern).encode("ascii"), options)
    except re2.error as error:
        why = error.args[0] if error.args else ""
        why = why.decode("latin-1") if isinstance(why, bytes) else str(why)
        raise InvalidPattern(
            f"The pattern is not one that RE2 runs: {why}; it has no look-around, backreferences or possessive repeats"
        ) from None


def _as_re2(pattern: str) -> str:
    return re.sub(r"\\(.)", lambda found: r"\z" if found[1] == "Z" else found[0], pattern, flags=re.DOTALL)


class _Reader:
    """Reads a pattern from left to right for its needles, and refuses what the two languages read in different ways.

    Where it is in doubt it finds no needle, so that a needle that is found is always there.
    """

    def __init__(self, pattern: str) -> None:
        self._text, self._at = pattern, 0

    def alternatives(self) -> tuple[str, ...]:
        """The needles of what stands before the next `)` that closes nothing, or the end."""
        found: list[str] = []
        while True:
            found += self._sequence()
            if not self._text.startswith("|", self._at):
                break
            self._at += 1
        return tuple(dict.fromkeys(found)) if all(found) and len(found) <= MOST_NEEDLES else _NOTHING

    def _sequence(self) -> tuple[str, ...]:
        """The best needles of what stands one after another."""
        best, run = _NOTHING, ""
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            inner, letter = self._one()
            least = self._least()
            if letter and least is None:
                run += letter.lower()
                continue
            kept = least is None or least > 0
            best = _better(best, (run + letter.lower() if letter and kept else run,))
            if kept:
                best = _better(best, inner)
            run = ""
        return _better(best, (run,))

    def _one(self) -> tuple[tuple[str, ...], str]:
        """One item: the needles of a group, or a letter that stands for itself, or neither."""
        character = self._text[self._at]
        self._at += 1
        match character:
            case "(":
                return self._group(), ""
            case "[":
                self._class()
                return _NOTHING, ""
            case "\\":
                return _NOTHING, self._escape(_ESCAPES)
            case "." | "^" | "$":
                return _NOTHING, ""
            case "{" if unlike := _UNLIKE.match(self._text, self._at - 1):
                raise InvalidPattern(f"Write {{0,{unlike[0][2:-1]}}} for {unlike[0]}, which is not the same to RE2")
        return _NOTHING, character

    def _least(self) -> int | None:
        """How often the last item stands there at least; None without a quantifier."""
        least: int | None = None
        while found := _QUANTIFIER.match(self._text, self._at):
            least = min(1 if least is None else least, {"*": 0, "?": 0, "+": 1}.get(found[0], int(found[1] or 0)))
            self._at = found.end()
        return least

    def _group(self) -> tuple[str, ...]:
        if self._text.startswith("?", self._at):
            head = _GROUP.match(self._text, self._at)
            if head is None:
                raise InvalidPattern(f"RE2 does not run {self._text[self._at - 1 : self._at + 3]!r}: "
                                     "it has no look-around, conditions, comments or verbose patterns")  # fmt: skip
            self._at = head.end()
            if head[2] == ")":
                return _NOTHING
        found = self.alternatives()
        self._at += 1
        return found

    def _class(self) -> None:
        """Pass over a class, `[…]`."""
        self._at += self._text.startswith("^", self._at)
        first = self._at
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "]" and self._at > first:
                self._at += 1
                return
            if self._text.startswith("[:", self._at):
                raise InvalidPattern("Write the characters in place of [:…:], which is not the same to RE2")
            self._at += 1
            if character == "\\":
                self._escape(_CLASS_ESCAPES)

    def _escape(self, known: frozenset[str]) -> str:
        """Pass over what follows a backslash; return the character that it stands for, "" where it is any of several
        or none."""
        character = self._text[self._at : self._at + 1]
        if character.isalnum() and character not in known:
            raise InvalidPattern(f"\\{character} is not an escape that RE2 runs here; backreferences are none either")
        if character == "x" and (digits := _HEX.match(self._text, self._at)):
            self._at = digits.end()
            return ""
        self._at += 1
        return "" if character.isalnum() else character


def _better(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Which needles tell more names apart: those whose shortest is longer, then the fewer."""
    return max(one, other, key=lambda some: (min(map(len, some)), -len(some)))
