# SPDX-License-Identifier: Apache-2.0
"""API tokens, by their digest; the secret itself is never stored."""

from __future__ import annotations

import hmac
import json
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from redesignate.model.token import Token
from redesignate.store.settings_schema import tokens


class Tokens:
    """The tokens of one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def by_digest(self, digest: str) -> Token | None:
        """The token of a digest, compared once more in constant time. One query."""
        row = self._conn.execute(select(tokens).where(tokens.c.digest == digest)).first()
        return _token(row) if row is not None and hmac.compare_digest(row.digest, digest) else None

    def get(self, token_id: str) -> Token | None:
        """One token. One query."""
        row = self._conn.execute(select(tokens).where(tokens.c.id == token_id)).first()
        return _token(row) if row else None

    def all(self) -> tuple[Token, ...]:
        """Every token, by project, oldest first."""
        query = select(tokens).order_by(tokens.c.project_id, tokens.c.id)
        return tuple(_token(row) for row in self._conn.execute(query))

    def add(self, token: Token, digest: str) -> None:
        """Insert a token. Raises IntegrityError if there is one with this digest."""
        row = {
            "id": token.id,
            "digest": digest,
            "project_id": token.project_id,
            "roles": json.dumps(token.roles),
            "description": token.description,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
        }
        self._conn.execute(tokens.insert().values(row))

    def used(self, token_id: str, now: int, *, grain: int) -> None:
        """Set when a token was last used, unless the stored time is less than `grain` microseconds old."""
        old = or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at <= now - grain)
        self._conn.execute(tokens.update().where(tokens.c.id == token_id, old).values(last_used_at=now))

    def remove(self, token_id: str) -> None:
        """Delete a token."""
        self._conn.execute(tokens.delete().where(tokens.c.id == token_id))


def _token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        project_id=row.project_id,
        roles=tuple(json.loads(row.roles)),
        description=row.description,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
