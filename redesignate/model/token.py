# SPDX-License-Identifier: Apache-2.0
"""API tokens: authentication for an installation without an identity service.

A token's secret is random and shown once. Only its digest is stored, sent and compared; 256 random bits need no salt
and no slow hash, because they cannot be guessed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

PREFIX = "rdt_"
"""The prefix of every secret, by which scanners of repositories and logs recognise one."""
_RANDOM_OCTETS = 32
_SHAPE = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
_ROLE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_IMPLIED = {"admin": ("member", "reader"), "member": ("reader",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The identity of a token's holder. Times in microseconds; `expires_at` None: it is valid until it is revoked.

    roles         as the operator named them; `implied` has what follows from them
    last_used_at  at most an hour behind the last request; None: never used
    """

    id: str
    project_id: str
    roles: tuple[str, ...]
    description: str | None = None
    created_at: int = 0
    expires_at: int | None = None
    last_used_at: int | None = None


def new_secret() -> str:
    """Make a secret of 256 random bits, in characters that need no quoting in a shell or a header."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_OCTETS)


def digest(secret: str) -> str | None:
    """Return the SHA-256 of a secret, in hexadecimal; None for a text that is not a secret of ours."""
    return hashlib.sha256(secret.encode()).hexdigest() if _SHAPE.fullmatch(secret) else None


def is_role(name: str) -> bool:
    """Whether a text can be a role: up to 64 lower-case letters, digits, `_`, `.` and `-`."""
    return _ROLE.fullmatch(name) is not None


def implied(roles: tuple[str, ...]) -> tuple[str, ...]:
    """Return the roles and those that they imply, as in keystone: admin implies member, member implies reader."""
    return tuple(dict.fromkeys(one for role in roles for one in (role, *_IMPLIED.get(role, ()))))
