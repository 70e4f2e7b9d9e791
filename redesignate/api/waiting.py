# SPDX-License-Identifier: Apache-2.0
"""`wait=served` and `wait=active`: what a request waits for, and whether it is so.

A method that is marked `waits` (`answers.py`) calls `wait_for` once it has written its answer, where the request has a
`Wait` (`WANTED`). Where what it waits for is not so yet, that leaves in the WSGI environment what it is (`WAITING`),
and `door.py` makes a `Parked` (`parked.py`) of the answer. No thread waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import falcon
import msgspec

from redesignate.api.request import ENCODER, PROJECT, TIMEOUT, WAIT, Request
from redesignate.commands.reach import ZoneReach
from redesignate.model.errors import BadInput, Problem
from redesignate.model.zone import Action, Status
from redesignate.model.zonetask import TaskStatus
from redesignate.threads.deadline import Deadline

DEFAULT_S, LONGEST_S = 30, 300
HEADER = "X-Redesignate-Wait"
WAITS = "redesignate.waits"
"""Key of the WSGI environment: the `Room` of a server that lets requests wait without a thread."""
WANTED = "redesignate.wait"
"""Likewise: the request's `Wait`, once it is read."""
WAITING = "redesignate.waiting"
"""Likewise: what the answer waits for, a `Subject`."""
ASKED_AGAIN = "redesignate.asked_again"
"""Likewise: the `End` of the wait of a GET that is carried out again."""


class Until(Enum):
    """What a request waits for.

    ACTIVE   so many of the pool's nameservers serve it as make its status ACTIVE
    SERVED   all of them do
    """

    ACTIVE = "active"
    SERVED = "served"


@dataclass(frozen=True, slots=True)
class Wait:
    """What a request waits for, and until when at most."""

    until: Until
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class End:
    """How a wait has ended, in the header's word, and what was last known of the zone."""

    word: str
    reach: ZoneReach | None


@dataclass(frozen=True, slots=True)
class Subject:
    """What an answer waits for: that nameservers serve this revision of a zone.

    gone       they are to drop the zone instead
    import_id  an import that is to become the zone, which is not known yet
    finish     makes the answer's status and content once the wait has ended; None: the request is carried out again
    """

    zone_id: str
    revision: int
    gone: bool = False
    import_id: str | None = None
    finish: Callable[[End], tuple[int, bytes]] | None = None


class Room(Protocol):
    """Says whether one more request may wait."""

    def __call__(self, project_id: str | None) -> bool: ...


def reader(takes: Iterable[tuple[str, str]]) -> Callable[[Request], None]:
    """What reads a request's wait. `takes`: the templates of paths and the verbs that may wait."""
    known = frozenset(takes)

    def read(req: Request) -> None:
        """Read it, the first time that the request is carried out. Raises BadInput."""
        if (req.uri_template, req.method) not in known:
            raise BadInput(f"{WAIT}= is for writes and GETs of single zones, recordsets and imports")
        until, seconds = req.params.get(WAIT), req.params.get(TIMEOUT, str(DEFAULT_S))
        words = [one.value for one in Until]
        if until not in words:
            raise BadInput(f"{WAIT}= is {' or '.join(sorted(words, reverse=True))}")
        if not (isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) <= 3):
            seconds = "0"
        if not 1 <= int(seconds) <= LONGEST_S:
            raise BadInput(f"{TIMEOUT}= is a whole number of seconds from 1 to {LONGEST_S}")
        req.env.setdefault(WANTED, Wait(Until(until), Deadline.after(int(seconds))))

    return read


