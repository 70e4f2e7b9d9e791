# SPDX-License-Identifier: Apache-2.0
"""Hints to send, and handlers that note what arrives."""

from __future__ import annotations

from collections import Counter

from redesignate.bus.port import Handler
from redesignate.commands.hint import Hint, Kind


def outbound(*zone_ids: str) -> tuple[Hint, ...]:
    """Hints that these zones have work in the outbox."""
    return tuple(Hint(Kind.OUTBOUND, zone_id) for zone_id in zone_ids)


def inbound(*zone_ids: str) -> tuple[Hint, ...]:
    """Hints that the primaries of these zones are to be queried."""
    return tuple(Hint(Kind.INBOUND, zone_id) for zone_id in zone_ids)


def ids(hints: tuple[Hint, ...]) -> tuple[str, ...]:
    """The zones of these hints."""
    return tuple(hint.zone_id for hint in hints)


def into(heard: Counter[str]) -> Handler:
    """A handler that counts the zones of all hints."""
    return lambda hints: heard.update(ids(hints))
