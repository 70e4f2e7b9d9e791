# SPDX-License-Identifier: Apache-2.0
"""Pools: the stored pool is made as the operator's file or the API says, and the zones that depend on it follow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from msgspec import UNSET
from sqlalchemy.exc import IntegrityError

from redesignate.central import catalogs, poolchanges
from redesignate.central.rules import Answers, Rules, fields
from redesignate.commands.pools import ApplyPool, CreatePool, DeletePool, GetPool, ListPools, UpdatePool
from redesignate.model.caller import Caller
from redesignate.model.clock import new_id
from redesignate.model.errors import (
    DuplicateNSRecord,
    DuplicatePool,
    InvalidObject,
    InvalidOperation,
    LastServerKept,
    PoolNotFound,
)
from redesignate.model.paging import Page
from redesignate.model.pool import Catalog, Endpoint, Nameserver, NSRecord, Pool, PoolSpec, Target, TargetSpec
from redesignate.model.work import Role
from redesignate.store.moves import Moves
from redesignate.store.poolchanges import FIRST, PoolChanges
from redesignate.store.poolguard import PoolGuard
from redesignate.store.unit import Work

ADDRESSING = ("host", "port", "rndc_host", "rndc_port", "view", "api_endpoint")
"""Options that identify a target's server; while they stay the same, the target keeps its id and its state."""

MOST_NS_RECORDS = 60
"""Of one pool that the API writes: every zone's apex holds all of them, and an answer must."""


def list_pools(rules: Rules, work: Work, command: ListPools) -> Page[Pool]:
    """Return a page of pools. Raises Forbidden, MarkerNotFound."""
    rules.policy.may("find_pools", command.caller, {})
    return work.pools.listed(command.query)


def get_pool(rules: Rules, work: Work, command: GetPool) -> Pool:
    """Return one pool. Raises Forbidden, PoolNotFound."""
    rules.policy.may("get_pool", command.caller, {})
    pool = work.pools.get(command.pool_id)
    if pool is None:
        raise PoolNotFound("Could not find Pool")
    return pool


def apply_pool(rules: Rules, work: Work, command: ApplyPool) -> Pool:
    """Make the stored pool, found by id or else by name, as the spec says; create it where none exists. Idempotent.

    Peers that stay keep their ids and states. Where peers changed, every zone of the pool is queued, batch by batch
    (`poolchanges`); where NS records changed, every zone's apex is out of date and `refresh_apexes` updates it step by
    step.
    Raises Forbidden, InvalidObject, LastServerKept, DuplicatePool.
    """
    caller, spec = command.caller, command.spec
    stored = work.pools.get(spec.id, lock=True) if spec.id else None
    if stored is None:
        found = work.pools.named(spec.name)
        stored = work.pools.get(found.id, lock=True) if found and spec.id in (None, found.id) else None
        if found is not None and stored is None:
            raise DuplicatePool(f"Pool {spec.name} exists with the id {found.id}, not {spec.id}")
    rules.policy.may("update_pool" if stored else "create_pool", caller, {})
    _check(spec)
    if stored is None:
        return _create(work, spec)
    return _write(work, stored, _merged(stored, spec), command.limit)


def create_pool(rules: Rules, work: Work, command: CreatePool) -> Pool:
    """Add a pool without servers. Raises Forbidden, InvalidObject, DuplicateNSRecord, DuplicatePool."""
    caller, new = command.caller, command.new
    rules.policy.may("create_pool", caller, {})
    project_id = caller.project_id if new.project_id is None else fields.project_id(new.project_id)
    _check_ns_records(new.ns_records)
    spec = PoolSpec(name=new.name, description=new.description, attributes=new.attributes, ns_records=new.ns_records)
    _check(spec)
    return _create(work, spec, project_id)


def update_pool(rules: Rules, work: Work, command: UpdatePool) -> Pool:
    """Change what the API shows of a pool. Changed NS records reach the apex of every zone of it step by step
    (`refresh_apexes`), which goes on by itself after a restart; `pool_reach` says how far that is.

    Raises Forbidden, PoolNotFound, InvalidObject, DuplicateNSRecord, LastServerKept, DuplicatePool.
    Cost   four statements, whatever the number of zones
    """
    stored, change = changeable(rules, work, command.caller, command.pool_id, lock=True), command.change
    if change.same_project_id is not UNSET and change.same_project_id != stored.project_id:
        raise InvalidObject("Provided object does not match schema. Keys ['project_id'] are not valid for pool")
    if change.ns_records is not UNSET:
        _check_ns_records(change.ns_records)
    spec = PoolSpec(
        name=stored.name if change.name is UNSET else change.name,
        description=None if change.description is UNSET else change.description,
        attributes=None if change.attributes is UNSET else change.attributes,
        ns_records=None if change.ns_records is UNSET else change.ns_records,
    )
    _check(spec)
    after = _merged(stored, spec)
    return _write(work, stored, replace(after, description=None) if change.description is None else after, 0)


