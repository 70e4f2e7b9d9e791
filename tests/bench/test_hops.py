# SPDX-License-Identifier: Apache-2.0
"""The time before each packet is its sender's, and all of a change's time is put down to somebody."""

from __future__ import annotations

import socket
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.capture import Hop, Packet, captured, hops, may_capture, ports_of
from bench.hops import ORDER, Moments, _phase, _shares

CHAIN = [
    Hop(1.001, "client", "api"),
    Hop(1.003, "api", "broker"),
    Hop(1.004, "broker", "central"),
    Hop(1.007, "central", "database"),
    Hop(1.008, "database", "central"),
    Hop(1.009, "central", "broker"),
    Hop(1.010, "api", "client"),
    Hop(1.012, "worker", "named"),  # NOTIFY
    Hop(1.013, "named", "mdns"),
    Hop(1.016, "mdns", "named"),
    Hop(1.017, "worker", "named"),  # a poll that comes too early
    Hop(1.025, "worker", "named"),
    Hop(1.026, "worker", "central"),
]
MOMENTS = Moments(1.0, 1.010, 1.020, 1.1)


def test_each_part_of_a_change_is_put_down_to_whom_was_waited_for() -> None:
    first, second, third = ({hop: round(ms) for hop, ms in part.items() if ms} for part in _shares(CHAIN, MOMENTS))
    assert first == {"client": 1, "api": 3, "broker": 1, "central": 4, "database": 1}
    assert second == {"worker": 2, "named": 5, "mdns": 3}
    assert third == {"worker": 6}


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(ORDER), st.sampled_from(ORDER)), max_size=30))
def test_no_time_is_counted_twice_or_lost(packets: list[tuple[float, str, str]]) -> None:
    chain = [Hop(*one) for one in sorted(packets)]
    last = max((hop.at for hop in chain if hop.at > 0), default=0.0)
    assert sum(_phase(chain, 0.0, 1.0, None).values()) == pytest.approx(1000 * last)


def test_a_port_that_was_open_only_shortly_belongs_to_whom_asks_there() -> None:
    packets = [Packet(2.0, 5354, 40001), Packet(1.0, 40001, 5354), Packet(3.0, 40002, 40003)]
    assert hops(packets, {5354: "mdns"}, {"mdns": "named"}) == [Hop(1.0, "named", "mdns"), Hop(2.0, "mdns", "named")]


@pytest.mark.skipif(not may_capture(), reason="only root may read packets")
def test_data_on_loopback_is_recorded_once_with_its_ports_and_time() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], two.getsockname()[1]
        with captured() as capture:
            for _ in range(3):
                one.sendto(b"x", two.getsockname())
                two.recv(10)
            one.sendto(b"", two.getsockname())  # no data
            two.recv(10)
        assert {ports_of({})[port] for port in ports} == {"client"}
    mine = [packet for packet in capture.packets if (packet.source, packet.target) == ports]
    assert len(mine) == 3
    assert fmean(packet.at for packet in mine) > 1.7e9
