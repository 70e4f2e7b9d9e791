# SPDX-License-Identifier: Apache-2.0
"""The same zones in a real BIND and in ours, asked the same questions: zones of our own, and one that is signed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest
from sqlalchemy import select

from redesignate.model.names import order_key
from redesignate.model.rdata import mnemonic
from redesignate.model.zone import ZoneType
from redesignate.store.schema import inbound, rrsets
from redesignate.store.unit import Work
from tests.mdns.conftest import Serve
from tests.mdns.test_lookup import RECORDS
from tests.mdns.zones import StoredZone, StoredZones
from tests.support.bind import RealBind

ZONE, CHILD, SIGNED = "example.org.", "child.example.org.", "signed.org."
HERE = {
    **RECORDS,
    ("into.example.org.", "CNAME"): ("www.child.example.org.",),
    ("into-nothing.example.org.", "CNAME"): ("nothing.child.example.org.",),
    ("into-alias.example.org.", "CNAME"): ("out.child.example.org.",),
    ("into-cut.example.org.", "CNAME"): ("x.sub.example.org.",),
    ("below.*.star.example.org.", "A"): ("192.0.2.11",),
    ("a.b.*.c.star.example.org.", "A"): ("192.0.2.12",),
    ("*.loops.example.org.", "CNAME"): ("x.loops.example.org.",),
    ("back.example.org.", "DNAME"): ("forth.example.org.",),
    ("forth.example.org.", "DNAME"): ("back.example.org.",),
    ("_sip._udp.example.org.", "SRV"): ("1 2 5060 www.example.org.",),
}
THERE = {
    ("ns1.child.example.org.", "A"): ("192.0.2.19",),
    ("www.child.example.org.", "A"): ("192.0.2.20",),
    ("out.child.example.org.", "CNAME"): ("www.example.org.",),
}
BESIDE = (
    "nothing", "a.b.nothing", "between", "x.between", "wild", "x.wild", "x.host.wild", "ent.wild", "b.ent.wild",
    "x.www", "x.alias", "x.aliases", "sub", "x.sub", "old", "x.old", "y.x.old", "x.far", "star", "x.star", "y.x.star",
    "x.c.star", "*.star", "b.*.c.star", "x.loops", "x.back", "child", "x.child", "*.wild", "x.*.wild", "into", "zzz",
    "-a", "_",
)  # fmt: skip
TYPES = ("A", "AAAA", "CNAME", "DNAME", "MX", "TXT", "NS", "SOA", "DS", "NSEC", "RRSIG", "KEY", "TYPE65400")

SIGNINGS = {"nsec": [], "nsec3": ["-3", "-"], "salted": ["-3", "aabbcc", "-H", "5"], "opt-out": ["-3", "-", "-A"]}

DEEP = ".".join("abcdefghijklmnopqrst")
"""A delegation with more names above it than are hashed for one answer: opt-out leaves them all out."""
LINKS = 10
"""Wildcard aliases in a chain, each of which is proven; BIND follows 11 names."""

_OWNER = re.compile(r"^\S+")

Seen = tuple[int, bool, list[str], list[str]]
Ask = Callable[[str, str], Seen]


def answers_of(port: int, *, do: bool) -> Ask:
    """What a server says to a question: rcode, authority, answer, and authority section; of a SERVFAIL, that alone."""

    def ask(name: str, rrtype: str) -> Seen:
        query = dns.message.make_query(name, rrtype, use_edns=0, want_dnssec=do)
        reply = dns.query.tcp(query, "127.0.0.1", port=port, timeout=5)
        if reply.rcode() == dns.rcode.SERVFAIL:
            return reply.rcode(), False, [], []
        return reply.rcode(), bool(reply.flags & dns.flags.AA), lines(reply.answer), lines(reply.authority)

    return ask


def lines(section: list[dns.rrset.RRset]) -> list[str]:
    """Its records; NSEC3 owners are upper case in BIND's file, and the TTL of NSEC3PARAM is 0 there."""
    found = [line for rrset in section for line in rrset.to_text().splitlines()]
    return sorted(_OWNER.sub(lambda owner: owner[0].lower(), line) for line in found if " NSEC3PARAM " not in line)


