# SPDX-License-Identifier: Apache-2.0
"""NOTIFY from elsewhere (RFC 1996): is the zone a secondary one of ours, and did one of its primaries send it?"""

from __future__ import annotations

import ipaddress

from redesignate.mdns.source import View
from redesignate.model import names
from redesignate.wire.message import SOA, Question, Rcode


def judge(view: View, question: Question, peer: str) -> Rcode:
    """What the sender is told: NOTAUTH for a zone that we are no secondary of, REFUSED to a stranger. One query.

    Nothing follows from a good one yet: fetching from primaries is the worker's, and not built.
    """
    if question.type != SOA:
        return Rcode.FORMERR
    zones = view.secondaries(names.from_wire(question.name)[0])
    if not zones:
        return Rcode.NOTAUTH
    known = any(_same(peer, primary) for primaries in zones for primary in primaries)
    return Rcode.NOERROR if known else Rcode.REFUSED


def _same(peer: str, primary: str) -> bool:
    """Whether a peer's address is that of a primary ("192.0.2.1:53", "[2001:db8::1]:53", or without a port)."""
    try:
        return ipaddress.ip_address(peer) == ipaddress.ip_address(_host(primary))
    except ValueError:
        return False


def _host(primary: str) -> str:
    if primary.startswith("["):
        return primary[1:].partition("]")[0]
    return primary.partition(":")[0] if primary.count(":") == 1 else primary
