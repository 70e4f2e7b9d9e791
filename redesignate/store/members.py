# SPDX-License-Identifier: Apache-2.0
"""The members that share a piece of work, by lease: for installations without a tooz coordinator."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError

from redesignate.store.fast import Module
from redesignate.store.leasetime import NOW
from redesignate.store.settings_schema import members
from redesignate.store.zones import Stale


class Members(Module):
    """Group membership of one transaction."""

    def hold(self, group: str, member: str, now: int, until: int) -> tuple[str, ...]:
        """Renew a member's lease for the time from `now` to `until`, drop expired ones; the others, sorted.

        Three or four statements. Raises Stale.
        """
        mine = (members.c.group_name == group, members.c.member == member)
        # no lease ends so late: a later one was written by a clock that has been set back
        length, at = until - now, {"now": now}
        over = or_(members.c.lease_until < NOW, members.c.lease_until > NOW + 10 * length)
        self._conn.execute(members.delete().where(members.c.group_name == group, over), at)
        if self._conn.execute(members.update().where(*mine).values(lease_until=NOW + length), at).rowcount == 0:
            row = {"group_name": group, "member": member, "lease_until": NOW + length}
            try:
                self._conn.execute(members.insert().values(row), at)
            except IntegrityError as error:
                raise Stale from error
        query = select(members.c.member).where(members.c.group_name == group).order_by(members.c.member)
        return tuple(self._conn.execute(query).scalars())
