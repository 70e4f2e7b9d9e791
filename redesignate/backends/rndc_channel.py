# SPDX-License-Identifier: Apache-2.0
"""Keeps a connection to a nameserver's control channel. One command in flight; reconnects if it is dropped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets

from redesignate.backends.port import BackendError, BackendRefused
from redesignate.backends.rndc_key import KeySource
from redesignate.backends.rndc_message import LARGEST, RndcFormatError, RndcKey, Table, decode, encode, text
from redesignate.model.clock import SECOND, Clock, now
from redesignate.model.pool import Endpoint

LIFE_S = 60
"""Seconds that a message is valid after it was made; named refuses it later, against replay."""


class CommandRefused(BackendRefused):
    """The server understood the command and refused it; `reason` is its own text."""

    def __init__(self, server: Endpoint, reason: str) -> None:
        super().__init__(f"rndc: {server} says: {reason}")
        self.reason = reason


class _Dropped(Exception):
    """The connection ended before the answer arrived."""


class _KeyRefused(Exception):
    """named closed the connection without an answer: it refuses the signature, the address or the clock."""


class RndcChannel:
    """Speaks to one control channel. Belongs to the event loop that first uses it.

    `timeout` (seconds) bounds connecting and each command; there is always one. The wait for a turn is not counted.
    """

    def __init__(self, server: Endpoint, key: KeySource, timeout: float, *, clock: Clock = now) -> None:
        self.server = server
        self._key = key
        self._timeout = timeout
        self._clock = clock
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._nonce: str | None = None
        self._serial = secrets.randbits(32)

    async def command(self, line: str) -> str:
        """Send one command and return its text. The line's operands must be safe: see `bind9_zone.quoted`.

        A kept connection that was dropped is replaced and the command sent once more, so commands must be
        idempotent for us. Raises CommandRefused, BackendError.
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
                async with asyncio.timeout(1):
                    await streams[1].wait_closed()

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
            if not answered:  # also if cancelled: a late answer must not be taken for the next command's
                self._abort()
        return self._result(answer)

    async def _open(self) -> None:
        """Connect. If named refuses the key and its file has another one now, connect with that."""
        try:
            await self._greet()
        except _KeyRefused:
            refused = self._key.key
            try:
                if not await self._key.renewed():
                    raise self._refused(refused) from None
                self._abort()
                await self._greet()
            except ValueError as error:
                raise self._refused(refused, f"; {error}") from None
            except _KeyRefused:
                raise self._refused(self._key.key) from None
        self._key.accepted()

    async def _greet(self) -> None:
        """Open the connection and learn its nonce. Raises _KeyRefused, BackendError."""
        try:
            self._streams = await asyncio.open_connection(self.server.host, self.server.port)
        except OSError as error:  # asyncio's own words are "Connect call failed ('192.0.2.1', 953)"
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
            raise BackendError(f"rndc: cannot connect to {self.server}: {why}") from None
        try:
            greeting = await self._exchange("null")
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _KeyRefused from None
        self._nonce = text(greeting, "_ctrl", "_nonce")

    def _refused(self, key: RndcKey, more: str = "") -> BackendError:
        return BackendError(
            f"rndc: {self.server} closed the connection at once: it does not accept key {key.name!r} "
            f"({key.algorithm}) from this host, or the clocks differ{more}"
        )

    async def _exchange(self, line: str) -> Table:
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(encode(self._key.key, self._message(line)))
        await writer.drain()
        size = int.from_bytes(await reader.readexactly(4), "big")
        if size > LARGEST:
            raise RndcFormatError(f"an answer of {size} bytes")
        return decode(self._key.key, await reader.readexactly(size))

    def _message(self, line: str) -> Table:
        self._serial = (self._serial + 1) % 2**32
        made = self._clock() // SECOND
        control: Table = {"_ser": b"%d" % self._serial, "_tim": b"%d" % made, "_exp": b"%d" % (made + LIFE_S)}
        if self._nonce is not None:
            control["_nonce"] = self._nonce.encode()
        return {"_ctrl": control, "_data": {"type": line.encode()}}

    def _result(self, answer: Table) -> str:
        details = text(answer, "_data", "text") or ""
        code = text(answer, "_data", "result") or "0"
        reason = text(answer, "_data", "err")
        if reason is not None or code != "0":
            # `err` is the kind ("not found"), `text` has the details; both on one line
            why = "; ".join(dict.fromkeys(" ".join(part.split()) for part in (details, reason or "") if part))
            raise CommandRefused(self.server, why or f"result {code}")
        return details

    def _abort(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
        self._streams = self._nonce = None
