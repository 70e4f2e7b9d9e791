# SPDX-License-Identifier: Apache-2.0
"""A hint: what central says to the workers once a transaction is committed. It asks for nothing and may be lost."""

from __future__ import annotations

from enum import Enum

import msgspec


class Kind(Enum):
    """The work that a zone has.

    OUTBOUND   a row in the outbox: its nameservers are to be brought to its newest revision
    INBOUND    a SECONDARY zone whose primaries are to be queried
    """

    OUTBOUND = "outbound"
    INBOUND = "inbound"


class Hint(msgspec.Struct, frozen=True):
    """A zone has work of this kind; which work is read from the database when a worker takes it up."""

    kind: Kind
    zone_id: str
