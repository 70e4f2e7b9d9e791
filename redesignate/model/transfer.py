# SPDX-License-Identifier: Apache-2.0
"""The transfer of a zone to another project: its owner's request, and the acceptance by the project that gets it."""

from __future__ import annotations

import hmac
import secrets
import string
from enum import Enum

import msgspec
from msgspec import UNSET, UnsetType

_LETTERS = string.ascii_uppercase + string.digits
_KEY_LENGTH = 8


class TransferStatus(Enum):
    """Whether the zone has changed hands."""

    ACTIVE = "ACTIVE"
    COMPLETE = "COMPLETE"


class TransferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An owner's offer of a zone. Times in microseconds since 1970.

    project_id         the owner that made it; `target_project_id`: who alone may accept; None: who knows the key
    key                what the acceptor must send; empty where the caller may not see it
    detailed           whether the caller may see all members, and not only what the zone is called
    """

    id: str
    zone_id: str
    zone_name: str
    project_id: str | None
    target_project_id: str | None
    key: str
    status: TransferStatus
    description: str | None
    created_at: int
    updated_at: int | None = None
    detailed: bool = True


class NewTransferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as a user sends it."""

    target_project_id: str | None = None
    description: str | None = None


class TransferRequestChange(msgspec.Struct, frozen=True, kw_only=True):
    """The members that a PATCH changes; those that are UNSET stay."""

    description: str | UnsetType | None = UNSET
    target_project_id: str | UnsetType | None = UNSET


class TransferAccept(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted request. `project_id`: the zone's new owner. `key`: never stored."""

    id: str
    zone_id: str
    zone_transfer_request_id: str
    project_id: str | None
    created_at: int
    status: TransferStatus = TransferStatus.COMPLETE
    updated_at: int | None = None
    key: str | None = None


class NewTransferAccept(msgspec.Struct, frozen=True, kw_only=True):
    """An acceptance as a user sends it."""

    key: str
    zone_transfer_request_id: str


def new_key() -> str:
    """Make a key of the form that v2 publishes: eight capital letters and digits, 41 random bits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_KEY_LENGTH))


def is_key(given: str, key: str) -> bool:
    """Whether a text is the key, in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), key.encode(errors="replace"))
