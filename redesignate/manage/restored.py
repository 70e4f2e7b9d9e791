# SPDX-License-Identifier: Apache-2.0
"""`database restored`: after a backup was restored, make the servers and the database agree again.

The database has lost the changes since the backup, the servers have not: they hold later serials, which they
prefer to ours. So every nameserver is asked for every zone, serials are raised above foreign ones, and all zones are
queued.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from redesignate.backends import registry
from redesignate.commands.audit import RestoreZones, ZonesAtRest
from redesignate.commands.work import PoolForWork
from redesignate.manage.job import Job
from redesignate.model.audit import Difference, RestingZone
from redesignate.model.errors import Misconfigured
from redesignate.model.pool import Endpoint, Nameserver, Pool
from redesignate.model.serial import newer
from redesignate.model.tsigkey import TSIGKey
from redesignate.observe.progress import Progress
from redesignate.wire import tsig
from redesignate.wire.client import SOAAnswer
from redesignate.wire.served import difference
from redesignate.wire.survey import Question, Survey

PAGE, STEP = 500, 50
KINDS = ("as here", "earlier", "later", "missing", "no answer")


@dataclass(slots=True)
class _Servers:
    """A pool's nameservers with their keys, and where its targets are notified."""

    pool: Pool
    keys: dict[str, TSIGKey]
    targets: dict[str, Endpoint | None]
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """By nameserver: the number of zones in each state there."""


def restored(job: Job) -> int:
    """Ask every nameserver for every zone; then, without `--dry-run`, raise serials above foreign ones and queue all.

    Raises Misconfigured and central's Problems. Cost  one question a zone and nameserver, six statements a zone
    """
    pools = {pool.id: _servers(job, pool) for pool in job.pools()}
    zones = moved = queued = 0
    with Progress("zones", stream=job.err, clock=job.seconds) as step:
        for page in _pages(job):
            differences = _compared(page, pools, float(job.args.rate))
            zones += len(page)
            for start in range(0, len(page), STEP):
                some = page[start : start + STEP]
                if not job.args.dry_run:
                    done = job.central.call(_command(some, differences))
                    moved, queued = moved + done.moved, queued + done.queued
                step(len(some))
    _show(job, list(pools.values()))
    later = sum(count["later"] for servers in pools.values() for count in servers.counts.values())
    if job.args.dry_run:
        job.screen.line(f"{zones} zones were compared, and no zone was changed. {later} serials would be raised.")
    else:
        job.screen.line(f"{queued} zones are queued; the serials of {moved} were raised above later ones.")
        job.screen.line("Start the services: the workers update every server to these zones.")
    return 0


def _command(zones: Sequence[RestingZone], differences: Sequence[Difference]) -> RestoreZones:
    ids = {zone.zone_id for zone in zones}
    return RestoreZones(
        zone_ids=tuple(zone.zone_id for zone in zones),
        differences=tuple(each for each in differences if each.zone_id in ids),
    )


def _servers(job: Job, pool: Pool) -> _Servers:
    """Raise Misconfigured if a key of the pool cannot be used, since its servers would refuse every question."""
    found = job.central.call(PoolForWork(pool_id=pool.id))
    keys = {key.id: key for key in found.keys}
    for key in keys.values():
        try:
            tsig.prepare(key)
        except ValueError as wrong:
            raise Misconfigured(f"pool {pool.name!r}: {wrong}") from wrong
    targets: dict[str, Endpoint | None] = {}
    for target in pool.targets:
        try:
            targets[target.id] = registry.parse_options(pool, target).notify
        except Misconfigured:  # its backend is installed on the workers' hosts only
            targets[target.id] = None
    return _Servers(found.pool, keys, targets)


def _pages(job: Job) -> Iterator[tuple[RestingZone, ...]]:
    after = ""
    while True:
        page = job.central.call(ZonesAtRest(after=after, busy=True, limit=PAGE))
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1].zone_id


def _compared(zones: Sequence[RestingZone], pools: dict[str, _Servers], per_second: float) -> list[Difference]:
    """Ask each zone's nameservers, count what they hold, and say where it differs."""
    asked = [
        (zone, server, pools[zone.pool_id])
        for zone in zones
        if zone.pool_id in pools
        for server in pools[zone.pool_id].pool.nameservers
    ]
    questions = [
        Question(zone.name, server.host, server.port, servers.keys.get(server.tsigkey_id or ""))
        for zone, server, servers in asked
    ]
    answers = asyncio.run(_ask(questions, per_second))
    found = []
    for (zone, server, servers), answer in zip(asked, answers, strict=True):
        at = str(Endpoint(server.host, server.port))
        servers.counts.setdefault(at, Counter())[_kind(zone, answer)] += 1
        differs = _silent(zone, server) if answer is None else difference(zone, server, servers.targets, answer)
        if differs is not None:
            found.append(differs)
    return found


async def _ask(questions: Sequence[Question], per_second: float) -> list[SOAAnswer | None]:
    survey = Survey()
    try:
        return await survey.ask(questions, per_second=per_second)
    finally:
        survey.close()


def _silent(zone: RestingZone, server: Nameserver) -> Difference:
    why = f"no answer from {Endpoint(server.host, server.port)}"
    return Difference(
        zone_id=zone.zone_id, revision=zone.revision, peer_id=server.id, serial=None, why=why, silent=True
    )


def _kind(zone: RestingZone, answer: SOAAnswer | None) -> str:
    if answer is None:
        return "no answer"
    if answer.serial is None:
        return "missing"
    if answer.serial == zone.serial:
        return "as here"
    return "later" if newer(answer.serial, zone.serial) else "earlier"


def _show(job: Job, pools: Sequence[_Servers]) -> None:
    """Print what each nameserver holds, and which targets could not be checked."""
    rows = [
        [servers.pool.name, at, *(counts[kind] for kind in KINDS)]
        for servers in pools
        for at, counts in sorted(servers.counts.items())
    ]
    if rows:
        job.screen.table(["pool", "nameserver", *KINDS], rows)
    types = sorted({target.type for servers in pools for target in servers.pool.targets})
    if types:
        job.screen.line(
            f"Zones created after the backup may be left on the servers: {', '.join(types)} cannot list them.",
            "yellow",
        )
