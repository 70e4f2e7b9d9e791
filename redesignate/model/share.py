# SPDX-License-Identifier: Apache-2.0
"""A share: what lets another project see a zone and have record sets of its own in it."""

from __future__ import annotations

import msgspec


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A zone that is shared with a project. `project_id`: the zone's owner. Times in microseconds since 1970."""

    id: str
    zone_id: str
    project_id: str | None
    target_project_id: str
    created_at: int
    updated_at: int | None = None


class NewShare(msgspec.Struct, frozen=True, kw_only=True):
    """A share as requested."""

    target_project_id: str
