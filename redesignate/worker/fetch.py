# SPDX-License-Identifier: Apache-2.0
"""Asking one primary for one zone: its serial, and the whole zone over TCP. What it sends is `wire/inbound.py`'s."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from redesignate.config.settings import WorkerSettings
from redesignate.model.clock import SECOND, Clock
from redesignate.model.pool import Endpoint
from redesignate.model.tsigkey import TSIGKey
from redesignate.wire import tsig
from redesignate.wire.client import Exchanger, NoAnswer, read_soa_answer, soa_query
from redesignate.wire.inbound import Limits, TransferFault, TransferReader, axfr_query
from redesignate.wire.message import Malformed, Rcode
from redesignate.wire.served import rcode_text


class PrimaryFault(Exception):
    """A primary whose answer cannot be used; the text is one line for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A zone as it came. `content` is zlib over RRs in blob form, the SOA first."""

    serial: int
    records: int
    content: bytes


class Fetcher:
    """Asks primaries. For one event loop."""

    def __init__(self, exchanger: Exchanger, settings: WorkerSettings, clock: Clock) -> None:
        self._exchanger = exchanger
        self._settings = settings
        self._clock = clock

    async def serial(self, zone: str, at: Endpoint, key: TSIGKey | None) -> int:
        """The serial that a primary serves (RFC 1034 §4.3.5). Raises PrimaryFault.

        Cost  one UDP exchange, `serial_max_retries` more with `serial_retry_delay` seconds between where it is silent
        """
        settings = self._settings
        for left in range(settings.serial_max_retries, -1, -1):
            try:
                query = soa_query(zone, self._exchanger.new_id(), key, clock=self._clock)
                packet = await self._exchanger.exchange(
                    at.host, at.port, query, settings.serial_timeout, settings.all_tcp
                )
                answer = read_soa_answer(packet, query, key, clock=self._clock)
                break
            except NoAnswer as error:
                if not left:
                    raise PrimaryFault(f"{at}: {error}") from error
                await asyncio.sleep(settings.serial_retry_delay)
            except (Malformed, tsig.Refused, ValueError) as error:
                raise PrimaryFault(f"{at}: {error}") from error
        if answer.rcode != Rcode.NOERROR:
            raise PrimaryFault(f"{at} answers {rcode_text(answer.rcode)} to a query for the zone's SOA")
        if answer.serial is None or not answer.aa:
            raise PrimaryFault(f"{at} is not authoritative for the zone")
        return answer.serial

    async def zone(self, zone: str, at: Endpoint, key: TSIGKey | None) -> Fetched:
        """The whole zone (RFC 5936). Raises PrimaryFault, with nothing half taken.

        Bounded in time for each message and over all, in records, in octets and in what is left when packed.
        """
        settings = self._settings
        try:
            async with asyncio.timeout(settings.xfr_max_time):
                transfer = await self._over_tcp(zone, at, key)
        except TimeoutError as error:
            raise PrimaryFault(f"{at}: the transfer took longer than {settings.xfr_max_time} s") from error
        except (TransferFault, OSError, ValueError) as error:
            raise PrimaryFault(f"{at}: {error or type(error).__name__}") from error
        return Fetched(serial=transfer.serial, records=transfer.records, content=transfer.content)

    async def _over_tcp(self, zone: str, at: Endpoint, key: TSIGKey | None) -> TransferReader:
        settings = self._settings
        msg_id = self._exchanger.new_id()
        query, verifier = axfr_query(zone, msg_id, key, self._clock() // SECOND)
        limits = Limits(
            records=settings.xfr_max_records, octets=settings.xfr_max_bytes, packed=settings.xfr_max_compressed
        )
        transfer = TransferReader(zone, msg_id, limits, verifier)
        try:
            async with asyncio.timeout(settings.xfr_timeout):
                reader, writer = await asyncio.open_connection(at.host, at.port)
        except TimeoutError as error:
            raise TransferFault(f"no TCP connection within {settings.xfr_timeout} s") from error
        try:
            writer.write(len(query).to_bytes(2, "big") + query)
            while not transfer.take(await self._message(reader), self._clock() // SECOND):
                await asyncio.sleep(0)  # a primary that sends as fast as we read must not keep the loop from others
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        return transfer

    async def _message(self, reader: asyncio.StreamReader) -> bytes:
        """The next message. Raises TransferFault where the stream ends or a message takes too long."""
        try:
            async with asyncio.timeout(self._settings.xfr_timeout):
                size = int.from_bytes(await reader.readexactly(2), "big")
                return await reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise TransferFault("the stream ended before the second SOA") from error
        except TimeoutError as error:
            raise TransferFault(f"no complete message within {self._settings.xfr_timeout} s") from error
