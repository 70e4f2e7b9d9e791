# SPDX-License-Identifier: Apache-2.0
"""What is believed of servers, looked at again: zones at rest, and where a server's answer differs from them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingZone:
    """A zone that every peer of its pool is believed to have as it should be. `pool_version`: the pool as it is now."""

    zone_id: str
    name: str
    serial: int
    revision: int
    pool_id: str
    pool_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A nameserver that does not serve a zone at rest as it should.

    revision   of the zone, as it was when the nameserver was asked; the report counts for it alone
    peer_id    the nameserver
    serial     what it serves; None: no SOA
    why        one line for a person, with the server's address
    targets    peer ids of the targets that have to be given the zone again
    silent     it did not answer: what it serves is not known any more
    """

    zone_id: str
    revision: int
    peer_id: str
    serial: int | None
    why: str
    targets: tuple[str, ...] = ()
    silent: bool = False
