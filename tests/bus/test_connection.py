# SPDX-License-Identifier: Apache-2.0
"""Connections to a real broker: made, used by many threads, lost, and made again."""

from __future__ import annotations

import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from redesignate.bus import connection
from redesignate.bus.broker import Broker
from redesignate.bus.connection import Line, Link, Lost, Refused
from redesignate.config.settings import BusSettings, RabbitSettings
from redesignate.threads import service
from tests.faults.drills import frozen
from tests.support.certificates import certify
from tests.support.rabbitmq import RabbitMQ, TlsRabbitMQ
from tests.support.servers import until

pytestmark = pytest.mark.external
WAIT_S = 20.0
Start = Callable[..., Line]


class Heard:
    """What the functions of a line and of its links hear."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.confirmed: set[int] = set()
        self.returned: list[bytes] = []
        self.lost = 0
        self.ticks = 0

    def open(self, link: Link) -> None:
        """Read a queue of the link's own."""
        link.channel.confirm_select()
        link.channel.queue_declare(link.id, exclusive=True)
        link.channel.basic_consume(link.id, no_ack=True, callback=lambda message: self.bodies.append(message.body))
        link.channel.events["basic_ack"].add(self._confirm)
        link.channel.events["basic_return"].add(lambda *words: self.returned.append(words[-1].body))

    def lose(self) -> None:
        self.lost += 1

    def tick(self) -> None:
        self.ticks += 1

    def _confirm(self, tag: int, multiple: bool) -> None:
        self.confirmed |= set(range(1, tag + 1)) if multiple else {tag}


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def start(heard: Heard) -> Iterator[Start]:
    with ExitStack() as stack:

        def make(url: str, opened: Callable[[Link], None] = heard.open, **rabbit: Any) -> Line:
            broker = Broker(BusSettings(transport_url=url, rabbit=replace(RabbitSettings(), **rabbit)))
            line = Line(broker, "test", opened, lost=heard.lose, tick=heard.tick)
            stack.callback(line.stop)
            line.start()
            return line

        yield make


@pytest.fixture(scope="module")
def tls() -> Iterator[TlsRabbitMQ]:
    server = TlsRabbitMQ.create()
    yield server
    server.close()


def linked(line: Line, but: Link | None = None) -> Link:
    """The line's link, once it has one."""
    until(lambda: line.link() not in {None, but}, deadline_s=WAIT_S)
    link = line.link()
    assert link is not None
    return link


def works(line: Line, heard: Heard, body: bytes = b"a message") -> None:
    """A message comes back."""
    link = linked(line)
    before = len(heard.bodies)
    link.publish(body, link.id)
    until(lambda: len(heard.bodies) > before, deadline_s=WAIT_S)
    assert heard.bodies[-1] == body


def test_a_message_is_delivered_and_confirmed(rabbitmq: RabbitMQ, start: Start, heard: Heard) -> None:
    link = linked(start(rabbitmq.transport_url()))
    numbers = [link.publish(b"%d" % n, link.id) for n in range(100)]
    until(lambda: heard.confirmed == set(numbers), deadline_s=WAIT_S)
    until(lambda: heard.bodies == [b"%d" % n for n in range(100)], deadline_s=WAIT_S)


def test_a_message_without_a_queue_is_returned_and_one_that_is_not_mandatory_dropped(
    rabbitmq: RabbitMQ, start: Start, heard: Heard
) -> None:
    link = linked(start(rabbitmq.transport_url()))
    dropped, returned = link.publish(b"dropped", "nobody"), link.publish(b"returned", "nobody", mandatory=True)
    until(lambda: heard.confirmed == {dropped, returned}, deadline_s=WAIT_S)
    assert heard.returned == [b"returned"]


