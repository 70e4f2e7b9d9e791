# SPDX-License-Identifier: Apache-2.0
"""Central's one door: which use-case answers which command, in what kind of transaction, and the hints it leaves.

The table is written out. A reading command runs in a snapshot, a writing one in a transaction that the store retries
when it loses a race; its hints are sent once it is committed. A hint that is lost costs seconds, never the change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redesignate.bus import port
from redesignate.bus.port import Command, Wake
from redesignate.central import arrival, inbound, keys, pools, quotas, rrsets, services, upkeep, views, work, zones
from redesignate.central.rules import Rules, check_switches
from redesignate.model.caller import Caller
from redesignate.store.unit import Store, Work

R = TypeVar("R")
Handler = Callable[[Rules, Work, Any], Any]

READS: dict[type[Command[Any]], Handler] = {
    port.GetZone: lambda r, w, c: zones.get_zone(r, w, c.caller, c.zone_id),
    port.ListZones: lambda r, w, c: zones.list_zones(r, w, c.caller, c.query),
    port.ZoneNameservers: lambda r, w, c: zones.nameservers(r, w, c.caller, c.zone_id),
    port.ZonePeers: lambda r, w, c: views.zone_peers(r, w, c.caller, c.zone_id),
    port.GetRRset: lambda r, w, c: rrsets.get_rrset(r, w, c.caller, c.zone_id, c.rrset_id),
    port.ListRRsets: lambda r, w, c: rrsets.list_rrsets(r, w, c.caller, c.zone_id, c.query),
    port.GetQuotas: lambda r, w, c: quotas.get_quotas(r, w, c.caller, c.project_id),
    port.GetLimits: lambda r, w, c: quotas.get_limits(r, w, c.caller),
    port.ListPools: lambda r, w, c: pools.list_pools(r, w, c.caller, c.query),
    port.GetPool: lambda r, w, c: pools.get_pool(r, w, c.caller, c.pool_id),
    port.ListTSIGKeys: lambda r, w, c: keys.list_keys(r, w, c.caller),
    port.ListServices: lambda r, w, c: services.list_services(r, w, c.caller, c.query),
    port.GetService: lambda r, w, c: services.get_service(r, w, c.caller, c.service_id),
    port.PoolForWork: lambda _r, w, c: work.pool_for_work(w, c.pool_id),
    port.Overdue: upkeep.overdue,
    port.DueInbound: lambda _r, w, c: w.inbound.due(w.now, c.limit),
}
"""Commands that change nothing."""

WRITES: dict[type[Command[Any]], Handler] = {
    port.CreateZone: lambda r, w, c: zones.create_zone(r, w, c.caller, c.new),
    port.UpdateZone: lambda r, w, c: zones.update_zone(r, w, c.caller, c.zone_id, c.change),
    port.DeleteZone: lambda r, w, c: zones.delete_zone(r, w, c.caller, c.zone_id),
    port.CreateRRset: lambda r, w, c: rrsets.create_rrset(r, w, c.caller, c.zone_id, c.new),
    port.UpdateRRset: lambda r, w, c: rrsets.update_rrset(
        r, w, c.caller, c.zone_id, rrset_id=c.rrset_id, change=c.change
    ),
    port.DeleteRRset: lambda r, w, c: rrsets.delete_rrset(r, w, c.caller, c.zone_id, c.rrset_id),
    port.SetQuotas: lambda r, w, c: quotas.set_quotas(r, w, c.caller, c.project_id, c.limits),
    port.ResetQuotas: lambda r, w, c: quotas.reset_quotas(r, w, c.caller, c.project_id),
    port.ApplyPool: lambda r, w, c: pools.apply_pool(r, w, c.caller, c.spec),
    port.DeletePool: lambda r, w, c: pools.delete_pool(r, w, c.caller, c.pool_id),
    port.CreateTSIGKey: lambda r, w, c: keys.create_key(r, w, c.caller, c),
    port.DeleteTSIGKey: lambda r, w, c: keys.delete_key(r, w, c.caller, c.key_id),
    port.Heartbeat: lambda _r, w, c: w.services.beat(c.service_name, c.hostname, c.status, w.now),
    port.CheckServices: lambda _r, w, c: services.check_services(w, c.silent_s, c.forget_s),
    port.BeginWork: lambda _r, w, c: work.begin_work(w, c.worker, c.zone_ids, c.lease_s),
    port.Report: lambda r, w, c: work.report(r, w, c.worker, c.outcomes, c.lease_s),
    port.PeerReturned: lambda _r, w, c: upkeep.peer_returned(w, c.pool_id, c.peer_id),
    port.ReleaseWork: lambda _r, w, _c: w.outbox.release() + w.inbound.release(),
    port.TransferZone: lambda r, w, c: inbound.transfer_zone(r, w, c.caller, c.zone_id),
    port.BeginInbound: lambda _r, w, c: inbound.begin(w, c.worker, c.zone_ids, c.lease_s),
    port.ReportInbound: inbound.report,
    port.NotifiedInbound: lambda _r, w, c: inbound.notified(w, c.zones),
    port.SweepInbound: lambda _r, w, c: inbound.sweep(w, c),
    port.PurgeZones: lambda _r, w, c: upkeep.purge_zones(w, c),
    port.TrimJournal: lambda _r, w, c: upkeep.trim_journal(w, c),
    port.RefreshApexes: lambda _r, w, c: upkeep.refresh_apexes(w, c.limit),
    port.HoldPartition: lambda _r, w, c: services.hold_partition(w, c.group, c.member, c.lease_s),
}
"""Commands that commit."""

BEFORE: dict[type[Command[Any]], Callable[[Rules, Store, Any], Any]] = {
    port.CreateRRset: quotas.weigh,
    port.UpdateRRset: quotas.weigh,
    port.ReportInbound: arrival.unpacked,
}
"""What is too much work for a transaction and needs none: done once, its answer handed to the command's handler."""