def file_of(folder: Path, zone: dns.zone.Zone, name: str) -> str:
    """named's lines for a zone in a file."""
    path = folder / f"{name}db"
    zone.to_file(str(path), relativize=False)
    return f'zone "{name}" {{ type primary; check-names ignore; file "{path}"; }};\n'


def different(ours: Ask, theirs: Ask, names: list[str], types: Sequence[str] = TYPES) -> list[str]:
    """The questions that are answered in another way."""
    found = []
    for name, rrtype in product(names, types):
        mine, other = ours(name, rrtype), theirs(name, rrtype)
        if mine != other and not (name.endswith(f".star.{SIGNED}") and more_proof(mine, other)):
            found.append(f"{name} {rrtype}\n  ours   {mine}\n  theirs {other}")
    return found


def more_proof(ours: Seen, theirs: Seen) -> bool:
    """Whether ours is the same and another NSEC record: the one in whose gap the wildcard stands, and which so says
    that it has no data (RFC 4035 §3.1.3.4). BIND leaves it out where the wildcard only stands between other names."""
    more = [line for line in ours[3] if line not in theirs[3]]
    same = ours[:3] == theirs[:3] and not [line for line in theirs[3] if line not in ours[3]]
    return same and [line.split()[3] for line in more] == ["NSEC", "RRSIG"]


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Callable[[str, str], int]]:
    """Starts a named with these lines; its port."""
    started: list[RealBind] = []

    def start(config: str, zone: str) -> int:
        bind = RealBind(tmp_path / "bind", config=config, options="zero-no-soa-ttl no;").start()
        started.append(bind)
        bind.wait_serial(zone, 1000)
        return bind.port

    yield start
    for bind in started:
        bind.stop()


@pytest.mark.external
def test_plain_zones_are_answered_for_as_bind_does(
    stored: StoredZones, serve: Serve, named: Callable[[str, str], int], tmp_path: Path
) -> None:
    above, below = stored.add_zone(ZONE, HERE), stored.add_zone(CHILD, THERE)
    port = named(file_of(tmp_path, above.as_dnspython(), ZONE) + file_of(tmp_path, below.as_dnspython(), CHILD), ZONE)
    names = sorted({name for name, _ in (*HERE, *THERE)} | {f"{label}.{ZONE}" for label in BESIDE} | {ZONE, CHILD})
    ours, theirs = answers_of(serve().addresses[0][1], do=False), answers_of(port, do=False)
    found = different(ours, theirs, names)
    assert not found, f"{len(found)} of {len(names) * len(TYPES)} differ\n" + "\n".join(found)


def signed(folder: Path, *how: str) -> dns.zone.Zone:
    """A zone with wildcards, delegations and names between others, signed by BIND's own tools; `how`: their options."""
    text = f"""$TTL 3600
    @ SOA ns1.{SIGNED} hostmaster.{SIGNED} 1000 3500 600 86400 3600
    @ NS ns1.{SIGNED}
    ns1 A 192.0.2.1
    www A 192.0.2.2
    alias CNAME www
    away CNAME www.example.net.
    *.wild A 192.0.2.3
    host.wild TXT "here"
    *.aliases CNAME www
    deep.between A 192.0.2.4
    safe NS ns.safe
    safe DS 12345 13 2 {"ab" * 32}
    ns.safe A 192.0.2.5
    bare NS ns.bare
    ns.bare A 192.0.2.6
    zz.ns.bare A 192.0.2.7
    bare.under.nothing.else NS ns1
    old DNAME www
    mail MX 10 www
    below.*.star A 192.0.2.11
    a.b.*.c.star A 192.0.2.12
    {DEEP}.far NS ns1
    """ + "".join(f"*.c{n} CNAME x.c{n + 1}\n" for n in range(LINKS))
    (folder / "plain.db").write_text("".join(line.strip() + "\n" for line in text.splitlines()))
    _run(folder, "dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", SIGNED)
    _run(
        folder,
        "dnssec-signzone",
        "-q",
        "-z",
        "-S",
        "-K",
        str(folder),
        "-o",
        SIGNED,
        "-f",
        "signed.db",
        *how,
        "plain.db",
    )
    return dns.zone.from_file(str(folder / "signed.db"), origin=SIGNED, relativize=False)


