# SPDX-License-Identifier: Apache-2.0
"""TSIG keys (RFC 8945)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

ALGORITHMS = ("hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")


class Scope(Enum):
    """The zones to which a key grants access: every zone of one pool, or one zone."""

    POOL = "POOL"
    ZONE = "ZONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class TSIGKey:
    """A shared secret. `name` is lower case without the final dot; `secret` is base64, never logged."""

    id: str
    name: str
    algorithm: str
    secret: str = field(repr=False)
    scope: Scope
    resource_id: str
    created_at: int = 0
    updated_at: int | None = None
