# SPDX-License-Identifier: Apache-2.0
"""Ordinary questions over UDP and TCP, asked with dnspython."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest

from redesignate.mdns.service import DNSService
from redesignate.model.zone import Action
from tests.mdns.conftest import Serve
from tests.mdns.zones import StoredZones

ZONE = "example.org."
RECORDS = {
    ("ns1.example.org.", "A"): ("192.0.2.1",),
    ("www.example.org.", "A"): ("192.0.2.2", "192.0.2.3"),
    ("www.example.org.", "TXT"): ('"hello world" "again"',),
    ("alias.example.org.", "CNAME"): ("www.example.org.",),
    ("chain.example.org.", "CNAME"): ("alias.example.org.",),
    ("loop.example.org.", "CNAME"): ("pool.example.org.",),
    ("pool.example.org.", "CNAME"): ("loop.example.org.",),
    ("away.example.org.", "CNAME"): ("www.example.net.",),
    ("dangling.example.org.", "CNAME"): ("nothing.example.org.",),
    ("deep.between.example.org.", "A"): ("192.0.2.4",),
    ("*.wild.example.org.", "A"): ("192.0.2.5",),
    ("host.wild.example.org.", "TXT"): ('"here"',),
    ("a.ent.wild.example.org.", "A"): ("192.0.2.6",),
    ("*.aliases.example.org.", "CNAME"): ("www.example.org.",),
    ("sub.example.org.", "NS"): ("ns.sub.example.org.", "ns1.example.org."),
    ("ns.sub.example.org.", "A"): ("192.0.2.7",),
    ("ns.sub.example.org.", "AAAA"): ("2001:db8::7",),
    ("sub.example.org.", "DS"): ("12345 13 2 " + "ab" * 32,),
    ("old.example.org.", "DNAME"): ("www.example.org.",),
    ("old.example.org.", "TXT"): ('"at the owner"',),
    ("far.example.org.", "DNAME"): ("example.net.",),
    ("longer.example.org.", "DNAME"): (f"{'c' * 60}.example.net.",),
    ("mail.example.org.", "MX"): ("10 www.example.org.",),
    ("big.example.org.", "TXT"): tuple(f'"{i:03d}{"x" * 200}"' for i in range(30)),
}


@pytest.fixture
def service(stored: StoredZones, serve: Serve) -> DNSService:
    stored.add_zone(ZONE, RECORDS)
    return serve()


def ask(
    service: DNSService, name: str, rrtype: str, *, tcp: bool = False, **options: object
) -> dns.message.QueryMessage:
    query = dns.message.make_query(name, rrtype, **options)  # type: ignore[arg-type]
    host, port = service.addresses[0]
    reply = (dns.query.tcp if tcp else dns.query.udp)(query, host, port=port, timeout=5)
    assert isinstance(reply, dns.message.QueryMessage)
    return reply


def lines(section: list[dns.rrset.RRset]) -> list[str]:
    return sorted(line for rrset in section for line in rrset.to_text().splitlines())


def soa(reply: dns.message.QueryMessage) -> bool:
    """Whether the authority section says how long a denial may be remembered: min(SOA's TTL, minimum)."""
    return [(rrset.name.to_text(), rrset.ttl, rrset.rdtype) for rrset in reply.authority] == [
        (ZONE, 300, dns.rdatatype.SOA)
    ]


def test_an_rrset_is_answered_with_authority(service: DNSService) -> None:
    for tcp in (False, True):
        reply = ask(service, "www.example.org.", "A", tcp=tcp)
        assert reply.rcode() == dns.rcode.NOERROR
        assert reply.flags & dns.flags.AA
        assert not reply.flags & dns.flags.RA
        assert lines(reply.answer) == ["www.example.org. 3600 IN A 192.0.2.2", "www.example.org. 3600 IN A 192.0.2.3"]


def test_the_soa_comes_from_the_zones_row(service: DNSService) -> None:
    reply = ask(service, ZONE, "SOA")
    expected = r"ns1.example.org. host\.master.example.org. 1000 3500 600 86400 300"
    assert lines(reply.answer) == [f"example.org. 3600 IN SOA {expected}"]


def test_the_case_of_the_question_is_kept(service: DNSService) -> None:
    reply = ask(service, "WwW.eXample.ORG.", "A")
    assert reply.question[0].name.to_text() == "WwW.eXample.ORG."
    assert len(reply.answer[0]) == 2


def test_a_name_that_does_not_exist_is_nxdomain_with_soa(service: DNSService) -> None:
    reply = ask(service, "nothing.example.org.", "A")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert reply.flags & dns.flags.AA
    assert soa(reply)


@pytest.mark.parametrize("name", ["www.example.org.", "between.example.org.", "ent.wild.example.org.", ZONE])
def test_a_name_without_the_type_is_nodata_with_soa(service: DNSService, name: str) -> None:
    reply = ask(service, name, "AAAA")
    assert reply.rcode() == dns.rcode.NOERROR
    assert reply.answer == []
    assert soa(reply)


def test_a_wildcard_answers_under_the_name_asked_for(service: DNSService) -> None:
    for name in ("x.wild.example.org.", "y.x.wild.example.org."):
        assert lines(ask(service, name, "A").answer) == [f"{name} 3600 IN A 192.0.2.5"]
    assert lines(ask(service, "*.wild.example.org.", "A").answer) == ["*.wild.example.org. 3600 IN A 192.0.2.5"]


def test_a_wildcard_yields_to_what_exists(service: DNSService) -> None:
    """RFC 4592 §2.2.1: an existing name, one below it, and one below an empty non-terminal."""
    assert soa(ask(service, "host.wild.example.org.", "A"))
    for name in ("x.host.wild.example.org.", "b.ent.wild.example.org.", "x.*.wild.example.org."):
        reply = ask(service, name, "A")
        assert reply.rcode() == dns.rcode.NXDOMAIN
        assert soa(reply)


def test_a_wildcard_without_the_type_is_nodata(service: DNSService) -> None:
    reply = ask(service, "x.wild.example.org.", "MX")
    assert reply.rcode() == dns.rcode.NOERROR
    assert soa(reply)


def test_a_cname_is_followed_inside_the_zone(service: DNSService) -> None:
    reply = ask(service, "chain.example.org.", "A")
    assert lines(reply.answer) == [
        "alias.example.org. 3600 IN CNAME www.example.org.",
        "chain.example.org. 3600 IN CNAME alias.example.org.",
        "www.example.org. 3600 IN A 192.0.2.2",
        "www.example.org. 3600 IN A 192.0.2.3",
    ]
    assert lines(ask(service, "x.aliases.example.org.", "A").answer)[2] == (
        "x.aliases.example.org. 3600 IN CNAME www.example.org."
    )
    assert lines(ask(service, "alias.example.org.", "CNAME").answer) == lines(reply.answer)[:1]


def test_a_cname_out_of_the_zone_is_all_that_is_said(service: DNSService) -> None:
    assert lines(ask(service, "away.example.org.", "A").answer) == ["away.example.org. 3600 IN CNAME www.example.net."]


def test_a_loop_and_an_endless_chain_are_servfail(stored: StoredZones, service: DNSService) -> None:
    """RFC 1034 §3.6.2."""
    chain = {(f"c{n}.long.org.", "CNAME"): (f"c{n + 1}.long.org.",) for n in range(40)}
    stored.add_zone(
        "long.org.", {**chain, ("x.long.org.", "DNAME"): ("y.long.org.",), ("y.long.org.", "DNAME"): ("x.long.org.",)}
    )
    for name in ("loop.example.org.", "c0.long.org.", "a.x.long.org."):
        reply = ask(service, name, "A")
        assert (reply.rcode(), reply.answer) == (dns.rcode.SERVFAIL, []), name
    reply = ask(service, "c30.long.org.", "A")
    assert (reply.rcode(), len(reply.answer)) == (dns.rcode.NXDOMAIN, 10)


def test_a_cname_that_is_asked_for_under_a_dname_is_the_answer(service: DNSService) -> None:
    """RFC 6672 §3.2: it is not followed, so that what it leads to says nothing."""
    reply = ask(service, "x.old.example.org.", "CNAME")
    assert reply.rcode() == dns.rcode.NOERROR
    assert lines(reply.answer) == [
        "old.example.org. 3600 IN DNAME www.example.org.",
        "x.old.example.org. 3600 IN CNAME x.www.example.org.",
    ]
    assert reply.authority == []


def test_an_alias_into_a_zone_below_is_all_that_is_said(stored: StoredZones, service: DNSService) -> None:
    """RFC 1034 §4.3.2 step 2: the nearest zone answers, whether or not the one above delegates it."""
    stored.add_zone(ZONE.replace("example", "parent"), {
        ("into.parent.org.", "CNAME"): ("x.child.parent.org.",),
        ("missing.parent.org.", "CNAME"): ("nothing.child.parent.org.",),
    })  # fmt: skip
    stored.add_zone("child.parent.org.", {("x.child.parent.org.", "A"): ("192.0.2.9",)})
    for name in ("into", "missing"):
        reply = ask(service, f"{name}.parent.org.", "A")
        assert (reply.rcode(), len(lines(reply.answer)), reply.authority) == (dns.rcode.NOERROR, 1, [])
    assert lines(ask(service, "x.child.parent.org.", "A").answer) == ["x.child.parent.org. 3600 IN A 192.0.2.9"]


def test_a_wildcard_between_other_names_is_a_name_without_data(stored: StoredZones, service: DNSService) -> None:
    """RFC 4592 §2.2.2; under an empty non-terminal just so."""
    stored.add_zone("star.org.", {("a.*.star.org.", "A"): ("192.0.2.1",), ("b.*.c.d.star.org.", "A"): ("192.0.2.1",)})
    for name in ("x.star.org.", "y.x.star.org.", "x.c.d.star.org.", "*.star.org."):
        reply = ask(service, name, "A")
        assert reply.rcode() == dns.rcode.NOERROR, name
        assert [rrset.rdtype for rrset in reply.authority] == [dns.rdatatype.SOA]
    assert ask(service, "x.d.star.org.", "A").rcode() == dns.rcode.NXDOMAIN


def test_a_type_that_may_stand_beside_a_cname_is_not_sought_behind_it(service: DNSService) -> None:
    """RFC 4035 §2.5."""
    for rrtype in ("NSEC", "RRSIG", "KEY"):
        reply = ask(service, "alias.example.org.", rrtype)
        assert (reply.rcode(), reply.answer) == (dns.rcode.NOERROR, [])
        assert soa(reply)


def test_opt_is_no_type_to_ask_for(service: DNSService) -> None:
    """RFC 6891 §6.1.1: it is never in the question."""
    assert ask(service, ZONE, "OPT").rcode() == dns.rcode.FORMERR


def test_a_cname_to_nothing_is_nxdomain(service: DNSService) -> None:
    """RFC 6604 §3: the rcode is that of the last name."""
    reply = ask(service, "dangling.example.org.", "A")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert len(reply.answer) == 1
    assert soa(reply)


def test_a_delegation_is_referred_with_glue(service: DNSService) -> None:
    for name in ("sub.example.org.", "x.y.sub.example.org.", "ns.sub.example.org."):
        reply = ask(service, name, "A")
        assert not reply.flags & dns.flags.AA
        assert reply.answer == []
        assert lines(reply.authority) == [
            "sub.example.org. 3600 IN NS ns.sub.example.org.",
            "sub.example.org. 3600 IN NS ns1.example.org.",
        ]
        assert lines(reply.additional) == [
            "ns.sub.example.org. 3600 IN A 192.0.2.7",
            "ns.sub.example.org. 3600 IN AAAA 2001:db8::7",
            "ns1.example.org. 3600 IN A 192.0.2.1",
        ]


def test_a_ds_is_the_parents(service: DNSService) -> None:
    reply = ask(service, "sub.example.org.", "DS")
    assert reply.flags & dns.flags.AA
    assert len(reply.answer) == 1


def test_a_ds_of_a_zone_that_is_ours_too_is_still_the_parents(stored: StoredZones, service: DNSService) -> None:
    stored.add_zone("sub.example.org.", {("x.sub.example.org.", "A"): ("192.0.2.9",)})
    assert len(ask(service, "sub.example.org.", "DS").answer) == 1
    assert lines(ask(service, "x.sub.example.org.", "A").answer) == ["x.sub.example.org. 3600 IN A 192.0.2.9"]


def test_a_dname_makes_a_cname(service: DNSService) -> None:
    reply = ask(service, "x.old.example.org.", "A")
    assert lines(reply.answer) == [
        "old.example.org. 3600 IN DNAME www.example.org.",
        "x.old.example.org. 3600 IN CNAME x.www.example.org.",
    ]
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert len(ask(service, "old.example.org.", "TXT").answer) == 1
    assert lines(ask(service, "x.far.example.org.", "A").answer)[1].endswith("CNAME x.example.net.")
    long = ".".join(["a" * 60] * 3)
    assert ask(service, f"{long}.{'b' * 40}.longer.example.org.", "A").rcode() == dns.rcode.YXDOMAIN


def test_any_gives_one_rrset(service: DNSService) -> None:
    assert lines(ask(service, "www.example.org.", "ANY").answer) == [
        "www.example.org. 3600 IN A 192.0.2.2",
        "www.example.org. 3600 IN A 192.0.2.3",
    ]


def test_addresses_of_servers_named_are_given_along(service: DNSService) -> None:
    assert len(ask(service, "mail.example.org.", "MX").additional[0]) == 2
    assert lines(ask(service, ZONE, "NS").additional) == ["ns1.example.org. 3600 IN A 192.0.2.1"]


def test_what_is_not_ours_is_refused(stored: StoredZones, service: DNSService) -> None:
    stored.add_zone("other.org.", pool_id="another")
    deleting = stored.add_zone("deleting.org.", action=Action.DELETE)
    gone = stored.add_zone("gone.org.")
    stored.mark(gone, deleted=gone.zone.id)
    for name in ("example.com.", "org.", ".", "other.org.", deleting.zone.name, gone.zone.name):
        reply = ask(service, name, "SOA")
        assert reply.rcode() == dns.rcode.REFUSED, name
        assert reply.answer == []
    query = dns.message.make_query("version.bind.", "TXT", rdclass=dns.rdataclass.CH)
    assert dns.query.udp(query, service.addresses[0][0], port=service.addresses[0][1], timeout=5).rcode() == 5


def test_unsigned_queries_are_refused_where_told(stored: StoredZones, serve: Serve) -> None:
    stored.add_zone(ZONE)
    assert ask(serve(query_enforce_tsig=True), ZONE, "SOA").rcode() == dns.rcode.REFUSED


def test_the_answer_keeps_to_the_clients_size(service: DNSService) -> None:
    reply = ask(service, "big.example.org.", "TXT")
    assert reply.flags & dns.flags.TC
    assert reply.answer == []
    assert len(ask(service, "big.example.org.", "TXT", tcp=True).answer[0]) == 30
    for payload in (512, 1232, 4096):
        reply = ask(service, "big.example.org.", "TXT", use_edns=0, payload=payload)
        assert reply.flags & dns.flags.TC
        assert len(reply.to_wire()) <= payload


def test_edns_is_answered_in_kind(service: DNSService) -> None:
    reply = ask(service, ZONE, "SOA", use_edns=0, want_dnssec=True)
    assert reply.edns == 0
    assert reply.ednsflags & dns.flags.DO
    assert reply.payload == 1232
    assert ask(service, ZONE, "SOA").edns == -1


def test_an_unknown_edns_version_is_badvers(service: DNSService) -> None:
    reply = ask(service, ZONE, "SOA", use_edns=1)
    assert reply.rcode() == dns.rcode.BADVERS
    assert reply.edns == 0


def test_a_host_under_ipv6_is_served_too(stored: StoredZones, serve: Serve) -> None:
    stored.add_zone(ZONE)
    assert len(ask(serve("::1"), ZONE, "SOA").answer) == 1


def test_a_broken_row_is_withheld_and_the_rest_answered(stored: StoredZones, service: DNSService) -> None:
    written = stored.add_zone("poisoned.org.", {("ok.poisoned.org.", "A"): ("192.0.2.8",)})
    stored.poison(written, "bad.poisoned.org.", b"\x03bad\xc0\x0c\x00\x01")
    assert ask(service, "bad.poisoned.org.", "A").rcode() == dns.rcode.NXDOMAIN
    assert len(ask(service, "ok.poisoned.org.", "A").answer) == 1


@pytest.mark.parametrize("param", ["0100000000", "0180000501aa"])
def test_a_zone_whose_nsec3_chain_is_not_there_is_answered_without_proof(
    stored: StoredZones, service: DNSService, param: str
) -> None:
    """Of half of a signing, or of what a primary made up. Flags other than zero: RFC 5155 §4.1.2."""
    records = (f"\\# {len(param) // 2} {param}",)
    stored.add_zone("half.org.", {("half.org.", "TYPE51"): records, ("www.half.org.", "A"): ("192.0.2.1",)})
    for name, rcode in (
        ("half.org.", dns.rcode.NOERROR),
        ("www.half.org.", dns.rcode.NOERROR),
        ("x.half.org.", dns.rcode.NXDOMAIN),
    ):
        reply = ask(service, name, "TXT", want_dnssec=True)
        assert (reply.rcode(), reply.answer) == (rcode, [])
        assert [rrset.rdtype for rrset in reply.authority] == [dns.rdatatype.SOA]
