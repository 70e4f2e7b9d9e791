# SPDX-License-Identifier: Apache-2.0
"""Commands about API tokens. A token's secret is never sent: its digest stands for it."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand, Command
from redesignate.model.token import Token


class ListTokens(CallerCommand[tuple[Token, ...]], tag="token.list", frozen=True):
    pass


class CreateToken(CallerCommand[Token], tag="token.create", frozen=True):
    digest: str
    project_id: str
    roles: tuple[str, ...]
    description: str | None = None
    expires_at: int | None = None


class RevokeToken(CallerCommand[Token], tag="token.revoke", frozen=True):
    token_id: str


class FindToken(Command[Token | None], tag="token.find", frozen=True):
    digest: str


class NoteTokenUse(Command[None], tag="token.used", frozen=True):
    token_id: str
