# SPDX-License-Identifier: Apache-2.0
"""What mdns gets of the database: a zone's columns, RRsets as blobs, revisions of the journal. Values only."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from redesignate.model.tsigkey import Scope

Blobs = Iterable[tuple[int | None, bytes]]
"""RRsets of a zone: own TTL (None: the zone's) and wire blob (see `wire/rrset.py` for its form)."""


class ServedZone(msgspec.Struct, frozen=True):
    """The columns of a zone that DNS shows. Times in seconds; (id, revision) names one version of its content.

    The fields are the columns that are asked for, in this order.

    loaded   False: a SECONDARY zone that was never fetched, or has expired, or a catalog that does not list all of its
             zones yet; it must not be answered (SERVFAIL)
    kept     its content is the copy in `kept_rrsets`, because its RRsets are being changed in steps
    """

    id: str
    name: str
    revision: int
    serial: int
    ttl: int
    email: str
    mname: str
    pool_id: str
    refresh: int
    retry: int
    expire: int
    minimum: int
    loaded: bool = True
    kept: bool = False


class Mark(msgspec.Struct, frozen=True):
    """The serials that one revision of the journal spans, and its octets of RRs."""

    revision: int
    serial_from: int
    serial_to: int
    full: bool
    octets: int


class Change(msgspec.Struct, frozen=True):
    """One revision of the journal as IXFR sends it; blobs as in the journal's row."""

    removed: bytes
    added: bytes
    soa_from: bytes
    soa_to: bytes


class Reach(msgspec.Struct, frozen=True):
    """The zones that a client may see: those of a pool, or only one."""

    scope: Scope
    resource_id: str
