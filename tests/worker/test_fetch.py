# SPDX-License-Identifier: Apache-2.0
"""Asking one primary for its serial; whole zones are in test_inbound.py."""

from __future__ import annotations

import asyncio

import pytest

from redesignate.config.settings import WorkerSettings
from redesignate.model.clock import now
from redesignate.model.pool import Endpoint
from redesignate.wire.client import Exchanger
from redesignate.worker.fetch import Fetcher, PrimaryFault
from tests.support.nameservers import SmallServer

SETTINGS = WorkerSettings(serial_max_retries=1, serial_retry_delay=0, serial_timeout=1)


def serial(server: SmallServer) -> int:
    async def ask() -> int:
        exchanger = Exchanger()
        try:
            return await Fetcher(exchanger, SETTINGS, now).serial(
                "example.org.", Endpoint("127.0.0.1", server.port), None
            )
        finally:
            await exchanger.close()

    return asyncio.run(ask())


def test_a_primary_is_asked_for_its_serial() -> None:
    with SmallServer(zones={"example.org.": 7}) as server:
        assert serial(server) == 7


def test_a_primary_that_refuses_is_named() -> None:
    with SmallServer() as server, pytest.raises(PrimaryFault, match=f"127.0.0.1:{server.port} answers REFUSED"):
        serial(server)


def test_a_silent_primary_is_asked_once_more_for_each_retry() -> None:
    with SmallServer(silent=True) as server:
        with pytest.raises(PrimaryFault, match="no answer"):
            serial(server)
        assert len(server.questions("SOA")) == 2
