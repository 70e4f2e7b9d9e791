# SPDX-License-Identifier: Apache-2.0
"""The table of requests that clients may repeat."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table

from redesignate.store.columns import BLOB, OPTIONS, metadata, text

# `id`: the digest of project, user and key. `answer`: NULL only within the transaction of the request.
repeats = Table(
    "repeats",
    metadata,
    Column("id", text(64), primary_key=True),
    Column("digest", text(64), nullable=False),
    Column("answer", BLOB),
    Column("at", BigInteger, nullable=False),
    Index("ix_repeats_at", "at"),
    **OPTIONS,
)
