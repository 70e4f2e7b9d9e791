# SPDX-License-Identifier: Apache-2.0
"""Commands about the blacklist of zone names."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand
from redesignate.model.blacklist import Blacklist, BlacklistChange, NewBlacklist
from redesignate.model.paging import ListQuery, Page


class ListBlacklists(CallerCommand[Page[Blacklist]], tag="blacklist.list", frozen=True):
    query: ListQuery


class GetBlacklist(CallerCommand[Blacklist], tag="blacklist.get", frozen=True):
    blacklist_id: str


class CreateBlacklist(CallerCommand[Blacklist], tag="blacklist.create", frozen=True):
    new: NewBlacklist


class UpdateBlacklist(CallerCommand[Blacklist], tag="blacklist.update", frozen=True):
    blacklist_id: str
    change: BlacklistChange


class DeleteBlacklist(CallerCommand[None], tag="blacklist.delete", frozen=True):
    blacklist_id: str
