# SPDX-License-Identifier: Apache-2.0
"""Alembic's entry point: runs the versions on the connection that `store.migrate` passes."""

from alembic import context

from redesignate.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
