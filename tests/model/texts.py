# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for names and for the record data of every type: legal texts, and nearly legal ones."""

from __future__ import annotations

import base64
import ipaddress
import string as ascii_letters
from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from redesignate.model.rdata import TYPES

Texts = st.SearchStrategy[str]
T = TypeVar("T")


def attempt(read: Callable[[], T]) -> T | ValueError:
    """What a reader makes of something, or its refusal; any other exception goes through."""
    try:
        return read()
    except ValueError as refusal:
        return refusal


_ALNUM = ascii_letters.ascii_letters + ascii_letters.digits
_U_LABELS = ("bücher", "Straße", "例え", "παράδειγμα", "пример", "العربية", "BÜCHER")

label: Texts = st.one_of(
    st.sampled_from(("a", "www", "_dmarc", "Example", "x--y", "xn--bcher-kva", "0", "_")),
    st.from_regex(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,20}[A-Za-z0-9_])?", fullmatch=True),
    st.just("l" * 63),
)
ascii_host: Texts = st.lists(label, min_size=1, max_size=3).map(lambda labels: ".".join(labels) + ".")
host: Texts = st.one_of(
    ascii_host,
    st.lists(st.one_of(label, st.sampled_from(_U_LABELS)), min_size=1, max_size=3).map(lambda s: ".".join(s) + "."),
    st.just("0/25.2.0.192.in-addr.arpa."),
)
host_or_root: Texts = st.one_of(host, st.just("."))
_ODD_LABEL = st.lists(
    st.sampled_from(
        (*_ALNUM, *"-_!+*/'=#", *("\\.", "\\\\", '\\"', "\\;", "\\(", "\\000", "\\255", "\\010", "\\032", "\\@") * 6)
    ),
    min_size=1,
    max_size=9,
).map("".join)
odd_name: Texts = st.one_of(
    st.just("."),
    ascii_host,
    st.lists(_ODD_LABEL, min_size=1, max_size=4).map(lambda labels: ".".join(labels) + "."),
)


def integers(most: int) -> Texts:
    """A number from 0, as text."""
    return st.integers(0, most).map(str)


u8, u16, u32 = integers(255), integers(65535), integers(2**32 - 1)


def joined(*parts: Texts) -> Texts:
    """Fields divided by a space."""
    return st.tuples(*parts).map(" ".join)


def hexadecimal(*sizes: int) -> Texts:
    """So many octets in hexadecimal, sometimes in upper case, sometimes in two pieces."""
    octets = st.one_of([st.binary(min_size=size, max_size=size) for size in sizes])
    return st.one_of(
        octets.map(bytes.hex),
        octets.map(lambda b: b.hex().upper()),
        octets.map(lambda b: f"{b.hex()[:5]} {b.hex()[5:]}" if len(b) > 3 else b.hex()),
    )


base64_text: Texts = st.binary(min_size=1, max_size=90).map(lambda b: base64.b64encode(b).decode())


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


_ECH_CONTENTS = st.builds(
    lambda key, suites, name, extension: (
        b"\1\0\x20" + _sized(key) + _sized(b"\0\1\0\1" * suites) + b"\0" + bytes((len(name),)) + name
        + _sized(b"\xff\1" + _sized(extension) if extension else b"")
    ),
    st.binary(min_size=1, max_size=32), st.integers(1, 3), st.binary(min_size=1, max_size=30), st.binary(max_size=4),
)  # fmt: skip
_ECH_CONFIG = st.one_of(
    _ECH_CONTENTS.map(lambda contents: b"\xfe\x0d" + _sized(contents)),
    st.binary(max_size=40).map(lambda contents: b"\xfe\x0e" + _sized(contents)),
)
ech: Texts = st.lists(_ECH_CONFIG, min_size=1, max_size=3).map(
    lambda configs: base64.b64encode(_sized(b"".join(configs))).decode()
)

_CHARACTER = st.one_of(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"\\'),
    st.sampled_from(('\\"', "\\\\", "\\;", "\\000", "\\010", "\\255", "\\a", ";", "(", ")", "@", "$", "é", "日", "😀")),
)
quoted: Texts = st.lists(_CHARACTER, max_size=40).map(lambda pieces: '"' + "".join(pieces) + '"')
word: Texts = st.lists(
    st.one_of(st.sampled_from(_ALNUM + "=:/.-_+@$~"), st.sampled_from(("\\;", "\\\\", '\\"', "\\200"))),
    min_size=1,
    max_size=20,
).map("".join)
long_string: Texts = st.sampled_from(('"' + "x" * 255 + '"', '"' + "é" * 127 + '"', '"' + "\\001" * 255 + '"'))
txt: Texts = st.one_of(
    quoted,
    word.filter(lambda text: not text.endswith("\\")),
    st.just("a;b(c"),
    st.just("w" * 255),
    st.lists(st.one_of(quoted, long_string), min_size=1, max_size=9).map(" ".join),
)

