# SPDX-License-Identifier: Apache-2.0
"""Commands about transfers of zones between projects."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import CallerCommand, Command
from redesignate.model.paging import ListQuery, Page
from redesignate.model.transfer import (
    NewTransferAccept,
    NewTransferRequest,
    TransferAccept,
    TransferRequest,
    TransferRequestChange,
)


class ListTransferRequests(CallerCommand[Page[TransferRequest]], tag="transfer.list", frozen=True):
    query: ListQuery


class GetTransferRequest(CallerCommand[TransferRequest], tag="transfer.get", frozen=True):
    request_id: str


class CreateTransferRequest(CallerCommand[TransferRequest], tag="transfer.create", frozen=True):
    zone_id: str
    new: NewTransferRequest


class UpdateTransferRequest(CallerCommand[TransferRequest], tag="transfer.update", frozen=True):
    request_id: str
    change: TransferRequestChange


class DeleteTransferRequest(CallerCommand[None], tag="transfer.delete", frozen=True):
    request_id: str


class ListTransferAccepts(CallerCommand[Page[TransferAccept]], tag="transfer.accepts", frozen=True):
    query: ListQuery


class GetTransferAccept(CallerCommand[TransferAccept], tag="transfer.accepted", frozen=True):
    accept_id: str


class AcceptTransfer(CallerCommand[TransferAccept], tag="transfer.accept", frozen=True):
    """Take over the zone of a request. A wrong key is counted, and after some of them the project has no more tries."""

    new: NewTransferAccept


class HandedOver(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a step: how many RRsets were looked at, whether zones are left, and the zone behind which the next
    step looks first."""

    rrsets: int
    more: bool
    after: str = ""


class HandOverRRsets(Command[HandedOver], tag="transfer.step", frozen=True):
    """Write the next `limit` RRsets of a transferred zone over to its owner: of the next one behind the zone `after`,
    so that each has its turn, also beside one that changes hands again and again. Idempotent."""

    limit: int
    after: str = ""
