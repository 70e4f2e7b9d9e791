# SPDX-License-Identifier: Apache-2.0
"""A group kept by a coordination service, through whichever tooz driver `[coordination] backend_url` names.

While the service is down the group falls back on database leases: members that can reach it and members that cannot
may overlap, which is harmless, and every shard keeps a member.
"""

from __future__ import annotations

import contextlib
import warnings
from typing import Any
from urllib.parse import urlsplit

from redesignate.coord.port import Group, Place
from redesignate.model.errors import Misconfigured, Unavailable
from redesignate.observe.log import events

with warnings.catch_warnings():
    # The library still imports eventlet where it is installed. This module does not use it, and nothing is patched.
    warnings.simplefilter("ignore")
    from tooz import NotImplemented as ToozNotImplemented
    from tooz import coordination

log = events(__name__)
ANSWER_S = 10.0
MEMBERSHIP_S = 12
"""Seconds that a silent member counts if the driver sets no limit: shards have a new owner within 15 seconds."""


class ToozGroup:
    """Membership in one tooz group. A lost connection is replaced by the next `refresh`."""

    def __init__(self, url: str, *, group: str, member: str) -> None:
        """Raises Misconfigured if tooz has no such driver."""
        self._url = url
        self._group = group.encode()
        self._member = member.encode()
        self._service: Any = None
        self._service_at(url)

    def refresh(self) -> Place:
        """List the live members; a thread of tooz sends our own heartbeat.

        Raises Unavailable if the service is down, Misconfigured if the driver has no groups.
        """
        try:
            if self._service is None:
                self._join()
            members = sorted(self._service.get_members(self._group).get(timeout=ANSWER_S))
            if self._member not in members:  # we were silent for too long, or the service was restarted
                raise coordination.MemberNotJoined(self._group, self._member)
        except ToozNotImplemented as error:
            raise Misconfigured("[coordination] backend_url: this driver has no groups; name one that has") from error
        except coordination.ToozError as error:
            self.leave()
            raise Unavailable(f"The coordination service cannot be reached: {error}") from error
        return Place(members.index(self._member), len(members))

    def leave(self) -> None:
        """Leave the group and disconnect; if that fails, the others drop us when our heartbeat ends."""
        service, self._service = self._service, None
        if service is None:
            return
        for farewell in (lambda: service.leave_group(self._group).get(timeout=ANSWER_S), service.stop):
            with contextlib.suppress(coordination.ToozError):
                farewell()

    def _join(self) -> None:
        self._service = self._service_at(self._url)
        self._service.start(start_heart=True)
        with contextlib.suppress(coordination.GroupAlreadyExist):
            self._service.create_group(self._group).get(timeout=ANSWER_S)
        with contextlib.suppress(coordination.MemberAlreadyExist):
            self._service.join_group(self._group).get(timeout=ANSWER_S)

    def _service_at(self, url: str) -> Any:
        scheme = urlsplit(url).scheme
        more: dict[str, Any] = {} if "membership_timeout" in url else {"membership_timeout": MEMBERSHIP_S}
        try:
            return coordination.get_coordinator(url, self._member, **more)
        except (RuntimeError, ImportError) as error:  # stevedore found no such driver, or its client library is missing
            raise Misconfigured(f"[coordination] backend_url: no driver for {scheme}: {error}") from error


class Fallback:
    """The first group while it can be reached, else the second."""

    def __init__(self, first: Group, second: Group) -> None:
        self._first = first
        self._second = second
        self._on_second = False

    def refresh(self) -> Place:
        """Our place in the group that can be reached. Raises Unavailable if neither can."""
        try:
            place = self._first.refresh()
        except Unavailable as away:
            if not self._on_second:
                log.warning("coordination service is down; sharing the work by database leases", why=away.message)
            self._on_second = True
            return self._second.refresh()
        if self._on_second:
            log.info("coordination service is available again")
            self._second.leave()
            self._on_second = False
        return place

    def leave(self) -> None:
        """Leave both."""
        self._first.leave()
        self._second.leave()
