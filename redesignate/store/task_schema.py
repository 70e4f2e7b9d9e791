# SPDX-License-Identifier: Apache-2.0
"""The tables of tasks on whole zones: exports and imports."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table

from redesignate.store.columns import BLOB, LONG, OPTIONS, metadata, text

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

# `received`: whether all parts of the file are there; `todo`: whether work is left, and be it to remove what it left.
# `attempts`: leases since the last progress or orderly end; NULL: none.
# `target_id`: the id of the zone to be, under which `stored` RRsets are stored ahead: no row of `zones` has it yet.
zone_imports = Table(
    "zone_imports",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("project_id", text(36)),
    Column("zone_id", text(36)),
    Column("status", text(8), nullable=False),
    Column("message", text()),
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Column("caller", LONG, nullable=False),
    Column("attributes", LONG, nullable=False),
    Column("parts", Integer),
    Column("target_id", text(36), nullable=False),
    Column("stored", Integer, nullable=False),
    Column("todo", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("lease_owner", text(128)),
    Column("lease_until", BigInteger, nullable=False),
    Column("attempts", Integer),
    Index("ix_zone_imports_zone", "zone_id"),
    Index("ix_zone_imports_todo", "todo", "lease_until"),
    **OPTIONS,
)
for _column in TASK_ORDERS:
    Index(f"ix_zone_imports_{_column}", zone_imports.c[_column], zone_imports.c.id)
    Index(f"ix_zone_imports_project_{_column}", zone_imports.c.project_id, zone_imports.c[_column], zone_imports.c.id)
Index("ix_zone_imports_project", zone_imports.c.project_id, zone_imports.c.id)

# A file as it was received, in parts of 1 MiB, each compressed (zlib), until the import has ended.
zone_import_parts = Table(
    "zone_import_parts",
    metadata,
    Column("import_id", text(36), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data", BLOB, nullable=False),
    **OPTIONS,
)