def reached(until: Until, subject: Subject, reach: ZoneReach | None) -> str | None:
    """How the wait ends by what is known of the zone, in the header's word; None: it goes on.

    reach   None: there is no such zone. One that was just made may be unknown to a database's replica
    """
    if reach is None or reach.gone:
        if not subject.gone:
            return None if reach is None else "gone"
        return until.value if reach is None or until is Until.ACTIVE or reach.served >= subject.revision else None
    failed = reach.status is Status.ERROR
    if until is Until.ACTIVE and reach.status is Status.PENDING and reach.confirmed >= reach.revision:
        return None  # they have lost what they had confirmed, or are those of another pool now
    level = reach.confirmed if until is Until.ACTIVE else reach.served
    if subject.gone or level < subject.revision:
        return "error" if failed else None
    expired = failed and reach.confirmed >= reach.revision  # a SECONDARY zone's copy, which nobody serves any more
    return "error" if expired else until.value


def wait_for(
    req: Request,
    resp: falcon.Response,
    shown: Any,
    *,
    zone_id: str,
    revision: int,
    done: int = 200,
    gone: bool = False,
    deleted: bool = False,
) -> None:
    """Have an answer wait that was written, for nameservers to serve a revision of a zone.

    shown     what was written: a struct with `status` and `action`, of what has this revision
    done      the answer's status once `shown` is not PENDING
    gone      whether it is a zone that is being deleted; `deleted`: whether it is an RRset that was
    """
    before = int(str(resp.status)[:3])

    def finish(end: End) -> tuple[int, bytes]:
        now = _status(end.reach, subject, shown.status, deleted=deleted)
        action = shown.action if now in (Status.PENDING, Status.ERROR) else Action.NONE
        content = ENCODER.encode(msgspec.structs.replace(shown, status=now, action=action))
        return before if now is Status.PENDING else done, content

    subject = Subject(zone_id, revision, gone, finish=None if req.method == "GET" else finish)
    wait: Wait = req.env[WANTED]
    word: str | None = None
    end: End | None = req.env.get(ASKED_AGAIN)
    if wait.until is Until.ACTIVE and shown.status in (Status.ACTIVE, Status.ERROR) and not gone:
        word = "active" if shown.status is Status.ACTIVE else "error"
    elif end is not None and end.word == wait.until.value:  # it may have been changed since
        word = reached(wait.until, subject, end.reach)
    elif end is not None:
        word = end.word
    _wait(req, resp, subject, word)


def wait_for_import(req: Request, resp: falcon.Response, shown: Any, again: Callable[[], Any]) -> None:
    """As `wait_for`, of an import: for the zone that it becomes. `again` asks for what is shown."""
    status = int(str(resp.status)[:3])

    def finish(_end: End) -> tuple[int, bytes]:
        try:
            now = again()
        except Problem:  # it is hidden, nobody knows, or its caller may not see it: it was accepted all the same
            now = shown
        return status, ENCODER.encode(now)

    end: End | None = req.env.get(ASKED_AGAIN)
    word = end.word if end is not None else "error" if shown.status is TaskStatus.ERROR else None
    _wait(req, resp, Subject("", 0, import_id=shown.id, finish=None if req.method == "GET" else finish), word)


def _wait(req: Request, resp: falcon.Response, subject: Subject, word: str | None) -> None:
    """Have an answer wait for its subject, unless it is known in a word how that ended, or it cannot wait."""
    wait: Wait = req.env[WANTED]
    room: Room | None = req.env.get(WAITS)
    if word is None and room is None:
        word = "unsupported"
    elif word is None and wait.deadline.over():
        word = "timeout"
    elif word is None and room is not None and not room(req.env.get(PROJECT)):
        word = "busy"
    if word is None:
        req.env[WAITING] = subject
    else:
        resp.set_header(HEADER, word)


def _status(reach: ZoneReach | None, subject: Subject, before: Status, *, deleted: bool) -> Status:
    """The status of what has this revision of the zone, by what is known of that; `before`: as it was shown."""
    if reach is None:
        return Status.DELETED if subject.gone else before
    if reach.gone or (reach.confirmed >= subject.revision and not subject.gone):
        expired = reach.status is Status.ERROR and reach.confirmed >= reach.revision
        return Status.DELETED if deleted or reach.gone else Status.ERROR if expired else Status.ACTIVE
    return Status.ERROR if reach.status is Status.ERROR else Status.PENDING
