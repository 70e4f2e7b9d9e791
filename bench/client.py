# SPDX-License-Identifier: Apache-2.0
"""A lean HTTP/1.1 client: one thread, epoll, no parsing beyond the length, so that the machine is left to the server.

Each connection has one request under way and takes the next one when its answer is there.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

Request = tuple[str, str, object]
"""Method, path that begins with /v2, body (None: none)."""
ACCEPTED = (200, 201, 202, 204)
STALLED_S = 90.0
"""Seconds without any answer after which a run is given up."""


class Stop(Protocol):
    """Something with a file descriptor that becomes readable when a run is to end."""

    def fileno(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Address:
    """Where an API answers, and the header lines that it wants."""

    host: str
    port: int
    prefix: str = ""
    headers: tuple[str, ...] = ()

    @classmethod
    def of(cls, url: str, headers: Iterable[str] = ()) -> Address:
        """The address of an API's URL, with or without /v2 at its end. Raises ValueError."""
        parts = urlsplit(url.rstrip("/"))
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url!r} is not an http:// URL")
        return cls(parts.hostname, parts.port or 80, parts.path.removesuffix("/v2"), tuple(headers))

    def octets(self, request: Request) -> bytes:
        """A request as it is sent."""
        method, path, body = request
        lines = [f"{method} {self.prefix}{path} HTTP/1.1", f"Host: {self.host}", "Accept: application/json"]
        data = b"" if body is None else json.dumps(body).encode()
        if data:
            lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
        return "\r\n".join((*lines, *self.headers, "", "")).encode() + data


@dataclass(slots=True)
class Load:
    """The result of a run of requests.

    seconds  from the first request to the last answer; `cpu`: processor seconds of the client
    each at  seconds that each answer took, and when it came, counted from the beginning
    kinds    the method of each
    bodies   the answers, in the order in which they came, if they were to be kept
    """

    seconds: float = 0.0
    cpu: float = 0.0
    each: list[float] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.each) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share of the answers came."""
        return percentile([1000 * one for one in self.each], share)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def run(
    address: Address,
    requests: Iterable[Request],
    *,
    connections: int,
    seconds: float | None = None,
    rate: float | None = None,
    keep: bool = False,
    stop: Stop | None = None,
) -> Load:
    """Send requests until they, or so many `seconds`, are over, or `stop` is readable.

    `rate`: so many a second, evenly; an answer's time then counts from when its request was due. Raises RuntimeError
    for an answer that is not a success, TimeoutError where answers stop coming.
    """
    return _Run(address, iter(requests), rate, keep).go(connections, seconds, stop)


class _Connection:
    __slots__ = ("began", "buffer", "method", "socket")

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection((address.host, address.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.began = 0.0
        self.method = ""


class _Run:
    def __init__(self, address: Address, requests: Iterator[Request], rate: float | None, keep: bool) -> None:
        self._address, self._requests, self._rate, self._keep = address, requests, rate, keep
        self._load = Load()
        self._poll = select.epoll()
        self._open: dict[int, _Connection] = {}
        self._idle: list[_Connection] = []
        self._sent = 0
        self._over = False
        self._began = 0.0

    def go(self, connections: int, seconds: float | None, stop: Stop | None) -> Load:
        """Run; see `run`."""
        for _ in range(connections):
            self._idle.append(self._connect())
        if stop is not None:
            self._poll.register(stop, select.EPOLLIN)
        cpu, self._began = time.process_time(), time.perf_counter()
        ends = self._began + seconds if seconds else float("inf")
        try:
            self._all(ends, stop)
        finally:
            for connection in self._open.values():
                connection.socket.close()
            self._poll.close()
        self._load.seconds = time.perf_counter() - self._began
        self._load.cpu = time.process_time() - cpu
        return self._load

    def _all(self, ends: float, stop: Stop | None) -> None:
        heard = time.perf_counter()
        while True:
            now = time.perf_counter()
            self._over = self._over or now >= ends
            wait = self._feed(now)
            if self._over and len(self._idle) == len(self._open):
                return
            for number, _ in self._poll.poll(min(wait, 1.0)):
                if stop is not None and number == stop.fileno():
                    self._over = True
                    self._poll.unregister(number)
                    stop = None
                else:
                    self._read(self._open[number])
                heard = time.perf_counter()
            if not self._rate and time.perf_counter() - heard > STALLED_S:
                raise TimeoutError(f"no answer for {STALLED_S:.0f} s")

    def _feed(self, now: float) -> float:
        """Send what is due over connections that are idle; seconds until the next request is due."""
        while self._idle and not self._over:
            due = now
            if self._rate:
                due = self._began + self._sent / self._rate
                if due > now:
                    return due - now
            request = next(self._requests, None)
            if request is None:
                self._over = True
                break
            self._send(self._idle.pop(), request, due)
        return 1.0

    def _send(self, connection: _Connection, request: Request, due: float) -> None:
        connection.began = due if self._rate else time.perf_counter()
        connection.method = request[0]
        self._sent += 1
        connection.socket.sendall(self._address.octets(request))

    def _read(self, connection: _Connection) -> None:
        data = connection.socket.recv(1 << 18)
        if not data:
            raise RuntimeError(f"the API closed a connection amid a {connection.method}: {connection.buffer[:300]!r}")
        connection.buffer += data
        answer = _answer(connection.buffer)
        if answer is None:
            return
        status, body, closing = answer
        now = time.perf_counter()
        if status not in ACCEPTED:
            raise RuntimeError(f"{connection.method}: {status} {body[:300]!r}")
        self._load.each.append(now - connection.began)
        self._load.at.append(now - self._began)
        self._load.kinds.append(connection.method)
        if self._keep:
            self._load.bodies.append(body)
        connection.buffer = b""
        if closing:
            del self._open[connection.socket.fileno()]
            connection.socket.close()
            connection = self._connect()
        self._idle.append(connection)

    def _connect(self) -> _Connection:
        connection = _Connection(self._address)
        self._open[connection.socket.fileno()] = connection
        self._poll.register(connection.socket, select.EPOLLIN)
        return connection


def _answer(data: bytes) -> tuple[int, bytes, bool] | None:
    """Status, body, and whether the connection ends, once the answer is whole. Raises ValueError without a length."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower() + b"\r\n"
    status, length = int(head[9:12]), 0
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        length = int(head[at + 17 : head.index(b"\r", at + 17)])
    elif status != 204:
        raise ValueError(f"an answer without Content-Length: {head!r}")
    if len(data) < end + 4 + length:
        return None
    return status, data[end + 4 :], b"\r\nconnection: close\r\n" in head


def until(
    ready: Callable[[], bool],
    *,
    timeout: float = 120.0,
    pause: float = 0.01,
    most: float = 0.0,
    share: float = 0.25,
) -> float:
    """Ask until it is so; seconds that took. The pause between two questions becomes a share of what has passed, up to
    `most`, because asking costs too.

    Raises TimeoutError.
    """
    began = time.perf_counter()
    while not ready():
        passed = time.perf_counter() - began
        if passed > timeout:
            raise TimeoutError(f"not ready after {timeout:.0f} s")
        time.sleep(max(pause, min(most, share * passed)))
    return time.perf_counter() - began
