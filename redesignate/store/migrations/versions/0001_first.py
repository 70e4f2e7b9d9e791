# SPDX-License-Identifier: Apache-2.0
"""the first schema

Written out and never changed: later changes of the schema are later versions. `tests/store/test_migrations.py` checks
that all versions together create the schema of `store.tables`.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BLOB = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
_LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _table(name: str, *parts: sa.schema.SchemaItem) -> None:
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    op.create_table(name, *parts, **options)


def upgrade() -> None:
    """Make every table."""
    _zones()
    _rrsets()
    _rrset_data()
    _journal()
    _outbox()
    _peer_states()
    _pools()
    _quotas()
    _project_usage()
    _zone_families()
    _services()
    _tsigkeys()
    _members()


def _zones() -> None:
    _table(
        "zones",
        sa.Column("id", _name(36), primary_key=True),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("project_id", _name(36)),
        sa.Column("pool_id", _name(36), nullable=False),
        sa.Column("name", _name(255), nullable=False),
        sa.Column("reverse_key", _name(255), nullable=False),
        sa.Column("type", _name(9), nullable=False),
        sa.Column("email", _name(255), nullable=False),
        sa.Column("description", _name(160)),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("primaries", sa.Text(), nullable=False),
        sa.Column("ttl", sa.Integer(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("confirmed", sa.BigInteger(), nullable=False),
        sa.Column("mname", _name(255), nullable=False),
        sa.Column("apex_version", sa.Integer(), nullable=False),
        sa.Column("refresh", sa.Integer(), nullable=False),
        sa.Column("retry", sa.Integer(), nullable=False),
        sa.Column("expire", sa.Integer(), nullable=False),
        sa.Column("minimum", sa.Integer(), nullable=False),
        sa.Column("action", _name(6), nullable=False),
        sa.Column("status", _name(8), nullable=False),
        sa.Column("hard_delete", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("parent_id", _name(36)),
        sa.Column("rrset_count", sa.Integer(), nullable=False),
        sa.Column("record_count", sa.Integer(), nullable=False),
        sa.Column("deleted", _name(36), nullable=False),
        sa.Column("deleted_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
        sa.Column("transferred_at", sa.BigInteger()),
        sa.UniqueConstraint("name", "pool_id", "deleted", name="uq_zones_name"),
    )
    _zone_indexes()


def _zone_indexes() -> None:
    op.create_index("ix_zones_apex", "zones", ["pool_id", "deleted", "apex_version"])
    op.create_index("ix_zones_created_at", "zones", ["deleted", "created_at", "id"])
    op.create_index("ix_zones_deleted_at", "zones", ["deleted_at"])
    op.create_index("ix_zones_description", "zones", ["deleted", "description", "id"])
    op.create_index("ix_zones_email", "zones", ["deleted", "email", "id"])
    op.create_index("ix_zones_id", "zones", ["deleted", "id"])
    op.create_index("ix_zones_name", "zones", ["deleted", "name", "id"])
    op.create_index("ix_zones_owner", "zones", ["deleted", "project_id", "id"])
    op.create_index("ix_zones_parent", "zones", ["parent_id"])
    op.create_index("ix_zones_project_created_at", "zones", ["project_id", "deleted", "created_at", "id"])
    op.create_index("ix_zones_project_description", "zones", ["project_id", "deleted", "description", "id"])
    op.create_index("ix_zones_project_email", "zones", ["project_id", "deleted", "email", "id"])
    op.create_index("ix_zones_project_name", "zones", ["project_id", "deleted", "name", "id"])
    op.create_index("ix_zones_project_serial", "zones", ["project_id", "deleted", "serial", "id"])
    op.create_index("ix_zones_project_status", "zones", ["project_id", "deleted", "status", "id"])
    op.create_index("ix_zones_project_ttl", "zones", ["project_id", "deleted", "ttl", "id"])
    op.create_index("ix_zones_project_type", "zones", ["project_id", "deleted", "type", "id"])
    op.create_index("ix_zones_project_updated_at", "zones", ["project_id", "deleted", "updated_at", "id"])
    op.create_index("ix_zones_reverse", "zones", ["reverse_key", "deleted"])
    op.create_index("ix_zones_serial", "zones", ["deleted", "serial", "id"])
    op.create_index("ix_zones_status", "zones", ["deleted", "status", "id"])
    op.create_index("ix_zones_ttl", "zones", ["deleted", "ttl", "id"])
    op.create_index("ix_zones_type", "zones", ["deleted", "type", "id"])
    op.create_index("ix_zones_updated_at", "zones", ["deleted", "updated_at", "id"])


def _rrsets() -> None:
    _table(
        "rrsets",
        sa.Column("id", _name(36), primary_key=True),
        sa.Column("zone_id", _name(36), nullable=False),
        sa.Column("project_id", _name(36)),
        sa.Column("name", _name(255), nullable=False),
        sa.Column("type", _name(16), nullable=False),
        sa.Column("ttl", sa.Integer()),
        sa.Column("records", _LONG, nullable=False),
        sa.Column("wire", _BLOB, nullable=False),
        sa.Column("description", _name(160)),
        sa.Column("managed", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("born", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
        sa.UniqueConstraint("zone_id", "name", "type", name="uq_rrsets_name_type"),
    )
    op.create_index("ix_rrsets_created_at", "rrsets", ["created_at", "id"])
    op.create_index("ix_rrsets_description", "rrsets", ["description", "id"])
    op.create_index("ix_rrsets_name", "rrsets", ["name", "id"])
    op.create_index("ix_rrsets_project", "rrsets", ["project_id", "id"])
    op.create_index("ix_rrsets_project_created_at", "rrsets", ["project_id", "created_at", "id"])
    op.create_index("ix_rrsets_project_description", "rrsets", ["project_id", "description", "id"])
    op.create_index("ix_rrsets_project_name", "rrsets", ["project_id", "name", "id"])
    op.create_index("ix_rrsets_project_ttl", "rrsets", ["project_id", "ttl", "id"])
    op.create_index("ix_rrsets_project_type", "rrsets", ["project_id", "type", "id"])
    op.create_index("ix_rrsets_project_updated_at", "rrsets", ["project_id", "updated_at", "id"])
    op.create_index("ix_rrsets_project_zone", "rrsets", ["project_id", "zone_id", "id"])
    op.create_index("ix_rrsets_revision", "rrsets", ["zone_id", "revision"])
    op.create_index("ix_rrsets_ttl", "rrsets", ["ttl", "id"])
    op.create_index("ix_rrsets_type", "rrsets", ["type", "id"])
    op.create_index("ix_rrsets_updated_at", "rrsets", ["updated_at", "id"])
    op.create_index("ix_rrsets_zone", "rrsets", ["zone_id", "id"])
    op.create_index("ix_rrsets_zone_created_at", "rrsets", ["zone_id", "created_at", "id"])
    op.create_index("ix_rrsets_zone_description", "rrsets", ["zone_id", "description", "id"])
    op.create_index("ix_rrsets_zone_name", "rrsets", ["zone_id", "name", "id"])
    op.create_index("ix_rrsets_zone_ttl", "rrsets", ["zone_id", "ttl", "id"])
    op.create_index("ix_rrsets_zone_type", "rrsets", ["zone_id", "type", "id"])
    op.create_index("ix_rrsets_zone_updated_at", "rrsets", ["zone_id", "updated_at", "id"])


def _rrset_data() -> None:
    _table(
        "rrset_data",
        sa.Column("rrset_id", _name(36), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("zone_id", _name(36), nullable=False),
        sa.Column("data", _name(255), nullable=False),
    )
    op.create_index("ix_rrset_data_data", "rrset_data", ["data", "rrset_id"])
    op.create_index("ix_rrset_data_zone", "rrset_data", ["zone_id", "data", "rrset_id"])


def _journal() -> None:
    _table(
        "journal",
        sa.Column("zone_id", _name(36), primary_key=True),
        sa.Column("revision", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("serial_from", sa.BigInteger(), nullable=False),
        sa.Column("serial_to", sa.BigInteger(), nullable=False),
        sa.Column("full", sa.Boolean(), nullable=False),
        sa.Column("removed", _BLOB, nullable=False),
        sa.Column("added", _BLOB, nullable=False),
        sa.Column("soa_from", _BLOB, nullable=False),
        sa.Column("soa_to", _BLOB, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("user_id", _name(64)),
        sa.Column("project_id", _name(36)),
        sa.Column("request_id", _name(64)),
    )
    op.create_index("ix_journal_at", "journal", ["at"])


def _outbox() -> None:
    _table(
        "outbox",
        sa.Column("zone_id", _name(36), primary_key=True),
        sa.Column("pool_id", _name(36), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("next_try", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", _name(128)),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_outbox_next_try", "outbox", ["next_try"])
    op.create_index("ix_outbox_pool", "outbox", ["pool_id"])


def _peer_states() -> None:
    _table(
        "peer_states",
        sa.Column("zone_id", _name(36), primary_key=True),
        sa.Column("peer_id", _name(36), primary_key=True),
        sa.Column("role", _name(10), nullable=False),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.BigInteger()),
        sa.Column("since", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", _name(255)),
        sa.Column("next_try", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_peer_states_attempts", "peer_states", ["peer_id", "attempts"])


def _pools() -> None:
    _table(
        "pools",
        sa.Column("id", _name(36), primary_key=True),
        sa.Column("name", _name(50), nullable=False),
        sa.Column("description", _name(160)),
        sa.Column("project_id", _name(36)),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("apex_version", sa.Integer(), nullable=False),
        sa.Column("body", _LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
        sa.UniqueConstraint("name", name="uq_pools_name"),
    )


def _quotas() -> None:
    _table(
        "quotas",
        sa.Column("project_id", _name(36), primary_key=True),
        sa.Column("resource", _name(32), primary_key=True),
        sa.Column("hard_limit", sa.Integer(), nullable=False),
    )


def _project_usage() -> None:
    _table(
        "project_usage",
        sa.Column("project_id", _name(36), primary_key=True),
        sa.Column("zones", sa.Integer(), nullable=False),
    )


def _zone_families() -> None:
    _table(
        "zone_families",
        sa.Column("name", _name(255), primary_key=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
    )


def _services() -> None:
    _table(
        "services",
        sa.Column("id", _name(36), primary_key=True),
        sa.Column("service_name", _name(40), nullable=False),
        sa.Column("hostname", _name(255), nullable=False),
        sa.Column("status", _name(8), nullable=False),
        sa.Column("heartbeated_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
        sa.UniqueConstraint("service_name", "hostname", name="uq_services_name_host"),
    )


def _tsigkeys() -> None:
    _table(
        "tsigkeys",
        sa.Column("id", _name(36), primary_key=True),
        sa.Column("name", _name(160), nullable=False),
        sa.Column("algorithm", _name(16), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("scope", _name(4), nullable=False),
        sa.Column("resource_id", _name(36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
        sa.UniqueConstraint("name", name="uq_tsigkeys_name"),
    )
    op.create_index("ix_tsigkeys_resource", "tsigkeys", ["resource_id"])


def _members() -> None:
    _table(
        "members",
        sa.Column("group_name", _name(64), primary_key=True),
        sa.Column("member", _name(160), primary_key=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
    )
