# SPDX-License-Identifier: Apache-2.0
"""The table of zones that are being moved between pools."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table

from redesignate.store.columns import OPTIONS, metadata, text

# A pool that a zone has left and whose servers may still have it. `revision`: the zone's in its new pool; once every
# server there has it, the servers here are to drop the zone, and `removal_id` is the deleted zone that stands for that.
zone_moves = Table(
    "zone_moves",
    metadata,
    Column("zone_id", text(36), primary_key=True),
    Column("pool_id", text(36), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("removal_id", text(36)),
    Column("started_at", BigInteger, nullable=False),
    Index("ix_zone_moves_pool", "pool_id"),
    **OPTIONS,
)
