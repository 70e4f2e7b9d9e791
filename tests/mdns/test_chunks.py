# SPDX-License-Identifier: Apache-2.0
"""RRsets in chunks: the quick way for those that are alike gives what the way for any gives, in chunks that fit."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from redesignate.mdns.render import Chunker
from redesignate.wire import rrset
from redesignate.wire.message import Malformed
from tests.wire.test_rrset import OWNERS, RDATAS, TTLS, ZONE

OCTETS = st.integers(0, 255)
PACKED = st.builds(lambda name, rdatas: rrset.pack(ZONE, name, "A", None, rdatas), OWNERS, RDATAS)
PLAIN = st.builds(
    lambda name, rdata: rrset.pack(ZONE, name, "A", None, [rdata]), st.just("a." + ZONE), st.binary(max_size=90)
)
CUT = st.builds(lambda blob, at: blob[:at], PACKED, st.integers(0, 40))
BLOBS = st.lists(
    st.tuples(st.one_of(st.none(), TTLS), st.one_of(PLAIN, PLAIN, PACKED, CUT, st.binary(max_size=40))), max_size=30
)


def changed(blob: bytes, at: int, octet: int) -> bytes:
    """The blob with another octet at a place, wherever it has one."""
    return blob[: at % len(blob)] + bytes((octet,)) + blob[at % len(blob) + 1 :] if blob else blob


@given(BLOBS, TTLS, st.integers(110, 400), st.integers(1, 12), st.none() | st.tuples(st.integers(0), OCTETS))
@example([(None, b"\xc0\x0c" + bytes(8))], 7, 110, 12, None)
@example([(None, b"\x01a\xc0\x0c" + bytes(7))], 7, 110, 12, None)
@example([(None, b"\x00\xc0\x0c" + bytes(10))], 7, 110, 12, None)
def test_rrsets_that_are_alike_and_the_others_make_up_all(
    rrsets: list[tuple[int | None, bytes]], ttl: int, room: int, times: int, change: tuple[int, int] | None
) -> None:
    """Each so many times, and all at once with one octet of one of them changed."""
    rrsets = rrsets * times
    if change and rrsets:
        own_ttl, blob = rrsets[0]
        rrsets[0] = own_ttl, changed(blob, *change)
    expected: Counter[bytes] = Counter()
    for own, blob in rrsets:
        try:
            expected.update(rrset.split(rrset.ready(blob, ttl if own is None else None)[1]) if blob else ())
        except Malformed:
            continue
    chunker = Chunker(room)
    for written, blob in chunker.add_plain(rrsets, ttl):
        try:
            count, rrs = rrset.ready(blob, written)
            chunker.add(count, rrs)
        except Malformed:
            continue
    made = chunker.done(1)
    found = [rr for _, chunk in made.chunks for rr in rrset.split(chunk)]
    assert Counter(found) == expected
    assert made.records == len(found)
    for count, chunk in made.chunks:
        assert count == len(rrset.split(chunk))
        assert len(chunk) <= room or count == 1
