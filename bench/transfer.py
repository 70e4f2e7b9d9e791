# SPDX-License-Identifier: Apache-2.0
"""How fast zones go out: AXFR not rendered and rendered, IXFR of one change, SOA queries.

    python -m bench.transfer [--records 100000] [--folder DIR]
    python -m bench transfer --databases sqlite,mariadb,postgresql

The zone is written straight into the database; the nameserver runs in this process, its clients in another, over
loopback. `bench.transfer` uses an SQLite file, and prints one line a figure.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import select
import socket
import struct
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from sqlalchemy import update

from bench.beside import apart
from bench.figures import Figure, at_least, at_most, say
from bench.options import Options
from bench.running import database_server
from redesignate.config.settings import DEFAULT_POOL_ID, MdnsSettings
from redesignate.mdns.service import DNSService
from redesignate.model import names
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.store.journal import Entry
from redesignate.store.schema import rrsets, zones
from redesignate.store.serving import Serving
from redesignate.store.tables import metadata
from redesignate.store.unit import Store, Work
from redesignate.wire import message, rrset
from redesignate.wire.message import AXFR, IXFR, SOA

NAME = "example.org."
PAUSE_S = 0.05
"""In which a nameserver ends the last transfer; and after which the machine sleeps and has to be woken."""
_SOA_RDATA = struct.Struct("!BBLLLLL")


def zone_of(serial: int, revision: int, zone_id: str) -> Zone:
    """The zone's row at one revision."""
    return Zone(
        id=zone_id,
        name=NAME,
        type=ZoneType.PRIMARY,
        pool_id=DEFAULT_POOL_ID,
        project_id=None,
        email="hostmaster@example.org",
        ttl=3600,
        serial=serial,
        revision=revision,
        confirmed=revision,
        mname="ns1.example.org.",
        refresh=3600,
        retry=600,
        expire=86400,
        minimum=300,
        action=Action.NONE,
        status=Status.ACTIVE,
        version=1,
        created_at=1,
    )


def fill(store: Store, records: int) -> Zone:
    """A zone of `records` RRsets of one A record each, as central would have written it."""
    zone = zone_of(1000, 1, str(uuid.uuid4()))
    metadata.create_all(store.engine)
    store.transact(lambda work: work.zones.add(zone, apex_version=1, rrsets=records))
    for first in range(0, records, 10_000):
        rows = [_row(zone, at) for at in range(first, min(first + 10_000, records))]
        store.transact(functools.partial(_insert, rows))
    return zone


def _insert(rows: list[dict[str, object]], work: Work) -> None:
    work.conn.execute(rrsets.insert(), rows)


def _row(zone: Zone, at: int) -> dict[str, object]:
    name = f"host-{at:06d}.{NAME}"
    return {
        "id": str(uuid.uuid4()),
        "zone_id": zone.id,
        "name": name,
        "type": "A",
        "records": '["192.0.2.1"]',
        "wire": rrset.pack(NAME, name, "A", None, [struct.pack("!L", 0x0A000000 + at)]),
        "order_key": names.order_key(name, NAME),
        "managed": False,
        "revision": 1,
        "born": 1,
        "version": 1,
        "created_at": 1,
    }


def change(store: Store, zone: Zone) -> Zone:
    """One revision that adds one RRset."""
    after = zone_of(zone.serial + 1, zone.revision + 1, zone.id)
    name = f"new-{after.revision}.{NAME}"
    added = rrset.pack(NAME, name, "A", zone.ttl, [b"\xc0\x00\x02\x01"])

    def do(work: Work) -> None:
        key = names.order_key(name, NAME)
        row = _row(zone, 0) | {"id": str(uuid.uuid4()), "name": name, "order_key": key, "revision": after.revision}
        work.conn.execute(rrsets.insert().values(row))
        entry = Entry(
            zone_id=zone.id,
            revision=after.revision,
            serial_from=zone.serial,
            serial_to=after.serial,
            full=False,
            removed=b"",
            added=added,
            soa_from=rrset.soa(zone),
            soa_to=rrset.soa(after),
            at=1,
        )
        work.ending.journal(entry, None)
        moved = {"serial": after.serial, "revision": after.revision}
        work.conn.execute(update(zones).where(zones.c.id == zone.id).values(moved))

    store.transact(do)
    return after


def change_zone(store: Store) -> int:
    """One revision more of the zone that is in a database; the serial that it begins at."""
    with store.read() as work:
        (found,) = work.zones.named([NAME])
    change(store, found)
    return found.serial


def transfer(address: tuple[str, int], query: bytes, source: str = "127.0.0.1") -> tuple[int, int, float, float]:
    """Records and octets of one transfer, counted as the messages come, drained as fast as they do; seconds until the
    last of them, and until the first. `source`: the address to ask from."""
    began, first = time.perf_counter(), 0.0
    with socket.socket() as connection:
        connection.bind((source, 0))
        connection.connect(address)
        connection.sendall(len(query).to_bytes(2, "big") + query)
        buffer, records, octets, ends = bytearray(), 0, 0, 0
        while ends < 2:
            buffer += connection.recv(1 << 20)
            for packet in message.frames(buffer):
                count = int.from_bytes(packet[6:8], "big")
                first = first or time.perf_counter() - began
                records, octets = records + count, octets + len(packet)
                ends += (octets == len(packet)) + _ends_in_soa(packet)
    return records, octets, time.perf_counter() - began, first


