# SPDX-License-Identifier: Apache-2.0
"""A kept connection to a nameserver's control channel. One command in flight; reconnects when it is dropped."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time

from redesignate.backends.port import BackendError, BackendRefused
from redesignate.backends.rndc_message import LARGEST, RndcFormatError, RndcKey, Table, decode, encode, text
from redesignate.model.pool import Endpoint

LIFE_S = 60
"""How long a message counts after it was made; named refuses it later, against replay."""


class CommandRefused(BackendRefused):
    """The server understood and said no; `reason` is its own text."""

    def __init__(self, server: Endpoint, reason: str) -> None:
        super().__init__(f"rndc: {server} says: {reason}")
        self.reason = reason


class _Dropped(Exception):
    """The connection ended before the answer was there."""


class RndcChannel:
    """Speaks to one control channel. Belongs to the event loop that first uses it.

    `timeout` (seconds) bounds connecting and each command; there is always one. Waiting for one's turn is not counted.
    """

    def __init__(self, server: Endpoint, key: RndcKey, timeout: float) -> None:
        self.server = server
        self._key = key
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._nonce: str | None = None
        self._serial = secrets.randbits(32)

    async def command(self, line: str) -> str:
        """Send one command and return its text. The line's operands must be safe: see `bind9.quoted`.

        A kept connection that turns out to be dropped is replaced and the command sent once more, so commands must be
        idempotent to us. Raises CommandRefused, BackendError.
        """
        async with self._lock:
            kept = self._streams is not None
            try:
                return await self._once(line)
            except _Dropped as dropped:
                if not kept:
                    raise BackendError(f"rndc: {dropped}") from None
            try:
                return await self._once(line)
            except _Dropped as dropped:
                raise BackendError(f"rndc: {dropped}") from None

    async def close(self) -> None:
        """Close the connection; the next command opens another."""
        streams, self._streams, self._nonce = self._streams, None, None
        if streams is not None:
            streams[1].close()
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(streams[1].wait_closed(), 1)

    async def _once(self, line: str) -> str:
        answered = False
        try:
            async with asyncio.timeout(self._timeout):
                if self._streams is None:
                    await self._open()
                answer = await self._exchange(line)
            answered = True
        except TimeoutError:
            raise BackendError(f"rndc: no answer from {self.server} within {self._timeout:g} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _Dropped(f"{self.server} closed the connection") from None
        except OSError as error:
            raise BackendError(f"rndc: {self.server}: {error.strerror or error}") from None
        except RndcFormatError as error:
            raise BackendError(f"rndc: {self.server}: {error}") from None
        finally:
            if not answered:  # also when cancelled: an answer that comes later must not be taken for the next one's
                self._abort()
        return self._result(answer)

    async def _open(self) -> None:
        try:
            self._streams = await asyncio.open_connection(self.server.host, self.server.port)
        except OSError as error:
            raise BackendError(f"rndc: cannot connect to {self.server}: {error.strerror or error}") from None
        try:
            greeting = await self._exchange("null")
        except (asyncio.IncompleteReadError, ConnectionError):
            # named closes without a word when it does not like the signature, the address or the clock
            raise BackendError(
                f"rndc: {self.server} closed the connection at once: it does not take key {self._key.name!r} "
                f"({self._key.algorithm}) from this host, or the clocks differ"
            ) from None
        self._nonce = text(greeting, "_ctrl", "_nonce")

    async def _exchange(self, line: str) -> Table:
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(encode(self._key, self._message(line)))
        await writer.drain()
        size = int.from_bytes(await reader.readexactly(4), "big")
        if size > LARGEST:
            raise RndcFormatError(f"an answer of {size} bytes")
        return decode(self._key, await reader.readexactly(size))

    def _message(self, line: str) -> Table:
        self._serial = (self._serial + 1) % 2**32
        now = int(time.time())
        control: Table = {"_ser": b"%d" % self._serial, "_tim": b"%d" % now, "_exp": b"%d" % (now + LIFE_S)}
        if self._nonce is not None:
            control["_nonce"] = self._nonce.encode()
        return {"_ctrl": control, "_data": {"type": line.encode()}}

    def _result(self, answer: Table) -> str:
        said = text(answer, "_data", "text") or ""
        code = text(answer, "_data", "result") or "0"
        reason = text(answer, "_data", "err")
        if reason is not None or code != "0":
            # `err` is the kind ("not found"), `text` tells more; both on one line
            told = "; ".join(dict.fromkeys(" ".join(part.split()) for part in (said, reason or "") if part))
            raise CommandRefused(self.server, told or f"result {code}")
        return said

    def _abort(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
        self._streams = self._nonce = None
