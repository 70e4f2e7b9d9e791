# SPDX-License-Identifier: Apache-2.0
# Long because a connection, the selector that watches it and the threads that serve it change each other's state.
"""The HTTP server of `redesignate serve`, on threads of the process that holds everything else, and of each process of
`redesignate api` (`run/bounded.py`).

The thread that has the turn waits for connections on which something arrives, reads from them, has the application
answer, and sends the answer: a request that waits for nothing is done by one thread. A client that is slow to send or
to read holds a connection, and no thread.
"""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from wsgiref.types import WSGIApplication

from redesignate.api.door import CONNECTION, IMPORTS, PARKS, SPOOLED, Streamed, closed
from redesignate.api.parked import MOST as MOST_WAITING
from redesignate.api.parked import Parked
from redesignate.api.request import BODY
from redesignate.config.settings import ApiSettings
from redesignate.observe.log import Seldom, events
from redesignate.run.http1 import CHANGES, COMMON, CONTINUE, Incoming, Malformed, Request, answer, sent_in_parts
from redesignate.run.listening import listener
from redesignate.threads.bulkhead import MINE, Turns
from redesignate.threads.call import OneCall
from redesignate.threads.rounds import share, take_turns

log = events(__name__)
_full, _refused = Seldom(), Seldom()
HEALTH = "/healthcheck"

THREADS = 24
"""Requests that are in hand at a time. One of them runs, as they take turns: the others are there for reads while
changes wait for the database's one writer, and a zone's third of them for changes that share a commit
(`Shares.of_one_writer`). One thread more reads, and answers health checks, even if all of them hang."""
TOGETHER = 8
"""Requests that share a thread and a commit, where they arrive at the same time: as many as may change one zone."""
CONNECTIONS = 1000
FILES = 256
"""Files that all else in the process may have open beside the connections."""
READ = 65536
ARRIVAL_S = 60.0
"""Seconds from a request's first octet until it must be complete; as many until its answer, or a part of it, must be
read; and as many until the next one begins, where the connection is kept."""
FAREWELL_S = 2.0
"""Seconds for which is read what a client still sends that was refused: a reset might reach it before the answer."""
LOOK_S = 1.0
"""Seconds between two looks for connections that take too long."""
FAILED_S = 0.1
"""The pause after one that failed."""
STOP_S = 5.0
"""Seconds that requests in progress may take to end, and clients to take their answers."""
SETTLE_S = 0.02
"""Seconds between two looks whether they have."""


