# SPDX-License-Identifier: Apache-2.0
"""Every shard has exactly one owner, whatever the number of members (F14)."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from redesignate.coord.partitions import SHARDS, shards
from redesignate.coord.port import ALONE, Place


@given(st.integers(1, 10_000))
@example(65)
@example(SHARDS)
@example(SHARDS + 1)
def test_every_shard_has_exactly_one_member(count: int) -> None:
    owned = [shard for index in range(count) for shard in shards(Place(index, count))]
    assert owned == list(range(SHARDS))


@given(st.integers(1, SHARDS))
def test_no_member_has_more_than_one_shard_more_than_another(count: int) -> None:
    sizes = {len(shards(Place(index, count))) for index in range(count)}
    assert max(sizes) - min(sizes) <= 1


def test_one_alone_has_all() -> None:
    assert shards(ALONE) == range(4096)


def test_members_beyond_the_shards_have_none() -> None:
    assert sum(1 for index in range(5000) if not shards(Place(index, 5000))) == 5000 - SHARDS
