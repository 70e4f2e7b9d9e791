# SPDX-License-Identifier: Apache-2.0
"""What a nameserver's answer says of a zone that it should serve, as a table."""

from __future__ import annotations

import pytest

from redesignate.model.audit import RestingZone
from redesignate.model.pool import Endpoint, Nameserver
from redesignate.wire.client import SOAAnswer
from redesignate.wire.message import Rcode
from redesignate.wire.served import difference

ZONE = RestingZone(zone_id="z", name="example.org.", serial=107, revision=7, pool_id="p", pool_version=1)


@pytest.mark.parametrize(
    ("answer", "why", "targets"),
    [
        (SOAAnswer(rcode=0, aa=True, serial=107), None, ()),
        (SOAAnswer(rcode=0, aa=True, serial=106), "serves serial 106, which is out of date", ()),
        (SOAAnswer(rcode=0, aa=True, serial=108), "serves serial 108, which was never published here", ()),
        (SOAAnswer(rcode=Rcode.REFUSED, aa=False, serial=None), "answers REFUSED", ("t0",)),
        (SOAAnswer(rcode=Rcode.NXDOMAIN, aa=True, serial=None), "answers NXDOMAIN", ("t0",)),
        (SOAAnswer(rcode=0, aa=False, serial=None), "answers without an SOA", ("t0",)),
        (SOAAnswer(rcode=Rcode.SERVFAIL, aa=False, serial=None), "answers SERVFAIL", ()),
    ],
)
def test_an_answer_differs_for_this_reason(answer: SOAAnswer, why: str | None, targets: tuple[str, ...]) -> None:
    server = Nameserver(id="n0", host="192.0.2.1", port=53)
    addresses = {"t0": Endpoint("192.0.2.1", 53), "t1": Endpoint("192.0.2.2", 53)}
    found = difference(ZONE, server, addresses, answer)
    assert (found is None) == (why is None)
    if found is not None and why is not None:
        assert why in found.why
        assert found.targets == targets


def test_where_no_target_has_the_servers_address_every_target_gets_the_zone_again() -> None:
    server = Nameserver(id="n0", host="192.0.2.9", port=53)
    addresses = {"t0": Endpoint("192.0.2.1", 53), "t1": None}
    found = difference(ZONE, server, addresses, SOAAnswer(rcode=Rcode.REFUSED, aa=False, serial=None))
    assert found is not None
    assert found.targets == ("t0", "t1")
