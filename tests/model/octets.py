# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for the octets of record data that only a primary sends: right ones, and nearly right ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from redesignate.model.rdata import layouts

Octets = st.SearchStrategy[bytes]

_LABEL = st.binary(min_size=1, max_size=4).map(lambda octets: bytes((len(octets),)) + octets)
_NAME = st.lists(_LABEL, max_size=3).map(lambda labels: b"".join(labels) + b"\0")
_STRING = st.binary(max_size=5).map(lambda octets: bytes((len(octets),)) + octets)
_FIELDS: dict[int, Octets] = {
    layouts.NAME: _NAME,
    layouts.STRING: _STRING,
    layouts.STRINGS: st.lists(_STRING, min_size=1, max_size=3).map(b"".join),
    layouts.DIGITS: st.from_regex(r"[0-9]{3,8}", fullmatch=True).map(lambda text: bytes((len(text),)) + text.encode()),
    layouts.DATA: st.binary(max_size=3),
    layouts.REST: st.binary(max_size=3),
    layouts.TYPES: st.sampled_from(
        (b"", b"\0\1\x40", b"\0\1\0", b"\0\7\x22\1\0\0\0\3\x80", b"\1\1\1\0\1\1", b"\0\x21" + b"\1" * 33)
    ),
}


def _joined(*parts: Octets) -> Octets:
    return st.tuples(*parts).map(b"".join)


def _some(*choices: bytes) -> Octets:
    return st.sampled_from(choices)


def _size(count: int) -> Octets:
    return st.binary(min_size=count, max_size=count)


def parameter(key: int, value: bytes) -> bytes:
    """A parameter of SVCB."""
    return key.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value


