# SPDX-License-Identifier: Apache-2.0
"""SECONDARY zones by a real worker: primaries that are slow, silent, hostile, or several."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import dns.message
import pytest

from redesignate.commands.inbound import NotifiedInbound, TransferZone
from redesignate.commands.zones import CreateZone, GetZone, UpdateZone, ZonePeers
from redesignate.config.settings import WorkerSettings
from redesignate.model.work import PeerView
from redesignate.model.zone import NewZone, Zone, ZoneChange, ZoneType
from tests.support.bind import free_port
from tests.support.nameservers import SmallServer
from tests.support.primary import Primary, Send, answer, rrsets, send_zone
from tests.support.servers import until
from tests.worker.conftest import USER, Plane

BRISK = WorkerSettings(
    find_interval=0.1, lease=4.0, xfr_timeout=1, xfr_max_time=3, xfr_max_records=2000, serial_max_retries=1,
    serial_retry_delay=0, denied_masters=(),
)  # fmt: skip


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    made = Plane(tmp_path, worker_settings=BRISK)
    made.pool()
    yield made
    made.stop()


@pytest.fixture
def primary() -> Iterator[Primary]:
    with Primary() as made:
        yield made


def secondary(plane: Plane, *primaries: str, name: str = "customer.example.") -> Zone:
    new = NewZone(name=name, type=ZoneType.SECONDARY, primaries=primaries)
    return plane.call(CreateZone(caller=USER, new=new))


def now(plane: Plane, zone: Zone) -> Zone:
    return plane.call(GetZone(caller=USER, zone_id=zone.id))


def source(plane: Plane, zone: Zone) -> PeerView:
    return plane.call(ZonePeers(caller=USER, zone_id=zone.id))[0]


def came(plane: Plane, zone: Zone, serial: int) -> None:
    until(lambda: now(plane, zone).serial == serial and now(plane, zone).transferred_at is not None, deadline_s=30)


def fetched(plane: Plane, zone: Zone, serial: int) -> None:
    """Wish for the zone until its new content is there: an attempt may take longer than BRISK allows."""
    seen = -1

    def done() -> bool:
        nonlocal seen
        if (attempts := source(plane, zone).attempts) > seen:
            seen = attempts
            wish(plane, zone)
        return now(plane, zone).serial == serial

    until(done, deadline_s=30)


def wish(plane: Plane, zone: Zone) -> None:
    plane.call(TransferZone(caller=USER, zone_id=zone.id))


def test_a_zone_of_many_messages_comes_in(plane: Plane, primary: Primary) -> None:
    plane.start()
    primary.serial, primary.hosts = 2026010101, 1500
    zone = secondary(plane, primary.address)
    came(plane, zone, 2026010101)
    with plane.store.read() as work:
        assert sum(1 for held in work.rrsets.walk(zone.id) if held.type != "SOA") == 1501


def test_a_worker_without_hints_finds_the_zone(tmp_path: Path, primary: Primary) -> None:
    plane = Plane(tmp_path, worker_settings=BRISK, hinted=False)
    plane.pool()
    plane.start()
    came(plane, secondary(plane, primary.address), 1)
    plane.stop()


def test_a_notify_costs_one_question_where_nothing_is_new_and_a_transfer_where_something_is(
    plane: Plane, primary: Primary
) -> None:
    plane.start()
    zone = secondary(plane, primary.address, f"localhost:{primary.port}")
    came(plane, zone, 1)
    until(lambda: not _leased(plane, zone))
    before = primary.asked.copy()
    plane.call(NotifiedInbound(zones=((zone.id, "127.0.0.1"),)))
    until(lambda: not _due(plane, zone) and not _leased(plane, zone))
    assert primary.asked - before == {"SOA": 1}
    primary.serial = 2
    plane.call(NotifiedInbound(zones=((zone.id, "127.0.0.1"),)))
    came(plane, zone, 2)


def test_each_primary_is_tried_and_the_one_with_the_newest_wins(plane: Plane, primary: Primary) -> None:
    plane.start()
    primary.serial = 7
    with Primary(serial=7) as lagging:
        zone = secondary(plane, f"127.0.0.1:{free_port()}", lagging.address, primary.address)
        came(plane, zone, 7)
        primary.serial = 8
        until(lambda: not _leased(plane, zone))
        plane.call(NotifiedInbound(zones=((zone.id, "192.0.2.99"),)))
        came(plane, zone, 8)


def _leased(plane: Plane, zone: Zone) -> bool:
    with plane.store.read() as work:
        row = work.inbound.get(zone.id, work.now)
        return row is not None and row.lease_owner is not None


def _due(plane: Plane, zone: Zone) -> bool:
    with plane.store.read() as work:
        return zone.id in work.inbound.due(work.now, 10)


# -- hostile primaries


def drip(connection: socket.socket, query: dns.message.Message, primary: Primary) -> None:
    """One octet now and then."""
    for octet in answer(query, rrsets("customer.example.", 2)):
        connection.sendall(bytes((octet,)))
        if primary.hold(0.3):
            return


def endless(connection: socket.socket, query: dns.message.Message, primary: Primary) -> None:
    """Ever more records."""
    soa, ns, *hosts, _ = rrsets("customer.example.", 2, 100)
    connection.sendall(answer(query, [soa, ns]))
    for _ in primary.until_stopped():
        connection.sendall(answer(query, hosts))


def stalled(connection: socket.socket, query: dns.message.Message, primary: Primary) -> None:
    """The start, and then nothing."""
    connection.sendall(answer(query, rrsets(str(query.question[0].name), 2)[:2]))
    primary.hold(300)


def unending(connection: socket.socket, query: dns.message.Message, primary: Primary) -> None:
    """Each message in time, and no end."""
    soa, ns, *_ = rrsets("customer.example.", 2)
    connection.sendall(answer(query, [soa]))
    while not primary.hold(0.2):
        connection.sendall(answer(query, [ns]))


def cut(connection: socket.socket, query: dns.message.Message, primary: Primary) -> None:
    """All but the last record."""
    connection.sendall(answer(query, rrsets("customer.example.", 2)[:-1]))


def nothing(connection: socket.socket, query: dns.message.Message, primary: Primary) -> None:
    """Messages of no octets."""
    for _ in range(10):
        connection.sendall(b"\0\0")


def other(connection: socket.socket, query: dns.message.Message, primary: Primary) -> None:
    """Somebody else's records among them."""
    soa, *_ = rrsets("customer.example.", 2)
    foreign = rrsets("victim.example.", 2)
    connection.sendall(answer(query, [soa, foreign[1], soa]))


