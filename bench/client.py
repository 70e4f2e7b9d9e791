# SPDX-License-Identifier: Apache-2.0
"""A lean HTTP/1.1 client, so that the client takes little of the two cores that it shares with the system."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Request = tuple[str, str, object]
"""Method, path, body (None: none)."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of requests gave: seconds in all, seconds of each, the answers' bodies."""

    seconds: float
    each: list[float]
    bodies: list[bytes]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.each) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds that this share of the requests stayed below."""
        ordered = sorted(self.each)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def run(port: int, requests: Iterable[Request], *, connections: int, expect: Sequence[int] = (200, 202)) -> Load:
    """Send requests over kept connections, each of which takes the next one when its answer is there."""
    return asyncio.run(_run(port, iter(list(requests)), connections, tuple(expect)))


async def _run(port: int, requests: Any, connections: int, expect: tuple[int, ...]) -> Load:
    each: list[float] = []
    bodies: list[bytes] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for method, path, body in requests:
            began = time.perf_counter()
            writer.write(_bytes(method, path, body))
            status, answer = await _answer(reader)
            each.append(time.perf_counter() - began)
            bodies.append(answer)
            if status not in expect:
                raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return Load(time.perf_counter() - began, each, bodies)


def _bytes(method: str, path: str, body: object) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if data:
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"\r\n" + data


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    at = head.lower().find(b"content-length:")
    length = int(head[at + 15 : head.index(b"\r", at)]) if at >= 0 else 0
    return status, await reader.readexactly(length)


def until(ready: Callable[[], bool], *, timeout: float = 120.0, pause: float = 0.01) -> float:
    """Ask until it is so; seconds that took."""
    began = time.perf_counter()
    while not ready():
        if time.perf_counter() - began > timeout:
            raise TimeoutError("not ready in time")
        time.sleep(pause)
    return time.perf_counter() - began
