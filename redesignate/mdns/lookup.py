# SPDX-License-Identifier: Apache-2.0
"""What a zone says to one question (RFC 1034 §4.3.2, RFC 4592, RFC 6672): which RRs, in which section, which rcode.

Names are canonical text here, RRs are (owner, body) with the body in wire form. Messages and their sizes are
`answer.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from redesignate.mdns.source import View
from redesignate.model import names
from redesignate.model.names import MAX_NAME
from redesignate.observe.log import events
from redesignate.store.serving import ServedZone
from redesignate.wire import rrset
from redesignate.wire.message import AAAA, ANY, CNAME, DNAME, DS, MX, NS, SOA, SRV, A, Rcode
from redesignate.wire.names import Malformed

log = events(__name__)

MAX_LINKS = 16
"""How many aliases are followed inside a zone."""

_BODY_HEAD = 10
_TARGET_AT = {NS: 0, MX: 2, SRV: 6}
"""Where in the rdata of these types the name stands whose addresses save the asker a question."""

RR = tuple[str, bytes]
Node = dict[int, list[bytes]]
"""The RRsets of one name: type → RRs without owner."""


@dataclass(slots=True)
class Found:
    """An answer in the making. `glue`: the additional RRs are needed to reach the servers of a referral (RFC 9471)."""

    rcode: Rcode = Rcode.NOERROR
    aa: bool = True
    glue: bool = False
    answer: list[RR] = field(default_factory=list)
    authority: list[RR] = field(default_factory=list)
    additional: list[RR] = field(default_factory=list)


def look_up(view: View, zone: ServedZone, name: str, rrtype: int) -> Found:
    """Answer a question about a name at or below the zone's apex.

    Cost  one query for each name of an alias chain, one more for addresses; a name that does not exist also scans the
    index of the zone's names once.
    """
    if rrtype == SOA and name == zone.name:  # what secondaries ask most; the zone's row says it all
        return Found(answer=[(name, rrset.bodies(rrset.soa(zone), None)[1][0])])
    search = _Search(view, zone)
    following: str | None = name
    for _ in range(MAX_LINKS):
        if following is None or not names.is_below(following, zone.name):
            break
        following = search.step(following, rrtype)
    search.add_addresses(search.found.answer)
    return search.found


class _Search:
    def __init__(self, view: View, zone: ServedZone) -> None:
        self.found = Found()
        self._view = view
        self._zone = zone
        self._nodes: dict[str, Node] = {}
        self._visited: set[str] = set()

    def step(self, name: str, rrtype: int) -> str | None:
        """Answer for one name; the name to go on with where it is an alias."""
        if name in self._visited:
            return None
        self._visited.add(name)
        lineage = self._lineage(name)
        self._load(lineage + ["*." + above for above in lineage[1:]])
        for above in reversed(lineage):
            node = self._nodes.get(above, {})
            at_cut = above != self._zone.name and NS in node
            if at_cut and not (above == name and rrtype == DS):
                self._refer(above, node[NS])
                return None
            if DNAME in node and above != name:
                return self._redirect(name, above, node[DNAME][0])
        node_here = self._nodes.get(name)
        if node_here is not None:
            return self._take(name, node_here, rrtype)
        return self._missing(name, lineage, rrtype)

    def _lineage(self, name: str) -> list[str]:
        """The name and all above it down to the apex, which is last."""
        above = names.ancestors(name)
        return above[: above.index(self._zone.name) + 1]

    def _load(self, wanted: Sequence[str]) -> None:
        for name, ttl, blob in self._view.at_names(self._zone.id, wanted):
            try:
                rrtype, found = rrset.bodies(blob, self._zone.ttl if ttl is None else None)
            except Malformed as error:
                log.error("rrset withheld", zone=self._zone.id, name=name, why=str(error))
                continue
            self._nodes.setdefault(name, {})[rrtype] = found
        if self._zone.name in wanted:
            apex = self._nodes.setdefault(self._zone.name, {})
            apex[SOA] = rrset.bodies(rrset.soa(self._zone), None)[1]

    def _take(self, owner: str, node: Node, rrtype: int) -> str | None:
        """The RRset asked for at a node that exists (or a wildcard's, under the asker's name), an alias, or nothing."""
        if rrtype == ANY:
            self._give(owner, node[min(node)])  # one RRset is enough: RFC 8482 §4.1
        elif rrtype in node:
            self._give(owner, node[rrtype])
        elif CNAME in node:
            self._give(owner, node[CNAME])
            return _name_in(node[CNAME][0], 0)
        else:
            self._deny(Rcode.NOERROR)
        return None

    def _give(self, owner: str, found: Iterable[bytes]) -> None:
        self.found.answer.extend((owner, body) for body in found)

    def _deny(self, rcode: Rcode) -> None:
        """NXDOMAIN or no data, with the SOA that says how long that may be remembered (RFC 2308 §3)."""
        self.found.rcode = rcode
        (body,) = self._nodes[self._zone.name][SOA]
        ttl = min(self._zone.ttl, self._zone.minimum).to_bytes(4, "big")
        self.found.authority.append((self._zone.name, body[:4] + ttl + body[8:]))

    def _missing(self, name: str, lineage: list[str], rrtype: int) -> str | None:
        """No RRset has this name: it may still exist as a name between others, or a wildcard may stand for it."""
        encloser = self._encloser(lineage)
        if encloser == name:
            self._deny(Rcode.NOERROR)
            return None
        wildcard = self._nodes.get("*." + encloser)
        if wildcard is None:
            self._deny(Rcode.NXDOMAIN)
            return None
        return self._take(name, wildcard, rrtype)

    def _encloser(self, lineage: list[str]) -> str:
        """The closest encloser (RFC 4592 §3.3.1): the deepest of these names that exists, be it without records.

        A wildcard that exists only by names below it is not looked for: no rule of ours lets one come to be.
        A name that has none below it has no deeper one of the lineage below it either, so the first miss ends it.
        """
        at = next(at for at, name in enumerate(lineage) if name in self._nodes)
        while at > 0 and self._view.has_below(self._zone.id, lineage[at - 1]):
            at -= 1
        return lineage[at]

    def _refer(self, cut: str, servers: list[bytes]) -> None:
        """A delegation (RFC 1034 §4.3.2 step 3b): not ours to answer, unless an alias of ours led here."""
        found = self.found
        found.authority.extend((cut, body) for body in servers)
        found.aa, found.glue = bool(found.answer), True
        self.add_addresses(found.authority)

    def _redirect(self, name: str, owner: str, body: bytes) -> str | None:
        """A DNAME above the name, and the CNAME that follows from it (RFC 6672 §3.1)."""
        self._give(owner, [body])
        prefix = names.to_wire(name)[: -len(names.to_wire(owner))]
        target = prefix + body[_BODY_HEAD:]
        if len(target) > MAX_NAME:
            self.found.rcode = Rcode.YXDOMAIN
            return None
        head = CNAME.to_bytes(2, "big") + body[2:8] + len(target).to_bytes(2, "big")
        self._give(name, [head + target])
        return _text(target)

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


def _name_in(body: bytes, at: int) -> str | None:
    """The name that stands in an RR's rdata; None where it is malformed."""
    return _text(body[_BODY_HEAD + at :])


def _text(wire: bytes) -> str | None:
    try:
        return names.from_wire(wire)[0].lower()
    except ValueError:
        return None
