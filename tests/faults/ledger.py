# SPDX-License-Identifier: Apache-2.0
"""What clients were promised: every write with its answer, and what a name may hold after them.

A name has one writer, so its writes come one after another. An acknowledged write (2xx) holds from then on. One with
no clear answer (a 503, a 504, a broken connection) may have been carried out or not, until a later one of the same name
is acknowledged: after that it must not show any more, however late whoever froze with it wakes up. A refused one (4xx)
changes nothing.
"""

from __future__ import annotations

import http.client
import itertools
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.support.api import Api

PAUSE_S = 0.1
DELETES = 0.15
EXPECTED_REFUSALS = frozenset({404, 409})
"""What a writer may hear that does not know what became of its last write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One request. `value` is what the name was to hold (None: nothing); `status` None: no answer came.

    at, took   seconds: when it was sent (monotonic), how long the answer took
    """

    method: str
    path: str
    value: str | None
    status: int | None
    request_id: str | None
    at: float
    took: float

    @property
    def acknowledged(self) -> bool:
        """Whether the client was promised that it holds."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether the client was told that nothing changed."""
        return self.status is not None and 400 <= self.status < 500


@dataclass(slots=True)
class Name:
    """One name with its writes. `path` is where it is to be changed, None while it is not there."""

    name: str
    path: str | None = None
    unclear: bool = False
    writes: list[Write] = field(default_factory=list)

    def allowed(self) -> set[str | None]:
        """What the name may hold now."""
        found: set[str | None] = {None}
        for write in self.writes:
            if write.acknowledged:
                found = {write.value}
            elif not write.refused:
                found.add(write.value)
        return found


@dataclass
class Ledger:
    """Every write of every name: by zone (the id of a zone that stays), and of zones that come and go."""

    names: dict[str, list[Name]] = field(default_factory=dict)
    zones: list[Name] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def all(self) -> list[Name]:
        """Every name."""
        return [name for names in self.names.values() for name in names] + self.zones

    def writes(self, since: float = 0.0) -> list[Write]:
        """Every write, from a moment on (monotonic seconds)."""
        return [write for name in self.all() for write in tuple(name.writes) if write.at >= since]

    def statuses(self, since: float = 0.0) -> Counter[int | None]:
        """How often each status was answered."""
        return Counter(write.status for write in self.writes(since))

    def acknowledged(self, since: float = 0.0) -> int:
        """How many writes were acknowledged."""
        return sum(write.acknowledged for write in self.writes(since))

    def forget(self, since: float) -> None:
        """Forget the writes from a moment on (monotonic): the database is older than they are."""
        for name in self.all():
            name.writes = [write for write in name.writes if write.at < since]
            name.path, name.unclear = None, True

    def value(self) -> str:
        """An address that nobody has had yet."""
        return ".".join(map(str, (next(self.numbers) + 0x0A000001).to_bytes(4, "big")))


class Writer(threading.Thread):
    """One client that writes on and on, now through one API and now through the other.

    names       its own; nobody else writes them
    collection  where they are made
    """

    def __init__(self, ledger: Ledger, apis: tuple[Api, ...], names: list[Name], collection: str, seed: int) -> None:
        super().__init__(daemon=True)
        self._ledger, self._apis, self._names, self._collection = ledger, apis, names, collection
        self._random = random.Random(seed)
        self._ending = threading.Event()
        self.wrong: list[str] = []
        """What no fault excuses."""

    def run(self) -> None:
        """Until `stop`."""
        while not self._ending.wait(PAUSE_S):
            name = self._random.choice(self._names)
            if not name.unclear or self._look(name):
                self._write(name)

    def stop(self) -> None:
        """Let the request under way end."""
        self._ending.set()
        self.join(90)
        assert not self.is_alive(), "a request has had no answer for 90 s"

    def _write(self, name: Name) -> None:
        value = None if name.path and self._random.random() < DELETES else self._ledger.value()
        method, path = ("POST", self._collection) if name.path is None else ("PUT", name.path)
        if value is None:
            method = "DELETE"
        elif method == "PUT" and self._is_zone:
            method = "PATCH"
        status, body, request_id, at = self._ask(method, path, self._body(name, value, method))
        write = Write(
            method=method, path=path, value=value, status=status, request_id=request_id, at=at,
            took=time.monotonic() - at,
        )  # fmt: skip
        name.writes.append(write)
        name.unclear = not write.acknowledged
        if write.acknowledged:
            name.path = None if value is None else f"{self._collection}/{body['id']}"
        if status == 500 or (write.refused and status not in EXPECTED_REFUSALS):
            self.wrong.append(f"{method} {path}: {status} {body}")

    @property
    def _is_zone(self) -> bool:
        return self._collection == "/v2/zones"

    def _body(self, name: Name, value: str | None, method: str) -> object:
        if value is None:
            return None
        if self._is_zone:
            new = {"name": name.name, "email": "hostmaster@example.org"} if method == "POST" else {}
            return new | {"description": value}
        return ({"name": name.name, "type": "A"} if method == "POST" else {}) | {"records": [value]}

    def _look(self, name: Name) -> bool:
        """Find out where the name is now, for the last answer did not say. Whether that could be found out."""
        status, body, _, _ = self._ask("GET", f"{self._collection}?name={name.name}", None)
        if status != 200:
            return False
        (found,) = body["zones" if self._is_zone else "recordsets"] or [None]
        name.path = found and f"{self._collection}/{found['id']}"
        if self._is_zone and found and found["action"] == "DELETE":
            return False  # on its way out: its name cannot be had before it is gone
        name.unclear = False
        return True

    def _ask(self, method: str, path: str, body: object) -> tuple[int | None, Any, str | None, float]:
        at = time.monotonic()
        try:
            status, answer = self._random.choice(self._apis).ask(method, path, body)
        except (OSError, http.client.HTTPException):
            return None, None, None, at
        return status, answer, answer.get("request_id") if isinstance(answer, dict) else None, at
