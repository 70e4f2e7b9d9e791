# SPDX-License-Identifier: Apache-2.0
"""What every table is made of: the types of columns, and the options for MariaDB and MySQL.

Portable over SQLite, PostgreSQL, MariaDB and MySQL; a record type needs no migration. Times are microseconds since
1970 (BIGINT), ids are UUIDs as text, serials and revisions are BIGINT because a DNS serial is unsigned. Text compares
by octet everywhere (utf8mb4_bin, "C").
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import LargeBinary, MetaData, String, Text
from sqlalchemy.dialects import mysql

metadata = MetaData()
# dialect options are free keywords
OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}


def text(length: int = 255) -> String:
    """Text that sorts by octet on every database, so that keyset paging agrees with the index."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


BLOB = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
KEY = LargeBinary().with_variant(mysql.VARBINARY(512), "mysql", "mariadb")
LONG = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
