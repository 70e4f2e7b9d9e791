# SPDX-License-Identifier: Apache-2.0
"""Commands about RRsets."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand, Match
from redesignate.model.paging import ListQuery, Page
from redesignate.model.rrset import NewRRset, RRset, RRsetChange


class CreateRRset(CallerCommand[RRset], tag="rrset.create", frozen=True):
    zone_id: str
    new: NewRRset


class GetRRset(CallerCommand[RRset], tag="rrset.get", frozen=True):
    """Return an RRset; `zone_id` None finds it in whichever zone it is (for the redirect of /v2/recordsets/{id})."""

    zone_id: str | None
    rrset_id: str


class ListRRsets(CallerCommand[Page[RRset]], tag="rrset.list", frozen=True):
    """List a zone's RRsets; where `zone_id` is None, all that the caller's project created, over every zone."""

    zone_id: str | None
    query: ListQuery


class UpdateRRset(CallerCommand[RRset], tag="rrset.update", frozen=True):
    zone_id: str
    rrset_id: str
    change: RRsetChange
    if_match: Match = None


class UpsertRRset(CallerCommand[RRset], tag="rrset.upsert", frozen=True):
    """Change the RRset of a name and type, or create it where the zone has none; a new one is at version 1.

    if_absent   only create it
    """

    zone_id: str
    name: str
    type: str
    change: RRsetChange
    if_match: Match = None
    if_absent: bool = False


class DeleteRRset(CallerCommand[RRset], tag="rrset.delete", frozen=True):
    zone_id: str
    rrset_id: str
    if_match: Match = None