def older(connection: socket.socket, query: dns.message.Message, primary: Primary) -> None:
    """What we have already, under a newer promise."""
    connection.sendall(answer(query, rrsets("customer.example.", 1)))


HOSTILE: tuple[Send, ...] = (drip, endless, stalled, unending, cut, nothing, other, older)


@pytest.mark.parametrize("manner", HOSTILE, ids=lambda manner: manner.__name__)
def test_what_a_hostile_primary_sends_leaves_the_old_copy_and_is_told(
    plane: Plane, primary: Primary, manner: Send
) -> None:
    plane.start()
    zone = secondary(plane, primary.address)
    came(plane, zone, 1)
    held = now(plane, zone)
    primary.send, primary.serial = manner, 2
    plane.call(NotifiedInbound(zones=((zone.id, "127.0.0.1"),)))
    until(lambda: source(plane, zone).attempts == 1, deadline_s=30)
    view = source(plane, zone)
    assert (view.state.value, primary.address in (view.error or "")) == ("behind", True)
    assert now(plane, zone) == held
    primary.send = send_zone
    fetched(plane, zone, 2)


def test_slow_primaries_hold_up_neither_other_zones_nor_outgoing_work(tmp_path: Path, primary: Primary) -> None:
    plane = Plane(
        tmp_path, worker_settings=replace(BRISK, xfr_timeout=300, xfr_max_time=300, xfr_slots=3, serial_timeout=10)
    )
    with ExitStack() as stack:
        stack.callback(plane.stop)
        plane.pool(stack.enter_context(SmallServer()))
        slow = stack.enter_context(Primary(send=stalled))
        silent = stack.enter_context(Primary(silent=True))
        plane.start()
        for n in range(12):
            secondary(plane, slow.address, name=f"slow{n}.example.")
            secondary(plane, silent.address, name=f"silent{n}.example.")
        until(lambda: slow.asked["AXFR"] >= 2, deadline_s=30)
        zone = secondary(plane, f"localhost:{primary.port}", name="good.example.")
        plane.wait_active(plane.zone(), timeout=30)
        came(plane, zone, 1)
        assert slow.asked["AXFR"] == 2, "two places for one host"


def test_other_primaries_are_asked_at_once(plane: Plane, primary: Primary) -> None:
    plane.start()
    zone = secondary(plane, f"127.0.0.1:{free_port()}")
    until(lambda: source(plane, zone).attempts > 0, deadline_s=30)
    change = ZoneChange(primaries=(primary.address,))
    plane.call(UpdateZone(caller=USER, zone_id=zone.id, change=change))
    came(plane, zone, 1)


def test_a_worker_that_stops_gives_its_zones_back(plane: Plane, primary: Primary) -> None:
    primary.send = stalled
    worker = plane.start()
    zone = secondary(plane, primary.address)
    until(lambda: primary.asked["AXFR"] == 1)
    worker.stop()
    assert not _leased(plane, zone)
    primary.send = send_zone
    plane.start()
    came(plane, zone, 1)


def test_a_master_that_may_not_be_asked_is_named_in_the_status_and_never_asked(
    tmp_path: Path, primary: Primary
) -> None:
    """By its address, and by a name that leads to it."""
    plane = Plane(tmp_path, worker_settings=replace(BRISK, denied_masters=("loopback",)))
    plane.pool()
    plane.start()
    zone = secondary(plane, f"127.0.0.1:{primary.port}", f"localhost:{primary.port}")
    until(lambda: source(plane, zone).attempts > 0, deadline_s=30)
    why = source(plane, zone).error or ""
    plane.stop()
    assert "127.0.0.1 is not allowed as a master ([service:worker] allowed_masters, denied_masters)" in why
    assert "localhost is " in why
    assert not primary.asked
