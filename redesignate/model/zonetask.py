# SPDX-License-Identifier: Apache-2.0
"""Tasks on whole zones: a zone file that is imported, and one that is exported."""

from __future__ import annotations

from enum import Enum

import msgspec

from redesignate.model.caller import Caller


class TaskStatus(Enum):
    """How far a task is; v2 publishes ACTIVE and DELETED too, which no task has here."""

    PENDING = "PENDING"
    COMPLETE = "COMPLETE"
    ERROR = "ERROR"


class ZoneExport(msgspec.Struct, frozen=True, kw_only=True):
    """The right to download a zone as a zone file, as it is at the time of the download.

    location  where it is, in v2's words; None while PENDING
    """

    id: str
    project_id: str | None
    zone_id: str
    status: TaskStatus
    created_at: int
    message: str | None = None
    location: str | None = None
    version: int = 1
    updated_at: int | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the next part of a zone file begins.

    revision  the zone's, of which the whole file is
    began     when the first part was read (µs)
    name type   of the last RRset that was read
    """

    revision: int
    began: int
    name: str
    type: str


class ZoneFilePart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a zone file, of some 64 KiB. `after`: None where it is the last."""

    text: str
    after: Place | None


class ZoneImport(msgspec.Struct, frozen=True, kw_only=True):
    """A zone file that becomes a zone.

    zone_id  once it has
    message  how far it is; then that it is imported, or why it is not
    """

    id: str
    project_id: str | None
    status: TaskStatus
    created_at: int
    message: str | None = None
    zone_id: str | None = None
    version: int = 1
    updated_at: int | None = None


class ImportTask(msgspec.Struct, frozen=True, kw_only=True):
    """An import as it is worked on.

    parts       of the file; None: not all were received
    attributes  of the zone
    target_id   the id that the zone will have, and under which its RRsets are stored before
    stored      how many of them are, in their order
    attempts    this one too; since the last that made progress
    """

    id: str
    project_id: str | None
    status: TaskStatus
    caller: Caller
    attributes: dict[str, str]
    parts: int | None
    target_id: str
    stored: int
    hidden: bool
    attempts: int
