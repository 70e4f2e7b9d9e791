# SPDX-License-Identifier: Apache-2.0
"""What `named-compilezone` makes of a file is what we make of it, and what it refuses we refuse."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import strategies as st

from redesignate.model import rdata
from redesignate.model.names import canonical
from redesignate.model.zonefile import Entry, ZoneFileError, gather, read, write
from tests.model.test_bind_accepts import drawn
from tests.model.texts import LEGAL
from tests.model.zonefile.texts import ZONE, files, owner

pytestmark = pytest.mark.external

HEAD = "$ORIGIN example.org.\n$TTL 60\n@ IN SOA ns h 1 2 3 4 5\n@ NS ns.example.net.\n"
IGNORED = [word for flag in "kmnMSrTW" for word in (f"-{flag}", "ignore")]
Records = Counter[tuple[str, int, str, bytes]]
CHOSEN = (
    "control character", "not UTF-8", "not ASCII", "is longer than 2147483647", "has no other on its line",
    "nothing to escape", "has a label that is not made of", "is not in the zone", "is a wildcard; an NS",
    "is not a name for", "not served", "are unknown", "is not an issuer", "is not an address", "needs double quotes",
)  # fmt: skip
"""Reasons for which we refuse what BIND loads: what could hide something, and what the API refuses too."""


def compiled(folder: Path, text: str, *, style: str = "full") -> str | None:
    """The zone as BIND writes it; None where it refuses the file."""
    file, result = folder / "in", folder / "out"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    done = subprocess.run(
        ["named-compilezone", "-q", "-i", "none", *IGNORED, "-s", style, "-o", str(result), ZONE, str(file)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    return result.read_text() if done.returncode == 0 else None


def by_bind(folder: Path, text: str) -> Records | None:
    """The records that BIND makes of a file; read by us, one plain line each."""
    whole = compiled(folder, text)
    if whole is None:
        return None
    return Counter(
        (canonical(one.name), one.ttl, one.rrtype, rdata.key(one.rrtype, one.rdata.wire))
        for one in read([whole], origin=ZONE)
    )


def by_us(text: str) -> Records | str:
    """The records that we make of a file, or why we refuse it."""
    try:
        with gather([text.encode("utf-8", "surrogatepass")], room=1000) as content:
            found = Counter(
                (one.name, one.ttl, one.rrtype, rdata.key(one.rrtype, each.wire))
                for one in content.rrsets()
                for each in one.records
            )
            soa = next(one for one in read([text]) if one.rrtype == "SOA")
    except ZoneFileError as error:
        return str(error)
    found[content.zone, content.ttl, "SOA", rdata.key("SOA", soa.rdata.wire)] += 1
    return found


def differ(folder: Path, text: str) -> str | None:
    """How our reading differs from BIND's, if it does, and not by choice."""
    ours = by_us(text)
    if isinstance(ours, str):
        loads = not any(reason in ours for reason in CHOSEN) and compiled(folder, text) is not None
        return f"we refuse: {ours}\n{text}" if loads else None
    theirs = by_bind(folder, text)
    if theirs is None:
        return f"BIND refuses:\n{text}"
    return None if ours == theirs else f"{ours - theirs}\n{theirs - ours}\n{text}"


RIGHT = (
    'a TXT one "two; (3)" \\"4\\; c="d e" f\n', "a 1h30m A 192.0.2.1\nb IN 1W A 192.0.2.1\nc A 192.0.2.1\n",
    "a TYPE1 \\# 4 c0000201\nb type65280 \\# 0\nc AFSDB 1 c\nd CLASS1 TYPE65281 \\# 3 a bc def\n",
    "a MX 010 Mail\n MX 10 mail\n MX 20 mail\n", "( a TXT\n\n ; comment )\n ( x ) )\n", "a TXT(x)\n",
    "$ORIGIN b.a\nx A 192.0.2.1\n A 192.0.2.2\n$ORIGIN .\nc.example.org MX 1 d.org\n",
    "a DS 1 rsasha256 sha-256 (aa\n" + "bb" * 31 + ")\nb CERT pkix 1 rsasha256 AAAA\nc CAA 00 issue ca\\;x=1\n",
    'a NAPTR 1 2 s x "" .\nb CSYNC 1 3 a ns\nc HTTPS 01 . alpn="h2,h3" port=443\nd RP a\\.b .\ne HINFO a "b c"\n',
    "*.a CNAME b\na CNAME b\na CNAME B\n@ SOA NS H 1 2 3 4 5\n", "$ttl 7\na A 192.0.2.1\n$TTL 1d\nb A 192.0.2.1\n",
    "a A 192.0.2.1\n$GENERATE 1-5/2 h${0,3,d} 7 IN A 192.0.2.$\n A 192.0.2.8\n",
    '$GENERATE 1-3 g$ TXT "a$$b$"\n$GENERATE 9-11 x${-1,2,x}y${3,0,X} TXT a\\$b$\n',
    "$GENERATE 255-256 ${0,7,n} PTR a${0,3,N}\n",
    "a A 192.0.2.1\r\nb A 192.0.2.1\r\n", "a LOC 42 N 71 W 10\nb SSHFP 01 02 (" + "ab" * 16 + "\n" + "cd" * 16 + ")\n",
    "$ORIGIN sub\n TXT x\n", "a 0 IN TXT \"\" \"\"\nb TXT \"\\\"\\\\\\000\\255\"\n",
    "a IN 5 A 192.0.2.1 ; x\n\n \t;y\n",
    "a URI 1 02 \"https://x/\"\n", "a TXT \\#\\ x\n", "a.a.a AAAA ::FFFF:192.0.2.1\n",
)  # fmt: skip
WRONG = (
    "$INCLUDE /dev/null x\nq\n", "$FOO 1\n", "$TTL\n", "$TTL 1 2\n", "$TTL 1y\n", "$ORIGIN a..b\n", "$ORIGIN a b\n",
    "a\n",
    "a 5 IN\n", " 5 IN ; x\n", "a A\n", "a A 192.0.2.256\n", "a A 192.0.2.01\n", "a A 192.0.2.1 b\n", "a MX 1 2 b\n",
    "a MX b\n", "a 5 5 A 192.0.2.1\n", "a IN IN A 192.0.2.1\n", "a 5 IN IN A 192.0.2.1\n", "a FOO bar\n",
    "a CH TXT x\n", "a A \\# 4 0a0001\n", "a A \\# 5 0a00010203\n", "a TYPE65280 abc\n", 'a TXT "b\n', "a TXT b\\\n",
    "a TXT x)\n", "a TXT (x\n b\n", "a TXT x\0y\n", "a..b TXT x\n", ".a TXT x\n", "a TXT \\256\n", "a TXT \\25\n",
    "a SOA ns h 1 2 3 4 5\n", "@ SOA ns h 1 2 3 4 6\n", "@ CNAME b\n", "a CNAME b\na CNAME c\n",
    "a DNAME b\na DNAME c\n",
    "a CNAME b\na A 192.0.2.1\n", "a A 192.0.2.1\na CNAME b\n", '"a" "TXT" b\n', 'a CNAME "b"\n', "a TXT\n",
    "a MX -1 b\n",
    "a MX 65536 b\n", "a TXT " + "x" * 256 + "\n", "x" * 64 + " TXT x\n", ("x" * 60 + ".") * 5 + " TXT x\n",
    "a URI 1 2 https://x/\n",
    "$GENERATE 2-1 a$ A 192.0.2.$\n", "$GENERATE 1-2 a$ FOO 192.0.2.$\n", "$GENERATE 250-260 a$ A 192.0.2.$\n",
    "a TYPE65536 \\# 0\n", "a AFSDB x y\n", "a LOC 42 n 71 w 10\n", "a HTTPS 1 . key1=\"\"\n", "a 1h30 TXT x\n",
)  # fmt: skip


