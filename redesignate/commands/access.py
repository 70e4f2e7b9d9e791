# SPDX-License-Identifier: Apache-2.0
"""The command that checks a caller's rights, and that the path exists, before a fault of a request's body is shown."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand


class CheckAccess(CallerCommand[None], tag="access.check", frozen=True):
    """Check whether the caller may do what a policy rule names to the zone, RRset, project or other
    resource that the path names.

    Raises what the operation itself would raise before it reads its body.
    """

    rule: str
    zone_id: str | None = None
    rrset_id: str | None = None
    project_id: str | None = None
    resource_id: str | None = None
