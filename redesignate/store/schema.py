# SPDX-License-Identifier: Apache-2.0
# Long because it is one table: every table.
"""The tables. Portable over SQLite, PostgreSQL, MariaDB and MySQL; a record type needs no migration.

Times are microseconds since 1970 (BIGINT), ids are UUIDs as text, serials and revisions are BIGINT because a DNS
serial is unsigned. Text compares by octet everywhere (utf8mb4_bin, "C"), because names are stored lower case;
`typed_name` is how the user typed one, where that differs: shown, never compared.
Each list order of the API has its index, so that a page costs the same at the end of the list as at its start.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql

metadata = MetaData()
# dialect options are free keywords
_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}


def _name(length: int = 255) -> String:
    """Text that sorts by octet on every database, so that keyset paging agrees with the index."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


_BLOB = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
_KEY = LargeBinary().with_variant(mysql.VARBINARY(512), "mysql", "mariadb")
_LONG = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")

zones = Table(
    "zones",
    metadata,
    Column("id", _name(36), primary_key=True),
    Column("shard", SmallInteger, nullable=False),
    Column("project_id", _name(36)),
    Column("pool_id", _name(36), nullable=False),
    Column("name", _name(), nullable=False),
    Column("typed_name", _name()),
    Column("reverse_key", _name(), nullable=False),
    Column("type", _name(9), nullable=False),
    Column("email", _name(), nullable=False),
    Column("description", _name(160)),
    Column("attributes", Text, nullable=False),
    Column("primaries", Text, nullable=False),
    Column("ttl", Integer, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("confirmed", BigInteger, nullable=False),
    Column("mname", _name(), nullable=False),
    Column("apex_version", Integer, nullable=False),
    Column("refresh", Integer, nullable=False),
    Column("retry", Integer, nullable=False),
    Column("expire", Integer, nullable=False),
    Column("minimum", Integer, nullable=False),
    Column("action", _name(6), nullable=False),
    Column("status", _name(8), nullable=False),
    Column("hard_delete", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("parent_id", _name(36)),
    Column("rrset_count", Integer, nullable=False),
    Column("record_count", Integer, nullable=False),
    Column("deleted", _name(36), nullable=False),
    Column("deleted_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Column("transferred_at", BigInteger),
    UniqueConstraint("name", "pool_id", "deleted", name="uq_zones_name"),
    Index("ix_zones_reverse", "reverse_key", "deleted"),
    Index("ix_zones_parent", "parent_id"),
    Index("ix_zones_apex", "pool_id", "deleted", "apex_version"),
    Index("ix_zones_deleted_at", "deleted_at"),
    **_MYSQL,
)
ZONE_ORDERS = ("created_at", "updated_at", "name", "serial", "ttl", "status", "type", "email", "description")
for _column in ZONE_ORDERS:
    Index(f"ix_zones_project_{_column}", zones.c.project_id, zones.c.deleted, zones.c[_column], zones.c.id)
    Index(f"ix_zones_{_column}", zones.c.deleted, zones.c[_column], zones.c.id)
Index("ix_zones_owner", zones.c.deleted, zones.c.project_id, zones.c.id)
Index("ix_zones_id", zones.c.deleted, zones.c.id)

# `order_key`: the name's place in canonical order (`names.order_key`); NULL if the RRset holds no records, because
# such a name does not exist in DNS.
rrsets = Table(
    "rrsets",
    metadata,
    Column("id", _name(36), primary_key=True),
    Column("zone_id", _name(36), nullable=False),
    Column("project_id", _name(36)),
    Column("name", _name(), nullable=False),
    Column("typed_name", _name()),
    Column("type", _name(16), nullable=False),
    Column("ttl", Integer),
    Column("records", _LONG, nullable=False),
    Column("wire", _BLOB, nullable=False),
    Column("order_key", _KEY),
    Column("description", _name(160)),
    Column("managed", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("born", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    UniqueConstraint("zone_id", "name", "type", name="uq_rrsets_name_type"),
    Index("ix_rrsets_revision", "zone_id", "revision"),
    Index("ix_rrsets_order", "zone_id", "order_key"),
    **_MYSQL,
)
RRSET_ORDERS = ("created_at", "updated_at", "name", "type", "ttl", "description")
for _column in RRSET_ORDERS:
    Index(f"ix_rrsets_{_column}", rrsets.c[_column], rrsets.c.id)
    Index(f"ix_rrsets_zone_{_column}", rrsets.c.zone_id, rrsets.c[_column], rrsets.c.id)
    Index(f"ix_rrsets_project_{_column}", rrsets.c.project_id, rrsets.c[_column], rrsets.c.id)
Index("ix_rrsets_zone", rrsets.c.zone_id, rrsets.c.id)
Index("ix_rrsets_project_zone", rrsets.c.project_id, rrsets.c.zone_id, rrsets.c.id)
Index("ix_rrsets_project", rrsets.c.project_id, rrsets.c.id)

DATA_PREFIX = 255
"""Characters of a record's text that the API's filter by data sees."""
# One row a record, for that filter.
rrset_data = Table(
    "rrset_data",
    metadata,
    Column("rrset_id", _name(36), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("zone_id", _name(36), nullable=False),
    Column("data", _name(), nullable=False),
    Index("ix_rrset_data_data", "data", "rrset_id"),
    Index("ix_rrset_data_zone", "zone_id", "data", "rrset_id"),
    **_MYSQL,
)

# RRs that each revision removed and added: IXFR now, history and undo later. `full`: the difference is the whole zone.
journal = Table(
    "journal",
    metadata,
    Column("zone_id", _name(36), primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("shard", SmallInteger, nullable=False),
    Column("serial_from", BigInteger, nullable=False),
    Column("serial_to", BigInteger, nullable=False),
    Column("full", Boolean, nullable=False),
    Column("removed", _BLOB, nullable=False),
    Column("added", _BLOB, nullable=False),
    Column("soa_from", _BLOB, nullable=False),
    Column("soa_to", _BLOB, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("user_id", _name(64)),
    Column("project_id", _name(36)),
    Column("request_id", _name(64)),
    Index("ix_journal_at", "at"),
    **_MYSQL,
)

# One row for each zone on which not all peers agree yet. The row is the truth, the message only wakes a worker.
outbox = Table(
    "outbox",
    metadata,
    Column("zone_id", _name(36), primary_key=True),
    Column("pool_id", _name(36), nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("queued_at", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("next_try", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", _name(128)),
    Column("lease_until", BigInteger, nullable=False),
    Column("leased_at", BigInteger),
    Column("waiting", Boolean, nullable=False),
    Index("ix_outbox_next_try", "next_try"),
    Index("ix_outbox_pool", "pool_id"),
    **_MYSQL,
)

# When each live SECONDARY zone's primaries are asked next, by which worker, and the result of the last time.
inbound = Table(
    "inbound",
    metadata,
    Column("zone_id", _name(36), primary_key=True),
    Column("shard", SmallInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("asked", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("loaded", Boolean, nullable=False),
    Column("serial", BigInteger),
    Column("expires_at", BigInteger, nullable=False),
    Column("notified_by", _name(64)),
    Column("primary", _name()),
    Column("error", _name()),
    Column("lease_owner", _name(128)),
    Column("lease_until", BigInteger, nullable=False),
    Column("loader", _name(36)),
    Column("kept_rrsets", Integer),
    Column("kept_records", Integer),
    Column("kept_revision", BigInteger),
    Column("version", BigInteger, nullable=False),
    Column("rest_until", BigInteger),
    Column("vain_notifies", Integer),
    Column("generation", BigInteger, nullable=False),
    Index("ix_inbound_due_at", "due_at"),
    **_MYSQL,
)

# What DNS serves of a SECONDARY zone while its rows in `rrsets` are changed in steps, if `inbound.kept_rrsets` is not
# NULL.
kept_rrsets = Table(
    "kept_rrsets",
    metadata,
    Column("zone_id", _name(36), primary_key=True),
    Column("name", _name(), primary_key=True),
    Column("type", _name(16), primary_key=True),
    Column("ttl", Integer),
    Column("wire", _BLOB, nullable=False),
    Column("order_key", _KEY),
    Index("ix_kept_rrsets_order", "zone_id", "order_key"),
    **_MYSQL,
)

# The actual state beside the desired one: what each target and nameserver is known to hold of each zone.
peer_states = Table(
    "peer_states",
    metadata,
    Column("zone_id", _name(36), primary_key=True),
    Column("peer_id", _name(36), primary_key=True),
    Column("role", _name(10), nullable=False),
    Column("present", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("serial", BigInteger),
    Column("since", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("error", _name(255)),
    Column("next_try", BigInteger, nullable=False),
    Index("ix_peer_states_attempts", "peer_id", "attempts"),
    **_MYSQL,
)

# Pools are few and always read whole, so their parts are one JSON document; secrets in it are sealed.
pools = Table(
    "pools",
    metadata,
    Column("id", _name(36), primary_key=True),
    Column("name", _name(50), nullable=False),
    Column("description", _name(160)),
    Column("project_id", _name(36)),
    Column("version", Integer, nullable=False),
    Column("apex_version", Integer, nullable=False),
    Column("body", _LONG, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    UniqueConstraint("name", name="uq_pools_name"),
    **_MYSQL,
)

# A pool whose servers have changed, until every zone of it is queued: those with ids up to `up_to` are. `peers`: a JSON
# list of the peers whose states are forgotten with that. `zones`, `queued`: how many, to show the progress.
pool_changes = Table(
    "pool_changes",
    metadata,
    Column("pool_id", _name(36), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("up_to", _name(36), nullable=False),
    Column("peers", _LONG, nullable=False),
    Column("zones", Integer, nullable=False),
    Column("queued", Integer, nullable=False),
    **_MYSQL,
)

# Written by the creation of a zone (one row) and by a change of its pool (all): `store/poolguard.py`.
pool_guards = Table(
    "pool_guards",
    metadata,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    **_MYSQL,
)

quotas = Table(
    "quotas",
    metadata,
    Column("project_id", _name(36), primary_key=True),
    Column("resource", _name(32), primary_key=True),
    Column("hard_limit", Integer, nullable=False),
    **_MYSQL,
)

# How many zones each project holds: a counter, so that the quota costs the same with one zone and with a million.
usage = Table(
    "project_usage",
    metadata,
    Column("project_id", _name(36), primary_key=True),
    Column("zones", Integer, nullable=False),
    **_MYSQL,
)

# One row per last two labels of a zone name: the creation of a zone below them writes it first, so that two
# projects cannot create a parent and its child at the same time (also on two Galera nodes: the write is certified).
families = Table(
    "zone_families",
    metadata,
    Column("name", _name(), primary_key=True),
    Column("version", BigInteger, nullable=False),
    **_MYSQL,
)

# `processes`: a JSON object of those of the service on that host that live (`store/services.py`).
services = Table(
    "services",
    metadata,
    Column("id", _name(36), primary_key=True),
    Column("service_name", _name(40), nullable=False),
    Column("hostname", _name(), nullable=False),
    Column("status", _name(8), nullable=False),
    Column("heartbeated_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Column("stats", Text, nullable=False),
    Column("processes", Text, nullable=False),
    UniqueConstraint("service_name", "hostname", name="uq_services_name_host"),
    **_MYSQL,
)

tsigkeys = Table(
    "tsigkeys",
    metadata,
    Column("id", _name(36), primary_key=True),
    Column("name", _name(160), nullable=False),
    Column("algorithm", _name(16), nullable=False),
    Column("secret", Text, nullable=False),
    Column("scope", _name(4), nullable=False),
    Column("resource_id", _name(36), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    UniqueConstraint("name", name="uq_tsigkeys_name"),
    Index("ix_tsigkeys_resource", "resource_id"),
    **_MYSQL,
)

# The API's own tokens. `digest`: SHA-256 of the secret, which is not stored. `roles`: a JSON list.
tokens = Table(
    "tokens",
    metadata,
    Column("id", _name(36), primary_key=True),
    Column("digest", _name(64), nullable=False),
    Column("project_id", _name(36), nullable=False),
    Column("roles", Text, nullable=False),
    Column("description", _name(160)),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    UniqueConstraint("digest", name="uq_tokens_digest"),
    **_MYSQL,
)

# The names below which zones may be created; without any, all names may be.
tlds = Table(
    "tlds",
    metadata,
    Column("id", _name(36), primary_key=True),
    Column("name", _name(), nullable=False),
    Column("description", _name(160)),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    UniqueConstraint("name", name="uq_tlds_name"),
    Index("ix_tlds_created_at", "created_at", "id"),
    Index("ix_tlds_updated_at", "updated_at", "id"),
    **_MYSQL,
)

# Patterns of names that no zone may have.
blacklists = Table(
    "blacklists",
    metadata,
    Column("id", _name(36), primary_key=True),
    Column("pattern", _name(), nullable=False),
    Column("description", _name(160)),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    UniqueConstraint("pattern", name="uq_blacklists_pattern"),
    Index("ix_blacklists_created_at", "created_at", "id"),
    Index("ix_blacklists_updated_at", "updated_at", "id"),
    **_MYSQL,
)

# Texts of which a name holds one if the pattern matches it, and three characters of each, by which a name finds it.
blacklist_needles = Table(
    "blacklist_needles",
    metadata,
    Column("blacklist_id", _name(36), primary_key=True),
    Column("position", SmallInteger, primary_key=True, autoincrement=False),
    Column("gram", _name(3), nullable=False),
    Column("needle", _name(), nullable=False),
    Index("ix_blacklist_needles_gram", "gram", "blacklist_id"),
    **_MYSQL,
)

# The members that share a piece of work, by lease, if no tooz coordinator is configured.
members = Table(
    "members",
    metadata,
    Column("group_name", _name(64), primary_key=True),
    Column("member", _name(160), primary_key=True),
    Column("lease_until", BigInteger, nullable=False),
    **_MYSQL,
)

# The requests of the broker that were carried out, for some minutes: a request that comes twice is done once.
questions = Table(
    "questions",
    metadata,
    Column("id", _name(36), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("answer", _BLOB, nullable=False),
    Index("ix_questions_at", "at"),
    **_MYSQL,
)
