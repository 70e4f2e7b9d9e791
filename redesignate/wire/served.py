# SPDX-License-Identifier: Apache-2.0
"""What a nameserver's answer says of a zone that it should serve."""

from __future__ import annotations

from collections.abc import Mapping

from redesignate.model.audit import Difference, RestingZone
from redesignate.model.pool import Endpoint, Nameserver
from redesignate.model.serial import newer
from redesignate.wire.client import SOAAnswer
from redesignate.wire.message import Rcode

UNKNOWN_ZONE = frozenset({Rcode.NOTAUTH, Rcode.REFUSED, Rcode.NXDOMAIN})
"""How a server answers a NOTIFY for a zone that it does not have: BIND and NSD NOTAUTH, others the rest."""
GONE = frozenset({Rcode.REFUSED, Rcode.NXDOMAIN, Rcode.NOTAUTH, Rcode.NOERROR})
"""How a server without a zone answers for its SOA. NOERROR without a SOA: a parent zone answers."""

DENIALS = frozenset({Rcode.REFUSED, Rcode.NOTAUTH, Rcode.SERVFAIL})
"""How a server answers for a zone that it has lost or cannot serve: others may be lost as well."""


def rcode_text(rcode: int) -> str:
    """The name of an rcode, or its number."""
    try:
        return Rcode(rcode).name
    except ValueError:
        return f"rcode {rcode}"


def foreign_text(at: Endpoint, serial: int) -> str:
    """What to say of a serial that a server serves and that was never published."""
    return f"{at} serves serial {serial}, which was never published here: a restored backup, or an edit on the server"


def difference(
    zone: RestingZone, server: Nameserver, targets: Mapping[str, Endpoint | None], answer: SOAAnswer
) -> Difference | None:
    """How a nameserver's answer differs from what the zone should be; None where it does not.

    targets   of the pool: peer id, and where its NOTIFY goes
    Where the server has no such zone, the target at its address is to be given it again; every target, where no
    target has that address.
    """
    if answer.rcode == Rcode.NOERROR and answer.serial == zone.serial:
        return None
    at = Endpoint(server.host, server.port)
    again: tuple[str, ...] = ()
    if answer.serial is not None:
        ahead = newer(answer.serial, zone.serial)
        why = foreign_text(at, answer.serial) if ahead else f"{at} serves serial {answer.serial}, which is out of date"
    elif answer.rcode == Rcode.NOERROR:
        why = f"{at} answers without an SOA"
    else:
        why = f"{at} answers {rcode_text(answer.rcode)}"
    if answer.serial is None and answer.rcode in GONE:
        there = [target_id for target_id, notified in targets.items() if notified == at]
        again = tuple(there or targets)
    return Difference(
        zone_id=zone.zone_id,
        revision=zone.revision,
        peer_id=server.id,
        serial=answer.serial,
        why=why,
        targets=again,
    )