def changeable(rules: Rules, work: Work, caller: Caller, pool_id: str, *, lock: bool = False) -> Pool:
    """Return the pool that the caller may change. Raises Forbidden, PoolNotFound."""
    rules.policy.may("update_pool", caller, {})
    pool = work.pools.get(pool_id, lock=lock)
    if pool is None:
        raise PoolNotFound("Could not find Pool")
    return pool


def _check_ns_records(records: Collection[NSRecord]) -> None:
    if len(records) > MOST_NS_RECORDS:
        raise InvalidObject(f"ns_records: {len(records)} are too many; a pool has at most {MOST_NS_RECORDS}")
    seen = set()
    for record in records:
        name = fields.zone_name(record.hostname)
        if name in seen:
            raise DuplicateNSRecord(f"ns_records: {name} is listed twice")
        seen.add(name)


def _write(work: Work, stored: Pool, after: Pool, limit: int) -> Pool:
    """Write a pool over the stored one, and begin what follows from the difference; `limit`: zones that are queued at
    once. Raises LastServerKept, DuplicatePool."""
    if stored.ns_records and not after.ns_records:
        raise LastServerKept("Not allowed to delete last of servers")
    if after == stored:
        return stored
    other = work.pools.named(after.name)
    if other is not None and other.id != stored.id:
        raise DuplicatePool(f"Pool {after.name} exists already")
    after = replace(after, version=stored.version + 1, updated_at=work.now)
    try:
        work.pools.change(after, apex=set(after.ns_records) != set(stored.ns_records))
    except IntegrityError as error:  # a pool of this name was made meanwhile
        raise DuplicatePool(f"Pool {after.name} exists already") from error
    catalogs.keep(work, after)
    if (after.targets, after.nameservers, after.catalog) != (stored.targets, stored.nameservers, stored.catalog):
        poolchanges.begin(work, after, _forgotten(stored, after), limit)
    if after.catalog is not None and (stored.catalog is None or stored.catalog.name != after.catalog.name):
        PoolGuard(work.conn).excluding()  # a zone that is created meanwhile does not know of the catalog
    return after


def _create(work: Work, spec: PoolSpec, project_id: str | None = None) -> Pool:
    empty = Pool(id=spec.id or new_id(), name=spec.name, version=1, created_at=work.now, project_id=project_id)
    pool = _merged(empty, spec)
    try:
        work.pools.add(pool)
    except IntegrityError as error:
        raise DuplicatePool(f"Pool {pool.name} exists already") from error
    catalogs.keep(work, pool)
    catalog = catalogs.unfinished(work, pool.id)
    if catalog is not None:
        catalogs.fill(work, catalog, FIRST, None)
    return pool


def _check(spec: PoolSpec) -> None:
    if not 1 <= len(spec.name) <= 50:
        raise fields.refused(ValueError("A pool's name has 1 to 50 characters"))
    fields.description(spec.description)
    fields.attributes(spec.attributes or {})
    for record in spec.ns_records or ():
        fields.zone_name(record.hostname)
        if not 1 <= record.priority <= 10000:
            raise InvalidObject(f"ns_records: priority {record.priority} is not between 1 and 10000")
    _check_servers(spec)
    if spec.catalog is not None and spec.catalog.name:
        fields.zone_name(spec.catalog.name)


def _check_servers(spec: PoolSpec) -> None:
    seen = set()
    for given in spec.nameservers or ():
        host, port = given.get("host"), given.get("port") or 53
        if not host or not isinstance(host, str) or not isinstance(port, int) or not 1 <= port <= 65535:
            raise InvalidObject(f"nameservers: {host}, port {port}, is not a host with a port between 1 and 65535")
        if (host, port) in seen:
            raise InvalidObject(f"nameservers: {host}, port {port}, is listed twice")
        seen.add((host, port))
    primaries = [at for target in spec.targets or () for at in target.primaries]
    for host, port in (*primaries, *(spec.also_notifies or ())):
        if not host or not 1 <= port <= 65535:
            raise InvalidObject(f"targets, also_notifies: {host}, port {port}, is not a host with a port of 1 to 65535")


