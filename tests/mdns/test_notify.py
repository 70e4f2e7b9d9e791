# SPDX-License-Identifier: Apache-2.0
"""What mdns makes of NOTIFYs: central hears of a zone, and never too often."""

from __future__ import annotations

import threading
from typing import Any

from redesignate.commands.base import Command
from redesignate.commands.inbound import NotifiedInbound
from redesignate.mdns.notify import BATCH, BOUND, PAUSE_S, Forwarder
from redesignate.model.errors import Unavailable
from tests.support.servers import until


class Central:
    """Remembers what it was asked; refuses while it is `down`."""

    def __init__(self) -> None:
        self.zones: list[tuple[str, str]] = []
        self.questions = 0
        self.down = False
        self.heard = threading.Event()

    def call(self, command: Command[Any]) -> Any:
        assert isinstance(command, NotifiedInbound)
        self.questions += 1
        self.heard.set()
        if self.down:
            raise Unavailable("central is unavailable")
        self.zones += command.zones
        return len(command.zones)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_flood_for_one_zone_is_one_word_now_and_one_after_the_pause() -> None:
    clock = Clock()
    forwarder = Forwarder(Central(), clock=clock)
    forwarder.add("z", "192.0.2.1")
    assert forwarder.due() == (("z", "192.0.2.1"),)
    for _ in range(1000):
        forwarder.add("z", "192.0.2.1")
        assert forwarder.due() == ()
    clock.now += PAUSE_S + 0.01
    assert forwarder.due() == (("z", "192.0.2.1"),)
    clock.now += PAUSE_S + 0.01
    assert forwarder.due() == ()


def test_a_flood_for_many_zones_is_bounded_and_goes_in_batches() -> None:
    forwarder = Forwarder(Central(), clock=Clock())
    for n in range(BOUND + 500):
        forwarder.add(f"z{n}", "192.0.2.1")
    sizes = []
    while found := forwarder.due():
        sizes.append(len(found))
    assert (sum(sizes), set(sizes)) == (BOUND, {BATCH})


def test_it_passes_on_by_itself_also_after_central_was_unavailable() -> None:
    central = Central()
    central.down = True
    forwarder = Forwarder(central)
    forwarder.start()
    forwarder.add("a", "192.0.2.1")
    assert central.heard.wait(5)
    central.down = False
    forwarder.add("b", "192.0.2.2")
    until(lambda: central.zones == [("b", "192.0.2.2")])
    forwarder.stop()
