# SPDX-License-Identifier: Apache-2.0
"""Parses a zone that came from a primary, checks it, and compares it with the stored copy. Writes nothing.

If one RR cannot be stored the whole zone is refused, and the old copy stays: a partial zone would answer NXDOMAIN for
names that exist, and a signed one would be bogus.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from redesignate.central.edit import Change, Edit, Key, Stored, difference
from redesignate.central.quotas import limits
from redesignate.central.rules import Rules
from redesignate.commands.inbound import ReportInbound
from redesignate.model import names
from redesignate.model.limits import INT32_MAX, NAME_LENGTH
from redesignate.model.rdata import BESIDE_CNAME, NEVER_IN_ZONES, key, mnemonic, received
from redesignate.model.rrset import NSEC3, RRSIG, SINGLETONS, Held, new_rrset
from redesignate.model.soa import SOAData, read_soa
from redesignate.model.zone import Zone
from redesignate.store.unit import Work
from redesignate.store.zones import Counts
from redesignate.wire import rrset
from redesignate.wire.message import SOA

Pair = tuple[Held | None, "tuple[Key, Given] | None"]
"""A stored RRset, and the one that replaces it."""
Seen = tuple[int, int]
"""The revision of a zone, and the version of its row in `inbound`: together they name its stored RRsets."""
_RR = tuple[int, bytes, bytes]
"""TTL, rdata, and the whole RR in blob form."""
_HASH = re.compile(r"[0-9a-v]{32}\.")
"""The first label of an NSEC3 record's owner: SHA-1, the only algorithm (RFC 5155 §3)."""
_BESIDE_CNAME = frozenset({"CNAME", *map(mnemonic, BESIDE_CNAME)})


class Unacceptable(ValueError):
    """A zone that cannot be stored here, or that no nameserver would load. The text is one line for a person."""


@dataclass(frozen=True, slots=True)
class Given:
    """An RRset of the zone; `ttl` is the lowest of its records, `wire` has the TTLs that are served."""

    ttl: int
    wire: bytes
    rdatas: tuple[bytes, ...]


@dataclass(slots=True)
class Content:
    """A whole zone from its primary.

    soa      its `email` is None where the mailbox is not a mail address that fits in a row; `ttl` is the SOA record's
    sets     its other RRsets, by name and type; `records` is the number of their records
    texts    those of RRsets that were new when the zone was unpacked
    """

    soa: SOAData
    ttl: int
    sets: dict[Key, Given]
    records: int
    texts: dict[Key, tuple[str, ...]] = field(default_factory=dict)

    @property
    def signed(self) -> bool:
        """Whether the zone is signed, so that its SOA must not be changed."""
        return any(rrtype == RRSIG for _, rrtype in self.sets)

    def text(self, which: Key) -> tuple[str, ...]:
        """An RRset's records as text. Raises Unacceptable."""
        if which not in self.texts:
            try:
                self.texts[which] = tuple(received(which[1], rdata) for rdata in self.sets[which].rdatas)
            except ValueError as error:
                raise Unacceptable(f"{which[1]} at {which[0]}: {error}") from error
        return self.texts[which]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A report and the zone in it; where the zone is unacceptable, `why` has the reason instead.

    pairs    what of it differs from the stored RRsets, as they were at `seen`
    seen     the zone's revision, and the version of its row in `inbound`; None: `pairs` were not read
    stored   what of it a run has stored already
    """

    worker: str
    said: ReportInbound
    content: Content | None = None
    why: str | None = None
    pairs: Sequence[Pair] = ()
    seen: Seen | None = None
    stored: Stored | None = None


def check_quota(rules: Rules, work: Work, zone: Zone, counts: Counts, content: Content) -> None:
    """Raise Unacceptable where the zone would grow beyond its project's quota for one zone. At most one query.

    counts   what the zone holds now. A served zone that exceeds the quota already is still accepted while it does not
             grow, so that a lower quota never makes a copy expire
    """
    allowed = limits(rules, work, zone.project_id)
    stored = Counts(0, 0) if zone.waiting else counts
    served = {"zone_recordsets": stored.rrsets, "zone_records": stored.records}
    wanted = {"zone_recordsets": len(content.sets) + 1, "zone_records": content.records}
    for name, count in wanted.items():
        if 0 <= allowed[name] < count and count > served[name]:
            what = name.removeprefix("zone_")
            raise Unacceptable(f"the zone has {count} {what}, and the quota {name} allows {allowed[name]}")


def changes(edit: Edit, content: Content, pairs: Iterable[Pair]) -> Iterator[Change]:
    """Yield the changes that turn the stored RRsets into the received ones. Raises Unacceptable for invalid rdata."""
    zone = edit.zone
    for stored, wanted in pairs:
        if wanted is None:
            yield Change(stored, None)
            continue
        (name, rrtype), given = wanted
        texts = content.text((name, rrtype))
        if stored is None:
            new = new_rrset(
                zone,
                name,
                rrtype,
                texts,
                given.wire,
                ttl=given.ttl,
                project_id=zone.project_id,
                typed_name=zone.typed_name if name == zone.name else None,
            )
        else:
            new = stored._replace(records=texts, wire=given.wire, ttl=given.ttl)
        yield Change(stored, edit.stamped(new, stored))


def inflate(packed: bytes, most: int) -> bytes:
    """Decompress zlib data, never to more than `most` octets. Raises Unacceptable."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(packed, most + 1)
    except zlib.error as error:
        raise Unacceptable(f"the zone's data is damaged ({error})") from error
    if len(found) > most:
        raise Unacceptable(
            f"the zone has more than {most} octets ([service:worker] xfr_max_bytes in central's configuration)"
        )
    if not stream.eof:
        raise Unacceptable("the zone's data is truncated")
    return found


