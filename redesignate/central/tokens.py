# SPDX-License-Identifier: Apache-2.0
"""API tokens: operators create, list and revoke them; the API's authentication finds them by their digest."""

from __future__ import annotations

import re

from redesignate.central.rules import Answers, Rules
from redesignate.central.rules.fields import refused
from redesignate.commands.tokens import CreateToken, FindToken, ListTokens, NoteTokenUse, RevokeToken
from redesignate.model.clock import SECOND, new_id
from redesignate.model.errors import TokenNotFound
from redesignate.model.token import Token, is_role
from redesignate.store.tokens import Tokens
from redesignate.store.unit import Work

USE_GRAIN_S = 3600
"""`last_used_at` is written at most once in this many seconds: it only shows whether a token is still in use."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


def list_tokens(rules: Rules, work: Work, command: ListTokens) -> tuple[Token, ...]:
    """List every token, without its secret, which is not stored. Raises Forbidden."""
    rules.policy.may("admin", command.caller, {})
    return Tokens(work.conn).all()


def create_token(rules: Rules, work: Work, command: CreateToken) -> Token:
    """Add a token by its digest. Raises Forbidden, InvalidObject."""
    rules.policy.may("admin", command.caller, {})
    if fault := _fault(command, work.now):
        raise refused(ValueError(fault))
    made = Token(
        id=new_id(),
        project_id=command.project_id,
        roles=tuple(dict.fromkeys(command.roles)),
        description=command.description,
        created_at=work.now,
        expires_at=command.expires_at,
    )
    Tokens(work.conn).add(made, command.digest)
    return made


def _fault(command: CreateToken, now: int) -> str | None:
    """The fault of a new token; None where it has none."""
    if not (0 < len(command.project_id) <= 36 and command.project_id.isprintable()):
        return "A project id has 1 to 36 characters, all of them printable"
    if bad := [role for role in command.roles if not is_role(role)]:
        return f"{bad[0]!r} is not a role: use up to 64 lower-case letters, digits, '_', '.' and '-'"
    if not 0 < len(command.roles) <= 16:
        return "A token has 1 to 16 roles"
    if command.description is not None and len(command.description) > 160:
        return "A description has at most 160 characters"
    if command.expires_at is not None and command.expires_at <= now:
        return "A token must expire in the future"
    return None if _DIGEST.fullmatch(command.digest) else "A digest has 64 hexadecimal digits"


def revoke_token(rules: Rules, work: Work, command: RevokeToken) -> Token:
    """Remove a token and return it. APIs refuse it within seconds. Raises Forbidden, TokenNotFound."""
    rules.policy.may("admin", command.caller, {})
    found = Tokens(work.conn).get(command.token_id)
    if found is None:
        raise TokenNotFound(f"There is no token {command.token_id}")
    Tokens(work.conn).remove(found.id)
    return found


def find_token(_rules: Rules, work: Work, command: FindToken) -> Token | None:
    """Find the token of a digest, expired or not, for the API's authentication; None where there is none. One query."""
    return Tokens(work.conn).by_digest(command.digest)


def note_token_use(_rules: Rules, work: Work, command: NoteTokenUse) -> None:
    """Record that a token was used, at most once in USE_GRAIN_S."""
    Tokens(work.conn).used(command.token_id, work.now, grain=USE_GRAIN_S * SECOND)


ANSWERS: Answers = {
    ListTokens: list_tokens,
    CreateToken: create_token,
    RevokeToken: revoke_token,
    FindToken: find_token,
    NoteTokenUse: note_token_use,
}
