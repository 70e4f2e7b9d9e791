# SPDX-License-Identifier: Apache-2.0
"""Who shares a piece of work, by lease: membership for set-ups without a tooz coordinator."""

from __future__ import annotations

from sqlalchemy import Connection, select

from redesignate.store.schema import members


class Members:
    """Group membership of one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def hold(self, group: str, member: str, now: int, until: int) -> tuple[str, ...]:
        """Renew a member's lease, drop those that ran out; who is left, sorted. Three or four statements."""
        mine = (members.c.group_name == group, members.c.member == member)
        self._conn.execute(members.delete().where(members.c.group_name == group, members.c.lease_until < now))
        if self._conn.execute(members.update().where(*mine).values(lease_until=until)).rowcount == 0:
            row = {"group_name": group, "member": member, "lease_until": until}
            self._conn.execute(members.insert().values(row))
        query = select(members.c.member).where(members.c.group_name == group).order_by(members.c.member)
        return tuple(self._conn.execute(query).scalars())