def _ends_in_soa(packet: bytes) -> bool:
    """Whether the last RR is an SOA: its fixed tail stands where the message ends."""
    answer = b"\xc0\x0c\x00\x06\x00\x01"
    at = packet.rfind(answer, len(packet) - 600)
    return at > 40 and at + 12 + int.from_bytes(packet[at + 10 : at + 12], "big") == len(packet)


def ixfr_query(since: int) -> bytes:
    """An IXFR query of one who has serial `since`."""
    soa = rrset.APEX + struct.pack("!HHLH", SOA, 1, 0, 22) + _SOA_RDATA.pack(0, 0, since, 0, 0, 0, 0)
    return message.build(7, 0, message.question(names.to_wire(NAME), IXFR), ((0, b""), (1, soa)))


def soa_flood(address: tuple[str, int], seconds: float, window: int) -> float:
    """SOA queries answered each second, `window` of them under way at a time."""
    query = message.build(7, 0, message.question(names.to_wire(NAME), SOA))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        client.connect(address)
        client.setblocking(False)
        ends, answered, under_way = time.perf_counter() + seconds, 0, 0
        while time.perf_counter() < ends:
            while under_way < window:
                client.send(query)
                under_way += 1
            if not select.select([client], [], [], 0.5)[0]:
                under_way = 0  # lost on the way; datagrams may be
            try:
                while client.recv(4096):
                    answered, under_way = answered + 1, under_way - 1
            except BlockingIOError:
                pass
    return answered / seconds


def several(
    address: tuple[str, int], queries: list[bytes], pause: float = PAUSE_S
) -> list[tuple[int, int, float, float]]:
    """One transfer after another, each after a pause."""
    found = []
    for query in queries:
        time.sleep(pause)
        found.append(transfer(address, query))
    return found


def figures(folder: Path, options: Options) -> Iterator[Figure]:
    """What `make bench` prints of transfers."""
    records = (options.sizes or (100_000,))[0]
    for kind in options.databases:
        with _database(folder, kind) as url:
            yield from _over(url, records, "" if kind == "sqlite" else f", {kind}")


@contextmanager
def _database(folder: Path, kind: str) -> Iterator[str]:
    """The URL of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'transfer.db'}"
        return
    with database_server(kind) as server:
        yield server.database()


def _over(url: str, records: int, where: str) -> Iterator[Figure]:
    goals = {"AXFR, not rendered": 1_000_000, "AXFR, rendered": 1_000_000}
    for title, (value, _) in measure(url, records):
        if title in goals:
            words = title.replace("AXFR", f"AXFR of {records:,} records")
            yield at_least(words + where, value, "records/s", goals[title])
        elif title == "the first message of one not rendered":
            yield at_most(title + where, value, "ms", 50)
        elif title.startswith("IXFR of one change"):
            yield at_most(title.replace("change", "change in that zone", 1) + ", median" + where, value, "ms", 5)
        else:
            say(f"{title}{where}: {value:,.0f}/s")


def measure(url: str, records: int) -> Iterator[tuple[str, tuple[float, str]]]:
    """Each figure's name, its value, and the value as a line says it. `url`: of an empty database."""
    store = Store(url)
    zone = fill(store, records)
    axfr = message.build(7, 0, message.question(names.to_wire(NAME), AXFR))

    def serve(cache_bytes: int) -> DNSService:
        service = DNSService(Serving(store), MdnsSettings(cache_bytes=cache_bytes))
        service.run_in_thread([("127.0.0.1", 0)])
        return service

    for title, cache in (("AXFR, not rendered", 0), ("AXFR, rendered", 64 << 20)):
        service = serve(cache)
        runs = apart(several, service.addresses[0], [axfr] * 6)
        assert isinstance(runs, list)
        count, octets, best = runs[0][0], runs[0][1], median(run[2] for run in runs[1:])
        line = f"{count / best:12,.0f} records/s   ({count:,} records, {octets / 1e6:.1f} MB, {best * 1e3:.1f} ms)"
        yield title, (count / best, line)
        if not cache:
            began = 1e3 * median(run[3] for run in runs[1:])
            yield "the first message of one not rendered", (began, f"{began:12.2f} ms median")
        service.stop_thread()
    service = serve(64 << 20)
    for _ in range(20):
        before, zone = zone, change(store, zone)
    for title, pause in (("IXFR of one change", 0.0), ("IXFR of one change, after a pause", PAUSE_S)):
        runs = apart(several, service.addresses[0], [ixfr_query(before.serial)] * 41, pause)
        assert isinstance(runs, list)
        times = sorted(run[2] for run in runs)
        middle = median(times) * 1e3
        yield title, (middle, f"{middle:12.2f} ms median, {times[-1] * 1e3:.2f} ms worst of {len(times)}")
    for window in (1, 64):
        rate = apart(soa_flood, service.addresses[0], 3.0, window)
        assert isinstance(rate, float)
        yield f"SOA over UDP, {window} under way", (rate, f"{rate:12,.0f} queries/s")
    service.stop_thread()
    store.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for title, (_, line) in measure(f"sqlite:///{Path(folder) / 'transfer.db'}", options.records):
            print(f"{title:38}{line}", flush=True)


if __name__ == "__main__":
    main()
