# SPDX-License-Identifier: Apache-2.0
"""The tables of what projects let each other have of their zones: shares, and transfers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, UniqueConstraint
from sqlalchemy import text as literal

from redesignate.store.columns import OPTIONS, metadata, text

# `zones.shares` counts those of a zone. `zone_created_at` and `zone_name` are the zone's, which never change: by them a
# list is walked in its order. Shares that a process of an older release makes during an upgrade have neither.
zone_shares = Table(
    "zone_shares",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("zone_id", text(36), nullable=False),
    Column("target_project_id", text(36), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Column("zone_created_at", BigInteger, nullable=False, server_default="0"),
    Column("zone_name", text(), nullable=False, server_default=literal("''")),
    UniqueConstraint("zone_id", "target_project_id", name="uq_zone_shares_target"),
    Index("ix_zone_shares_target", "target_project_id", "zone_id"),
    Index("ix_zone_shares_target_created_at", "target_project_id", "zone_created_at", "zone_id"),
    Index("ix_zone_shares_target_name", "target_project_id", "zone_name", "zone_id"),
    Index("ix_zone_shares_created_at", "zone_id", "created_at", "id"),
    Index("ix_zone_shares_updated_at", "zone_id", "updated_at", "id"),
    **OPTIONS,
)

# `open`: empty while the request is ACTIVE, and its own id afterwards, so that a zone has one that is ACTIVE.
zone_transfer_requests = Table(
    "zone_transfer_requests",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("zone_id", text(36), nullable=False),
    Column("project_id", text(36)),
    Column("target_project_id", text(36)),
    Column("secret", text(), nullable=False),
    Column("status", text(8), nullable=False),
    Column("open", text(36), nullable=False),
    Column("description", text(160)),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    UniqueConstraint("zone_id", "open", name="uq_zone_transfer_requests_open"),
    **OPTIONS,
)
zone_transfer_accepts = Table(
    "zone_transfer_accepts",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("zone_id", text(36), nullable=False),
    Column("zone_transfer_request_id", text(36), nullable=False),
    Column("project_id", text(36)),
    Column("status", text(8), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Index("ix_zone_transfer_accepts_zone", "zone_id"),
    **OPTIONS,
)
_ORDERS = ("created_at", "updated_at", "id")
for _column in _ORDERS:
    for _table, _sides in (
        (zone_transfer_requests, ("project_id", "target_project_id")),
        (zone_transfer_accepts, ("project_id",)),
    ):
        _key = [_table.c[_column], *([_table.c.id] if _column != "id" else [])]
        if _column != "id":
            Index(f"ix_{_table.name}_{_column}", *_key)
        for _side in _sides:
            Index(f"ix_{_table.name}_{_side.removesuffix('_id')}_{_column}", _table.c[_side], *_key)

# How often each project has sent a wrong key for a request.
zone_transfer_tries = Table(
    "zone_transfer_tries",
    metadata,
    Column("request_id", text(36), primary_key=True),
    Column("project_id", text(36), primary_key=True),
    Column("tries", Integer, nullable=False),
    **OPTIONS,
)

# Zones whose RRsets have yet to be written over to their new owner: those with ids up to `up_to` are (`zones.handed`).
zone_handovers = Table(
    "zone_handovers",
    metadata,
    Column("zone_id", text(36), primary_key=True),
    Column("up_to", text(36), nullable=False),
    **OPTIONS,
)