def _merged(stored: Pool, spec: PoolSpec) -> Pool:
    """The stored pool with the spec's values; absent parts stay as they are. A catalog without a name removes it."""
    after = replace(stored, name=spec.name)
    if spec.description is not None:
        after = replace(after, description=spec.description)
    if spec.attributes is not None:
        after = replace(after, attributes=dict(spec.attributes))
    if spec.ns_records is not None:
        named = {fields.zone_name(record.hostname): record.priority for record in spec.ns_records}
        after = replace(after, ns_records=tuple(NSRecord(name, priority) for name, priority in named.items()))
    if spec.nameservers is not None:
        known = {(server.host, server.port): server.id for server in stored.nameservers}
        after = replace(after, nameservers=tuple(_nameserver(given, known) for given in spec.nameservers))
    if spec.targets is not None:
        kept: dict[tuple[object, ...], list[str]] = {}
        for target in stored.targets:
            kept.setdefault(_key(target.type, dict(target.options)), []).append(target.id)
        after = replace(after, targets=tuple(_target(given, kept) for given in spec.targets))
    if spec.also_notifies is not None:
        after = replace(after, also_notifies=tuple(Endpoint(host, port) for host, port in spec.also_notifies))
    if spec.catalog is not None and not spec.catalog.name:
        after = replace(after, catalog=None)
    elif spec.catalog is not None:
        given = spec.catalog
        name = fields.zone_name(given.name)
        catalog = Catalog(name=name, refresh=given.refresh, algorithm=given.algorithm, secret=given.secret)
        after = replace(after, catalog=catalog)
    return after


def _nameserver(given: dict[str, str | int | None], known: dict[tuple[str, int], str]) -> Nameserver:
    host, port = str(given["host"]), int(given.get("port") or 53)
    key = given.get("tsigkey_id")
    return Nameserver(
        id=known.get((host, port)) or new_id(), host=host, port=port, tsigkey_id=str(key) if key else None
    )


def _key(kind: str, options: dict[str, str]) -> tuple[object, ...]:
    return (kind, *(options.get(name) for name in ADDRESSING))


def _target(given: TargetSpec, kept: dict[tuple[object, ...], list[str]]) -> Target:
    """The target of a spec; of several with the same address, each takes the next of the stored ids."""
    known = kept.get(_key(given.type, given.options))
    return Target(
        id=known.pop(0) if known else new_id(),
        type=given.type,
        options=dict(given.options),
        primaries=tuple(Endpoint(host, port) for host, port in given.primaries),
        description=given.description,
        tsigkey_id=given.tsigkey_id,
    )


def _forgotten(before: Pool, after: Pool) -> set[str]:
    """The peers whose states do not hold any more: removed ones, and targets on which every zone must be configured
    again, since their primaries changed or they had the zones from a catalog that is removed."""
    left = set(before.peers - after.peers)
    kept = {target.id: target for target in before.targets}
    uncatalogued = before.catalog is not None and after.catalog is None
    return left | {t.id for t in after.targets if uncatalogued or (t.id in kept and kept[t.id] != t)}


def delete_pool(rules: Rules, work: Work, command: DeletePool) -> None:
    """Delete a pool without zones; its catalog zone goes with it. Raises Forbidden, PoolNotFound, InvalidOperation."""
    pool_id = command.pool_id
    rules.policy.may("delete_pool", command.caller, {})
    pool = work.pools.get(pool_id, lock=True)
    if pool is None:
        raise PoolNotFound("Could not find Pool")
    PoolGuard(work.conn).excluding()
    if work.zones.in_pool(pool_id):
        raise InvalidOperation("pool must not contain zones")
    if Moves(work.conn).leaves(pool_id):  # after the zones: one that leaves meanwhile is seen here
        raise InvalidOperation("zones are still leaving the pool; wait until its servers have dropped them")
    catalogs.keep(work, replace(pool, catalog=None))
    work.peers.forget_peers(pool.peers)
    PoolChanges(work.conn).forget(pool_id)
    work.pools.remove(pool_id)


def common(one: Pool, other: Pool) -> str | None:
    """Return the address of a server that both pools have, as a target or a nameserver; None where they have none."""
    servers = {(server.host, server.port) for server in one.nameservers}
    targets = {_key(target.type, dict(target.options)) for target in one.targets}
    for server in other.nameservers:
        if (server.host, server.port) in servers:
            return str(Endpoint(server.host, server.port))
    return next(
        (roles(other)[target.id][1] for target in other.targets if _key(target.type, dict(target.options)) in targets),
        None,
    )


def roles(pool: Pool) -> dict[str, tuple[Role, str]]:
    """Return each peer's role and address, by id."""
    found = {
        target.id: (
            Role.TARGET,
            f"{target.type} {target.options.get('host', '127.0.0.1')}:{target.options.get('port', '53')}",
        )
        for target in pool.targets
    }
    return found | {
        server.id: (Role.NAMESERVER, str(Endpoint(server.host, server.port))) for server in pool.nameservers
    }


ANSWERS: Answers = {
    ListPools: list_pools,
    GetPool: get_pool,
    CreatePool: create_pool,
    UpdatePool: update_pool,
    ApplyPool: apply_pool,
    DeletePool: delete_pool,
}
