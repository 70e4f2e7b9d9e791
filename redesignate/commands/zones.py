# SPDX-License-Identifier: Apache-2.0
"""Commands about zones."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand, Match
from redesignate.model.paging import ListQuery, Page
from redesignate.model.pool import NSRecord
from redesignate.model.work import PeerView
from redesignate.model.zone import NewZone, Zone, ZoneChange


class CreateZone(CallerCommand[Zone], tag="zone.create", frozen=True):
    new: NewZone


class GetZone(CallerCommand[Zone], tag="zone.get", frozen=True):
    zone_id: str


class ListZones(CallerCommand[Page[Zone]], tag="zone.list", frozen=True):
    query: ListQuery


class FindZone(CallerCommand[Page[Zone]], tag="zone.find", frozen=True):
    """Return the zone that holds a name: of those that the caller's list shows, the one with the longest name.

    None where there is none; several where pools have zones of one name.
    """

    name: str


class UpdateZone(CallerCommand[Zone], tag="zone.update", frozen=True):
    zone_id: str
    change: ZoneChange
    if_match: Match = None


class DeleteZone(CallerCommand[Zone], tag="zone.delete", frozen=True):
    zone_id: str
    if_match: Match = None


class ZoneNameservers(CallerCommand[tuple[NSRecord, ...]], tag="zone.nameservers", frozen=True):
    """Return the NS records of the zone's pool, best first."""

    zone_id: str


class ZonePeers(CallerCommand[tuple[PeerView, ...]], tag="zone.peers", frozen=True):
    """Return which servers have the zone, and why the others do not."""

    zone_id: str
