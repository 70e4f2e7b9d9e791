# SPDX-License-Identifier: Apache-2.0
"""NSEC3 as dnspython hashes it, and each hash in one gap."""

from __future__ import annotations

import dns.dnssec
import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.wire.denial import MOST_ITERATIONS, Chain, chain, covers, label, next_label

LABELS = st.text("abcxyz0189-", min_size=1, max_size=20)
HASHES = st.binary(min_size=20, max_size=20).map(label)


@given(st.lists(LABELS, min_size=0, max_size=6), st.integers(0, 20), st.binary(max_size=8))
def test_names_are_hashed_as_dnspython_does(labels: list[str], iterations: int, salt: bytes) -> None:
    name = ".".join([*labels, ""]) if labels else "."
    expected = dns.dnssec.nsec3_hash(name, salt.hex() or None, iterations, "SHA1")
    assert label(Chain(iterations, salt).hashed(name)) == expected.lower()


@given(st.integers(0, MOST_ITERATIONS), st.binary(max_size=8), st.binary(min_size=20, max_size=20))
def test_a_record_is_read_as_dnspython_writes_it(iterations: int, salt: bytes, after: bytes) -> None:
    texts = (iterations, salt.hex() or "-")
    param = dns.rdata.from_text("IN", "NSEC3PARAM", "1 0 {} {}".format(*texts)).to_wire()
    record = dns.rdata.from_text("IN", "NSEC3", "1 1 {} {} {} A RRSIG".format(*texts, label(after))).to_wire()
    assert param is not None
    assert record is not None
    assert chain(param) == chain(record) == Chain(iterations, salt)
    assert next_label(record) == label(after)


@pytest.mark.parametrize("rdata", [b"", b"\1", b"\1\0\0\0", b"\1\0\0\0\5abc", b"\2\0\0\0\0",
                                   b"\1\0" + (MOST_ITERATIONS + 1).to_bytes(2, "big") + b"\0"])  # fmt: skip
def test_what_is_malformed_unknown_or_too_much_work_is_no_chain(rdata: bytes) -> None:
    assert chain(rdata) is None


@given(st.binary(max_size=60))
def test_octets_of_any_kind_are_read_without_an_error(rdata: bytes) -> None:
    chain(rdata)
    assert len(next_label(rdata)) in (0, 32)


@given(st.sets(HASHES, min_size=1, max_size=12), HASHES)
def test_each_hash_is_an_owner_or_in_exactly_one_gap(owners: set[str], wanted: str) -> None:
    ring = sorted(owners)
    gaps = [covers(owner, ring[(at + 1) % len(ring)], wanted) for at, owner in enumerate(ring)]
    assert sum(gaps) == (wanted not in owners)
    assert not any(covers(owner, ring[(at + 1) % len(ring)], owner) for at, owner in enumerate(ring))
