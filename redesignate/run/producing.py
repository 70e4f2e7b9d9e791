# SPDX-License-Identifier: Apache-2.0
"""The producer: periodic sweeps, shared out over a tooz group or, without a coordinator, over database leases."""

from __future__ import annotations

import os
import uuid

from redesignate.commands.services import HoldPartition
from redesignate.coord.choose import choose_group
from redesignate.coord.port import ALONE, Place
from redesignate.producer.service import Producer
from redesignate.run.stopping import FAREWELL_S, within
from redesignate.run.wiring import Wiring


class OneMember:
    """The group of a process that is alone: every shard is its own, and nothing is asked of the database."""

    def refresh(self) -> Place:
        """The one place there is."""
        return ALONE

    def leave(self) -> None:
        """Nobody is told."""


def start_producer(wiring: Wiring) -> None:
    """Start every task of this process; undone when the wiring is closed."""
    settings = wiring.settings
    member = f"{settings.host}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

    def hold(group: str, member: str, lease_s: float) -> Place:
        held = wiring.central.call(HoldPartition(group=group, member=member, lease_s=lease_s))
        return Place(index=held.index, count=held.count)

    group = OneMember() if wiring.alone else choose_group(settings.coordination, hold, group="producer", member=member)
    producer = Producer(wiring.central, group, settings.producer)
    producer.start()
    wiring.on_close(within(FAREWELL_S, producer.stop))
