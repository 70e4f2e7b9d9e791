# SPDX-License-Identifier: Apache-2.0
"""The tables of what projects let each other have of their zones: shares."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, UniqueConstraint

from redesignate.store.columns import OPTIONS, metadata, text

# `zones.shares` counts those of a zone.
zone_shares = Table(
    "zone_shares",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("zone_id", text(36), nullable=False),
    Column("target_project_id", text(36), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    UniqueConstraint("zone_id", "target_project_id", name="uq_zone_shares_target"),
    Index("ix_zone_shares_target", "target_project_id", "zone_id"),
    Index("ix_zone_shares_created_at", "zone_id", "created_at", "id"),
    Index("ix_zone_shares_updated_at", "zone_id", "updated_at", "id"),
    **OPTIONS,
)
