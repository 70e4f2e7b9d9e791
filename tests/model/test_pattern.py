# SPDX-License-Identifier: Apache-2.0
"""Patterns mean what Python's `re` means by them, run in bounded time, and their needles never hide a match."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.model.pattern import MOST_STEPS, InvalidPattern, grams, matches, needles_of

LETTERS = "ab1."
SINGLES = st.sampled_from(
    [*"aAbB1", r"\.", r"\-", ".", "[ab]", "[^a]", "[]a]", r"[\d.]", r"\d", r"\w", "^", "$", r"\b"]
)
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "{2}?", "+?"])
PATTERNS = st.recursive(
    st.builds("".join, st.lists(st.builds(str.__add__, SINGLES, REPEATS), min_size=1, max_size=5)),
    lambda inner: st.one_of(
        st.builds("({}){}".format, inner, REPEATS),
        st.builds("(?:{}){}".format, inner, REPEATS),
        st.builds("(?i:{})".format, inner),
        st.builds("{}|{}".format, inner, inner),
        st.builds("{}{}".format, inner, inner),
    ),
    max_leaves=6,
)
NAMES = st.text(LETTERS, min_size=1, max_size=12)


@settings(max_examples=600, deadline=None)
@given(pattern=PATTERNS, name=NAMES)
def test_a_pattern_matches_what_python_matches_in_either_case_and_its_needle_is_there(pattern: str, name: str) -> None:
    try:
        expected = re.search(pattern, name, re.IGNORECASE) is not None
        needles = needles_of(pattern)
    except (re.error, InvalidPattern):
        return
    assert matches(pattern, name) == expected
    if expected:
        assert any(needle in name for needle in needles), needles
        assert any(grams(needle) <= {*grams(name), ""} for needle in needles)


@pytest.mark.parametrize(
    ("pattern", "needles"),
    [
        (r"^([A-Za-z0-9_\-]+\.)*Example\.com\.$", ("example.com.",)),
        ("(google|facebook)", ("google", "facebook")),
        ("(foo|bar).*example", ("example",)),
        ("(?P<brand>acme)+corp?", ("acme",)),
        ("(acme)?corp", ("corp",)),
        ("(acme)*", ("",)),
        ("goo+gle", ("goo",)),
        ("a|", ("",)),
        (".*", ("",)),
        (r"\x61bc", ("bc",)),
        (r"[a(]bc", ("bc",)),
        ("ab{2}cd", ("ab",)),
        ("abc{0,2}d", ("ab",)),
        ("(?i)abc", ("abc",)),
        ("(" * 126 + "abc" + ")" * 126, ("abc",)),
        ("|".join(f"name{n}" for n in range(30)), ("",)),
    ],
)
def test_the_needles_of_a_pattern(pattern: str, needles: tuple[str, ...]) -> None:
    assert needles_of(pattern) == needles


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "1 to 255"),
        ("a" * 256, "1 to 255"),
        ("bücher", "A-labels"),
        ("(", "missing"),
        ("[a", "missing"),
        ("*", "repetition"),
        ("a++", "possessive"),
        ("(?=a)", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "backreferences"),
        ("(?P<n>a)(?P=n)", "RE2"),
        ("(?x) a", "RE2"),
        ("(?>a)", "RE2"),
        ("a{,3}", "Write {0,3}"),
        ("[[:alpha:]]", "Write the characters"),
        (r"\Qa", "escape"),
        (r"\pL", "escape"),
        (r"\101", "escape"),
        ("(a{9}){200}", "repetition|too large"),
        ("([a-z]{1,60}){1,16}", "too large"),
    ],
)
def test_what_cannot_run_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(InvalidPattern, match=why):
        needles_of(pattern)


def test_the_end_of_the_text_may_be_written_as_python_does() -> None:
    assert needles_of(r"org\.\Z") == ("org.",)
    assert matches(r"org\.\Z", "example.org.")
    assert not matches(r"org\.\Z", "org.example.")
    assert not matches(r"\\Z", "a.z.")


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(a|aa)+$", "([a-z]+)*!", "(.*a){12}x", "(a?){100}a{100}$"])
def test_no_pattern_takes_long_for_the_longest_name(pattern: str) -> None:
    """Python's `re` takes longer than anybody waits for most of these."""
    needles_of(pattern)
    name = ".".join(["a" * 62] * 4) + "."
    began = time.process_time()
    matches(pattern, name)
    assert time.process_time() - began < 0.2, f"at most {MOST_STEPS} steps a character"
