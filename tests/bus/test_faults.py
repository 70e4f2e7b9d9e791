# SPDX-License-Identifier: Apache-2.0
"""The bus while its broker and its ends come and go."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from redesignate.bus.amqp_hints import AmqpWake
from redesignate.bus.broker import Broker, own
from redesignate.bus.connection import Link
from redesignate.bus.port import Asked
from redesignate.commands.base import Command
from redesignate.commands.hint import Hint
from redesignate.commands.quotas import GetQuotas, ResetQuotas
from redesignate.config.load import load
from redesignate.config.settings import BusSettings
from redesignate.model.caller import operator
from redesignate.model.clock import SECOND, new_id, now
from redesignate.model.errors import Misconfigured, TimedOut, Unavailable
from redesignate.threads.deadline import Deadline, TooLate, asking
from tests.bus.conftest import AmqpBus
from tests.bus.hints import ids, into, outbound
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import until

pytestmark = pytest.mark.external
QUESTION = GetQuotas(caller=operator("req-1"), project_id="p")
Buses = Callable[[str], AmqpBus]

HOLDER = """
import sys, time
from tests.bus.conftest import AmqpBus
from contextlib import ExitStack
with ExitStack() as stack:
    source = AmqpBus(sys.argv[1], stack).source()
    def hold(hints):
        print(*(hint.zone_id for hint in hints), flush=True)
        time.sleep(600)
    source.start(hold)
    time.sleep(600)
"""

SERVER = """
import os, sys, time
from tests.bus.conftest import AmqpBus
from contextlib import ExitStack
with ExitStack() as stack:
    def slow(command):
        print("asked", flush=True)
        if command.project_id == "slow":
            time.sleep(600)
        return {"pid": os.getpid()}
    AmqpBus(sys.argv[1], stack).serve(slow)
    print("ready", flush=True)
    time.sleep(600)
