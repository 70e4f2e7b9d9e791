# SPDX-License-Identifier: Apache-2.0
"""A database of zones, and a nameserver over it on a free port of loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redesignate.config.settings import MdnsSettings
from redesignate.mdns.service import DNSService
from tests.mdns.zones import StoredZones

Serve = Callable[..., DNSService]


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[StoredZones]:
    """An empty database."""
    made = StoredZones.in_folder(tmp_path)
    yield made
    made.close()


@pytest.fixture
def serve(stored: StoredZones) -> Iterator[Serve]:
    """`serve(tcp_recv_timeout=5, …)` starts a nameserver over the stored; `.addresses[0]` is where it listens."""
    started: list[DNSService] = []

    def start(host: str = "127.0.0.1", **options: object) -> DNSService:
        service = DNSService(stored.source, MdnsSettings(**{"tcp_recv_timeout": 5.0, **options}))  # type: ignore[arg-type]
        service.run_in_thread([(host, 0)])
        started.append(service)
        return service

    yield start
    for service in started:
        service.stop_thread()
