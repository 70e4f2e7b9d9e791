# SPDX-License-Identifier: Apache-2.0
"""Which versions of zones are there as chunks: those that are kept, and those in the making, which are sent meanwhile.

A zone is rendered once for each revision, and kept while there is room.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from redesignate.mdns.render import Chunk, Rendered, Tell

_TOLD = 512 * 1024
"""Octets of chunks that are told of together."""


class Rendering:
    """A version of a zone, whose first chunks may be sent while the others are made. For one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: list[Chunk] = []
        self._whole: asyncio.Future[Rendered] = self._loop.create_future()
        self._grown = asyncio.Event()
        self._untold = _TOLD

    @classmethod
    def of(cls, rendered: Rendered) -> Rendering:
        """One that is complete."""
        made = cls()
        made._chunks += rendered.chunks
        made._whole.set_result(rendered)
        return made

    def begin(self, work: Coroutine[Any, Any, Rendered]) -> None:
        """Have it made; the work adds its chunks, and its result is all of it."""
        self._whole = asyncio.ensure_future(work)
        self._whole.add_done_callback(self._end)

    def add(self, chunk: Chunk) -> None:
        """Append a chunk, from one thread, any. Who waits hears of the first at once, then of some together: the loop
        takes the interpreter from the thread that makes them, each time for as long as some hundred RRsets."""
        self._chunks.append(chunk)
        self._untold += len(chunk[1])
        if self._untold >= _TOLD:
            self._untold = 0
            self._loop.call_soon_threadsafe(self._wake)

    async def chunk(self, at: int) -> Chunk | None:
        """The chunk at a place, as soon as it is made; None after the last. Raises what its making raised."""
        while at >= len(self._chunks):
            if self._whole.done():
                self._whole.result()
                return None
            await self._grown.wait()
        return self._chunks[at]

    async def whole(self) -> Rendered:
        """All of it. Raises what its making raised."""
        return await asyncio.shield(self._whole)

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    def _end(self, whole: asyncio.Future[Rendered]) -> None:
        self._wake()
        if not whole.cancelled():
            whole.exception()  # is seen by then, even where everybody who waited has left


class Versions:
    """The rendered zones of one process, the least recently used dropped first. For one event loop.

    limit   octets; a zone larger than that is rendered for the clients of the moment and not kept
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[int, Rendered]] = OrderedDict()
        self._size = 0
        self._making: dict[tuple[str, int], Rendering] = {}

    @property
    def octets(self) -> int:
        """How much is kept."""
        return self._size

    def kept(self, zone_id: str, revision: int) -> Rendered | None:
        """This version, where it is kept."""
        found = self._kept.get(zone_id)
        if found is None or found[0] != revision:
            return None
        self._kept.move_to_end(zone_id)
        return found[1]

    def get(self, zone_id: str, revision: int, make: Callable[[Tell], Awaitable[tuple[int, Rendered]]]) -> Rendering:
        """This version or a newer one, made once however many ask for it at the same time.

        make   gives revision and rendering, and tells of each chunk before; its exceptions reach all that wait
        """
        found = self.kept(zone_id, revision)
        if found is not None:
            return Rendering.of(found)
        making = self._making.get((zone_id, revision))
        if making is None:  # its work goes on where a client disconnects: others may wait for it
            making = self._making[zone_id, revision] = Rendering()
            making.begin(self._make(zone_id, revision, make(making.add)))
        return making

    async def _make(self, zone_id: str, revision: int, making: Awaitable[tuple[int, Rendered]]) -> Rendered:
        try:
            made, rendered = await making
        finally:
            del self._making[zone_id, revision]
        self._keep(zone_id, made, rendered)
        return rendered

    def _keep(self, zone_id: str, revision: int, rendered: Rendered) -> None:
        old = self._kept.get(zone_id)
        if old is not None and old[0] > revision:
            return
        if old is not None:
            self._size -= self._kept.pop(zone_id)[1].octets
        if rendered.octets > self._limit:
            return
        self._kept[zone_id] = (revision, rendered)
        self._size += rendered.octets
        while self._size > self._limit:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._size -= dropped.octets