@dataclass(slots=True, eq=False)
class Connection:
    """A client's connection. One thread uses it at a time: the one that made it `busy`.

    out      what the client has yet to take of an answer, or of its part
    parts    the further parts of an answer, each asked for once the client has taken the one before
    since    when began what it does now: to wait for a request, to receive one, to send an answer, to take leave
    leaving  whether nothing more is answered: it is only read until the client has closed it
    parked   whether it is not looked at until it is no longer busy, for more has arrived meanwhile
    request  one that has arrived, and waits for a thread, or whose answer waits
    waiting  the answer that waits for nameservers: until it has settled, nobody looks but whether the client is there
    """

    socket: socket.socket
    address: str
    incoming: Incoming
    since: float
    out: memoryview | None = None
    parts: Iterator[bytes] | None = None
    request: Request | None = None
    waiting: Parked | None = None
    watched: int = 0
    busy: bool = False
    parked: bool = False
    leaving: bool = False
    ended: bool = False
    _closing: bool = False

    def late(self, now: float) -> bool:
        """Whether the client has taken longer than it may; then nothing is left to do but `abandon` it. Or whether its
        answer has waited long enough."""
        if (waiting := self.waiting) is not None:
            return waiting.over()
        return now - self.since >= (FAREWELL_S if self.leaving else ARRIVAL_S)

    def arrived(self) -> Request | None:
        """Go on where the client left off: send what it has yet to take, read what it has sent.

        Returns the next request that has arrived whole, to be answered. Raises OSError: it has closed the connection.
        """
        request, incoming = None, self.incoming
        goes_on = self.leaving or self.out is not None or incoming.partial
        try:
            if self.out is not None:
                self._send(self.out)
            if self.leaving:
                self.ended = not self.socket.recv(READ)
            elif self.out is None:
                octets = b"" if incoming.more else self.socket.recv(READ)
                self.ended = not (octets or incoming.more)
                self.since = self.since if goes_on else time.monotonic()
                request = incoming.whole(octets)
                if incoming.awaited:
                    self.socket.send(CONTINUE)
        except BlockingIOError:  # nothing has arrived after all
            goes_on = True
        except Malformed as refused:
            self._refuse(refused.status, refused.why)
        if request is None and goes_on and not self.ended and self.late(time.monotonic()):
            self.abandon()
        return request

    def answer(self, app: WSGIApplication, request: Request, *, last: Callable[[], bool]) -> None:
        """Have the application answer a request (PEP 3333), and send the answer as far as the client takes it at once.

        last   asked after that: whether the connection is closed, whatever the client wishes. Raises OSError
        """
        told: list[tuple[str, list[tuple[str, str]]]] = []
        parts: list[bytes] = []
        more: Iterator[bytes] | None = None
        body: bytes | None
        if request.size <= request.most:  # of what is larger a part was kept at most: it is refused
            body_of = {BODY: bytes(request.body)} if request.file is None else {SPOOLED: True}
            request.environ.update(body_of)

        def start(status: str, headers: list[tuple[str, str]], _error: object = None, /) -> Callable[[bytes], object]:
            told.append((status, headers))
            return parts.append

        try:
            found = app(request.environ, start)
            if isinstance(found, Parked):
                request.body, request.size = bytearray(), 0  # it was read, and is held for nobody
                request.environ.pop(BODY, None)
                self.request, self.waiting = request, found
                return
            self._closing = last() or not request.keeps
            if isinstance(found, Streamed):
                self._closing = self._closing or not request.new
                told[-1][1].extend([("Transfer-Encoding", "chunked")] if request.new else [])
                more, body = sent_in_parts(found, to=request), None
            else:
                try:
                    parts.extend(found)
                finally:
                    getattr(found, "close", bool)()
                body = b"".join(parts)
            octets = answer(*told[-1], body, to=request, keeps=not self._closing)
        except Exception:  # the loop of a service: the next request is answered
            log.exception("a request could not be answered", path=request.environ["PATH_INFO"])
            self._refuse(500, "The request could not be answered", logged=True)
        else:
            self.parts = more
            self._send(memoryview(octets))
        finally:
            if request.file is not None:
                request.file.close()

    def abandon(self) -> None:
        """Take leave of a client that was too slow. Raises OSError."""
        if self.incoming.partial and self.out is None and not self.leaving:
            self._refuse(408, f"The request was not complete within {ARRIVAL_S:.0f} seconds")
        else:
            self.ended = True

    def _refuse(self, status: int, why: str, *, logged: bool = False) -> None:
        if not logged and (more := _refused.turn()) is not None:
            log.info("request refused", client=self.address, why=why, **more)
        self._closing = True
        content = f"{why}\n".encode()
        line, headers = f"{status} {HTTPStatus(status).phrase}", [("Content-Type", "text/plain")]
        self._send(memoryview(answer(line, headers, content, to=None, keeps=False)))

    def _send(self, octets: memoryview) -> None:
        """Send an answer, or what is left of it, as far as the client takes it."""
        if self.out is None:
            self.since, self.out = time.monotonic(), octets
        try:
            sent = self.socket.send(octets)
        except BlockingIOError:
            return
        if sent < len(octets):
            self.out = octets[sent:]
            return
        if self.parts is not None and (part := next(self.parts, None)) is not None:
            self.since, self.out = time.monotonic(), memoryview(part)
            return
        self.parts = None
        self.since, self.out = time.monotonic(), None
        if self._closing:
            self.leaving = True
            self.socket.shutdown(socket.SHUT_WR)


