# SPDX-License-Identifier: Apache-2.0
"""Every table, for what creates and compares them. A new module of tables is imported here."""

from redesignate.store import move_schema, repeats_schema, schema, settings_schema, sharing_schema, task_schema
from redesignate.store.columns import metadata

__all__ = [
    "metadata",
    "move_schema",
    "repeats_schema",
    "schema",
    "settings_schema",
    "sharing_schema",
    "task_schema",
]
