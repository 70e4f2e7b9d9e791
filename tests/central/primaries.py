# SPDX-License-Identifier: Apache-2.0
"""A customer's primary as tests write it, and the worker that fetches from it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from redesignate.commands.inbound import BeginInbound, ReportInbound
from redesignate.model.inbound import InboundOutcome, InboundTask, Result
from redesignate.model.rdata import parse
from redesignate.model.zone import Zone, ZoneType
from redesignate.wire.rrset import pack
from tests.central.driver import CentralDriver

PRIMARY = "192.0.2.9"
Set = tuple[int, Sequence[str]]
BODY: Mapping[tuple[str, str], Set] = {
    ("", "NS"): (300, ["ns1.customer.net."]),
    ("www", "A"): (60, ["192.0.2.1", "192.0.2.2"]),
    ("mail", "MX"): (300, ["10 mx.customer.net."]),
}

RRSIG = pack("example.org.", "example.org.", "TYPE46", 600, [
    bytes.fromhex("0006080200000258") + b"\x7f\0\0\0" + b"\0\0\0\1" + b"\x12\x34\7example\3org\0" + b"sig"
])  # fmt: skip


def soa(zone: str, serial: int, **given: Any) -> bytes:
    """An SOA record; times in seconds."""
    values: dict[str, Any] = {
        "ttl": 600, "mname": "ns1.customer.net.", "rname": "admin.customer.net.", "refresh": 1200, "retry": 180,
        "expire": 86400, "minimum": 60,
    } | given  # fmt: skip
    text = f"{values['mname']} {values['rname']} {serial} {values['refresh']} {values['retry']} "
    text += f"{values['expire']} {values['minimum']}"
    return pack(zone, zone, "SOA", values["ttl"], [parse("SOA", text).wire])


def content(
    zone: str, serial: int, body: Mapping[tuple[str, str], Set] = BODY, *, raw: bytes = b"", **of: Any
) -> bytes:
    """A whole zone as a worker hands it in; `raw` are further RRs in blob form."""
    parts = [soa(zone, serial, **of)]
    for (name, rrtype), (ttl, texts) in body.items():
        owner = f"{name}.{zone}" if name else zone
        parts.append(pack(zone, owner, rrtype, ttl, [parse(rrtype, text).wire for text in texts]))
    return zlib.compress(b"".join((*parts, raw)))


def secondary(central: CentralDriver, *primaries: str, **new: Any) -> Zone:
    """A new SECONDARY zone."""
    return central.zone(**({"type": ZoneType.SECONDARY, "email": None, "primaries": primaries or (PRIMARY,)} | new))


def look(central: CentralDriver, zone: Zone, *, worker: str = "w1", lease_s: float = 60.0) -> InboundTask:
    """Take the zone up; it has to be due and free."""
    (task,) = central.call(BeginInbound(worker=worker, zone_ids=(zone.id,), lease_s=lease_s))
    return task


def tell(central: CentralDriver, task: InboundTask, result: Result, *, worker: str = "w1", **said: Any) -> None:
    """Report what came of a task."""
    outcome = InboundOutcome(
        zone_id=task.zone_id,
        asked=task.asked,
        generation=task.generation,
        since=task.serial,
        result=result,
        **({"primary": PRIMARY} | said),
    )
    central.call(ReportInbound(worker=worker, outcome=outcome))


def fetch(
    central: CentralDriver, zone: Zone, serial: int, body: Mapping[tuple[str, str], Set] = BODY, **of: Any
) -> None:
    """Have the zone fetched, now that it is due, and served."""
    tell(central, look(central, zone), Result.FETCHED, serial=serial, content=content(zone.name, serial, body, **of))