"""


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_hints_go_on_after_the_library_failed(rabbitmq: RabbitMQ, amqp: Buses, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = amqp(rabbitmq.transport_url())
    wake = AmqpWake(bus.broker, publisher="test", pause_s=0.01)
    bus.stack.callback(wake.close)
    publish, failed = Link.publish, threading.Event()

    def fail_once(link: Link, body: bytes, queue: str, **more: Any) -> int:
        if b'"a"' not in body or failed.is_set():
            return publish(link, body, queue, **more)
        failed.set()
        raise RuntimeError

    monkeypatch.setattr(Link, "publish", fail_once)
    heard: Counter[str] = Counter()
    source = bus.source()
    source.start(into(heard))
    assert source.wait_ready(20)
    wake.wake(outbound("a"))
    assert failed.wait(10)
    wake.wake(outbound("b"))
    until(lambda: heard == {"a": 1, "b": 1}, deadline_s=10)
    source.stop()


def test_a_killed_workers_hints_go_to_another_at_once(
    rabbitmq: RabbitMQ, amqp: Buses, spawn: Callable[[str, str], subprocess.Popen[str]]
) -> None:
    url = rabbitmq.transport_url()
    holder = spawn(HOLDER, url)
    amqp(url).wake().wake(outbound("a", "b", "c"))
    assert set(_line(holder).split()) == {"a", "b", "c"}
    heard: Counter[str] = Counter()
    source = amqp(url).source()
    source.start(into(heard))
    assert source.wait_ready(20)
    assert not heard
    os.kill(holder.pid, signal.SIGKILL)
    killed_at = time.monotonic()
    until(lambda: heard == {"a": 1, "b": 1, "c": 1}, deadline_s=10)
    assert time.monotonic() - killed_at < 3
    source.stop()


def test_an_acknowledged_hint_is_gone(rabbitmq: RabbitMQ, amqp: Buses) -> None:
    url = rabbitmq.transport_url()
    bus, heard = amqp(url), Counter[str]()
    source = bus.source()
    source.start(into(heard))
    bus.wake().wake(outbound("a"))
    until(lambda: bool(heard), deadline_s=20)
    until(lambda: rabbitmq.queues(url).get("redesignate_hints_work") == 0, deadline_s=20)
    source.stop()


def test_a_hint_that_comes_again_because_its_acknowledgement_was_lost_is_gone_too(
    rabbitmq: RabbitMQ, amqp: Buses
) -> None:
    url, cut = rabbitmq.transport_url(), threading.Event()
    bus, heard = amqp(url), Counter[str]()
    source = bus.source()

    def handle(hints: tuple[Hint, ...]) -> None:
        heard.update(ids(hints))
        if not cut.is_set():
            cut.set()
            rabbitmq.close_connections()

    source.start(handle)
    assert source.wait_ready(20)
    bus.wake().wake(outbound("a"))
    assert cut.wait(20)
    until(lambda: heard["a"] >= 2, deadline_s=30)
    until(lambda: rabbitmq.queues(url).get("redesignate_hints_work") == 0, deadline_s=20)
    source.stop()


def test_one_worker_does_not_hold_everything(rabbitmq: RabbitMQ, amqp: Buses) -> None:
    url, go_on = rabbitmq.transport_url(), threading.Event()
    bus, held, free = amqp(url), Counter[str](), Counter[str]()
    slow, quick = bus.source(), bus.source()

    def hold(hints: tuple[Hint, ...]) -> None:
        held.update(ids(hints))
        go_on.wait(60)

    slow.start(hold)
    assert slow.wait_ready(20)
    wake = AmqpWake(bus.broker, publisher="test", most=1)
    wake.wake(outbound(*(f"z{n}" for n in range(300))))
    until(lambda: not wake.waiting(), deadline_s=20)
    wake.close()
    quick.start(into(free))
    until(lambda: len(free) >= 300 - 64, deadline_s=30)
    assert len(held) <= 64
    go_on.set()
    until(lambda: len(held) + len(free) == 300, deadline_s=30)
    slow.stop()
    quick.stop()


def test_questions_are_shared_by_processes_and_outlive_any_of_them(
    rabbitmq: RabbitMQ, amqp: Buses, spawn: Callable[[str, str], subprocess.Popen[str]]
) -> None:
    url = rabbitmq.transport_url()
    servers = [spawn(SERVER, url), spawn(SERVER, url)]
    assert [_line(server) for server in servers] == ["ready", "ready"]
    central = amqp(url).ask()
    assert {central.call(QUESTION)["pid"] for _ in range(20)} == {server.pid for server in servers}
    os.kill(servers[0].pid, signal.SIGKILL)
    servers[0].wait()
    until(lambda: len({central.call(QUESTION)["pid"] for _ in range(4)}) == 1, deadline_s=20)


@pytest.mark.parametrize("question", [GetQuotas, ResetQuotas])
@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP])
def test_a_question_over_which_central_fell_silent_is_put_to_another(
    rabbitmq: RabbitMQ,
    amqp: Buses,
    spawn: Callable[[str, str], subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
    question: type[Command[Any]],
    fate: signal.Signals,
) -> None:
    monkeypatch.setattr("redesignate.bus.amqp.SILENCE_S", 2)
    url = rabbitmq.transport_url()
    server = spawn(SERVER, url)
    assert _line(server) == "ready"
    central = amqp(url).ask()
    ours = operator(new_id())  # what earlier tests' servers have held comes again too
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(central.call, question(caller=ours, project_id="slow"))
        assert _line(server) == "asked"
        os.kill(server.pid, fate)
        seen: list[Asked] = []

        def carry(command: Command[Any], asked: Asked) -> object:
            assert isinstance(command, GetQuotas | ResetQuotas)
            if command.caller == ours:
                seen.append(asked)
            return {"zones": 1} if isinstance(command, GetQuotas) else None

        amqp(url).serve_asked(carry)
        assert answer.result(9) == ({"zones": 1} if question is GetQuotas else None)  # before it is due
    assert {asked.again for asked in seen} == {True}  # once for each silence, and for each connection that was lost


def test_a_change_that_nobody_answers_is_unsure_at_its_deadline_and_not_sooner(
    rabbitmq: RabbitMQ, amqp: Buses, spawn: Callable[[str, str], subprocess.Popen[str]]
) -> None:
    url = rabbitmq.transport_url()
    server = spawn(SERVER, url)
    assert _line(server) == "ready"
    central = amqp(url).ask()
    with asking(Deadline.after(3)):
        began = time.monotonic()
        with pytest.raises(TimedOut, match="may have been made, or, if it was being saved, may still be: check before"):
            central.call(ResetQuotas(caller=operator("req-1"), project_id="slow"))
        assert 2.5 < time.monotonic() - began < 6


def test_a_change_is_to_be_carried_out_long_before_its_asker_gives_up(rabbitmq: RabbitMQ, amqp: Buses) -> None:
    bus, seen = amqp(rabbitmq.transport_url()), list[tuple[Asked, int, float]]()

    def carry(_command: Command[Any], asked: Asked) -> None:
        seen.append((asked, now(), asked.deadline.left()))

    bus.serve_asked(carry)
    central = bus.ask()
    for _ in range(3):
        central.call(ResetQuotas(caller=operator("req-1"), project_id="p"))
    for asked, at, left in seen:
        assert asked.id
        assert asked.until is not None
        assert 3 < left <= 5  # half of rpc_response_timeout, which is 10
        assert 3 < (asked.until - at) / SECOND <= 5.01
    assert len({asked.id for asked, _, _ in seen}) == 3


def test_where_the_databases_clock_was_set_a_question_that_is_late_by_it_is_asked_again(
    rabbitmq: RabbitMQ, amqp: Buses
) -> None:
    bus, ahead, late = amqp(rabbitmq.transport_url()), [0], list[int]()

    def carry(_command: Command[Any], asked: Asked) -> None:
        assert asked.until is not None
        if now() + ahead[0] > asked.until:
            late.append(1)
            raise TooLate("too late")

    bus.serve_asked(carry, clock=lambda: now() + ahead[0])
    central, question = bus.ask(), ResetQuotas(caller=operator("req-1"), project_id="p")
    central.call(question)
    ahead[0] = 3600 * SECOND
    central.call(question)
    assert late == [1]


def test_without_any_central_the_asker_hears_so(rabbitmq: RabbitMQ, amqp: Buses) -> None:
    central = amqp(rabbitmq.transport_url()).ask()
    with pytest.raises(Unavailable, match="central"):
        central.call(QUESTION)


def test_without_a_broker_questions_fail_at_once_and_waking_does_not_wait(amqp: Buses) -> None:
    bus = amqp("rabbit://guest:guest@127.0.0.1:9/")
    central, wake = bus.ask(), bus.wake()
    started_at = time.monotonic()
    with pytest.raises(Unavailable, match="broker"):
        central.call(QUESTION)
    wake.wake(outbound(*(f"z{n}" for n in range(1000))))
    assert time.monotonic() - started_at < 0.5
    assert not bus.broker.up()


def test_a_wrong_transport_url_names_the_option() -> None:
    with pytest.raises(Misconfigured, match=r"\[DEFAULT\] transport_url"):
        Broker(BusSettings(transport_url="rabbit://guest:guest@[::1/"))


def test_everything_goes_on_by_itself_after_a_restart_of_the_broker(own_rabbitmq: RabbitMQ, amqp: Buses) -> None:
    bus, heard = amqp(own_rabbitmq.transport_url()), Counter[str]()
    central, source, wake = bus.central(lambda _: {"zones": 1}), bus.source(), bus.wake()
    source.start(into(heard))
    wake.wake(outbound("before"))
    until(lambda: heard["before"] == 1, deadline_s=20)
    for brutally in (False, True):
        heard.clear()
        own_rabbitmq.kill() if brutally else own_rabbitmq.stop()
        with pytest.raises((Unavailable, TimedOut)):
            central.call(QUESTION)
        until(lambda: not bus.broker.up(), deadline_s=10)
        with pytest.raises(Unavailable):
            central.call(QUESTION)
        wake.wake(outbound("during"))
        own_rabbitmq.start()
        until(lambda: _answers(central.call), deadline_s=10)
        until(lambda: heard["during"] >= 1, deadline_s=10)
        assert bus.broker.up()
    source.stop()


def test_services_can_be_stopped_while_the_broker_is_away(own_rabbitmq: RabbitMQ, amqp: Buses) -> None:
    bus, heard = amqp(own_rabbitmq.transport_url()), Counter[str]()
    server = bus.serve(lambda _: {"zones": 1})
    central, source, wake = bus.ask(), bus.source(), bus.wake()
    source.start(into(heard))
    wake.wake(outbound("a"))
    assert central.call(QUESTION) == {"zones": 1}
    until(lambda: heard["a"] == 1, deadline_s=20)
    own_rabbitmq.kill()
    until(lambda: not bus.broker.up(), deadline_s=10)
    started_at = time.monotonic()
    bus.stack.close()
    source.stop()
    server.stop()
    assert time.monotonic() - started_at < 15


def _answers(call: Callable[[GetQuotas], dict[str, int]]) -> bool:
    try:
        return call(QUESTION) == {"zones": 1}
    except (Unavailable, TimedOut):
        return False


def test_services_may_start_before_their_broker(own_rabbitmq: RabbitMQ, amqp: Buses) -> None:
    url = own_rabbitmq.transport_url()
    own_rabbitmq.stop()
    bus, heard = amqp(url), Counter[str]()
    server_ready = threading.Thread(target=bus.serve, args=(lambda _: {"zones": 1},))
    server_ready.start()
    central, source = bus.ask(), bus.source()
    source.start(into(heard))
    bus.wake().wake(outbound("early"))
    own_rabbitmq.start()
    until(lambda: _answers(central.call), deadline_s=20)
    until(lambda: heard["early"] == 1, deadline_s=20)
    server_ready.join()
    source.stop()


def test_services_that_were_refused_get_in_as_soon_as_they_may(rabbitmq: RabbitMQ, amqp: Buses) -> None:
    url = rabbitmq.transport_url()
    name = f"late{uuid.uuid4().hex[:6]}"
    bus, heard = amqp(url.replace("guest:guest@", f"{name}:secret@")), Counter[str]()
    central, source = bus.ask(), bus.source()
    source.start(into(heard))
    starting = threading.Thread(target=bus.serve, args=(lambda _: {"zones": 1},))
    starting.start()
    with pytest.raises(Unavailable):
        central.call(QUESTION)
    rabbitmq.add_user(name, "secret", url)
    until(lambda: _answers(central.call), deadline_s=30)
    bus.wake().wake(outbound("a"))
    until(lambda: heard["a"] == 1, deadline_s=20)
    starting.join()
    source.stop()


def test_the_operators_queue_options_are_kept(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    file = tmp_path / "designate.conf"
    file.write_text("[oslo_messaging_rabbit]\nrabbit_quorum_queue = true\nrabbit_qos_prefetch_count = 3\n")
    url = rabbitmq.transport_url()
    with ExitStack() as stack:
        bus, heard = AmqpBus(url, stack, load(files=[str(file)]).bus.rabbit), Counter[str]()
        assert bus.central(lambda _: {"zones": 1}).call(QUESTION) == {"zones": 1}
        source = bus.source()
        source.start(into(heard))
        bus.wake().wake(outbound("a"))
        until(lambda: heard["a"] == 1, deadline_s=20)
        vhost = url.rpartition("/")[2]
        kinds = rabbitmq.eval(f'[T || [{{type, T}}] <- rabbit_amqqueue:info_all(<<"{vhost}">>, [type])]')
        assert kinds.count("quorum") >= 2
        held = rabbitmq.eval(
            f"[P || [{{prefetch_count, P}}] <- [[proplists:lookup(prefetch_count, C)] || "
            f'C <- rabbit_amqqueue:consumers_all(<<"{vhost}">>)]]'
        )
        assert held.count("3") == 2
        source.stop()


@pytest.mark.parametrize(
    "payload",
    [b'{"v":1,"zone_ids":7}', b'{"v":1,"zone_ids":[1]}', b"{}", b"[]", b'"text"', b"null", b"",
     b'{"v":1,"zone_ids":"abc"}', b'{"v":2,"zone_ids":["a"]}', b"\x00\xff"],
)  # fmt: skip
def test_a_malformed_hint_is_dropped_and_those_behind_it_are_heard(
    rabbitmq: RabbitMQ, amqp: Buses, caplog: pytest.LogCaptureFixture, payload: bytes
) -> None:
    url, heard = rabbitmq.transport_url(), Counter[str]()
    bus = amqp(url)
    source, wake = bus.source(), bus.wake()
    assert isinstance(wake, AmqpWake)
    with caplog.at_level(logging.WARNING):
        link = wake._line.link(None)
        assert link is not None
        link.publish(payload, own("hints", "work"))
        wake.wake(outbound("a"))
        source.start(into(heard))
        until(lambda: heard == {"a": 1}, deadline_s=20)
        until(lambda: rabbitmq.queues(url).get("redesignate_hints_work") == 0, deadline_s=20)
    source.stop()
    assert "come back" not in caplog.text
