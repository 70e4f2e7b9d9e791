# SPDX-License-Identifier: Apache-2.0
"""What a worker asks of central, asked here of central's own code, over a database that nothing else uses meanwhile."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from statistics import median

from bench.figures import Figure, of_runs
from bench.fill import opened
from bench.meter import Meter, Roots, Used
from bench.requests import Zone
from redesignate.auth.policy import Policy
from redesignate.bus.inproc import Pending
from redesignate.central.rules import Rules
from redesignate.central.service import CentralService
from redesignate.commands.rrsets import CreateRRset
from redesignate.commands.work import BeginWork, Report
from redesignate.config.settings import QUOTAS, CentralSettings
from redesignate.model.caller import operator
from redesignate.model.rrset import NewRRset
from redesignate.model.work import Outcome, PeerOutcome, Role, Task
from redesignate.store.unit import Store

ROUNDS, EACH = 3, 20


def figures(url: str, roots: Roots, zone: Zone) -> Iterator[Figure]:
    """Begin-work and report of one changed zone: the medians of rounds, the first of which warms up.

    url    of the database
    roots  of its server, if it has one
    """
    with opened(url) as store:
        asked = _Asked(store, zone)
        begun, told, spent = [], [], []
        for number in range(ROUNDS + 1):
            with Meter(lambda: roots) as meter:
                pairs = [asked.change(f"w{number}-{at}") for at in range(EACH)]
            if number:
                begun.append(median(one for one, _ in pairs))
                told.append(median(one for _, one in pairs))
                spent.append(meter.used)
    for what, rounds in (("begin-work", begun), ("report", told)):
        yield of_runs(what, rounds, "ms", least=False, used=spent, cpu=_cpu(spent))


def _cpu(spent: list[Used]) -> dict[str, float]:
    """Of a change with both of its questions, in ms."""
    here = median(1000 * one.client / EACH for one in spent)
    return {"central": here} | {name: median(one.per(EACH)[name] for one in spent) for name in spent[0].cpu}


class _Asked:
    """A worker of this zone that needs no nameserver."""

    def __init__(self, store: Store, zone: Zone) -> None:
        self._store, self._zone = store, zone
        settings = CentralSettings(quotas=dict.fromkeys(QUOTAS, -1))
        rules = Rules(settings=settings, policy=Policy(), random=random.Random(7))
        self._central = CentralService(store, rules, Pending())
        self._worker = f"bench-{uuid.uuid4().hex[:6]}"

    def change(self, label: str) -> tuple[float, float]:
        """Create a record set; milliseconds of begin-work and of report."""
        new = NewRRset(name=f"{label}-{self._worker}.{self._zone[1]}", type="A", records=("192.0.2.1",))
        self._central.dispatch(CreateRRset(caller=operator("req-bench"), zone_id=self._zone[0], new=new))
        began = time.perf_counter()
        (task,) = self._central.dispatch(BeginWork(worker=self._worker, zone_ids=(self._zone[0],)))
        begun = time.perf_counter()
        outcome = Outcome(
            zone_id=task.zone_id, revision=task.revision, present=True, peers=self._agreed(task), final=True
        )
        reporting = time.perf_counter()
        self._central.dispatch(Report(worker=self._worker, outcomes=(outcome,)))
        return 1000 * (begun - began), 1000 * (time.perf_counter() - reporting)

    def _agreed(self, task: Task) -> tuple[PeerOutcome, ...]:
        """What every peer of the zone's pool says that has it as it should be."""
        with self._store.read() as work:
            pool = work.pools.get(task.pool_id)
        assert pool is not None
        peers: list[tuple[str, Role, int | None]] = [(one.id, Role.TARGET, None) for one in pool.targets]
        peers += [(one.id, Role.NAMESERVER, task.serial) for one in pool.nameservers]
        return tuple(
            PeerOutcome(peer_id=ident, role=role, ok=True, present=True, serial=serial) for ident, role, serial in peers
        )