_MORE, _TYPES = _FIELDS[layouts.DATA], _FIELDS[layouts.TYPES]
_ALGORITHM = _some(b"\1", b"\x08", b"\x0d", b"\xfd", b"\xfe")
_KEY = _joined(_some(b"\0\0", b"\1\1", b"\xc0\0", b"\x10\0"), _some(b"\3"), _ALGORITHM, st.one_of(_MORE, _NAME))
_DIGEST = _joined(
    _size(3), _some(b"\0", b"\1", b"\2", b"\4", b"\x09"), st.one_of(_size(20), _size(32), _size(48), _MORE)
)
_TEMPLATE = st.one_of(
    st.lists(
        _some(
            b"/", b"q", b"{", b"}", b"{?", b"{&", b"{?dns}", b"{&dns}", b"{dns}", b"dns", b"?", b"&", b",", b":3", b"*",
            b"{+x}", b"{?x:3,", b"{?x*,", b"%", b"%2f", b"\xc3\xa9", b"\xe9", b"'", b"\\", b" ", b"\0", b".",
            b"=", b"|", b"^",
        ),
        max_size=6,
    ).map(lambda pieces: b"/" + b"".join(pieces)),
    _joined(
        _some(b"/q", b"/", b""),
        _some(b"{?", b"{&", b"{", b"{+", b"{#", b"{.", b"{/", b"{;", b"{=", b"{?&"),
        st.lists(
            _some(b"dns", b"x", b"dns:3", b"dns*", b"x:3", b"x:12", b"x*", b"x:0",
                  b"x:10000", b"a.b", b".a", b"%64ns", b"d_1", b"", b"DNS", b"a-"),
            max_size=3,
        ).map(b",".join),
        _some(b"}", b"", b"}}", b"}/\xc3\xa9"),
    ),
)  # fmt: skip
_VALUES: dict[int, Octets] = {
    0: _some(b"", b"\0\0", b"\0\1", b"\0\1\0\3", b"\0\3\0\1", b"\0\3\0\3", b"\0\1\0", b"\0\7", b"\xff\xff"),
    1: _some(b"", b"\2h2", b"\0", b"\3h2", b"\2h2\1,"),
    2: _some(b"", b"", b"x"),
    3: _some(b"", b"\0", b"\0\0", b"\0\x35", b"\0\0\0"),
    4: _some(b"", b"abc", b"abcd", b"abcdabcd"),
    5: _MORE,
    6: _some(b"", b"abcd", bytes(16), bytes(32)),
    7: _TEMPLATE,
    8: _some(b"", b"x"),
    9: _MORE,
    65534: _MORE,
    65535: _MORE,
}
_PARAMETERS = st.fixed_dictionaries({}, optional=_VALUES).map(
    lambda found: b"".join(parameter(key, found[key]) for key in sorted(found))
)
_SVCB = _joined(
    _some(b"\0\0", b"\0\1", b"\0\1", b"\0\1"),
    st.one_of(_NAME, _NAME, _NAME, _some(b"\xc0\0")),
    st.one_of(_PARAMETERS, _TEMPLATE.map(lambda path: parameter(7, path)), _some(b"\0\3\0\2\0\1" * 2)),
)
_EXPRESSION = st.lists(
    _some(
        b"a", b"b", b"(", b")", b"(", b")", b"(a)", b"|", b"*", b"+", b"?", b"{1}", b"{1,2}", b"{2,1}", b"{256}",
        b"{3,}", b"{,3}", b"{1", b"{x", b"{", b"}", b"^", b"$", b".", b"\\1", b"\\2", b"\\0", b"\\!", b"\\", b"[a]",
        b"[",
        b"]", b"[^", b"[]", b"[^]", b"a-", b"-", b"-z", b"[b-a]", b"[a-b-", b"[a-", b"[:alpha:]", b"[[:alpha:]",
        b"[[:word:]]", b"[[.a.]]", b"[[.ab.]-", b"[.", b".]", b"[=", b"=]", b"[[=a=]", b"[:", b":]", b"\xc3\xa9", b"\t",
        b"\0", b"(a" * 10,
    ),
    min_size=1,
    max_size=6,
).map(b"".join)  # fmt: skip
_SUBSTITUTION = st.one_of(
    _some(b"", b"!^.*$!sip:a@example!", b"!(a)!\\1!i", b"!(a!!", b"!a!\\1!", b"aba", b"!", b"!!", b"!!!", b"!a!b\\!"),
    _EXPRESSION.map(lambda expression: b"!" + expression + b"!!"),
    _EXPRESSION.map(lambda expression: b"!" + expression + b"!!"),
    _joined(
        _some(b"!", b"a", b"i", b"1", b"\\", b"\xc3", b"\0", b"|"),
        _some(b"x", b"(x)", b"(x)(y)", b"", b"\\!x", b"\\|"),
        _some(b"!", b"a", b"|", b"\xc3"),
        _some(b"", b"\\1", b"\\2", b"\\0", b"\\\\1", b"\\", b"\0", b"\xe9", b"\\!", b"!"),
        _some(b"!", b"a", b"|", b"\xc3"),
        _some(b"", b"i", b"ii", b"I", b"g", b"\0"),
    ),
).map(lambda octets: bytes((len(octets[:255]),)) + octets[:255])
_OTHERS: dict[int, Octets] = {
    11: _joined(_size(5), _MORE),
    20: st.lists(_STRING, max_size=3).map(b"".join),
    24: _joined(_some(b"\0\0", b"\0\1"), _size(16), _NAME, _MORE),
    25: _KEY,
    30: _joined(_NAME, _some(b"", b"\x40", b"\x40\0", b"\x80", b"\1" * 17)),
    34: _joined(_some(b"", b"\0", b"\1"), _some(b"", b"12", b"x")),
    35: _joined(_size(4), _STRING, _STRING, _SUBSTITUTION, _NAME),
    38: _joined(
        _some(b"\0" + bytes(16), b"\x40" + b"\xff" * 8, b"\x43" + b"\xff" * 8, b"\x80", b"\x81"),
        st.one_of(_NAME, _some(b"")),
    ),
    43: _DIGEST,
    45: _joined(
        _size(1), _some(b"\0", b"\1", b"\2", b"\3", b"\4"), _size(1), st.one_of(_NAME, _size(4), _size(16)), _MORE
    ),
    46: _joined(_some(b"\0\0\5", b"\0\1\5", b"\xff\1\5"), _some(b"\0", b"\2", b"\7"), _size(14), _NAME, _MORE),
    48: _KEY,
    50: _joined(_some(b"\1", b"\2"), _size(3), _STRING, st.one_of(_STRING, _some(b"\x14" + bytes(20))), _TYPES),
    55: _joined(_some(b"\0\1\0\0", b"\1\1\0\1", b"\1\1\0\0"), _size(2), st.one_of(_NAME, _some(b""))),
    57: _joined(_some(b"\0\0", b"\0\1"), _size(2), _MORE),
    59: _DIGEST,
    60: _KEY,
    64: _SVCB,
    65: _SVCB,
    259: _joined(_size(9), _STRING, _MORE),
    32768: _DIGEST,
    32769: _DIGEST,
}


@st.composite
def _bruised(draw: Callable[[st.SearchStrategy[Any]], Any], legal: Octets) -> bytes:
    octets: bytes = draw(legal)
    at = draw(st.integers(0, len(octets)))
    splinter: bytes = draw(_some(b"", b"\0", b"\xc0\0", b"\xff"))
    return octets[:at] + splinter + octets[at + draw(st.integers(0, 2)) :]


OCTETS: dict[int, Octets] = {
    number: st.one_of(legal, legal, _bruised(legal))
    for number, legal in (
        *_OTHERS.items(),
        *((number, _joined(*(_size(field) if field >= 0 else _FIELDS[field] for field in fields)))
          for number, fields in layouts.LAYOUTS.items()),
    )
}  # fmt: skip
"""Octets for each type that `layouts` knows, by number; a part of them is right."""
