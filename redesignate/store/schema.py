# SPDX-License-Identifier: Apache-2.0
"""The tables of zones: what they hold, what is to be published of them and what each nameserver has.

Names are stored lower case; `typed_name` is how the user typed one, where that differs: shown, never compared. Each
list order of the API has its index, so that a page costs the same at the end of the list as at its start.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, SmallInteger, Table, Text, UniqueConstraint

from redesignate.store.columns import BLOB, KEY, LONG, OPTIONS, metadata, text

zones = Table(
    "zones",
    metadata,
    Column("id", text(36), primary_key=True),
    Column("shard", SmallInteger, nullable=False),
    Column("project_id", text(36)),
    Column("pool_id", text(36), nullable=False),
    Column("name", text(), nullable=False),
    Column("typed_name", text()),
    Column("reverse_key", text(), nullable=False),
    Column("type", text(9), nullable=False),
    Column("email", text(), nullable=False),
    Column("description", text(160)),
    Column("attributes", Text, nullable=False),
    Column("primaries", Text, nullable=False),
    Column("ttl", Integer, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("confirmed", BigInteger, nullable=False),
    Column("mname", text(), nullable=False),
    Column("apex_version", Integer, nullable=False),
    Column("refresh", Integer, nullable=False),
    Column("retry", Integer, nullable=False),
    Column("expire", Integer, nullable=False),
    Column("minimum", Integer, nullable=False),
    Column("action", text(6), nullable=False),
    Column("status", text(8), nullable=False),
    Column("hard_delete", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("parent_id", text(36)),
    Column("rrset_count", Integer, nullable=False),
    Column("record_count", Integer, nullable=False),
    Column("shares", Integer),
    Column("handed", BigInteger),
    Column("deleted", text(36), nullable=False),
    Column("deleted_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    Column("transferred_at", BigInteger),
    UniqueConstraint("name", "pool_id", "deleted", name="uq_zones_name"),
    Index("ix_zones_reverse", "reverse_key", "deleted"),
    Index("ix_zones_parent", "parent_id"),
    Index("ix_zones_apex", "pool_id", "deleted", "apex_version"),
    Index("ix_zones_deleted_at", "deleted_at"),
    **OPTIONS,
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
    Column("id", text(36), primary_key=True),
    Column("zone_id", text(36), nullable=False),
    Column("project_id", text(36)),
    Column("name", text(), nullable=False),
    Column("typed_name", text()),
    Column("type", text(16), nullable=False),
    Column("ttl", Integer),
    Column("records", LONG, nullable=False),
    Column("wire", BLOB, nullable=False),
    Column("order_key", KEY),
    Column("description", text(160)),
    Column("managed", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("born", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger),
    UniqueConstraint("zone_id", "name", "type", name="uq_rrsets_name_type"),
    Index("ix_rrsets_revision", "zone_id", "revision"),
    Index("ix_rrsets_order", "zone_id", "order_key"),
    **OPTIONS,
)
RRSET_ORDERS = ("created_at", "updated_at", "name", "type", "ttl", "description")
for _column in RRSET_ORDERS:
    Index(f"ix_rrsets_{_column}", rrsets.c[_column], rrsets.c.id)
    Index(f"ix_rrsets_zone_{_column}", rrsets.c.zone_id, rrsets.c[_column], rrsets.c.id)
    Index(f"ix_rrsets_project_{_column}", rrsets.c.project_id, rrsets.c[_column], rrsets.c.id)
for _owner in ("zone", "project"):  # the order of creation of one type
    _of = rrsets.c[f"{_owner}_id"]
    Index(f"ix_rrsets_{_owner}_type_created_at", _of, rrsets.c.type, rrsets.c.created_at, rrsets.c.id)
Index("ix_rrsets_zone", rrsets.c.zone_id, rrsets.c.id)
Index("ix_rrsets_project_zone", rrsets.c.project_id, rrsets.c.zone_id, rrsets.c.id)
Index("ix_rrsets_project", rrsets.c.project_id, rrsets.c.id)

DATA_PREFIX = 255
"""Characters of a record's text that the API's filter by data sees."""
# One row a record, for that filter.
rrset_data = Table(
    "rrset_data",
    metadata,
    Column("rrset_id", text(36), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("zone_id", text(36), nullable=False),
    Column("data", text(), nullable=False),
    Index("ix_rrset_data_data", "data", "rrset_id"),
    Index("ix_rrset_data_zone", "zone_id", "data", "rrset_id"),
    **OPTIONS,
)

# RRs that each revision removed and added: IXFR now, history and undo later. `full`: the difference is the whole zone.
journal = Table(
    "journal",
    metadata,
    Column("zone_id", text(36), primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("shard", SmallInteger, nullable=False),
    Column("serial_from", BigInteger, nullable=False),
    Column("serial_to", BigInteger, nullable=False),
    Column("full", Boolean, nullable=False),
    Column("removed", BLOB, nullable=False),
    Column("added", BLOB, nullable=False),
    Column("soa_from", BLOB, nullable=False),
    Column("soa_to", BLOB, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("user_id", text(64)),
    Column("project_id", text(36)),
    Column("request_id", text(64)),
    Index("ix_journal_at", "at"),
    **OPTIONS,
)

# One row for each zone on which not all peers agree yet. The row is the truth, the message only wakes a worker.
outbox = Table(
    "outbox",
    metadata,
    Column("zone_id", text(36), primary_key=True),
    Column("pool_id", text(36), nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("queued_at", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("next_try", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", text(128)),
    Column("lease_until", BigInteger, nullable=False),
    Column("leased_at", BigInteger),
    Column("waiting", Boolean, nullable=False),
    Index("ix_outbox_next_try", "next_try"),
    Index("ix_outbox_pool", "pool_id"),
    **OPTIONS,
)

# When each live SECONDARY zone's primaries are asked next, by which worker, and the result of the last time.
inbound = Table(
    "inbound",
    metadata,
    Column("zone_id", text(36), primary_key=True),
    Column("shard", SmallInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("asked", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("loaded", Boolean, nullable=False),
    Column("serial", BigInteger),
    Column("expires_at", BigInteger, nullable=False),
    Column("notified_by", text(64)),
    Column("primary", text()),
    Column("error", text()),
    Column("lease_owner", text(128)),
    Column("lease_until", BigInteger, nullable=False),
    Column("loader", text(36)),
    Column("kept_rrsets", Integer),
    Column("kept_records", Integer),
    Column("kept_revision", BigInteger),
    Column("version", BigInteger, nullable=False),
    Column("rest_until", BigInteger),
    Column("vain_notifies", Integer),
    Column("generation", BigInteger, nullable=False),
    Index("ix_inbound_due_at", "due_at"),
    **OPTIONS,
)

# What DNS serves of a SECONDARY zone while its rows in `rrsets` are changed in steps, if `inbound.kept_rrsets` is not
# NULL.
kept_rrsets = Table(
    "kept_rrsets",
    metadata,
    Column("zone_id", text(36), primary_key=True),
    Column("name", text(), primary_key=True),
    Column("type", text(16), primary_key=True),
    Column("ttl", Integer),
    Column("wire", BLOB, nullable=False),
    Column("order_key", KEY),
    Index("ix_kept_rrsets_order", "zone_id", "order_key"),
    **OPTIONS,
)

# The actual state beside the desired one: what each target and nameserver is known to hold of each zone.
peer_states = Table(
    "peer_states",
    metadata,
    Column("zone_id", text(36), primary_key=True),
    Column("peer_id", text(36), primary_key=True),
    Column("role", text(10), nullable=False),
    Column("present", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("serial", BigInteger),
    Column("since", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("error", text(255)),
    Column("next_try", BigInteger, nullable=False),
    Index("ix_peer_states_attempts", "peer_id", "attempts"),
    **OPTIONS,
)
