# SPDX-License-Identifier: Apache-2.0
"""Which kind of group the operator asked for."""

from __future__ import annotations

from redesignate.config.settings import CoordinationSettings
from redesignate.coord.leases import Hold, LeaseGroup
from redesignate.coord.port import Group


def choose_group(settings: CoordinationSettings, hold: Hold, *, group: str, member: str) -> Group:
    """A tooz group where there is a `backend_url`, with leases to fall back on; leases alone where there is none.

    member   unlike any other's, over restarts too: "<host>:<uuid>"
    """
    leases = LeaseGroup(hold, group=group, member=member)
    if settings.backend_url is None:
        return leases
    from redesignate.coord.toozgroup import Fallback, ToozGroup

    return Fallback(ToozGroup(settings.backend_url, group=group, member=member), leases)