class CentralService:
    """Answers commands over one store. Safe for use from many threads."""

    def __init__(self, store: Store, rules: Rules, wake: Wake) -> None:
        self._store = store
        self._rules = rules
        self._wake = wake

    def dispatch(self, command: Command[R]) -> R:
        """The command's answer. Raises its Problem."""
        self._check(command)
        kind = type(command)
        answer: R
        if kind in READS:
            question = READS[kind]
            reading, answer = self._store.look(lambda unit: question(self._rules, unit, command))
            self._send(reading)
            return answer
        handler = WRITES[kind]
        given = self._prepared(command)
        answer = self._store.transact(lambda unit: handler(self._rules, unit, given), then=self._send)
        return answer

    def together(self, commands: Sequence[Command[Any]]) -> list[Any]:
        """Answers to writing commands in one transaction, each seeing what those before it did.

        Raises what the first to fail raises, and then none was carried out; Unavailable where that is not known.
        """
        for command in commands:
            self._check(command)
        todo = [(WRITES[type(command)], self._prepared(command)) for command in commands]

        def all_of_them(unit: Work) -> list[Any]:
            return [handler(self._rules, unit, given) for handler, given in todo]

        return self._store.transact(all_of_them, then=self._send)

    def _check(self, command: Command[Any]) -> None:
        caller: Caller | None = getattr(command, "caller", None)
        if caller is not None:
            check_switches(self._rules, caller)

    def _prepared(self, command: Command[Any]) -> Any:
        """What the command's handler gets: the command, or what was made of it before its transaction."""
        prepare = BEFORE.get(type(command))
        return command if prepare is None else prepare(self._rules, self._store, command)

    def _send(self, unit: Work) -> None:
        if unit.hints:
            self._wake.wake(tuple(dict.fromkeys(unit.hints)))