class Arrivals:
    """The connections, and which of them have something to do.

    most   connections at once; one address may hold half of them, so that it shuts out nobody else: a further one takes
           the place of its own that has waited longest for its client
    most_resting   those beside them whose answers wait for nameservers, which `api/parked.py` shares out
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        settings: ApiSettings,
        *,
        most: int,
        most_resting: int,
        processes: int,
    ) -> None:
        self._most, self._most_resting, self._most_body = most, most_resting, settings.max_request_body_size
        self._large = IMPORTS, settings.max_import_size
        self._common = {**COMMON, "wsgi.multiprocess": processes > 1}
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()
        self._of: Counter[str] = Counter()
        self._resting: set[Connection] = set()
        self._listeners: list[socket.socket] = []
        self._next_look = time.monotonic() + LOOK_S
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._name = settings.listen[0][0]  # for links, if a client sends no Host
        self._given: Sequence[socket.socket] = tuple(listeners)
        self._listen()

    def __len__(self) -> int:
        return len(self._connections)

    def wait(self) -> Sequence[Connection]:
        """Wait for connections on which something has arrived, or which can take more of an answer."""
        found: list[Connection] = []
        try:
            quiet = not self._connections and len(self._listeners) == len(self._given)
            ready = [key for key, _ in self._selector.select(None if quiet else LOOK_S)]
            connections = [key.data for key in ready if key.data is not None]
            for key in ready:
                if key.data is None:
                    self._accept(key.fileobj)
            now = time.monotonic()
            if now >= self._next_look:
                self._next_look = now + LOOK_S
                connections += self._late(now)
            with self._lock:
                for connection in connections:
                    if connection.ended or connection.parked:
                        continue
                    if connection.busy:  # it has a thread, and is not looked at until that one has released it
                        connection.parked = True
                        self._selector.unregister(connection.socket)
                    else:
                        connection.busy = True
                        found.append(connection)
        except Exception:  # the loop of a service
            log.exception("what arrives could not be looked at")
            time.sleep(FAILED_S)
        return found

    def wake(self) -> None:
        """Make `wait` return."""
        with contextlib.suppress(OSError):  # it is full of earlier calls, or closed
            self._waker.send(b"\0")

    def release(self, connection: Connection) -> bool:
        """Look at a connection again, which a thread has done with; close it where it has ended.

        Returns whether it is not released: another request has arrived on it already.
        """
        if connection.ended:
            with self._lock:
                if connection not in self._connections:
                    return False
                if not connection.parked:
                    self._selector.unregister(connection.socket)
                self._connections.discard(connection)
                if connection in self._resting:
                    self._resting.discard(connection)
                else:
                    self._count(connection, -1)
            connection.socket.close()
            connection.incoming.close()
            return False
        sends = connection.out is not None
        if connection.incoming.more and not (sends or connection.leaving):
            return True
        wanted = selectors.EVENT_WRITE if sends else selectors.EVENT_READ
        with self._lock:
            if connection.parked:
                self._selector.register(connection.socket, wanted, connection)
            elif connection.watched != wanted:
                self._selector.modify(connection.socket, wanted, connection)
            connection.watched = wanted
            connection.busy = connection.parked = False
        return False

    def rest(self, connection: Connection, *, deaf: bool = False) -> bool:
        """Let a connection wait for its answer, without a thread. Returns whether the answer is there already.

        deaf   more has arrived on it: it is not looked at until it is released
        """
        waiting = connection.waiting
        assert waiting is not None
        with self._lock:
            if connection not in self._resting:
                self._resting.add(connection)
                self._count(connection, -1)
            if deaf and not connection.parked:
                self._selector.unregister(connection.socket)
            elif connection.parked and not deaf:  # something has arrived meanwhile: its end, perhaps
                self._selector.register(connection.socket, selectors.EVENT_READ, connection)
                connection.watched = selectors.EVENT_READ
            elif not deaf and connection.watched != selectors.EVENT_READ:  # the answer before was taken slowly
                self._selector.modify(connection.socket, selectors.EVENT_READ, connection)
                connection.watched = selectors.EVENT_READ
            connection.parked = deaf
            connection.busy = waiting.settled
        return connection.busy

    def claim(self, connection: Connection) -> bool:
        """Make a connection busy whose answer has settled; whether it was not."""
        with self._lock:
            free = not (connection.busy or connection.ended)
            connection.busy = connection.busy or free
        return free

    def resume(self, connection: Connection) -> Parked:
        """Count a connection as any other again; return the answer that it has waited for."""
        waiting = connection.waiting
        assert waiting is not None
        with self._lock:
            self._resting.discard(connection)
            self._count(connection, 1)
            connection.waiting = None
        return waiting

    def crowded(self, connection: Connection) -> bool:
        """Whether its address, or all together, have more connections than they may: it rested beside them."""
        held = len(self._connections) - len(self._resting)
        return self._of[connection.address] > self._most // 2 or held > self._most

    def resting(self) -> list[Connection]:
        """The connections whose answers wait."""
        with self._lock:
            return list(self._resting)

    def may_rest(self) -> bool:
        """Whether one more answer may wait."""
        return len(self._resting) < self._most_resting

    def under_way(self, *, kept: bool = False) -> bool:
        """Whether a request is in hand or has arrived in part, or an answer is not sent to its end; or a connection is
        `kept` for a further request."""
        with self._lock:
            return any(
                not one.leaving and (kept or one.busy or one.out is not None or one.incoming.partial)
                for one in self._connections
            )

    def stop(self) -> None:
        """Accept no more connections."""
        listeners, self._given = self._given, ()
        self._unlisten()
        for one in listeners:
            one.close()

    def close(self) -> None:
        """Close every connection."""
        for connection in list(self._connections):
            connection.ended = True
            self.release(connection)
            if connection.waiting is not None:
                connection.waiting.abandon()
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def _accept(self, listening: Any) -> None:
        if listening is self._woken:
            with contextlib.suppress(BlockingIOError):
                self._woken.recv(4096)
            return
        try:
            made, place = listening.accept()
        except (BlockingIOError, ConnectionError):  # it has gone again
            return
        except OSError as error:  # no more files, as a rule
            if not self._given:  # it was closed just now
                return
            if (more := _full.turn()) is not None:
                log.warning("a connection could not be accepted", why=error.strerror, **more)
            if not self._make_room():
                self._unlisten()  # until the next look
            return
        unix = listening.family == socket.AF_UNIX  # of systemd
        address = "" if unix else str(place[0])
        full = self._of[address] >= self._most // 2
        held = len(self._connections) - len(self._resting)
        if (full or held >= self._most) and not self._make_room(address if full else None):
            made.close()
            return
        made.setblocking(False)
        if not unix:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = "" if unix else str(listening.getsockname()[1])
        own = {"SERVER_NAME": self._name, "SERVER_PORT": port, "REMOTE_ADDR": address, PARKS: self.may_rest}
        incoming = Incoming({**self._common, **own, CONNECTION: made}, self._most_body, self._large)
        connection = Connection(made, address, incoming, time.monotonic(), watched=selectors.EVENT_READ)
        self._connections.add(connection)
        with self._lock:
            self._count(connection, 1)
        self._selector.register(made, selectors.EVENT_READ, connection)

    def _make_room(self, address: str | None = None) -> bool:
        """Close the connection, of this address or any, that waits longest for its client; whether there was one."""
        with self._lock:
            free = [one for one in self._connections if not one.busy and address in (None, one.address)]
            free = [one for one in free if one not in self._resting]
            oldest = min(free, key=lambda one: one.since, default=None)
            if oldest is None:
                return False
            oldest.busy = oldest.ended = True
        self.release(oldest)
        return True

    def _count(self, connection: Connection, more: int) -> None:
        self._of[connection.address] += more
        if not self._of[connection.address]:
            del self._of[connection.address]

    def _late(self, now: float) -> list[Connection]:
        """The connections whose clients take too long. Listen again where files had run out."""
        if len(self._listeners) < len(self._given):
            self._listen()
        return [one for one in list(self._connections) if not one.busy and one.late(now)]

    def _listen(self) -> None:
        with self._lock:
            for one in self._given:
                if one not in self._listeners:
                    self._listeners.append(one)
                    self._selector.register(one, selectors.EVENT_READ)

    def _unlisten(self) -> None:
        with self._lock:
            while self._listeners:
                self._selector.unregister(self._listeners.pop())


class Threaded:
    """A WSGI application on threads of this process."""

    def __init__(
        self,
        app: WSGIApplication,
        settings: ApiSettings,
        *,
        threads: int = THREADS,
        connections: int = CONNECTIONS,
        listeners: Sequence[socket.socket] | None = None,
        together: int = TOGETHER,
        processes: int = 1,
    ) -> None:
        """Bind the addresses, unless there are `listeners`, which never wait; raises OSError if one is in use.

        processes  how many answer at these listeners
        """
        self._app = app
        if listeners is None:
            with ExitStack() as undone:
                listeners = [undone.enter_context(listener(*place, settings.backlog)) for place in settings.listen]
                undone.pop_all()
        most = _with_files(connections + MOST_WAITING)
        mine = min(connections, max(most - MOST_WAITING, most * 3 // 4))
        self.arrivals = Arrivals(listeners, settings, most=mine, most_resting=most - mine, processes=processes)
        self.turns: Turns[Connection] = Turns(self.arrivals)
        self._most = 1 if settings.auth_strategy == "keystone" else together  # keystone may be slow to answer
        work = partial(take_turns, self.turns, self._serve)
        self._threads = [OneCall(f"http-{n}", work) for n in range(threads + 1)]
        self._stopping = threading.Event()

    def start(self) -> None:
        """Answer requests, on threads."""
        for thread in self._threads:
            thread.go()

    def stop(
        self, *, patience_s: float = STOP_S, linger_s: float = 0.0, alive: Callable[[], object] = lambda: None
    ) -> None:
        """Accept no more connections, finish what is in progress until its answer is sent, and close.

        linger_s  for so long kept connections stay open: the next answer on each says that it is the last
        alive     called now and then meanwhile, at least once a second
        """
        self._stopping.set()
        self.arrivals.stop()
        for one in self.arrivals.resting():
            if one.waiting is not None:
                one.waiting.give_up()
        began = now = time.monotonic()
        while now < began + patience_s and self.arrivals.under_way(kept=now < began + linger_s):
            alive()
            time.sleep(SETTLE_S)
            now = time.monotonic()
        self.turns.close()
        for thread in self._threads:
            while not thread.wait(max(0.0, min(1.0, began + patience_s - time.monotonic()))):
                alive()
                if time.monotonic() >= began + patience_s:
                    break
        self.turns.drop()
        self.arrivals.close()

    def _serve(self, connection: Connection) -> None:
        if connection.parts is not None and MINE.round is not None and MINE.round.apart():
            self.turns.add(connection, first=True)
            return
        if connection.waiting is not None and self._rests(connection):
            return
        try:
            connection.request = request = connection.request or connection.arrived()
            if request is not None:
                if self._later(connection, request):
                    return
                app: WSGIApplication = self._app
                last: Callable[[], bool] = self._stopping.is_set
                if connection.waiting is not None:
                    app, last = self.arrivals.resume(connection), partial(self._is_last, connection)
                connection.request = None
                connection.answer(app, request, last=last)
                if connection.waiting is not None:
                    self._rest(connection, connection.waiting)
                    return
        except OSError:  # the client has closed it
            connection.ended = True
        except Exception:  # the loop of a service
            log.exception("a connection is closed")
            connection.ended = True
        if self.arrivals.release(connection):
            self.turns.add(connection)

    def _is_last(self, connection: Connection) -> bool:
        """Whether the answer on a connection that has rested is its last."""
        return self._stopping.is_set() or self.arrivals.crowded(connection)

    def _rest(self, connection: Connection, waiting: Parked) -> None:
        """Let the answer to a request wait."""
        waiting.park(partial(self._settled, connection))
        if self._stopping.is_set():
            waiting.give_up()
        if self.arrivals.rest(connection):
            self.turns.add(connection)

    def _rests(self, connection: Connection) -> bool:
        """Whether a connection that was looked at waits on for its answer, or has ended."""
        waiting = connection.waiting
        assert waiting is not None
        if waiting.over():
            waiting.give_up()
        if waiting.settled:
            return False
        if closed(connection.socket):
            connection.ended = True
            waiting.abandon()
            self.arrivals.release(connection)
        elif self.arrivals.rest(connection, deaf=True):
            self.turns.add(connection)
        return True

    def _settled(self, connection: Connection) -> None:
        """An answer need not wait any longer."""
        if self.arrivals.claim(connection):
            self.turns.add(connection)

    def _later(self, connection: Connection, request: Request) -> bool:
        """Whether a request joined others, or was queued again: it would take the last thread, or hold up changes."""
        if MINE.last and request.environ["PATH_INFO"].rstrip("/") != HEALTH:
            self.turns.defer(connection)
            return True
        changes = request.environ["REQUEST_METHOD"] in CHANGES and connection.waiting is None
        soon = request.size <= READ and changes
        if soon and MINE.round is None and self._most > 1 and self.turns.ready:
            share(self.turns, self._serve, connection, most=self._most)
            return True
        if later := not soon and MINE.round is not None and MINE.round.apart():
            self.turns.add(connection, first=True)
        return later


def _with_files(connections: int) -> int:
    """Allow this process files for so many connections, as far as its hard limit does; return for how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(min(connections, soft - FILES), connections // 8)
