# SPDX-License-Identifier: Apache-2.0
"""$GENERATE, BIND's directive for records that differ in a number: `$GENERATE 1-100 host$ A 192.0.2.$`.

In the owner's name and in the data `$` stands for the number, `$$` for a dollar sign, and `${offset,width,base}` for
the number plus an offset, padded with zeros, in base d, o, x or X, or as nibbles from the lowest on (n, N).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from redesignate.model.rdata.base import quote
from redesignate.model.zonefile.lines import tokenized

MAX_GENERATED = 65_536
"""Records of one directive: the addresses of a /16."""

_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})(?:/([0-9]{1,9}))?")
_DOLLAR = re.compile(r"\\.|\$\$|\$(?:\{(-?[0-9]{1,9})(?:,([0-9]{1,3})(?:,([doxXnN]))?)?\}|(?!\{))|\$", re.DOTALL)
_USAGE = "$GENERATE start-stop[/step] name [TTL] [IN] type data"


def generated(tokens: list[str]) -> Iterator[list[str]]:
    """The statements that a directive, given with its arguments, stands for. Raises ValueError."""
    if len(tokens) < 5:
        raise ValueError(f"write {_USAGE}")
    _, span, owner, *middle, data = tokens
    found = _RANGE.fullmatch(span)
    if found is None or int(found[1]) > int(found[2]) or found[3] == "0":
        raise ValueError(f"{quote(span)} is not a range; write start-stop or start-stop/step, such as 1-100")
    numbers = range(int(found[1]), int(found[2]) + 1, int(found[3] or 1))
    if len(numbers) > MAX_GENERATED:
        raise ValueError(f"the range stands for {len(numbers)} records; at most {MAX_GENERATED} are allowed")
    if data[0] == '"':  # as one word, in which blanks divide fields
        data = data[1:-1].replace('\\"', '"')
    for number in numbers:
        yield [_filled(owner, number), *middle, *tokenized(_filled(data, number))]


def _filled(text: str, number: int) -> str:
    return _DOLLAR.sub(lambda found: _one(found, number), text)


def _one(found: re.Match[str], number: int) -> str:
    whole, (offset, width, base) = found[0], found.groups()
    if whole[0] == "\\":
        return whole
    if whole == "$$":
        return "$"
    if whole == "$" and found.string[found.end() : found.end() + 1] == "{":
        raise ValueError("${ begins no modifier; write ${offset,width,base}, such as ${0,3,d}, or $$ for a dollar sign")
    value, size = number + int(offset or 0), int(width or 0)
    if value < 0:
        raise ValueError(f"{whole} is negative for {number}; write an offset of at least -{number}")
    if base in ("n", "N"):
        return _nibbles(value, size, upper=base == "N")
    return format(value, f"0{size}{base or 'd'}") if size else format(value, base or "d")


def _nibbles(value: int, size: int, *, upper: bool) -> str:
    """Hexadecimal digits from the lowest on with dots between them, in `size` characters at least (ip6.arpa)."""
    digits = format(value, "X" if upper else "x")[::-1]
    return ".".join(digits.ljust((size + 1) // 2, "0"))
