# SPDX-License-Identifier: Apache-2.0
"""What a zone that somebody else signed holds to prove its answers: RRSIG, NSEC and NSEC3 records.

RFC 4034, RFC 4035 §3.1, RFC 5155 §7.2.

`of` makes the proofs of one answer. Each returns the records to send; a zone in which they are missing gets none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from redesignate.mdns.source import View
from redesignate.model import names
from redesignate.model.rrset import HASHED, SIGNATURES
from redesignate.observe.log import events
from redesignate.store.served_zone import ServedZone
from redesignate.wire import denial, rrset
from redesignate.wire.message import FIXED, NSEC, NSEC3, NSEC3PARAM, RRSIG, Malformed

log = events(__name__)

MOST_HASHED = 32
"""The number of names hashed for one answer: one for each wildcard alias of a chain, then three for its end, or ten
where delegations are left out (opt-out) and the name is as long as names can be."""
OTHER_CHAINS = 8
"""How many records of other chains, with another salt, are passed over."""

Node = dict[int, list[bytes]]
"""The RRsets of one name: type → RRs without owner."""
RR = tuple[str, bytes]


def nodes(view: View, zone: ServedZone, wanted: Sequence[str]) -> dict[str, Node]:
    """The RRsets at these names; names without any are left out. One query."""
    found: dict[str, Node] = {}
    for name, ttl, blob in view.at_names(zone, wanted):
        try:
            rrtype, bodies = rrset.bodies(blob, zone.ttl if ttl is None else None)
        except Malformed as error:
            log.error("rrset withheld", zone=zone.id, name=name, why=str(error))
            continue
        found.setdefault(name, {})[rrtype] = bodies
    return found


def signatures(node: Node, rrtype: int) -> list[bytes]:
    """The RRSIG records of a node that cover one of its RRsets (RFC 4034 §3.1.1)."""
    covered = rrtype.to_bytes(2, "big")
    return [body for body in node.get(RRSIG, ()) if body[FIXED.size : FIXED.size + 2] == covered]


def _signed(owner: str, node: Node, rrtype: int) -> list[RR]:
    return [(owner, body) for body in (*node[rrtype], *signatures(node, rrtype))] if rrtype in node else []


class Proofs(Protocol):
    """The proofs of one answer. Names are canonical; `lineage` is a name and all above it down to the apex.

    whole  each record that was looked for by its place among the others was found
    """

    whole: bool

    def no_data(self, lineage: Sequence[str], node: Node, /) -> list[RR]:
        """The name exists and has these types alone; an empty node stands between other names."""
        ...

    def expanded(self, lineage: Sequence[str], encloser: str, answered: bool, /) -> list[RR]:
        """The name does not exist, so that the wildcard below its closest encloser stands for it. `answered`: with
        data, whose signatures name the encloser."""
        ...

    def missing(self, lineage: Sequence[str], encloser: str, starred: bool, /) -> list[RR]:
        """Neither the name nor a wildcard for it exists; `starred`: such a wildcard stands between other names."""
        ...


def of(view: View, zone: ServedZone, apex: Node) -> Proofs | None:
    """The proofs of a zone with this apex; None where it has none to give."""
    if NSEC in apex:
        return _Listed(view, zone)
    # flags other than zero: ignored (RFC 5155 §4.1.2)
    bodies = [body[FIXED.size :] for body in apex.get(NSEC3PARAM, ())]
    chains = [denial.chain(rdata) for rdata in bodies if rdata[1:2] == b"\0"]
    known = [chain for chain in chains if chain is not None]
    return _Hashed(view, zone, known[0]) if known else None


class _Listed:
    """NSEC: each record has a name, its types, and the next name in canonical order (RFC 4035 §3.1.3)."""

    def __init__(self, view: View, zone: ServedZone) -> None:
        self._view = view
        self._zone = zone
        self.whole = True

    def no_data(self, lineage: Sequence[str], node: Node) -> list[RR]:
        return _signed(lineage[0], node, NSEC) if node else self._gap(lineage[0])

    def expanded(self, lineage: Sequence[str], _encloser: str, _answered: bool, /) -> list[RR]:
        return self._gap(lineage[0])

    def missing(self, lineage: Sequence[str], encloser: str, _starred: bool, /) -> list[RR]:
        return [*self._gap("*." + encloser), *self._gap(lineage[0])]

    def _gap(self, name: str) -> list[RR]:
        """The record whose gap the name falls into. Two queries.

        The name before it may be glue, which has no record; then the delegation above has the one that covers the gap.
        """
        ((key, _),) = self._view.neighbours(self._zone, [names.order_key(name, self._zone.name)])
        before = names.from_order_key(b"" if key[:1] == HASHED else key, self._zone.name)
        above = names.ancestors(before)
        lineage = above[: above.index(self._zone.name) + 1]
        found = nodes(self._view, self._zone, lineage)
        proof = next((_signed(one, found[one], NSEC) for one in lineage if NSEC in found.get(one, {})), [])
        self.whole &= bool(proof)
        return proof


class _Hashed:
    """NSEC3: each record has the hash of a name, its types, and the next hash (RFC 5155 §7.2)."""

    def __init__(self, view: View, zone: ServedZone, chain: denial.Chain) -> None:
        self._view = view
        self._zone = zone
        self._chain = chain
        self._labels: dict[str, str] = {}
        self.whole = True

    def no_data(self, lineage: Sequence[str], _node: Node, /) -> list[RR]:
        """RFC 5155 §7.2.3, §7.2.4. Where unsigned delegations are left out (opt-out), a name may have no record: then
        that its closest provable encloser has none below (§7.2.7)."""
        return self._match(lineage[0]) or self._closest(lineage, 1)[0]

    def expanded(self, lineage: Sequence[str], encloser: str, answered: bool, /) -> list[RR]:
        """RFC 5155 §7.2.5, §7.2.6."""
        at = lineage.index(encloser)
        return self._cover(lineage[at - 1]) if answered else self._closest(lineage, at)[0]

    def missing(self, lineage: Sequence[str], encloser: str, starred: bool, /) -> list[RR]:
        """RFC 5155 §7.2.2, §7.2.5."""
        found, proven = self._closest(lineage, lineage.index(encloser))
        return found + (self._match("*." + encloser) if starred else self._cover("*." + proven))

    def _closest(self, lineage: Sequence[str], first: int) -> tuple[list[RR], str]:
        """The proof of the closest provable encloser (RFC 5155 §7.2.1), from `lineage[first]` up, and that encloser.

        All names above one that has a record have records too (§7.1), so that it is found by halving, with at most
        seven names hashed.
        """
        found: list[RR] = []
        low, high, middle = first, len(lineage), first  # `first` has one wherever no delegation is left out
        while low < high:
            record = self._match(lineage[middle])
            low, high, found = (low, middle, record) if record else (middle + 1, high, found)
            middle = (low + high) // 2
        if not found:
            return [], lineage[min(first, len(lineage) - 1)]
        return found + self._cover(lineage[high - 1]), lineage[high]

    def _match(self, name: str) -> list[RR]:
        """The record of a name that exists. One query."""
        owner = self._owner(name)
        if owner is None:
            return []
        node = nodes(self._view, self._zone, [owner]).get(owner, {})
        return _signed(owner, self._ours(node), NSEC3)

    def _cover(self, name: str) -> list[RR]:
        """The record whose gap the hash of a name falls into: the last one before it, or the last of all. Two queries,
        two more for the first gap, and two for each record of another chain; more where order keys are missing."""
        owner = self._owner(name)
        if owner is None:
            return []
        for candidates in (self._by_key(owner), self._by_name(owner)):
            for at in islice(candidates, OTHER_CHAINS):
                node = self._ours(nodes(self._view, self._zone, [at]).get(at, {}))
                if NSEC3 not in node:
                    continue
                following = denial.next_label(node[NSEC3][0][FIXED.size :])
                if denial.covers(at.partition(".")[0], following, self._labels[name]):
                    return _signed(at, node, NSEC3)
                break
        self.whole = False
        return []

    def _by_key(self, owner: str) -> Iterator[str]:
        """The owners of NSEC3 records before this one, nearest first, and the last of all where there is none."""
        key = HASHED + names.order_key(owner, self._zone.name)
        while True:
            ((before, _),) = self._view.neighbours(self._zone, [key])
            if not _is_hashed(before):
                ((before, _),) = self._view.neighbours(self._zone, [HASHED + b"\xff"])
            if not _is_hashed(before):
                return
            yield names.from_order_key(before[1:], self._zone.name)
            key = before

    def _by_name(self, owner: str) -> Iterator[str]:
        """The same by the owners' texts, as far as that goes: a process of an older release may have put their keys
        among those of names."""
        yield from self._view.hashed_before(self._zone, owner)
        yield from self._view.hashed_before(self._zone, "w." + self._zone.name)  # base 32 ends with v

    def _ours(self, node: Node) -> Node:
        """A node with those of its NSEC3 records that belong to the chain."""
        found = [body for body in node.get(NSEC3, ()) if denial.chain(body[FIXED.size :]) == self._chain]
        return {**node, NSEC3: found} if found else {}

    def _owner(self, name: str) -> str | None:
        """The owner of the record that a name would have; None after MOST_HASHED names."""
        if name not in self._labels:
            if len(self._labels) == MOST_HASHED:
                return None
            self._labels[name] = denial.label(self._chain.hashed(name))
        return f"{self._labels[name]}.{self._zone.name}"


def _is_hashed(key: bytes) -> bool:
    return key.startswith(HASHED) and not key.startswith(SIGNATURES)


def without_hashes(found: Iterable[tuple[str, Node]]) -> dict[str, Node]:
    """Leave out nodes that only hold NSEC3 records: their owners are not names of the zone (RFC 5155 §7.2.8)."""
    return {name: node for name, node in found if NSEC3 not in node or node.keys() - {NSEC3, RRSIG}}