@pytest.mark.parametrize(("octets", "each"), [(10, 500), (200_000, 16)])
def test_what_many_threads_send_at_once_arrives_whole_and_each_ones_in_order(
    rabbitmq: RabbitMQ, start: Start, heard: Heard, octets: int, each: int
) -> None:
    link = linked(start(rabbitmq.transport_url()))

    def send(thread: int) -> None:
        for n in range(each):
            link.publish(b"%d %d " % (thread, n) + b"x" * octets, link.id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    until(lambda: len(heard.bodies) == 8 * each, deadline_s=WAIT_S)
    found = defaultdict(list)
    for body in heard.bodies:
        thread, number, rest = body.split(b" ")
        assert rest == b"x" * octets
        found[thread].append(int(number))
    assert list(found.values()) == [list(range(each))] * 8


@pytest.mark.parametrize("octets", [1, 2**17 - 9, 2**17 - 8, 2**17, 12 * 2**20])
def test_messages_of_any_length_arrive_whole(rabbitmq: RabbitMQ, start: Start, heard: Heard, octets: int) -> None:
    works(start(rabbitmq.transport_url()), heard, b"\xce" * octets)


def test_a_message_that_is_too_long_is_refused_and_the_next_arrives(
    rabbitmq: RabbitMQ, start: Start, heard: Heard
) -> None:
    line = start(rabbitmq.transport_url())
    with pytest.raises(Refused, match="too long"):
        linked(line).publish(b"x" * (connection.LARGEST + 1), "nobody")
    works(line, heard)


def test_of_several_hosts_one_that_is_there_will_do(rabbitmq: RabbitMQ, start: Start, heard: Heard) -> None:
    url = rabbitmq.transport_url().replace("guest@", "guest@127.0.0.1:9,guest:guest@127.0.0.1:10,guest:guest@")
    for _ in range(4):
        works(start(url), heard)


def test_a_connection_that_the_broker_closes_is_made_again_at_once(
    rabbitmq: RabbitMQ, start: Start, heard: Heard
) -> None:
    line = start(rabbitmq.transport_url())
    first = linked(line)
    rabbitmq.close_connections()
    works_again = time.monotonic() + 2
    second = linked(line, first)
    assert time.monotonic() < works_again
    assert heard.lost == 1
    with pytest.raises(Lost):
        first.publish(b"late", second.id)
    works(line, heard)


def test_who_publishes_while_the_broker_closes_the_connection_hears_that_it_is_lost(
    rabbitmq: RabbitMQ, start: Start, heard: Heard
) -> None:
    line, ending = start(rabbitmq.transport_url()), threading.Event()
    linked(line)

    def send() -> int:
        lost = 0
        while not ending.is_set():
            link = line.link(WAIT_S)
            try:
                if link is not None:
                    link.publish(b"x", "nobody")
            except Lost:
                lost += 1
        return lost

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(send) for _ in range(4)]
        for count in range(1, 6):
            rabbitmq.close_connections()
            until(lambda: heard.lost >= count, deadline_s=WAIT_S)  # noqa: B023  # is over before the next round
            linked(line)
        ending.set()
        assert sum(sender.result(WAIT_S) for sender in senders)


def test_a_queue_that_is_deleted_is_declared_again(rabbitmq: RabbitMQ, start: Start, heard: Heard) -> None:
    url = rabbitmq.transport_url()

    def read(link: Link) -> None:
        link.channel.queue_declare("q", auto_delete=False)
        link.channel.basic_consume("q", callback=lambda _: None, on_cancel=lambda _: link.fail("deleted"))

    line = start(url, read)
    first = linked(line)
    vhost = url.rpartition("/")[2]
    rabbitmq.eval(
        f"lists:foreach(fun(Q) -> rabbit_amqqueue:delete(Q, false, false, <<>>) end, "
        f'rabbit_amqqueue:list(<<"{vhost}">>)), ok'
    )
    linked(line, first)
    assert "q" in rabbitmq.queues(url)


def test_a_broker_that_stands_still_is_noticed_by_its_missing_heartbeats(
    own_rabbitmq: RabbitMQ, start: Start, heard: Heard
) -> None:
    line = start(own_rabbitmq.transport_url(), heartbeat_timeout_threshold=1)
    first = linked(line)
    time.sleep(3)  # time itself is the event: heartbeats go both ways
    assert line.link() is first
    with frozen(own_rabbitmq.pid):
        until(lambda: heard.lost == 1, deadline_s=6)
    works(line, heard)


def test_a_broker_that_stands_still_is_left_in_bounded_time(own_rabbitmq: RabbitMQ, start: Start) -> None:
    line = start(own_rabbitmq.transport_url())
    linked(line)
    with frozen(own_rabbitmq.pid):
        began = time.monotonic()
        line.stop()
        assert time.monotonic() - began < connection.CLOSE_S + 1


def test_what_a_slow_broker_does_not_take_is_bounded_and_sent_later(
    own_rabbitmq: RabbitMQ, start: Start, heard: Heard
) -> None:
    line = start(own_rabbitmq.transport_url())
    link, sent = linked(line), 0
    with frozen(own_rabbitmq.pid):
        began = time.monotonic()
        while sent < 1000 and _accepted(link, b"x" * 2**20):
            sent += 1
        assert sent < 1000
        assert time.monotonic() - began < 5
        assert connection.WAITING // 2 < len(link._out) <= connection.WAITING + 2**10
    until(lambda: len(heard.bodies) == sent, deadline_s=60)