@pytest.mark.parametrize("lines", RIGHT)
def test_a_file_that_bind_loads_is_read_as_the_same_records(tmp_path: Path, lines: str) -> None:
    assert differ(tmp_path, HEAD + lines) is None
    assert not isinstance(by_us(HEAD + lines), str)


@pytest.mark.parametrize("lines", WRONG)
def test_a_file_that_bind_refuses_is_refused(tmp_path: Path, lines: str) -> None:
    assert by_bind(tmp_path, HEAD + lines) is None
    assert isinstance(by_us(HEAD + lines), str)


def test_drawn_files_are_read_as_bind_reads_them(tmp_path: Path) -> None:
    found: list[str | None] = []
    drawn(files(size=30), 25, lambda text: found.append(differ(tmp_path, HEAD + text)))
    assert len(found) >= 25
    assert [one for one in found if one] == []


def _put(text: str, at: int, piece: str) -> str:
    return text[:at] + piece + text[at:]


def test_spoilt_files_are_read_or_refused_as_bind_does(tmp_path: Path) -> None:
    found: list[str | None] = []
    pieces = st.sampled_from(
        (*'\t ;"()\\@.$*\n', "\r\n", "IN ", "5 ", "\\010", "\\", '""', "( ", " )", "=", "A ", "\0")
    )
    spoilt = st.tuples(files(size=5), st.integers(0, 10**6), pieces).map(
        lambda drawn: _put(drawn[0], drawn[1] % len(drawn[0]), drawn[2])
    )
    drawn(spoilt, 150, lambda text: found.append(differ(tmp_path, HEAD + text)))
    assert [one for one in found if one] == []


def test_bind_loads_what_we_write_as_the_same_records(tmp_path: Path) -> None:
    wanted: Records = Counter()
    entries = [Entry(ZONE, "SOA", None, ("ns.example.org. h.example.org. 1 2 3 4 5",)), Entry(ZONE, "NS", 7, ("a.",))]

    def take(one: tuple[str, str, int | None]) -> None:
        rrtype, text, ttl = one
        name = f"{owner(rrtype, len(entries))}.{ZONE}"
        entries.append(Entry(name, rrtype, ttl, (rdata.parse(rrtype, text).text,)))

    ttls = st.none() | st.integers(0, 2**31 - 1)
    for rrtype in sorted(set(LEGAL) - {"SOA"}):
        drawn(st.tuples(st.just(rrtype), LEGAL[rrtype], ttls), 25, take)
    for name, rrtype, ttl, (text,) in entries:
        wire = rdata.parse(rrtype, text).wire
        wanted[name, 60 if ttl is None else ttl, rrtype, rdata.key(rrtype, wire)] += 1
    assert by_bind(tmp_path, "".join(write(ZONE, 60, entries))) == wanted


@pytest.mark.parametrize("style", ["full", "relative"])
def test_what_bind_writes_is_read_as_the_same_records(tmp_path: Path, style: str) -> None:
    text = "".join(
        f"$ORIGIN n{at}.{ZONE}\n{lines}" for at, lines in enumerate(RIGHT) if not re.search(r"@ SOA|ORIGIN|TTL", lines)
    )
    whole = compiled(tmp_path, HEAD + text, style=style)
    assert whole is not None
    assert by_us(("$ORIGIN .\n" if style == "full" else "") + whole) == by_us(HEAD + text)