def read(zone: str, blob: bytes) -> Content:
    """Group a zone's RRs, the SOA first, into RRsets ordered by name and type. Raises Unacceptable."""
    try:
        rrs = list(zip(rrset.split(blob), rrset.records(blob), strict=True))
    except ValueError as error:
        raise Unacceptable(f"the zone's data is damaged ({error})") from error
    if not rrs or rrs[0][1][:2] != (b"", SOA):
        raise Unacceptable("the zone's data has no SOA")
    soa_ttl, soa = rrs[0][1][2], _soa(rrs[0][1][3])
    owners: dict[bytes, str] = {}
    found: dict[Key, list[_RR]] = {}
    for rr, (labels, number, ttl, rdata) in rrs[1:]:
        owner = owners.get(labels)
        if owner is None:
            owner = owners[labels] = _owner(labels, zone)
        found.setdefault((owner, _type(number, owner)), []).append((ttl, rdata, rr))
    sets = {which: _given(which[1], found[which]) for which in sorted(found)}
    _check_places(zone, sets)
    return Content(soa, soa_ttl, sets, sum(len(given.rdatas) for given in sets.values()))


def _owner(labels: bytes, zone: str) -> str:
    head = names.from_wire(labels + b"\0")[0] if labels else ""
    if head != head.lower():
        raise Unacceptable(f"the name {head}{zone} is not in lower case")
    name = head + zone
    if len(name) > NAME_LENGTH:
        raise Unacceptable(f"the name {name[:60]}… has {len(name)} characters; at most {NAME_LENGTH} are allowed")
    return name


def _type(number: int, owner: str) -> str:
    if number == SOA or number in NEVER_IN_ZONES:
        raise Unacceptable(f"type {number} at {owner}, which is not allowed there")
    return mnemonic(number)


def _given(rrtype: str, records: list[_RR]) -> Given:
    """Records in canonical order, each once, so that a primary that reorders them changes nothing.

    RRs of one RRset share a TTL, the lowest (RFC 2181 §5.2); an RRSIG has that of the RRset it covers (RFC 4034 §3).
    """
    if len(records) == 1:
        ((ttl, rdata, rr),) = records
        return Given(ttl, rr, (rdata,))
    records = sorted({key(rrtype, rdata): (ttl, rdata, rr) for ttl, rdata, rr in records}.values(), key=_by_rdata)
    lowest = min(ttl for ttl, _, _ in records)
    wire = b"".join([rr for _, _, rr in records])
    if rrtype != RRSIG:
        wire = rrset.retime(wire, lowest)
    return Given(lowest, wire, tuple(rdata for _, rdata, _ in records))


def _by_rdata(record: _RR) -> bytes:
    return record[1]


def _check_places(zone: str, found: Mapping[Key, Given]) -> None:
    """Refuse what no nameserver loads: BIND would drop the transfer, and with it every later change of the zone.

    RFC 1034 §3.6.2, RFC 6672 §2.4, RFC 4592 §4.2, RFC 5155 §3; a zone has nameservers: RFC 1035 §5.2.
    """
    if (zone, "NS") not in found:
        raise Unacceptable("the zone has no NS records at its apex")
    aliases = {name for name, rrtype in found if rrtype == "CNAME"}
    for (name, rrtype), given in found.items():
        if rrtype in SINGLETONS and len(given.rdatas) > 1:
            raise Unacceptable(f"{len(given.rdatas)} {rrtype} records at {name}, where at most one is allowed")
        if name in aliases and rrtype not in _BESIDE_CNAME:
            raise Unacceptable(f"CNAME and {rrtype} at {name}")
        if rrtype == "NS" and name.startswith("*."):
            raise Unacceptable(f"NS at the wildcard {name}")
        if rrtype == NSEC3 and _HASH.match(name) is None:
            raise Unacceptable(f"an NSEC3 record at {name}, whose first label is not a hash")
    if zone in aliases:
        raise Unacceptable(f"CNAME and SOA at {zone}")


def _soa(rdata: bytes) -> SOAData:
    """Parse the SOA. Raises Unacceptable for times beyond 2**31-1 and names that do not fit in a row."""
    try:
        soa = read_soa(rdata)
    except ValueError as error:
        raise Unacceptable(f"the SOA: {error}") from error
    if max(soa.refresh, soa.retry, soa.expire, soa.minimum) > INT32_MAX or len(soa.mname) > NAME_LENGTH:
        raise Unacceptable(f"the SOA: times above {INT32_MAX} s, or a server's name of {len(soa.mname)} characters")
    return replace(soa, email=None) if len(soa.email or "") > NAME_LENGTH else soa


def differing(stored: Iterable[Held], content: Content) -> Iterator[Pair]:
    """Compare the stored copy, ordered by name and type, with the received zone. The SOA is compared elsewhere."""
    return difference((held for held in stored if held.type != "SOA"), content.sets.items(), _same)


def _same(held: Held, given: Given) -> bool:
    return held.ttl == given.ttl and held.wire == given.wire
