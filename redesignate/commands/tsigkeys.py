# SPDX-License-Identifier: Apache-2.0
"""Commands about TSIG keys."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand
from redesignate.model.tsigkey import Scope, TSIGKey


class ListTSIGKeys(CallerCommand[tuple[TSIGKey, ...]], tag="tsigkey.list", frozen=True):
    pass


class CreateTSIGKey(CallerCommand[TSIGKey], tag="tsigkey.create", frozen=True):
    name: str
    algorithm: str
    secret: str
    scope: Scope
    resource_id: str


class DeleteTSIGKey(CallerCommand[None], tag="tsigkey.delete", frozen=True):
    key_id: str
