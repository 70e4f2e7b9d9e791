# SPDX-License-Identifier: Apache-2.0
"""Chooses the kind of group that the operator configured."""

from __future__ import annotations

from redesignate.config.settings import CoordinationSettings
from redesignate.coord.leases import Hold, LeaseGroup
from redesignate.coord.port import Group


def choose_group(settings: CoordinationSettings, hold: Hold, *, group: str, member: str) -> Group:
    """A tooz group if there is a `backend_url`, with leases as the fallback; otherwise leases only.

    member   unique, across restarts too: "<host>:<uuid>"
    """
    leases = LeaseGroup(hold, group=group, member=member)
    if settings.backend_url is None:
        return leases
    from redesignate.coord.toozgroup import Fallback, ToozGroup

    return Fallback(ToozGroup(settings.backend_url, group=group, member=member), leases)
