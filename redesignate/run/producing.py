# SPDX-License-Identifier: Apache-2.0
"""The producer: periodic tasks, divided over a tooz group or, without a coordinator, by database leases."""

from __future__ import annotations

import os
import uuid
from contextlib import ExitStack

from redesignate.bus.port import Central
from redesignate.commands.services import HoldPartition
from redesignate.config.settings import ProducerSettings, Settings
from redesignate.coord.choose import choose_group
from redesignate.coord.port import ALONE, Group, Place
from redesignate.producer.service import Producer
from redesignate.run.stopping import FAREWELL_S, within
from redesignate.run.wiring import at_end


class OneMember:
    """The group of a single process: every shard is its own, and the database is not queried."""

    def refresh(self) -> Place:
        """The only place."""
        return ALONE

    def leave(self) -> None:
        """Does nothing: there are no others."""


def shared_out(central: Central, settings: Settings) -> Group:
    """The group of all producers, of which this process is a member."""
    member = f"{settings.host}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

    def hold(group: str, member: str, lease_s: float) -> Place:
        held = central.call(HoldPartition(group=group, member=member, lease_s=lease_s))
        return Place(index=held.index, count=held.count)

    return choose_group(settings.coordination, hold, group="producer", member=member)


def start_producer(central: Central, group: Group, settings: ProducerSettings, end: ExitStack) -> None:
    """Start every task of this process."""
    producer = Producer(central, group, settings)
    producer.start()
    at_end(end, within(FAREWELL_S, producer.stop))
