# SPDX-License-Identifier: Apache-2.0
"""One record set of every type, as users would write it, under any zone."""

from __future__ import annotations

EVERY_TYPE: list[tuple[str, str, list[str]]] = [
    ("a", "A", ["192.0.2.1", "192.0.2.2"]),
    ("aaaa", "AAAA", ["2001:db8::1"]),
    ("alias", "CNAME", ["a.{zone}"]),
    ("@", "MX", ["10 mail.{zone}"]),
    ("nomail", "MX", ["0 ."]),
    ("@", "TXT", ['"v=spf1 -all"', '"one" "two"']),
    ("spf", "SPF", ['"v=spf1 -all"']),
    ("_sip._tcp", "SRV", ["10 20 5060 a.{zone}"]),
    ("_off._tcp", "SRV", ["0 0 0 ."]),
    ("child", "NS", ["ns1.example.net."]),
    ("ptr", "PTR", ["a.{zone}"]),
    ("host", "SSHFP", ["6 2 " + "ab" * 32]),
    ("e164", "NAPTR", ['100 10 "U" "E2U+sip" "!^.*$!sip:info@example.org!" .']),
    ("@", "CAA", ['0 issue "ca.example.net"', "128 tbs unknown"]),
    ("cert", "CERT", ["PKIX 1 RSASHA256 TUlJQw=="]),
    ("svc", "HTTPS", ["1 . alpn=h2,h3 port=8443 key65333=ex1"]),
    ("svc", "SVCB", ["1 a.{zone} alpn=h2"]),
    ("_443._tcp", "TLSA", ["3 1 1 " + "cd" * 32]),
    ("child", "DS", ["60485 8 2 " + "ef" * 32]),
    ("tree", "DNAME", ["elsewhere.example.net."]),
    ("loc", "LOC", ["52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"]),
    ("uri", "URI", ['10 1 "https://example.org/"']),
    ("pgp", "OPENPGPKEY", ["TUlJQw=="]),
    ("mailcert", "SMIMEA", ["3 1 1 " + "01" * 32]),
    ("info", "HINFO", ['"PC" "Linux"']),
    ("rp", "RP", ["admin.{zone} txt.{zone}"]),
    ("csync", "CSYNC", ["66 3 A NS AAAA"]),
    ("own", "TYPE65280", ["\\# 4 0A000001"]),
]


def under(zone: str) -> list[tuple[str, str, list[str]]]:
    """Owner, type and records of each, absolute."""
    return [
        (
            zone if label == "@" else f"{label}.{zone}",
            rrtype,
            [record.replace("{zone}", zone) for record in records],
        )
        for label, rrtype, records in EVERY_TYPE
    ]