def _accepted(link: Link, body: bytes) -> bool:
    try:
        return link.publish(body, link.id) > 0
    except Refused:
        return False


def test_a_blocked_connection_says_so_and_goes_on_afterwards(
    own_rabbitmq: RabbitMQ, start: Start, heard: Heard
) -> None:
    line = start(own_rabbitmq.transport_url())
    link = linked(line)
    with own_rabbitmq.short_of_memory():
        sent = 0
        while not link.blocked:  # the broker blocks a connection when it publishes
            sent = link.publish(b"waits", link.id)
            time.sleep(0.05)
            assert sent < 100
    until(lambda: not link.blocked, deadline_s=WAIT_S)
    until(lambda: heard.bodies == [b"waits"] * sent, deadline_s=WAIT_S)
    assert line.link() is link


def test_an_idle_connection_wakes_only_for_heartbeats(rabbitmq: RabbitMQ, start: Start, heard: Heard) -> None:
    line = start(rabbitmq.transport_url())
    works(line, heard)
    time.sleep(0.2)
    before = heard.ticks
    time.sleep(2)  # time itself is the event
    assert heard.ticks - before <= 1


@pytest.mark.parametrize("fault", [KeyError("inner matters"), OSError("no such device")])
def test_a_line_that_could_not_be_set_up_in_whatever_way_is_made_again(
    rabbitmq: RabbitMQ, start: Start, heard: Heard, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(service, "FAILED_S", 0.001)
    tried: list[Link] = []

    def open_second(link: Link) -> None:
        tried.append(link)
        if len(tried) == 1:
            raise fault
        heard.open(link)

    line = start(rabbitmq.transport_url(), open_second)
    works(line, heard)
    assert len(tried) == 2


def test_a_line_that_is_stopped_while_it_connects_does_not_stay(rabbitmq: RabbitMQ, start: Start, heard: Heard) -> None:
    starting, go_on = threading.Event(), threading.Event()

    def slow(link: Link) -> None:
        starting.set()
        assert go_on.wait(WAIT_S)
        heard.open(link)

    line = start(rabbitmq.transport_url(), slow)
    assert starting.wait(WAIT_S)
    stopping = threading.Thread(target=line.stop)
    stopping.start()
    until(lambda: line._daemon.stopping)
    go_on.set()
    stopping.join(WAIT_S)
    assert not stopping.is_alive()
    assert line.link() is None
    assert heard.lost == 1


def test_who_asks_for_a_link_waits_for_the_first_attempt_and_no_longer(start: Start) -> None:
    line = start("rabbit://guest:guest@127.0.0.1:9/")
    began = time.monotonic()
    assert line.link(10) is None
    assert time.monotonic() - began < 2


def trusting(ca: Path) -> dict[str, Any]:
    """The operator's options."""
    return {"ssl": True, "ssl_ca_file": str(ca)}


def test_tls_carries_everything_both_ways(tls: TlsRabbitMQ, start: Start, heard: Heard) -> None:
    line = start(tls.tls_url(), **trusting(tls.folder / "ca.pem"))
    link, most = linked(line), 300
    bodies = [b"%d " % n + b"x" * (n * 977 % 150_000) for n in range(most)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: link.publish(body, link.id), bodies))
    until(lambda: len(heard.bodies) == most, deadline_s=60)
    assert sorted(heard.bodies) == sorted(bodies)
    works(line, heard, b"\xce" * 12 * 2**20)


def test_tls_refuses_a_certificate_of_another_authority(
    tls: TlsRabbitMQ, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certify(tmp_path, "localhost")
    line = start(tls.tls_url(), **trusting(tmp_path / "ca.pem"))
    assert line.link(10) is None
    assert "certificate verify failed" in str([record.__dict__.get("fields") for record in caplog.records])


def test_tls_refuses_a_certificate_for_another_name_unless_it_is_told_otherwise(
    tls: TlsRabbitMQ, start: Start, heard: Heard
) -> None:
    ca = trusting(tls.folder / "ca.pem")
    assert start(tls.tls_url("127.0.0.1"), **ca).link(10) is None
    works(start(tls.tls_url("127.0.0.1"), ssl_enforce_hostname_verification=False, **ca), heard)


@pytest.mark.parametrize("ssl", [False, True])
def test_a_broker_that_says_nothing_is_given_up(start: Start, monkeypatch: pytest.MonkeyPatch, ssl: bool) -> None:
    monkeypatch.setattr("redesignate.bus.broker.CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        line = start(f"rabbit://a:b@127.0.0.1:{silent.getsockname()[1]}/", ssl=ssl)
        began = time.monotonic()
        assert line.link(10) is None
        assert time.monotonic() - began < 5
