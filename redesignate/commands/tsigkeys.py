# SPDX-License-Identifier: Apache-2.0
"""Commands about TSIG keys."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand
from redesignate.model.paging import ListQuery, Page
from redesignate.model.tsigkey import NewTSIGKey, TSIGKey, TSIGKeyChange


class ListTSIGKeys(CallerCommand[Page[TSIGKey]], tag="tsigkey.list", frozen=True):
    query: ListQuery


class GetTSIGKey(CallerCommand[TSIGKey], tag="tsigkey.get", frozen=True):
    key_id: str


class CreateTSIGKey(CallerCommand[TSIGKey], tag="tsigkey.create", frozen=True):
    new: NewTSIGKey


class UpdateTSIGKey(CallerCommand[TSIGKey], tag="tsigkey.update", frozen=True):
    key_id: str
    change: TSIGKeyChange


class DeleteTSIGKey(CallerCommand[None], tag="tsigkey.delete", frozen=True):
    key_id: str
