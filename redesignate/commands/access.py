# SPDX-License-Identifier: Apache-2.0
"""What central is asked before a fault of a request's body is shown: rights and existence come first."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand


class CheckAccess(CallerCommand[None], tag="access.check", frozen=True):
    """Whether the caller may do what a policy rule names to the zone, RRset or project that the path names.

    Raises what the deed itself would raise before it looked at its body.
    """

    rule: str
    zone_id: str | None = None
    rrset_id: str | None = None
    project_id: str | None = None
