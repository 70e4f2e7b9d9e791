# SPDX-License-Identifier: Apache-2.0
"""The audit's values: zones at rest, and the differences between them and a server's answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingZone:
    """A zone that every peer of its pool should have at its newest revision. `pool_version`: that of the pool now."""

    zone_id: str
    name: str
    serial: int
    revision: int
    pool_id: str
    pool_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A nameserver that does not serve a zone at rest as it should.

    revision   the zone's when the nameserver was queried; the report counts only for this revision
    peer_id    the nameserver
    serial     the serial that it serves; None: no SOA
    why        one line for a person, with the server's address
    targets    peer ids of the targets on which the zone must be created again
    silent     it did not answer: what it serves is not known any more
    """

    zone_id: str
    revision: int
    peer_id: str
    serial: int | None
    why: str
    targets: tuple[str, ...] = ()
    silent: bool = False
