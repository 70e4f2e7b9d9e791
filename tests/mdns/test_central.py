# SPDX-License-Identifier: Apache-2.0
"""What central writes, mdns finds: a name exists between others as long as record sets with records stand below it."""

from __future__ import annotations

from pathlib import Path

import dns.message

from redesignate.config.settings import MdnsSettings
from redesignate.mdns.answer import Answerer
from redesignate.store import migrate
from redesignate.store.serving import Serving
from redesignate.wire import message
from redesignate.wire.message import Rcode
from tests.central.driver import CentralDriver


def test_names_between_others_come_and_go_with_the_record_sets_below_them(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/central.sqlite"
    migrate.upgrade(url)
    central = CentralDriver(url)
    central.pool()
    zone, brain = central.zone(), Answerer(MdnsSettings())

    def rcode(name: str) -> int:
        with Serving(central.store).read() as view:
            query = dns.message.make_query(f"{name}.{zone.name}", "A").to_wire()
            answer = brain.answer(view, query, tcp=True, peer="192.0.2.99")
        assert isinstance(answer, bytes)
        return message.read(answer).rcode

    assert rcode("between") == Rcode.NXDOMAIN
    made = central.rrset(zone, "deep.between")
    assert rcode("between") == Rcode.NOERROR
    central.put(made, records=("192.0.2.2",))
    assert rcode("between") == Rcode.NOERROR
    central.remove(made)
    assert rcode("between") == Rcode.NXDOMAIN
    central.store.close()
