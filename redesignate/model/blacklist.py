# SPDX-License-Identifier: Apache-2.0
"""Blacklist entries: regular expressions; a zone whose name one of them matches is not created."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class Blacklist(msgspec.Struct, frozen=True, kw_only=True):
    """An entry. `pattern`: as it was typed; what it means is in `model/pattern.py`."""

    id: str
    pattern: str
    created_at: int
    description: str | None = None
    updated_at: int | None = None


class NewBlacklist(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as requested."""

    pattern: str
    description: str | None = None


class BlacklistChange(msgspec.Struct, frozen=True, kw_only=True):
    """The members that a PATCH changes; those that are UNSET stay."""

    pattern: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
