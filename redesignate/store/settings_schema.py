# SPDX-License-Identifier: Apache-2.0
"""The tables beside the zones: pools, quotas, keys, what names are allowed, and what runs."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, Table, Text, UniqueConstraint

from redesignate.store.columns import BLOB, LONG, OPTIONS, metadata, text

# Pools are few and always read whole, so their parts are one JSON document; secrets in it are sealed.
pools = Table(
    "pools",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("name", text(50), nullable=False),
    Column("description", text(160)),
    Column("project_id", text(36)),
    Column("version", Integer, nullable=False),
    Column("apex_version", Integer, nullable=False),
    Column("body", LONG, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    UniqueConstraint("name", name="uq_pools_name"),
    **OPTIONS,
)

# A pool whose servers have changed, until every zone of it is queued: those with ids up to `up_to` are. `peers`: a JSON
# list of the peers whose states are forgotten with that. `zones`, `queued`: how many, to show the progress.
pool_changes = Table(
    "pool_changes",
    metadata,
    Column("pool_id", text(36), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("up_to", text(36), nullable=False),
    Column("peers", LONG, nullable=False),
    Column("zones", Integer, nullable=False),
    Column("queued", Integer, nullable=False),
    **OPTIONS,
)

# Written by the creation of a zone (one row) and by a change of its pool (all): `store/poolguard.py`.
pool_guards = Table(
    "pool_guards",
    metadata,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    **OPTIONS,
)

quotas = Table(
    "quotas",
    metadata,
    Column("project_id", text(36), primary_key=True),
    Column("resource", text(32), primary_key=True),
    Column("hard_limit", Integer, nullable=False),
    **OPTIONS,
)

# How many zones each project holds: a counter, so that the quota costs the same with one zone and with a million.
usage = Table(
    "project_usage",
    metadata,
    Column("project_id", text(36), primary_key=True),
    Column("zones", Integer, nullable=False),
    **OPTIONS,
)

# One row per last two labels of a zone name: the creation of a zone below them writes it first, so that two
# projects cannot create a parent and its child at the same time (also on two Galera nodes: the write is certified).
families = Table(
    "zone_families",
    metadata,
    Column("name", text(), primary_key=True),
    Column("version", BigInteger, nullable=False),
    **OPTIONS,
)

# `processes`: a JSON object of those of the service on that host that live (`store/services.py`).
services = Table(
    "services",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("service_name", text(40), nullable=False),
    Column("hostname", text(), nullable=False),
    Column("status", text(8), nullable=False),
    Column("heartbeated_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Column("stats", Text, nullable=False),
    Column("processes", Text, nullable=False),
    UniqueConstraint("service_name", "hostname", name="uq_services_name_host"),
    **OPTIONS,
)

tsigkeys = Table(
    "tsigkeys",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("name", text(160), nullable=False),
    Column("algorithm", text(16), nullable=False),
    Column("secret", Text, nullable=False),
    Column("scope", text(4), nullable=False),
    Column("resource_id", text(36), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Column("typed_name", text(160)),
    UniqueConstraint("name", name="uq_tsigkeys_name"),
    Index("ix_tsigkeys_resource", "resource_id"),
    Index("ix_tsigkeys_created_at", "created_at", "id"),
    Index("ix_tsigkeys_updated_at", "updated_at", "id"),
    **OPTIONS,
)

# The API's own tokens. `digest`: SHA-256 of the secret, which is not stored. `roles`: a JSON list.
tokens = Table(
    "tokens",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("digest", text(64), nullable=False),
    Column("project_id", text(36), nullable=False),
    Column("roles", Text, nullable=False),
    Column("description", text(160)),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    UniqueConstraint("digest", name="uq_tokens_digest"),
    **OPTIONS,
)

# The names below which zones may be created; without any, all names may be.
tlds = Table(
    "tlds",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("name", text(), nullable=False),
    Column("description", text(160)),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    UniqueConstraint("name", name="uq_tlds_name"),
    Index("ix_tlds_created_at", "created_at", "id"),
    Index("ix_tlds_updated_at", "updated_at", "id"),
    **OPTIONS,
)

# Patterns of names that no zone may have.
blacklists = Table(
    "blacklists",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("pattern", text(), nullable=False),
    Column("description", text(160)),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    UniqueConstraint("pattern", name="uq_blacklists_pattern"),
    Index("ix_blacklists_created_at", "created_at", "id"),
    Index("ix_blacklists_updated_at", "updated_at", "id"),
    **OPTIONS,
)

# Texts of which a name holds one if the pattern matches it, and three characters of each, by which a name finds it.
blacklist_needles = Table(
    "blacklist_needles",
    metadata,
    Column("blacklist_id", text(36), primary_key=True),
    Column("position", SmallInteger, primary_key=True, autoincrement=False),
    Column("gram", text(3), nullable=False),
    Column("needle", text(), nullable=False),
    Index("ix_blacklist_needles_gram", "gram", "blacklist_id"),
    **OPTIONS,
)

# The members that share a piece of work, by lease, if no tooz coordinator is configured.
members = Table(
    "members",
    metadata,
    Column("group_name", text(64), primary_key=True),
    Column("member", text(160), primary_key=True),
    Column("lease_until", BigInteger, nullable=False),
    **OPTIONS,
)

# The requests of the broker that were carried out, for some minutes: a request that comes twice is done once.
questions = Table(
    "questions",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("answer", BLOB, nullable=False),
    Index("ix_questions_at", "at"),
    **OPTIONS,
)
