# SPDX-License-Identifier: Apache-2.0
"""Divides shards over members: every shard has exactly one member, however many members there are."""

from __future__ import annotations

from redesignate.coord.port import Place

SHARDS = 4096
"""A zone's shard is the last three hexadecimal digits of its id (`model.clock.shard_of`)."""


def shards(place: Place, total: int = SHARDS) -> range:
    """The shards of one member: a run without gaps, sizes differing by one at most; empty for surplus members."""
    return range(place.index * total // place.count, (place.index + 1) * total // place.count)
