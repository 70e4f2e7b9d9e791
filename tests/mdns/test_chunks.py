# SPDX-License-Identifier: Apache-2.0
"""RRsets in chunks: the quick way for plain ones gives what the way for any gives, in chunks that fit."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from redesignate.mdns.render import Chunker
from redesignate.wire import rrset
from redesignate.wire.message import Malformed
from tests.wire.test_rrset import OWNERS, RDATAS, TTLS, ZONE

PACKED = st.builds(lambda name, rdatas: rrset.pack(ZONE, name, "A", None, rdatas), OWNERS, RDATAS)
PLAIN = st.builds(
    lambda name, rdata: rrset.pack(ZONE, name, "A", None, [rdata]), st.just("a." + ZONE), st.binary(max_size=90)
)
CUT = st.builds(lambda blob, at: blob[:at], PACKED, st.integers(0, 40))
BLOBS = st.lists(
    st.tuples(st.one_of(st.none(), TTLS), st.one_of(PLAIN, PLAIN, PACKED, CUT, st.binary(max_size=40))), max_size=30
)


@given(BLOBS, TTLS, st.integers(110, 400))
@example([(None, b"\xc0\x0c" + bytes(8))], 7, 100)
@example([(None, b"\x01a\xc0\x0c" + bytes(7))], 7, 100)
def test_plain_rrsets_and_the_others_make_up_all(rrsets: list[tuple[int | None, bytes]], ttl: int, room: int) -> None:
    expected: Counter[bytes] = Counter()
    for own, blob in rrsets:
        try:
            expected.update(rrset.split(rrset.ready(blob, ttl if own is None else None)[1]) if blob else ())
        except Malformed:
            continue
    chunker = Chunker(room)
    for own, blob in chunker.add_plain(rrsets, ttl.to_bytes(4, "big")):
        try:
            count, rrs = rrset.ready(blob, ttl if own is None else None)
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