_DOMAIN: Texts = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?(\.[a-z0-9]{1,9}){0,2}", fullmatch=True)
_ISSUER: Texts = st.one_of(
    st.just(";"),
    st.just(""),
    _DOMAIN,
    st.tuples(_DOMAIN, st.sampled_from(("; policy=ev", ";account=1", "; a=1; b=2", ";"))).map("".join),
)
caa: Texts = st.one_of(
    joined(
        st.sampled_from(("0", "1", "128")),
        st.sampled_from(("issue", "issuewild", "issuemail")),
        _ISSUER.map('"{}"'.format),
    ),
    joined(st.just("0"), st.sampled_from(("issue", "Issue")), _DOMAIN.map("{}; policy=ev".format)),
    joined(
        st.just("128"),
        st.just("iodef"),
        st.sampled_from(('"mailto:a.b+c@example.org"', "https://example.org/", "http://example.org:80/x?y=z")),
    ),
    joined(st.just("0"), st.sampled_from(("tbs", "contactemail", "x9")), quoted),
)

_ERE: Texts = st.recursive(
    st.lists(
        st.sampled_from(
            ("a", "B", "0", ".", "\\\\.", "\\\\+", "[a-z]", "[^0-9]", "[[:digit:]]", "[]x]", "[a-]", " ", "@")
        ),
        min_size=1,
        max_size=4,
    ).map("".join),
    lambda inner: st.one_of(
        inner.map("({})".format),
        inner.map("({})*".format),
        inner.map("({}){{1,3}}".format),
        st.tuples(inner, inner).map("|".join),
        inner.map("^{}$".format),
        inner.map("({})+".format),
    ),
    max_leaves=4,
).filter(lambda text: text.count("(") < 9 and len(text) < 100)
_REGEXP: Texts = st.one_of(
    st.just(""),
    st.tuples(_ERE, st.sampled_from(("", "sip:info@example.org", "x\\\\\\\\y")), st.sampled_from(("", "i"))).map(
        lambda parts: "!{}!{}!{}".format(*parts)
    ),
    _ERE.map("/({})/mailto:\\\\1@example.org/".format),
)
naptr: Texts = joined(
    u16,
    u16,
    st.sampled_from(('"U"', '"s"', "A", '""', '"AU"')),
    st.sampled_from(('"E2U+sip"', "SIP+D2U", '""', '"x-eduroam:radius.tls"', "aaa+ap1:diameter.tls.tcp")),
    _REGEXP.map('"{}"'.format),
    host_or_root,
)

_PARAMS: tuple[Texts, ...] = (
    st.sampled_from(
        ("alpn=h2", "alpn=h3,h2", 'alpn="h3,h2c"', 'alpn="f\\\\\\\\oo\\\\,bar,h2"', "alpn=dot no-default-alpn")
    ),
    u16.map("port={}".format),
    st.lists(st.integers(0, 2**32 - 1).map(lambda n: str(ipaddress.IPv4Address(n))), min_size=1, max_size=3).map(
        lambda s: "ipv4hint=" + ",".join(s)
    ),
    st.lists(st.integers(0, 2**128 - 1).map(lambda n: str(ipaddress.IPv6Address(n))), min_size=1, max_size=3).map(
        lambda s: 'ipv6hint="' + ",".join(s) + '"'
    ),
    ech.map("ech={}".format),
    st.sampled_from(("dohpath=/dns-query{?dns}", 'dohpath="/q/{?dns}"', "dohpath=/%2f/x{?dns}")),
    st.just("ohttp"),
    # key10 is docpath, which dnspython knows and takes for a list
    st.integers(9, 65534)
    .filter(lambda n: n != 10)
    .flatmap(lambda n: st.sampled_from((f"key{n}", f"key{n}=x", f'key{n}="a \\001\\255b"'))),
)
_SERVICE = joined(
    integers(65535).filter(lambda n: n != "0"),
    host_or_root,
    st.tuples(*[st.one_of(st.just(""), param) for param in _PARAMS]).map(
        lambda p: " ".join(x for x in p if x) or "ohttp"
    ),
)
svcb: Texts = st.one_of(
    joined(st.just("0"), host_or_root),
    joined(u16, host_or_root),
    _SERVICE,
    st.just("1 a. mandatory=port,alpn alpn=h2 port=443"),
    st.just("1 a. key3=\\001\\187"),
)

_SIZE: Texts = st.tuples(integers(90_000_000), st.sampled_from(("", "m", ".5", ".25m"))).map("".join)
_LATITUDE: Texts = st.one_of(
    integers(90), joined(integers(89), integers(59)), joined(integers(89), integers(59), integers(59))
)
_LONGITUDE: Texts = st.one_of(
    integers(180), joined(integers(179), integers(59), st.tuples(integers(59), integers(999)).map(".".join))
)
loc: Texts = st.tuples(
    joined(_LATITUDE, st.sampled_from("NS"), _LONGITUDE, st.sampled_from("EW")),
    st.one_of(
        st.sampled_from(("0", "-100000.00m", "42849672.95m", "-2.5")),
        _SIZE.filter(lambda s: int(s.split(".")[0].rstrip("m")) < 42_000_000),
    ),
    st.lists(_SIZE.filter(lambda s: not s.startswith("90000000.")), max_size=3),
).map(lambda parts: " ".join((parts[0], parts[1], *parts[2])))

