# SPDX-License-Identifier: Apache-2.0
"""The tables of tasks on whole zones: exports."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table

from redesignate.store.columns import OPTIONS, metadata, text

zone_exports = Table(
    "zone_exports",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("project_id", text(36)),
    Column("zone_id", text(36), nullable=False),
    Column("status", text(8), nullable=False),
    Column("message", text(160)),
    Column("location", text(160)),
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Index("ix_zone_exports_zone", "zone_id"),
    **OPTIONS,
)
TASK_ORDERS = ("created_at", "updated_at")
for _column in TASK_ORDERS:
    Index(f"ix_zone_exports_{_column}", zone_exports.c[_column], zone_exports.c.id)
    Index(f"ix_zone_exports_project_{_column}", zone_exports.c.project_id, zone_exports.c[_column], zone_exports.c.id)
Index("ix_zone_exports_project", zone_exports.c.project_id, zone_exports.c.id)
