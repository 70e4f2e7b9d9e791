# SPDX-License-Identifier: Apache-2.0
"""Commands about zone files that are imported."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import CallerCommand
from redesignate.model.paging import ListQuery, Page
from redesignate.model.zonetask import ZoneImport

PART = 1 << 20
"""Octets of a file that one command carries at most, before they are compressed."""


class CreateImport(CallerCommand[ZoneImport], tag="import.create", frozen=True):
    """Begin an import with the first part of the file, compressed (zlib). `last`: it is the only one."""

    data: bytes
    last: bool
    attributes: dict[str, str] = msgspec.field(default_factory=dict)


class AddImportPart(CallerCommand[ZoneImport], tag="import.part", frozen=True):
    """Add the part with this number, from 1, to an import that has not received its last. Idempotent."""

    import_id: str
    number: int
    data: bytes
    last: bool


class GetImport(CallerCommand[ZoneImport], tag="import.get", frozen=True):
    import_id: str


class ListImports(CallerCommand[Page[ZoneImport]], tag="import.list", frozen=True):
    query: ListQuery


class DeleteImport(CallerCommand[None], tag="import.delete", frozen=True):
    """Remove an import; what it does goes on."""

    import_id: str
