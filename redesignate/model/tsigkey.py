# SPDX-License-Identifier: Apache-2.0
"""TSIG keys (RFC 8945)."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field
from enum import Enum

from msgspec import UNSET, UnsetType

from redesignate.model.names import InvalidName, absolute

ALGORITHMS = ("hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
LONGEST = 160
"""The most characters of a key's name or secret."""

_GENERATED_OCTETS = 32
_UNTYPED = re.compile(r"[ -,/:-@\[\]^`{-~]")


class Scope(Enum):
    """The zones to which a key grants access: every zone of one pool, or one zone."""

    POOL = "POOL"
    ZONE = "ZONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class TSIGKey:
    """A shared secret. `name` is lower case without the final dot; `secret` is base64, never logged.

    typed_name  the name as it was typed, where that differs
    """

    id: str
    name: str
    algorithm: str
    secret: str = field(repr=False)
    scope: Scope
    resource_id: str
    created_at: int = 0
    updated_at: int | None = None
    typed_name: str | None = None

    @property
    def shown_name(self) -> str:
        """The name as it was typed."""
        return self.name if self.typed_name is None else self.typed_name


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTSIGKey:
    """A key as requested. Without a secret, or with an empty one, a secret is generated."""

    name: str
    algorithm: str
    scope: Scope
    resource_id: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TSIGKeyChange:
    """The members that a PATCH changes; those that are UNSET stay. An empty secret asks for a generated one."""

    name: str | UnsetType = UNSET
    algorithm: str | UnsetType = UNSET
    secret: str | UnsetType | None = field(default=UNSET, repr=False)
    scope: Scope | UnsetType = UNSET
    resource_id: str | UnsetType = UNSET


def check_key_name(text: str) -> str:
    """The stored form of a key's name, which stands in messages as a domain name (RFC 8945 §4.2): "Key.Example." is
    "key.example", "my key" is "my\\032key". Raises InvalidName."""
    escaped = text if "\\" in text else _UNTYPED.sub(lambda found: f"\\{ord(found[0]):03d}", text)
    name = absolute(escaped if escaped.endswith(".") else escaped + ".").lower().removesuffix(".")
    if not name or len(name) > LONGEST:
        raise InvalidName(f"A key's name has 1 to {LONGEST} characters, escapes included")
    return name


def is_usable(secret: str) -> bool:
    """Whether a secret is base64, and so signs messages (RFC 8945 §4.2)."""
    try:
        return bool(base64.b64decode(secret, validate=True))
    except (binascii.Error, ValueError):
        return False


def generated_secret() -> str:
    """Make a secret of 256 random bits, in base64."""
    return base64.b64encode(secrets.token_bytes(_GENERATED_OCTETS)).decode()
