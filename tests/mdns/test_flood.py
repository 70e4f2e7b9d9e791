# SPDX-License-Identifier: Apache-2.0
"""Publication beside a flood of other questions: what secondaries ask does not wait for what anybody asks."""

from __future__ import annotations

import multiprocessing
import os
import random
import socket
import threading
import time
from multiprocessing.synchronize import Event
from statistics import median

import pytest

from redesignate.model.names import to_wire
from redesignate.model.pool import Nameserver, Pool
from redesignate.threads.loop import Precedence
from redesignate.wire import message
from redesignate.wire.message import SOA, A
from tests.mdns.conftest import Serve
from tests.mdns.zones import POOL, StoredZones

ZONE = "example.org."
UNDER_WAY = 600
"""Questions of the flood that wait for their answers at a time."""
Address = tuple[str, int]


def query(number: int, name: str, rrtype: int) -> bytes:
    return message.build(number & 0xFFFF, 0, message.question(to_wire(name), rrtype))


def flood(address: Address, begun: Event, enough: Event) -> None:
    """Ask for names that do not exist, always so many at a time."""
    rng = random.Random(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        client.connect(address)
        client.settimeout(0.2)
        wanted, answered = UNDER_WAY, 0
        while not enough.is_set():
            for _ in range(wanted):
                client.send(query(rng.randrange(2**16), f"r{rng.randrange(10**9)}.{ZONE}", A))
            try:
                client.recv(4096)
                answered, wanted = answered + 1, 1
            except TimeoutError:
                wanted = UNDER_WAY  # lost, as datagrams may be
            if answered == UNDER_WAY:
                begun.set()


def times(address: Address, count: int) -> dict[str, list[float]]:
    """Milliseconds until SOA questions are answered, and questions like those of the flood; 1000 for a lost one."""
    found: dict[str, list[float]] = {"publication": [], "other": []}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(address)
        client.settimeout(1)
        for at in range(2 * count):
            kind = "other" if at % 2 else "publication"
            asked = query(at, f"q{at}.{ZONE}", A) if at % 2 else query(at, ZONE, SOA)
            began = time.monotonic()
            client.send(asked)
            try:
                while client.recv(4096)[:2] != asked[:2]:
                    pass
            except TimeoutError:
                pass
            found[kind].append(1000 * (time.monotonic() - began))
            time.sleep(0.002)
    return found


def test_a_flood_of_names_that_do_not_exist_does_not_hold_up_publication(stored: StoredZones, serve: Serve) -> None:
    """Relative, as the machine may be busy: a question of the flood waits for hundreds before it, an SOA poll for none.
    Clients and server do not share an interpreter."""
    stored.add_zone(ZONE, {(f"h{n}.{ZONE}", "A"): ("192.0.2.1",) for n in range(100)})
    address = serve().addresses[0]
    context = multiprocessing.get_context("spawn")
    begun, enough = context.Event(), context.Event()
    flooding = context.Process(target=flood, args=(address, begun, enough))
    flooding.start()
    try:
        with context.Pool(1) as pool:
            pool.apply(os.getpid)
            assert begun.wait(60)
            found = pool.apply(times, (address, 20))
    finally:
        enough.set()
        flooding.join()
    assert median(found["publication"]) < median(found["other"]) / 4, found


@pytest.mark.parametrize(("workers", "apart"), [(1, {"127.0.0.2"}), (2, set())])
def test_the_pools_servers_have_queues_of_the_systems_where_no_other_process_shares_the_port(
    stored: StoredZones, serve: Serve, workers: int, apart: set[str]
) -> None:
    stored.add_zone(ZONE)
    server = Nameserver(id="n1", host="127.0.0.2", port=53)
    stored.store.transact(
        lambda work: work.pools.add(Pool(id=POOL, name="default", version=1, created_at=1, nameservers=(server,)))
    )
    service = serve(workers=workers)
    for host in ("127.0.0.1", "127.0.0.2", "127.0.0.2"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind((host, 0))
            client.settimeout(20)
            client.sendto(query(7, ZONE, SOA), service.addresses[0])
            assert client.recvfrom(4096)[1] == service.addresses[0]
    assert service._datagrams[0]._apart.keys() == apart


def test_others_pause_while_anything_that_goes_first_is_under_way() -> None:
    made, passed, ends = Precedence(), threading.Event(), time.monotonic() + 60
    made.give_way(ends)
    made.under_way = 2

    def work() -> None:
        made.give_way(ends)
        passed.set()

    other = threading.Thread(target=work)
    other.start()
    made.under_way -= 1
    assert not passed.wait(0.05), "one of two is under way still"
    made.under_way -= 1
    assert passed.wait(10)
    other.join()


def test_what_goes_first_does_not_stop_the_others_for_good() -> None:
    made = Precedence()
    made.under_way = 1
    made.give_way(time.monotonic() + 0.01)
