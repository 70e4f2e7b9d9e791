# SPDX-License-Identifier: Apache-2.0
"""The audit: compares what every nameserver answers with the zones at rest, and reports the differences.

Three ways to the same comparison, all over plain SOA questions at a pace:
- the round: every zone on every nameserver, evenly over `audit_interval`. The workers share the zones by shards;
- the walk: all zones of a pool on one nameserver, at once, after it was down or denied a zone. After a restart, which
  all workers notice whose shards have zones of the pool, each of them walks its own shards;
- the canary: for a nameserver that the round has not met for a while, one zone that it served. A server that was wiped
  is noticed so within seconds, and the walk finds the rest.
A server that is silent is the business of `health` and `probe`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from redesignate.commands.audit import ReportDifferences, ZonesAtRest
from redesignate.commands.services import HoldPartition
from redesignate.coord.partitions import SHARDS, shards
from redesignate.coord.port import Place
from redesignate.model.audit import Difference, RestingZone
from redesignate.model.errors import Problem
from redesignate.model.pool import Endpoint, Nameserver
from redesignate.model.service import Stats
from redesignate.observe.log import events
from redesignate.wire.client import SOAAnswer
from redesignate.wire.served import DENIALS, difference
from redesignate.wire.survey import Question, Survey
from redesignate.worker.attempt import WorkerContext
from redesignate.worker.health import PeerKey
from redesignate.worker.link import Link
from redesignate.worker.pools import PoolCache, Unusable
from redesignate.worker.restarts import Restarts

STEP_S = 2.0
LEAST_PER_SECOND = 1.0
"""Zones a second of the round at least: few zones are checked more often than the interval says."""
MEMBER_S, MEMBER_LEASE_S = 10.0, 30.0
"""How often a worker says that it takes part in the round, and how long it is believed."""
CANARY_S = 15.0
WALK_PAGE, WALK_PER_SECOND = 200, 500.0
WALK_AGAIN_S = 30.0
"""The pause after a walk before the same server is walked again."""
REFRESH_S = 300.0
"""How often a worker asks central for the pools at hand, so that it notices the change of one without work."""
ALL = range(SHARDS)
BATCH = 50
GROUP = "audit"
log = events(__name__)


@dataclass(slots=True)
class _Check:
    """One question of the audit: is this zone, on this nameserver, as it should be?"""

    zone: RestingZone
    targets: Mapping[str, Endpoint | None]
    server: Nameserver
    question: Question


class Audit:
    """The audit of one worker. For one event loop.

    interval_s   in which every zone is to be checked; 0: no round, only walks
    rate         questions a second that the round may ask
    """

    def __init__(
        self, *, name: str, link: Link, pools: PoolCache, context: WorkerContext, interval_s: float, rate: float
    ) -> None:
        self._name = name
        self._link = link
        self._pools = pools
        self._context = context
        self._interval_s = interval_s
        self._rate = rate
        self._survey = Survey(clock=context.clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._walking: dict[PeerKey, range | None] = {}
        self._walked: dict[PeerKey, float] = {}
        self._canaries: dict[PeerKey, tuple[RestingZone, float]] = {}
        self._mine = ALL
        self._member_until = self._refresh_at = 0.0
        self._after = ""
        self._seen = 0
        self._servers = 1.0
        self._zones: int | None = None
        self._begun = self._took = 0.0
        self._slow = False
        self._restarts = Restarts(pools, context.health, self._restarted)

    def start(self) -> None:
        """Begin the round, and to look for restarts."""
        if self._interval_s > 0:
            self._keep(self._run())
            self._keep(self._restarts.run())

    def stop(self) -> None:
        """Ask nothing any more."""
        for task in self._tasks:
            task.cancel()
        self._survey.close()

    def stats(self, now: float) -> Stats:
        """How often zones are checked, for operators; nothing where there is no round. `now`: the loop's time.

        zones seconds   of the last round, or of this one where it has more or takes longer
        late            whether that is less often than `audit_interval` says
        """
        if not self._begun:
            return {}
        zones, took = max(self._zones or 0, self._seen), max(self._took, now - self._begun)
        figures = {"zones": zones, "seconds": round(took), "interval": round(self._interval_s), "late": self._slow}
        return {GROUP: figures}

    def suspect(self, pool_id: str, peer_id: str, part: range = ALL) -> None:
        """A nameserver was down, or denied a zone: check all zones of its pool there, in the shards `part`, soon."""
        key = (pool_id, peer_id)
        if key not in self._walking:
            self._walking[key] = None
            self._keep(self._walk(key))
        self._walking[key] = part if self._walking[key] in {None, part} else ALL

    def returned(self, pool_id: str, peer_id: str, part: range = ALL) -> None:
        """A peer that was down answers again: check the zones of these shards there."""
        pool = self._pools.known(pool_id)
        target = pool.target(peer_id) if pool is not None else None
        if target is None:
            self.suspect(pool_id, peer_id, part)
        elif target.notify is not None:
            self.denied(pool_id, target.notify, part)

    def _restarted(self, pool_id: str, target_id: str) -> None:
        """Check the zones of this worker's shards: each worker whose round meets zones of the pool notices a restart
        of its servers by itself, and no single one need have them all."""
        if self._mine:
            self.returned(pool_id, target_id, self._mine)

    def denied(self, pool_id: str, at: Endpoint, part: range = ALL) -> None:
        """As `suspect`, for the nameservers at a target's address; for all of the pool where there is none."""
        pool = self._pools.known(pool_id)
        servers = pool.pool.nameservers if pool is not None else ()
        there = [server for server in servers if (server.host, server.port) == (at.host, at.port)]
        for server in there or servers:
            self.suspect(pool_id, server.id, part)

    # -- the round

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self._begun = loop.time()
        while True:
            try:
                await self._step()
            except Problem as problem:
                log.debug("the audit is waiting for central", why=problem.message)
            except Exception:  # the loop of a service
                log.exception("the audit failed")
            await asyncio.sleep(STEP_S)

    async def _step(self) -> None:
        """A few zones of the round, and the canaries that are due."""
        now = asyncio.get_running_loop().time()
        if now >= self._member_until:
            await self._hold_shards()
            self._member_until = now + MEMBER_S
        if now >= self._refresh_at:
            self._refresh_at = now + REFRESH_S
            await self._pools.refresh()
        if self._mine:
            expected = self._zones if self._zones is not None and self._seen <= self._zones else None
            limit = step_size(expected, self._servers, interval_s=self._interval_s, rate=self._rate)
            zones = await self._link.ask(
                ZonesAtRest(
                    after=self._after, first_shard=self._mine.start, last_shard=self._mine.stop - 1, limit=limit
                )
            )
            self._seen += len(zones)
            self._after = zones[-1].zone_id if zones else self._after
            await self._compare(await self._checks(zones), self._rate)
            took = asyncio.get_running_loop().time() - self._begun
            if len(zones) < limit:
                self._end_round(took)
            elif self._late(took):
                self._say_late(took, late=True)
        await self._ask_canaries(now)

    def _end_round(self, took: float) -> None:
        self._zones, self._took = self._seen, took
        self._say_late(took, late=self._late(took))
        log.debug("a round of the audit ended", zones=self._zones, seconds=round(took))
        self._after, self._seen, self._begun = "", 0, self._begun + took

    def _late(self, took: float) -> bool:
        return took > 1.1 * self._interval_s + STEP_S

    def _say_late(self, took: float, *, late: bool) -> None:
        """Log a change: once the round takes too long, and at the end of one that does not."""
        if late != self._slow:
            say = log.warning if late else log.info
            say(
                "zones are checked less often than audit_interval: audit_rate allows no more"
                if late
                else "zones are checked within audit_interval again",
                zones=self._seen,
                seconds=round(took),
                audit_interval=self._interval_s,
                audit_rate=self._rate,
            )
        self._slow = late

    async def _hold_shards(self) -> None:
        held = await self._link.ask(HoldPartition(group=GROUP, member=self._name, lease_s=MEMBER_LEASE_S))
        self._mine = shards(Place(held.index, held.count))

    # -- walks and canaries

    async def _walk(self, key: PeerKey) -> None:
        """Compare the zones of a pool on one nameserver, again if it is suspected anew meanwhile."""
        pool_id, peer_id = key
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(max(0.0, self._walked.get(key, -WALK_AGAIN_S) + WALK_AGAIN_S - loop.time()))
                part, self._walking[key] = self._walking[key] or ALL, None
                count, after, different = 0, "", 0
                while True:
                    zones = await self._link.ask(
                        ZonesAtRest(
                            after=after,
                            first_shard=part.start,
                            last_shard=part.stop - 1,
                            pool_id=pool_id,
                            limit=WALK_PAGE,
                        )
                    )
                    different += await self._compare(await self._checks(zones, only=peer_id), WALK_PER_SECOND, part)
                    count += len(zones)
                    if len(zones) < WALK_PAGE:
                        break
                    after = zones[-1].zone_id
                self._walked[key] = loop.time()
                log.info("the zones of a nameserver were checked", peer=peer_id, zones=count, different=different)
                if self._walking[key] is None:
                    return
        except Problem as problem:
            log.warning("the zones of a nameserver could not all be checked", peer=peer_id, why=problem.message)
        except Exception:  # the loop of a service
            log.exception("the zones of a nameserver could not be checked", peer=peer_id)
        finally:
            del self._walking[key]

    async def _ask_canaries(self, now: float) -> None:
        """Ask each nameserver that was asked nothing for a while for a zone that it served. What it lacks by now may
        have been deleted since, so a denial only raises suspicion."""
        due = [(key, zone) for key, (zone, asked) in self._canaries.items() if now - asked >= CANARY_S]
        checks: list[_Check] = []
        for key, zone in due:
            known = self._pools.known(key[0]) is not None  # a deleted pool is not: nothing more is asked about it
            found = await self._checks((zone,), only=key[1]) if known else []
            if not found:
                del self._canaries[key]
            checks += found
        for check, answer in zip(checks, await self._answers(checks, self._rate), strict=True):
            self._canaries[check.zone.pool_id, check.server.id] = (check.zone, now)
            if answer is not None and answer.rcode in DENIALS:
                del self._canaries[check.zone.pool_id, check.server.id]
                self.suspect(check.zone.pool_id, check.server.id)

    # -- the comparison

    async def _checks(self, zones: Sequence[RestingZone], only: str | None = None) -> list[_Check]:
        """The questions about these zones; none for a server that is down."""
        checks = []
        for zone in zones:
            pool = await self._pools.connections(zone.pool_id, zone.pool_version)
            targets = {each.target.id: each.notify for each in pool.targets}
            for server in pool.pool.nameservers:
                if only not in (None, server.id) or self._context.health.of(zone.pool_id, server.id).down:
                    continue
                try:
                    key = pool.key(server.tsigkey_id)
                except Unusable:
                    continue  # said by the attempts of its zones
                checks.append(_Check(zone, targets, server, Question(zone.name, server.host, server.port, key)))
        if zones and only is None:
            self._servers = max(1.0, len(checks) / len(zones))
        return checks

    async def _answers(self, checks: Sequence[_Check], rate: float) -> list[SOAAnswer | None]:
        """What the servers answer; a server that answered nothing at all was silent."""
        loop = asyncio.get_running_loop()
        sent = loop.time()
        answers = await self._survey.ask([check.question for check in checks], per_second=rate)
        asked = {(check.zone.pool_id, check.server.id): check.server for check in checks}
        answered = {
            (check.zone.pool_id, check.server.id)
            for check, answer in zip(checks, answers, strict=True)
            if answer is not None
        }
        for key, server in asked.items():
            health = self._context.health.of(*key)
            if key in answered:
                health.answered(loop.time(), loop.time())
            else:
                health.silent(sent, loop.time(), f"no answer from {Endpoint(server.host, server.port)}")
        return answers

    async def _compare(self, checks: Sequence[_Check], rate: float, part: range = ALL) -> int:
        """Ask, and report what differs; how many differences there were.

        part   the shards that are to be checked on a server that denies a zone
        """
        if not checks:
            return 0
        now = asyncio.get_running_loop().time()
        different: list[Difference] = []
        for check, answer in zip(checks, await self._answers(checks, rate), strict=True):
            if answer is None:
                continue
            found = difference(check.zone, check.server, check.targets, answer)
            key = (check.zone.pool_id, check.server.id)
            if found is None:
                self._canaries[key] = (check.zone, now)
                continue
            different.append(found)
            if answer.rcode in DENIALS:
                self.suspect(*key, part)
        for start in range(0, len(different), BATCH):
            await self._report(different[start : start + BATCH])
        return len(different)

    async def _report(self, differences: Iterable[Difference]) -> None:
        given = tuple(differences)
        queued = await self._link.ask(ReportDifferences(differences=given))
        if queued:
            log.warning("nameservers do not serve zones as they should", zones=queued, first=given[0].why)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def step_size(zones: int | None, servers: float, *, interval_s: float, rate: float) -> int:
    """How many zones to check in a step of STEP_S, so that the round ends in time and the rate is kept.

    zones     as many as there were in the last round; None: unknown, or more by now: as fast as the rate allows
    servers   nameservers a zone, on average
    """
    most = max(1, int(rate * STEP_S / max(servers, 1.0)))
    if zones is None:
        return most
    return min(most, ceil(max(LEAST_PER_SECOND, zones / interval_s) * STEP_S))
