# SPDX-License-Identifier: Apache-2.0
"""A database of zones, and a nameserver over it on a free port of loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redesignate.config.settings import MdnsSettings
from redesignate.mdns.service import DNSService
from tests.mdns.nursery import Nursery

Serve = Callable[..., DNSService]


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    """An empty database."""
    made = Nursery.in_folder(tmp_path)
    yield made
    made.close()


@pytest.fixture
def serve(nursery: Nursery) -> Iterator[Serve]:
    """`serve(tcp_recv_timeout=5, …)` starts a nameserver over the nursery; `.addresses[0]` is where it listens."""
    started: list[DNSService] = []

    def start(host: str = "127.0.0.1", **options: object) -> DNSService:
        service = DNSService(nursery.source, MdnsSettings(**{"tcp_recv_timeout": 5.0, **options}))  # type: ignore[arg-type]
        service.run_in_thread([(host, 0)])
        started.append(service)
        return service

    yield start
    for service in started:
        service.stop_thread()