_TLSA: Texts = st.one_of(
    joined(u8, u8, st.just("1"), hexadecimal(32)),
    joined(u8, u8, st.just("2"), hexadecimal(64)),
    joined(u8, u8, st.sampled_from(("0", "3", "255")), hexadecimal(1, 40)),
    hexadecimal(32).map("3  1 1 ( {} ) ".format),
)

LEGAL: dict[str, Texts] = {
    "A": st.integers(0, 2**32 - 1).map(lambda n: str(ipaddress.IPv4Address(n))),
    "AAAA": st.integers(0, 2**128 - 1).flatmap(
        lambda n: st.sampled_from(
            (
                str(ipaddress.IPv6Address(n)),
                ipaddress.IPv6Address(n).exploded.upper(),
                f"::ffff:{ipaddress.IPv4Address(n >> 96)}",
            )
        )
    ),
    "CNAME": host,
    "NS": host,
    "PTR": host,
    "DNAME": host,
    "MX": joined(u16, host_or_root),
    "SRV": joined(u16, u16, u16, host_or_root),
    "TXT": txt,
    "SPF": txt,
    "SSHFP": st.one_of(
        joined(st.sampled_from("012346"), st.just("1"), hexadecimal(20)),
        joined(st.sampled_from("012346"), st.just("2"), hexadecimal(32)),
        joined(st.just("1"), st.just("0"), hexadecimal(5, 20, 32)),
    ),
    "SOA": joined(host_or_root, odd_name, u32, *[integers(2**31 - 1)] * 4),
    "NAPTR": naptr,
    "CAA": caa,
    "CERT": joined(
        st.one_of(u16, st.sampled_from(("PKIX", "IACPKIX", "OID"))),
        u16,
        st.one_of(u8, st.sampled_from(("RSASHA256", "ED25519"))),
        base64_text,
    ),
    "HTTPS": svcb,
    "SVCB": svcb,
    "TLSA": _TLSA,
    "SMIMEA": _TLSA,
    "DS": st.one_of(
        joined(u16, st.one_of(u8, st.just("ED25519")), st.just("2"), hexadecimal(32)),
        joined(u16, u8, st.just("1"), hexadecimal(20)),
        joined(u16, u8, st.just("4"), hexadecimal(48)),
        joined(u16, u8, integers(255).filter(lambda n: n not in "01234"), hexadecimal(1, 30)),
    ),
    "LOC": loc,
    "URI": joined(u16, u16, st.one_of(quoted.filter(lambda s: s != '""'), word)),
    "OPENPGPKEY": base64_text,
    "HINFO": joined(st.one_of(quoted, word), st.one_of(quoted, word)),
    "RP": joined(odd_name, host_or_root),
    "CSYNC": st.tuples(joined(u32, u16), st.lists(st.sampled_from(("A", "NS", "AAAA", "TYPE65280", "CAA", "DS")))).map(
        lambda parts: " ".join((parts[0], *parts[1]))
    ),
    "TYPE65280": st.binary(max_size=60).map(lambda b: f"\\# {len(b)} {b.hex()}".rstrip()),
}
assert set(TYPES) < set(LEGAL)

_SPLINTER: Texts = st.sampled_from(
    (
        " ",
        "  ",
        "\t",
        "\n",
        "\r",
        "\0",
        '"',
        "\\",
        ";",
        "(",
        ")",
        ".",
        "-",
        "+",
        "0",
        "9" * 9,
        "%eth0",
        "é",
        "\u2028",
        "\\999",
        "\\1",
    )
) | st.text(max_size=3)


@st.composite
def _bruised(draw: st.DrawFn, legal: Texts) -> str:
    """A legal text with a piece put in, taken out or doubled."""
    text = draw(legal)
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 3)))
        middle = draw(st.one_of(_SPLINTER, st.just(""), st.just(text[start:end] * 2)))
        text = text[:start] + middle + text[end:]
    return text


NEARLY: dict[str, Texts] = {
    rrtype: st.one_of(_bruised(legal), _bruised(legal), st.text()) for rrtype, legal in LEGAL.items()
}

_PIECE = st.one_of(
    st.sampled_from((b"\0", b"\0\1", b"\x01a\0", b"\x03foo\x03bar\0", b"\x05hello", b"\0\1\x04\x20\x7f\0\0\1")),
    st.binary(max_size=8),
)
RAW: dict[str, Texts] = {
    f"TYPE{number}": st.lists(_PIECE, min_size=1, max_size=4)
    .map(b"".join)
    .map(lambda octets: f"\\# {len(octets)} {octets.hex()}".rstrip())
    for number in (18, 20, 21, 23, 26, 36, 42, 49, 56, 66, 67, 68, 104, 105, 106, 107, 108, 109, 258, 260, 261, 262)
}
"""Octets for the assigned types without a name here; a part of them is right."""
