# SPDX-License-Identifier: Apache-2.0
"""The table of all commands: a message over a broker holds one of these, identified by its tag."""

from __future__ import annotations

from typing import Any

from redesignate.commands import (
    access,
    audit,
    inbound,
    pools,
    quotas,
    rrsets,
    services,
    tokens,
    tsigkeys,
    upkeep,
    work,
    zones,
)
from redesignate.commands.base import Command

ALL: tuple[type[Command[Any]], ...] = (
    access.CheckAccess,
    zones.CreateZone,
    zones.GetZone,
    zones.ListZones,
    zones.UpdateZone,
    zones.DeleteZone,
    zones.ZoneNameservers,
    zones.ZonePeers,
    rrsets.CreateRRset,
    rrsets.GetRRset,
    rrsets.ListRRsets,
    rrsets.UpdateRRset,
    rrsets.DeleteRRset,
    quotas.GetQuotas,
    quotas.SetQuotas,
    quotas.ResetQuotas,
    quotas.GetLimits,
    pools.ListPools,
    pools.GetPool,
    pools.ApplyPool,
    pools.DeletePool,
    pools.QueuePoolZones,
    tsigkeys.ListTSIGKeys,
    tsigkeys.CreateTSIGKey,
    tsigkeys.DeleteTSIGKey,
    tokens.ListTokens,
    tokens.CreateToken,
    tokens.RevokeToken,
    tokens.FindToken,
    tokens.NoteTokenUse,
    services.ListServices,
    services.GetService,
    services.Heartbeat,
    services.CheckServices,
    services.HoldPartition,
    work.BeginWork,
    work.Report,
    work.PoolForWork,
    work.Overdue,
    work.PeerReturned,
    work.ReleaseWork,
    audit.ZonesAtRest,
    audit.ReportDifferences,
    audit.RestoreZones,
    inbound.TransferZone,
    inbound.DueInbound,
    inbound.BeginInbound,
    inbound.ReportInbound,
    inbound.NotifiedInbound,
    inbound.SweepInbound,
    inbound.ForgetCopies,
    upkeep.PurgeZones,
    upkeep.TrimJournal,
    upkeep.RefreshApexes,
    upkeep.ForgetQuestions,
    upkeep.FindUnplaced,
    upkeep.PlaceRRsets,
)

READS: frozenset[type[Command[Any]]] = frozenset(
    {
        access.CheckAccess,
        audit.ZonesAtRest,
        inbound.DueInbound,
        pools.GetPool,
        pools.ListPools,
        quotas.GetLimits,
        quotas.GetQuotas,
        rrsets.GetRRset,
        rrsets.ListRRsets,
        services.GetService,
        services.ListServices,
        tokens.FindToken,
        tokens.ListTokens,
        tsigkeys.ListTSIGKeys,
        upkeep.FindUnplaced,
        work.Overdue,
        work.PoolForWork,
        zones.GetZone,
        zones.ListZones,
        zones.ZoneNameservers,
        zones.ZonePeers,
    }
)
"""Commands that change nothing: they are answered from a snapshot, and may be repeated. All others commit."""

SECRET: frozenset[type[Command[Any]]] = frozenset({pools.ApplyPool, tsigkeys.CreateTSIGKey, tsigkeys.DeleteTSIGKey})
"""Commands whose answers hold secrets: their answers are not stored."""