def _run(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.external
@pytest.mark.parametrize("do", [False, True])
@pytest.mark.parametrize("how", SIGNINGS.values(), ids=SIGNINGS)
def test_a_signed_secondary_zone_is_answered_for_as_bind_does(
    stored: StoredZones, serve: Serve, named: Callable[[str, str], int], tmp_path: Path, how: list[str], do: bool
) -> None:
    """With DO: RRSIG with every answer, NSEC or NSEC3 with every denial (RFC 4035 §3.1, RFC 5155 §7.2)."""
    zone = signed(tmp_path, *how)
    content = {
        (name.to_text().lower(), mnemonic(rdataset.rdtype)): tuple(rdata.to_text() for rdata in rdataset)
        for name, rdataset in _merged(zone)
    }
    written = stored.add_zone(SIGNED, content, kind=ZoneType.SECONDARY)
    stored.mark(written, email=f"hostmaster@{SIGNED.rstrip('.')}", minimum=3600)
    stored.store.transact(lambda work: work.inbound.add(written.zone.id, 0))
    stored.store.transact(lambda work: work.conn.execute(inbound.update().values(loaded=True)) and None)
    port = named(f'zone "{SIGNED}" {{ type primary; check-names ignore; file "{tmp_path}/signed.db"; }};\n', SIGNED)
    beside = (
        "nothing",
        "a.b.nothing",
        "between",
        "x.between",
        "x.wild",
        "y.x.wild",
        "x.host.wild",
        "x.aliases",
        "0",
        "x.safe",
        "x.bare",
        "c",
        "x.old",
        "zzz",
        "*.wild",
        "_",
        "wild",
        "x.ns.bare",
        "nt",
        "under.nothing.else",
        "else",
        "x.else",
        "y.x.nothing.else",
        "x.bare.under.nothing.else",
        "x.star",
        "y.x.star",
        "x.www",
        "*.star",
        "star",
        "x.*.star",
        "x.c.star",
        "y.x.c.star",
        "b.*.c.star",
        ".".join(["x"] * 100),
        ".".join(["x"] * 60) + ".wild",
        ".".join(["x"] * 60) + ".star",
        ".".join(["x"] * 60) + ".www",
        f"x.{DEEP}.far",
        f"x.{DEEP[2:]}.far",
        DEEP[2:] + ".far",
        DEEP[-5:] + ".far",
        "x." + DEEP[-5:] + ".far",
        "far",
        "x.c0",
        "x.c5",
        f"x.c{LINKS}",
    )
    names = sorted({name for name, _ in content} | {f"{label}.{SIGNED}" for label in beside})
    ours, theirs = answers_of(serve().addresses[0][1], do=do), answers_of(port, do=do)
    found = different(ours, theirs, names)
    assert not found, f"{len(found)} of {len(names) * len(TYPES)} differ\n" + "\n".join(found)
    if do:
        for plain in (True, False):
            spoil(stored, written, plain=plain)
            found = different(ours, theirs, names, ["A"])
            assert not found, f"{len(found)} of {len(names)} differ, {plain=}\n" + "\n".join(found)


def spoil(stored: StoredZones, zone: StoredZone, *, plain: bool) -> None:
    """Write the order keys as a process of an older release does, with a new revision: those of NSEC3 and RRSIG record
    sets among the names (`plain`), or none at all."""

    def do(work: Work) -> None:
        for row in work.conn.execute(select(rrsets.c.id, rrsets.c.name).where(rrsets.c.zone_id == zone.zone.id)).all():
            key = order_key(row.name, zone.zone.name) if plain else None
            work.conn.execute(rrsets.update().where(rrsets.c.id == row.id).values(order_key=key))

    stored.store.transact(do)
    stored.mark(zone, revision=2 if plain else 3)


def _merged(zone: dns.zone.Zone) -> Iterator[tuple[dns.name.Name, dns.rdataset.Rdataset]]:
    """RRsets as we hold them: all signatures of a name in one, the SOA elsewhere."""
    for name, node in zone.nodes.items():
        sets: dict[int, dns.rdataset.Rdataset] = {}
        for rdataset in node:
            kept = sets.setdefault(rdataset.rdtype, dns.rdataset.Rdataset(rdataset.rdclass, rdataset.rdtype))
            for rdata in rdataset:
                kept.items[rdata] = None
                kept.ttl = rdataset.ttl
        for rrtype, kept in sets.items():
            if rrtype != dns.rdatatype.SOA:
                yield name, kept
