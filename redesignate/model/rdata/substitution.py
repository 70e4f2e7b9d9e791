# SPDX-License-Identifier: Apache-2.0
r"""The substitution in a NAPTR record as BIND reads it (RFC 3402 §3.2): of a primary, and, after `ere`, of users.

BIND refuses a zone with one that it cannot read, but it reads more than users may write (`ere`): any octets but NUL,
letters as delimiters, more than nine groups, references to groups within the expression (`(a)\1`), several flags `i`,
and some malformed expressions: a `)` that closes nothing, an empty group, `{` without a number after it, `[a-]`.
"""

from __future__ import annotations

import re
from typing import NoReturn

_PARTS = re.compile(rb"([^0-9i\\])((?:\\.|(?!\1)[^\\])*)\1((?:\\.|(?!\1)[^\\])*)\1i*", re.DOTALL)
_REFERENCE = re.compile(rb"\\(.)", re.DOTALL)
_TOKEN = re.compile(
    rb"\\(?P<escaped>.)|(?P<bracket>\[)|(?P<bound>\{([0-9]+)(?:,([0-9]*))?\})|(?P<repeat>[*+?])|(?P<anchor>[\^$])"
    rb"|(?P<open>\()|(?P<close>\))|(?P<or>\|)|(?P<char>[^{\\]|\{(?![0-9]))",
    re.DOTALL,
)
_ITEM = re.compile(
    rb"\[\.(?P<element>(?!\.\]).+?)\.\]|(?P<equivalents>\[=(?!=\]).+?=\])|\[:(?P<named>.*?):\]|(?P<char>\[(?![.=:])|[^\[])",
    re.DOTALL,
)
_CLASSES = frozenset(
    (b"alnum", b"alpha", b"blank", b"cntrl", b"digit", b"graph", b"lower", b"print", b"punct", b"space", b"upper",
     b"xdigit")
)  # fmt: skip
_MOST = 255
_NOTHING, _BRANCH, _ATOM, _REPEATED = range(4)
"""What stands before a place: the beginning or a (; a |; what can be repeated; what cannot."""
_ALONE, _ENDED, _OPENED = range(3)
"""What stands before a place in a bracket expression: a character; the end of a range; its beginning and a hyphen."""


def check(content: bytes) -> None:
    """Raises ValueError unless the octets are empty or a substitution that BIND loads."""
    if not content:
        return
    parts = _PARTS.fullmatch(content)
    if parts is None or 0 in content:
        raise ValueError("regexp does not have the form !expression!replacement!, optionally followed by i")
    groups = _Expression(parts[2]).groups()
    for named in _REFERENCE.findall(parts[3]):
        if named.isdigit() and not 1 <= int(named) <= groups:
            raise ValueError(f"regexp's replacement names group {int(named)}; the expression has {groups}")


class _Expression:
    """One walk over an expression."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0
        self.found = 0
        self.depth = 0
        self.low = 0  # where a range begins; BIND keeps it from one bracket expression to the next

    def groups(self) -> int:
        """How many groups there are. Raises ValueError."""
        before = _NOTHING
        while self.at < len(self.text):
            token = _TOKEN.match(self.text, self.at)
            if token is None:
                self._refuse("has a { that does not begin a bound such as {1,3}")
            self.at = token.end()
            before = self._pass(token, before)
        if self.depth or before < _ATOM:
            self._refuse("has a ( without )" if self.depth else "is empty or ends with an empty branch")
        return self.found

    def _pass(self, token: re.Match[bytes], before: int) -> int:
        """Pass a token; what then stands before the next one."""
        kind = token.lastgroup
        if kind == "anchor":
            return _REPEATED
        if kind in ("bound", "repeat"):
            if before != _ATOM:
                self._refuse("has a quantifier with nothing to repeat before it")
            if kind == "bound":
                self._bound(token[4], token[5])
            return _REPEATED
        if kind == "or":
            if before < _ATOM:
                self._refuse("has an empty branch")
            return _BRANCH
        if kind in ("open", "close"):
            return self._group(kind, before)
        if kind == "bracket":
            self._bracket()
        elif kind == "escaped" and token["escaped"].isdigit() and int(token["escaped"]) > self.found:
            self._refuse("refers to a group that does not begin before")
        return _ATOM

    def _group(self, kind: str, before: int) -> int:
        """Pass a ( or a )."""
        if kind == "open":
            self.found += 1
            self.depth += 1
            return _NOTHING
        if self.depth and before == _BRANCH:
            self._refuse("has an empty branch")
        self.depth = max(self.depth - 1, 0)
        return _ATOM

    def _bound(self, low: bytes, high: bytes | None) -> None:
        least, most = int(low), int(high or _MOST)
        if not least <= most <= _MOST:
            self._refuse("has a bound that is not two rising numbers up to 255")

    def _bracket(self) -> None:
        seen = negated = False
        span = _ALONE
        while True:
            item = _ITEM.match(self.text, self.at)
            if item is None:
                self._refuse("has a [ without a ]")
            self.at = item.end()
            char = item["char"]
            if char == b"]" and seen:
                return
            if char == b"^" and not seen and not negated:
                negated = True
            elif char == b"-" and seen and span != _OPENED:
                if span == _ENDED:
                    self._refuse("has a range that begins with the end of another")
                span = _OPENED
            else:
                seen = True
                span = self._item(item, span)

    def _item(self, item: re.Match[bytes], span: int) -> int:
        """Pass what a bracket expression lists; what then stands before the next."""
        char, element, named = item["char"], item["element"], item["named"]
        if char == b"[":
            return span
        if char is None and element is None:
            if span == _OPENED or (named is not None and named not in _CLASSES):
                self._refuse("has an unknown class, or one at the end of a range")
            return span
        if char is not None and span == _OPENED and char[0] < self.low:
            self._refuse("has a range that is empty")
        if char is not None:
            self.low = char[0]
        else:
            # an octet over 127 is negative to it, several characters come after all others
            self.low = 256 if len(element) > 1 else element[0] - (element[0] & 0x80) * 2
        return max(span - 1, 0)

    def _refuse(self, why: str) -> NoReturn:
        raise ValueError(f"regexp's expression {why}")
