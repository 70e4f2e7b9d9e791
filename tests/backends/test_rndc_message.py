# SPDX-License-Identifier: Apache-2.0
"""The control protocol's messages and key files, without a server."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.backends.rndc_config import choose, key_for, parse
from redesignate.backends.rndc_message import ALGORITHMS, RndcFormatError, RndcKey, decode, encode, text

names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
values = st.recursive(
    st.binary(max_size=200),
    lambda inner: st.dictionaries(names, inner, max_size=4) | st.lists(inner, max_size=4),
    max_leaves=12,
)
tables = st.dictionaries(names, values, max_size=6)
keys = st.builds(RndcKey, st.just("k"), st.sampled_from(sorted(ALGORITHMS)), st.binary(min_size=1, max_size=64))


@given(keys, tables)
def test_what_is_encoded_is_decoded(key: RndcKey, table: dict[str, object]) -> None:
    message = encode(key, table)  # type: ignore[arg-type]
    assert int.from_bytes(message[:4], "big") == len(message) - 4
    assert decode(key, message[4:]) == table


@given(keys, tables, st.data())
def test_a_message_with_one_changed_byte_is_refused(
    key: RndcKey, table: dict[str, object], data: st.DataObject
) -> None:
    message = bytearray(encode(key, table)[4:])  # type: ignore[arg-type]
    at = data.draw(st.integers(0, len(message) - 1))
    message[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RndcFormatError):
        decode(key, bytes(message))


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_an_error(junk: bytes) -> None:
    for message in (junk, b"\0\0\0\1" + junk):
        with contextlib.suppress(RndcFormatError):
            decode(RndcKey("k", "hmac-sha256", b"s"), message)


def test_nesting_without_end_is_refused() -> None:
    table: dict[str, object] = {}
    for _ in range(50):
        table = {"a": table}
    key = RndcKey("k", "hmac-sha256", b"s")
    with pytest.raises(RndcFormatError, match="deep"):
        decode(key, encode(key, table)[4:])  # type: ignore[arg-type]


def test_text_is_found_by_path() -> None:
    assert text({"a": {"b": b"c"}}, "a", "b") == "c"
    assert text({"a": b"c"}, "a", "b") is None
    assert text({}, "a") is None


CONF = """
# a comment; with signs {
key "one" { algorithm hmac-sha256; secret "c2VjcmV0"; };
key two { algorithm HMAC-SHA512; // another
  secret "c2VjcmV0"; };
/* options { default-key "none"; }; */
options { default-server localhost; default-key "one"; default-port 953; };
server 192.0.2.1 { key "two"; addresses { 192.0.2.1 port 953; }; };
"""


def test_a_server_has_its_own_key_and_others_the_default() -> None:
    file = parse(CONF)
    assert choose(file, "192.0.2.1").name == "two"
    assert choose(file, "192.0.2.1").algorithm == "hmac-sha512"
    assert choose(file, "127.0.0.1").name == "one"
    assert choose(file, "127.0.0.1").secret == b"secret"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("", "no key"),
        ('key "k" { secret "c2Vj" };', "';' is missing"),
        ('key "k" { secret "c2Vj";', "middle"),
        ('key "k" { algorithm rot13; secret "c2Vj"; };', "rot13"),
        ('key "k" { algorithm hmac-sha256; };', "no secret"),
        ('key "k" { algorithm hmac-sha256; secret "?"; };', "base64"),
        ('key "a" { secret "c2Vj"; }; key "b" { secret "c2Vj"; };', "several"),
        ('options { default-key "x"; };', "'x'"),
        ('key "k { };', "line 1"),
        ("};", "too many"),
    ],
)
def test_a_wrong_key_file_is_told_in_one_line_with_its_name(tmp_path: Path, told: str, why: str) -> None:
    path = tmp_path / "rndc.conf"
    path.write_text(told)
    with pytest.raises(ValueError, match=why) as raised:
        key_for("127.0.0.1", str(path))
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@given(st.text(max_size=200))
def test_any_text_is_a_key_file_or_an_error(told: str) -> None:
    with contextlib.suppress(ValueError):
        parse(told)
