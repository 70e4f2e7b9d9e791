# SPDX-License-Identifier: Apache-2.0
"""What a zone that somebody else signed holds to prove its answers: RRSIG and NSEC records (RFC 4034, RFC 4035 §3.1).

Zones signed with NSEC3 get their signatures; their denials go without a proof.
"""

from __future__ import annotations

from redesignate.mdns.source import View
from redesignate.model import names
from redesignate.store.serving import ServedZone
from redesignate.wire.message import FIXED, RRSIG

Node = dict[int, list[bytes]]
"""The RRsets of one name: type → RRs without owner."""


def signatures(node: Node, rrtype: int) -> list[bytes]:
    """The RRSIG records of a node that cover one of its RRsets (RFC 4034 §3.1.1)."""
    covered = rrtype.to_bytes(2, "big")
    return [body for body in node.get(RRSIG, ()) if body[FIXED.size : FIXED.size + 2] == covered]


def before(view: View, zone: ServedZone, name: str) -> str:
    """The zone's name right before one that does not exist, in canonical order; the apex is before all. One query.

    It may be glue, which has no NSEC record; then the delegation above it has the one that covers the gap.
    """
    ((found, _),) = view.neighbours(zone, [names.order_key(name, zone.name)])
    return names.from_order_key(found, zone.name)
