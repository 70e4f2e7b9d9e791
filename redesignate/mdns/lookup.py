# SPDX-License-Identifier: Apache-2.0
"""What a zone says to one question (RFC 1034 §4.3.2, RFC 4592, RFC 6672): which RRs, in which section, which rcode.

Names are canonical text here, RRs are (owner, body) with the body in wire form. Messages and their sizes are
`answer.py`'s; which records prove an answer of a signed zone is `proof.py`'s.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from redesignate.mdns import proof
from redesignate.mdns.proof import RR, Node, Proofs
from redesignate.mdns.source import View
from redesignate.model import names
from redesignate.model.names import MAX_NAME
from redesignate.model.rdata import BESIDE_CNAME
from redesignate.observe.log import events
from redesignate.store.served_zone import Reach, ServedZone
from redesignate.wire import rrset
from redesignate.wire.message import (
    AAAA,
    ANY,
    CNAME,
    DNAME,
    DS,
    MX,
    NS,
    NSEC,
    SOA,
    SRV,
    A,
    Rcode,
)

log = events(__name__)

MAX_LINKS = 16
"""How many names of an alias chain are looked up."""

_BODY_HEAD = 10
_TARGET_AT = {NS: 0, MX: 2, SRV: 6}
"""Where in the rdata of these types the name stands whose addresses save the client a question."""


@dataclass(slots=True)
class Found:
    """An answer in the making.

    glue    the additional RRs are needed to reach the servers of a referral (RFC 9471)
    below   the names below the zone's at which another zone would change the answer
    settled it follows from the zone's version, and from there being no zone at those names
    """

    rcode: Rcode = Rcode.NOERROR
    aa: bool = True
    glue: bool = False
    settled: bool = True
    below: list[str] = field(default_factory=list)
    answer: list[RR] = field(default_factory=list)
    authority: list[RR] = field(default_factory=list)
    additional: list[RR] = field(default_factory=list)


def look_up(view: View, zone: ServedZone, name: str, rrtype: int, reach: Reach, *, do: bool = False) -> Found:
    """Answer a question about a name at or below the zone's apex.

    reach  among which zones the nearest to an alias's target is looked for: where that is not this one, the answer
           ends with the alias, and the client goes on (RFC 1034 §4.3.2 step 2; BIND does the same)
    do     the client wants signatures and proofs, where the zone has them (RFC 4035 §3.1)
    A chain of aliases that loops, or has more than MAX_LINKS names, is SERVFAIL (RFC 1034 §3.6.2).
    Cost   two queries for each name of an alias chain, one more for addresses and one for a name that does not exist;
    a signed zone's denial takes up to four more. None grows with the zone.
    """
    if rrtype == SOA and name == zone.name and not do:  # what secondaries ask most; the zone's row says it all
        return Found(answer=[(name, rrset.bodies(rrset.soa(zone), None)[1][0])])
    search, visited = _Search(view, zone, rrtype, do=do), {name}
    found = search.found
    found.below += _down_to(zone.name, name)[
        rrtype == DS : -1
    ]  # a DS is answered from above, whatever zone its name has
    found.settled = rrtype != DS or name != zone.name
    following = search.step(name)
    while following is not None and names.is_below(following, zone.name):
        lineage = _down_to(zone.name, following)
        nearest = view.nearest_zone(lineage, reach)
        if nearest is None or nearest.id != zone.id:
            found.settled = False
            break
        if following in visited or len(visited) == MAX_LINKS:
            return Found(rcode=Rcode.SERVFAIL, aa=False, settled=False)
        visited.add(following)
        found.below += lineage[:-1]
        following = search.step(following)
    search.add_addresses(found.answer)
    return found


def read_ahead(view: View, zone: ServedZone, asked: Sequence[str]) -> None:
    """Ask at once what `look_up` would ask for each of these names, the view remembering it: one query for each 64
    names at which an answer may stand, and one for each 64 of those asked about that do not exist."""
    wanted = {name: _first_wanted(zone.name, name) for name in asked}
    found = {name for name, _, _ in view.at_names(zone, [one for some in wanted.values() for one in some])}
    missing = [_missing_keys(zone, _down_to(zone.name, name), found)[1] for name in wanted if name not in found]
    if missing:
        view.neighbours(zone, [key for keys in missing for key in keys])


@lru_cache(maxsize=64)  # asked again for each step of the same question
def _first_wanted(apex: str, name: str) -> tuple[str, ...]:
    """At which names an answer is looked for: the name and all above it down to the apex, and the wildcards that may
    stand for it."""
    lineage = _down_to(apex, name)
    return lineage + tuple(["*." + above for above in lineage[1:]])


def _missing_keys(zone: ServedZone, lineage: Sequence[str], found: Container[str]) -> tuple[int, list[bytes]]:
    """Which of these names, down to the apex, is the first that exists because it or its wildcard was found; and the
    keys around which the closest encloser of the first name, which was not, is looked for."""
    known = next((at for at, above in enumerate(lineage) if above in found or "*." + above in found), len(lineage) - 1)
    return known, [names.order_key(one, zone.name) for one in (lineage[0], "*." + lineage[known])]


@lru_cache(maxsize=64)
def _down_to(apex: str, name: str) -> tuple[str, ...]:
    """The name and all above it down to the apex, which is last."""
    above = names.ancestors(name)
    return tuple(above[: above.index(apex) + 1])


class _Search:
    def __init__(self, view: View, zone: ServedZone, rrtype: int, *, do: bool) -> None:
        self.found = Found()
        self._view = view
        self._zone = zone
        self._type = rrtype
        self._do = do
        self._nodes: dict[str, Node] = {}
        self._proofs: Proofs | None = None

    def step(self, name: str) -> str | None:
        """Answer for one name; the name to go on with where it is an alias."""
        lineage = _down_to(self._zone.name, name)
        self._load(_first_wanted(self._zone.name, name))
        if self._do and self._proofs is None:
            self._proofs = proof.of(self._view, self._zone, self._nodes[self._zone.name])
            self.found.settled &= self._proofs is None or self._view.all_placed(self._zone)
        for above in reversed(lineage):
            node = self._nodes.get(above, {})
            at_cut = above != self._zone.name and NS in node
            if at_cut and not (above == name and (self._type == DS or self._type == NSEC in node)):
                self._refer(above, node)
                return None
            if DNAME in node and above != name:
                return self._redirect(name, above, node)
        node_here = self._nodes.get(name)
        if node_here is not None:
            return self._take(lineage, node_here)
        return self._missing(name, lineage)

    def _load(self, wanted: Sequence[str]) -> None:
        self._nodes |= proof.without_hashes(proof.nodes(self._view, self._zone, wanted).items())
        if self._zone.name in wanted:
            apex = self._nodes.setdefault(self._zone.name, {})
            apex[SOA] = rrset.bodies(rrset.soa(self._zone), None)[1]

    def _take(self, lineage: Sequence[str], node: Node, encloser: str | None = None) -> str | None:
        """The RRset asked for at a node that exists, an alias, or nothing.

        encloser   the node is that of the wildcard below it, and is given under the queried name
        """
        owner, answered = lineage[0], True
        if self._type == ANY:
            self._give(owner, node, min(node))  # one RRset is enough: RFC 8482 §4.1
        elif self._type in node:
            self._give(owner, node, self._type)
        elif CNAME in node and self._type not in BESIDE_CNAME:
            self._give(owner, node, CNAME)
        else:
            answered = False
            self._deny(Rcode.NOERROR)
            if self._proofs:
                self._prove(self._proofs.no_data(lineage if encloser is None else self._starred(encloser), node))
        if encloser is not None and self._proofs:
            self._prove(self._proofs.expanded(lineage, encloser, answered))
        follow = CNAME in node and self._type not in {ANY, CNAME, *BESIDE_CNAME} and self._type not in node
        return _name_in(node[CNAME][0], 0) if follow else None

    def _give(self, owner: str, node: Node, rrtype: int) -> None:
        self.found.answer.extend((owner, body) for body in self._signed(node, rrtype))

    def _signed(self, node: Node, rrtype: int) -> list[bytes]:
        """An RRset of a node, with its signatures where the client wants them."""
        return node[rrtype] + (proof.signatures(node, rrtype) if self._do else [])

    def _deny(self, rcode: Rcode) -> None:
        """NXDOMAIN or no data, with the SOA that says how long that may be remembered (RFC 2308 §3)."""
        self.found.rcode = rcode
        ttl = min(self._zone.ttl, self._zone.minimum).to_bytes(4, "big")
        for body in self._signed(self._nodes[self._zone.name], SOA):
            self.found.authority.append((self._zone.name, body[:4] + ttl + body[8:]))

    def _missing(self, name: str, lineage: Sequence[str]) -> str | None:
        """No RRset has this name: it may still exist as a name between others, or a wildcard may stand for it."""
        encloser, starred = self._encloser(lineage)
        placed = self._view.all_placed(self._zone)
        self.found.settled &= placed  # names are still being filled in, which raises no revision
        wildcard = "*." + encloser
        if encloser == name:
            self._deny(Rcode.NOERROR)
            self._prove(self._proofs.no_data(lineage, {}) if self._proofs else ())
        elif wildcard in self._nodes:
            return self._take(lineage, self._nodes[wildcard], encloser)
        else:
            # a wildcard that only stands between other names is a name without data (RFC 4592 §2.2.2); and where not
            # every name is known, nothing is said not to exist
            self._deny(Rcode.NXDOMAIN if placed and not starred else Rcode.NOERROR)
            self._prove(self._proofs.missing(lineage, encloser, starred) if self._proofs else ())
        return None

    def _encloser(self, lineage: Sequence[str]) -> tuple[str, bool]:
        """The closest encloser (RFC 4592 §3.3.1), the deepest of these names that exists, be it without records; and
        whether any name stands below its wildcard. In canonical order an ancestor that exists has a name below it
        right before or right after the missing one."""
        zone = self._zone
        nodes = self._nodes
        known, (key, star) = _missing_keys(zone, lineage, nodes)
        around, (_, after_star) = self._view.neighbours(zone, [key, star])
        at = 0
        # a key that equals that of an ancestor is not of a name: it would have been found (`proof.without_hashes`)
        while at < known and not any(near != key and near.startswith(key) for near in around):
            at, key = at + 1, key[: key.rfind(b"\0", 0, -1) + 1]
        if 0 < at < known:
            star = names.order_key("*." + lineage[at], zone.name)
            ((_, after_star),) = self._view.neighbours(zone, [star])
        return lineage[at], after_star.startswith(star)

    def _refer(self, cut: str, node: Node) -> None:
        """A delegation (RFC 1034 §4.3.2 step 3b): not ours to answer, unless an alias of ours led here."""
        found = self.found
        found.authority.extend((cut, body) for body in node[NS])
        found.aa, found.glue = bool(found.answer), True
        self.add_addresses(found.authority)
        if self._do and DS in node:
            found.authority.extend((cut, body) for body in self._signed(node, DS))
        elif self._proofs:
            self._prove(self._proofs.no_data(_down_to(self._zone.name, cut), node))

    def _redirect(self, name: str, owner: str, node: Node) -> str | None:
        """A DNAME above the name, and the CNAME that follows from it (RFC 6672 §3.1), which ends a CNAME question."""
        self._give(owner, node, DNAME)
        body = node[DNAME][0]
        prefix = names.to_wire(name)[: -len(names.to_wire(owner))]
        target = prefix + body[_BODY_HEAD:]
        if len(target) > MAX_NAME:
            self.found.rcode = Rcode.YXDOMAIN
            return None
        head = CNAME.to_bytes(2, "big") + body[2:8] + len(target).to_bytes(2, "big")
        self.found.answer.append((name, head + target))
        return None if self._type == CNAME else _text(target)

    def add_addresses(self, given: Iterable[RR]) -> None:
        """Addresses that the zone holds of the hosts that NS, MX and SRV records name. At most one query."""
        targets = [self._host(body) for _, body in given]
        inside = sorted({target for target in targets if target and names.is_below(target, self._zone.name)})
        if not inside:
            return
        self._load([target for target in inside if target not in self._nodes])
        for target in inside:
            node = self._nodes.get(target, {})
            for rrtype in (A, AAAA):
                self.found.additional.extend((target, body) for body in node.get(rrtype, ()))

    def _host(self, body: bytes) -> str | None:
        at = _TARGET_AT.get(int.from_bytes(body[:2], "big"))
        return None if at is None else _name_in(body, at)

    def _starred(self, encloser: str) -> Sequence[str]:
        return ["*." + encloser, *_down_to(self._zone.name, encloser)]

    def _prove(self, given: Iterable[RR]) -> None:
        """Add the records of a proof, each once."""
        self.found.authority.extend(rr for rr in given if rr not in self.found.authority)
        self.found.settled &= self._proofs is None or self._proofs.whole  # keys are repaired without a revision


def _name_in(body: bytes, at: int) -> str | None:
    """The name that stands in an RR's rdata; None where it is malformed."""
    return _text(body[_BODY_HEAD + at :])


def _text(wire: bytes) -> str | None:
    try:
        return names.from_wire(wire)[0].lower()
    except ValueError:
        return None
