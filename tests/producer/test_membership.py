# SPDX-License-Identifier: Apache-2.0
"""F14: members come, go and die while work is due; every shard has an owner again within 15 seconds."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.bus.inproc import InprocCentral
from redesignate.commands.base import Command
from redesignate.commands.work import Overdue
from redesignate.config.settings import ProducerSettings, TaskSettings
from redesignate.coord.partitions import SHARDS
from redesignate.producer.service import Producer
from tests.coord.leases import Leases

SWEEP = ProducerSettings(enabled_tasks=("overdue_work",), tasks={"overdue_work": TaskSettings(interval=1)})


class Cloud:
    """Producers whose threads are turned by hand, second by second."""

    def __init__(self) -> None:
        self.leases = Leases()
        self.members: dict[str, Producer] = {}
        self.swept: set[int] = set()
        self._born = 0

    def dispatch(self, command: Command[Any]) -> Any:
        assert isinstance(command, Overdue)
        if command.grace_s < 10:  # not the sweep of everybody's, which would hide a gap
            self.swept |= set(range(command.first_shard, command.last_shard + 1))
        return ()

    def join(self) -> None:
        self._born += 1
        name = f"host:{self._born}"
        central = InprocCentral(self.dispatch)
        self.members[name] = Producer(central, self.leases.join(name), SWEEP, clock=lambda: self.leases.now)

    def die(self, which: int) -> None:
        del self.members[sorted(self.members)[which % len(self.members)]]

    def leave(self, which: int) -> None:
        self.members.pop(sorted(self.members)[which % len(self.members)]).stop()

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.leases.now += 1
            for member in self.members.values():
                for periodic in (member._membership, *member.tasks):
                    periodic.turn()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["join", "die", "leave"]), st.integers(0, 9), st.integers(0, 5)), max_size=12)
)
def test_every_shard_has_an_owner_within_15_seconds_of_any_change(changes: list[tuple[str, int, int]]) -> None:
    cloud = Cloud()
    cloud.join()
    for change, which, seconds in changes:
        if change == "join":
            cloud.join()
        elif len(cloud.members) > 1:
            cloud.die(which) if change == "die" else cloud.leave(which)
        cloud.pass_time(seconds)
    cloud.swept.clear()
    cloud.pass_time(15)
    assert cloud.swept == set(range(SHARDS))


def test_one_to_five_to_two() -> None:
    cloud = Cloud()
    cloud.join()
    for _ in range(4):
        cloud.join()
    cloud.pass_time(4)
    assert sorted(member.place().index for member in cloud.members.values()) == [0, 1, 2, 3, 4]
    for _ in range(3):
        cloud.die(1)
    cloud.pass_time(15)
    assert sorted((member.place().index, member.place().count) for member in cloud.members.values()) == [(0, 2), (1, 2)]
