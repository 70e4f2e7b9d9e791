# SPDX-License-Identifier: Apache-2.0
"""Commands about shares of zones."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand
from redesignate.model.paging import ListQuery, Page
from redesignate.model.share import NewShare, Share


class ListShares(CallerCommand[Page[Share]], tag="share.list", frozen=True):
    zone_id: str
    query: ListQuery


class GetShare(CallerCommand[Share], tag="share.get", frozen=True):
    zone_id: str
    share_id: str


class CreateShare(CallerCommand[Share], tag="share.create", frozen=True):
    zone_id: str
    new: NewShare


class DeleteShare(CallerCommand[None], tag="share.delete", frozen=True):
    zone_id: str
    share_id: str
