# SPDX-License-Identifier: Apache-2.0
"""Questions to central and what becomes of them: acknowledged late, given to another, answered once."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from redesignate.bus import amqp as client
from redesignate.bus import amqp_server, codec
from redesignate.bus.broker import own
from redesignate.bus.connection import LARGEST
from redesignate.bus.port import Asked
from redesignate.commands.base import Command
from redesignate.commands.quotas import GetQuotas, ResetQuotas
from redesignate.model.caller import operator
from redesignate.model.errors import Problem, TimedOut, Unavailable
from redesignate.threads.deadline import Deadline, asking
from tests.bus.conftest import AmqpBus
from tests.bus.test_faults import SERVER, Buses, _line
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import until
from tests.threads.test_turns import Crew

pytestmark = pytest.mark.external
WAIT_S = 20.0
ME = operator("req-1")
QUEUE = own("questions", "central")
Spawn = Callable[[str, str], subprocess.Popen[str]]


class Slow:
    """A central that answers when it is let go, and notes what it was asked."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Asked]] = []
        self.go_on = threading.Event()

    def __call__(self, command: Command[Any], asked: Asked) -> object:
        assert isinstance(command, GetQuotas | ResetQuotas)
        self.seen.append((str(command.project_id), asked))
        assert self.go_on.wait(WAIT_S)
        return {"zones": 1} if isinstance(command, GetQuotas) else None


def ask(bus: AmqpBus, pool: ThreadPoolExecutor, count: int) -> list[Any]:
    """So many questions at once, each of them slow."""
    central = bus.ask()
    return [pool.submit(central.call, GetQuotas(caller=ME, project_id=f"p{n}")) for n in range(count)]


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor(100) as made:
        yield made


@pytest.fixture
def slow() -> Any:
    made = Slow()
    yield made
    made.go_on.set()


def test_a_killed_centrals_question_goes_to_another_at_once(
    rabbitmq: RabbitMQ, amqp: Buses, spawn: Spawn, pool: ThreadPoolExecutor, slow: Slow
) -> None:
    url = rabbitmq.transport_url()
    server = spawn(SERVER, url)
    assert _line(server) == "ready"
    answer = pool.submit(amqp(url).ask().call, ResetQuotas(caller=ME, project_id="slow"))
    assert _line(server) == "asked"
    slow.go_on.set()
    amqp(url).serve_asked(slow)
    began = time.monotonic()
    os.kill(server.pid, signal.SIGKILL)
    assert answer.result(WAIT_S) is None
    assert time.monotonic() - began < client.SILENCE_S / 4
    assert [(name, asked.again) for name, asked in slow.seen] == [("slow", True)]


def test_a_change_that_comes_again_and_cannot_be_carried_out_is_asked_for_again(
    rabbitmq: RabbitMQ, amqp: Buses, spawn: Spawn, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal would say that it was not carried out, and the killed central may have done it."""
    monkeypatch.setattr(client, "SILENCE_S", 2.0)
    url = rabbitmq.transport_url()
    server = spawn(SERVER, url)
    assert _line(server) == "ready"
    answer = pool.submit(amqp(url).ask().call, ResetQuotas(caller=ME, project_id="slow"))
    assert _line(server) == "asked"
    seen: list[bool] = []

    def carry(command: Command[Any], asked: Asked) -> object:
        seen.append(asked.again)
        if len(seen) == 1:
            raise Unavailable("Too many requests wait for this project; retry.")
        return None

    amqp(url).serve_asked(carry)
    os.kill(server.pid, signal.SIGKILL)
    assert answer.result(WAIT_S) is None
    assert seen == [True, True]


DEADLY = """
import os, sys, time
from tests.bus.conftest import AmqpBus
from contextlib import ExitStack
with ExitStack() as stack:
    def die(command):
        os._exit(9)
    AmqpBus(sys.argv[1], stack).serve(die)
    print("ready", flush=True)
    time.sleep(600)
"""


def test_a_question_that_kills_central_kills_two_and_no_more(
    rabbitmq: RabbitMQ, amqp: Buses, spawn: Spawn, pool: ThreadPoolExecutor
) -> None:
    url = rabbitmq.transport_url()
    servers = [spawn(DEADLY, url) for _ in range(4)]
    assert [_line(server) for server in servers] == ["ready"] * 4
    central = amqp(url).ask()

    def doomed() -> None:
        with asking(Deadline.after(5)), pytest.raises(TimedOut):
            central.call(GetQuotas(caller=ME, project_id="p"))

    pool.submit(doomed).result(WAIT_S)
    assert [server.poll() for server in servers].count(None) == 2


def test_a_central_with_many_long_questions_has_room_for_others_and_holds_few_that_it_has_not_begun(
    rabbitmq: RabbitMQ, amqp: Buses, pool: ThreadPoolExecutor, slow: Slow
) -> None:
    url = rabbitmq.transport_url()
    bus = amqp(url)
    bus.serve_asked(slow)
    threads = bus.settings.executor_thread_pool_size
    answers = ask(bus, pool, 95)
    until(lambda: len(slow.seen) == threads, deadline_s=WAIT_S)
    most = threads + amqp_server.PREFETCH // 2
    until(lambda: ready(rabbitmq, url) == 95 - most, deadline_s=WAIT_S, what="the broker keeps the rest")
    slow.go_on.set()
    assert [answer.result(WAIT_S) for answer in answers] == [{"zones": 1}] * 95
    until(lambda: rabbitmq.queues(url)[QUEUE] == 0, deadline_s=WAIT_S)


def ready(rabbitmq: RabbitMQ, url: str) -> int:
    """How many questions the broker has not given to anybody."""
    return rabbitmq._counted(url, "messages_ready")[QUEUE]


def test_a_stopped_central_gives_back_at_once_what_it_has_not_begun(
    rabbitmq: RabbitMQ, amqp: Buses, pool: ThreadPoolExecutor, slow: Slow
) -> None:
    url = rabbitmq.transport_url()
    bus = amqp(url)
    server = bus.serve_asked(slow)
    threads = bus.settings.executor_thread_pool_size
    answers = ask(bus, pool, threads + 5)
    until(lambda: len(slow.seen) == threads, deadline_s=WAIT_S)
    other = Slow()
    other.go_on.set()
    stopping = pool.submit(server.stop)
    amqp(url).serve_asked(other)
    until(lambda: len(other.seen) == 5, deadline_s=WAIT_S)
    assert not stopping.done()
    slow.go_on.set()
    assert [answer.result(WAIT_S) for answer in answers] == [{"zones": 1}] * (threads + 5)
    stopping.result(WAIT_S)
    assert len(slow.seen) == threads
    assert rabbitmq.queues(url)[QUEUE] == 0


def test_a_long_question_is_not_asked_again_while_central_works_on_it(
    rabbitmq: RabbitMQ, amqp: Buses, pool: ThreadPoolExecutor, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SILENCE_S", 0.8)
    monkeypatch.setattr(amqp_server, "SIGN_S", 0.2)
    bus = amqp(rabbitmq.transport_url())
    bus.serve_asked(slow)
    (answer,) = ask(bus, pool, 1)
    time.sleep(3)  # time itself is the event
    slow.go_on.set()
    assert answer.result(WAIT_S) == {"zones": 1}
    assert len(slow.seen) == 1


def test_a_question_whose_connection_breaks_is_asked_again(
    rabbitmq: RabbitMQ, amqp: Buses, pool: ThreadPoolExecutor, slow: Slow
) -> None:
    bus = amqp(rabbitmq.transport_url())
    bus.serve_asked(slow)
    (answer,) = ask(bus, pool, 1)
    until(lambda: len(slow.seen) == 1, deadline_s=WAIT_S)
    rabbitmq.close_connections()
    slow.go_on.set()
    assert answer.result(client.SILENCE_S / 2) == {"zones": 1}
    assert slow.seen[-1][1].again


def test_an_answer_that_is_too_long_is_a_problem_and_no_silence(rabbitmq: RabbitMQ, amqp: Buses) -> None:
    bus = amqp(rabbitmq.transport_url())
    central = bus.central(lambda _: {"x" * LARGEST: 1})
    with pytest.raises(Problem, match="too long"):
        central.call(GetQuotas(caller=ME, project_id="p"))


def test_a_question_that_is_too_long_is_refused(rabbitmq: RabbitMQ, amqp: Buses) -> None:
    bus = amqp(rabbitmq.transport_url())
    central = bus.central(lambda _: {"zones": 1})
    with pytest.raises(Unavailable, match="too long"):
        central.call(GetQuotas(caller=ME, project_id="x" * LARGEST))
    assert central.call(GetQuotas(caller=ME, project_id="p")) == {"zones": 1}


def test_a_broker_that_takes_no_messages_is_unavailable(amqp: Buses, own_rabbitmq: RabbitMQ) -> None:
    bus = amqp(own_rabbitmq.transport_url())
    central = bus.central(lambda _: {"zones": 1})
    question = GetQuotas(caller=ME, project_id="p")
    assert central.call(question) == {"zones": 1}
    with own_rabbitmq.short_of_memory():
        # central's connection may hear of the alarm before ours does: a question is taken then, and not answered
        until(lambda: _refused(central.call, question), deadline_s=WAIT_S, what="the alarm, at a publication,")
        began = time.monotonic()
        with pytest.raises(Unavailable, match="broker"):
            central.call(question)
        assert time.monotonic() - began < 0.5
    until(lambda: _answered(central.call, question), deadline_s=WAIT_S)


def _answered(call: Callable[[GetQuotas], object], question: GetQuotas) -> bool:
    try:
        with asking(Deadline.after(1)):
            return call(question) == {"zones": 1}
    except (TimedOut, Unavailable):
        return False


def _refused(call: Callable[[GetQuotas], object], question: GetQuotas) -> bool:
    try:
        with asking(Deadline.after(1)):
            call(question)
    except Unavailable:
        return True
    except TimedOut:
        pass
    return False


MALFORMED = [b"", b"\x00\xff", b"{}", b"[]", b'{"v":1}', b'{"v":1,"questions":7}', b'{"v":2,"questions":[]}']


@pytest.mark.parametrize("body", MALFORMED)
def test_a_malformed_message_is_answered_where_a_reply_is_wanted_and_gone(
    rabbitmq: RabbitMQ, amqp: Buses, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "unreadable", 0)
    url = rabbitmq.transport_url()
    bus = amqp(url)
    central = bus.central(lambda _: {"zones": 1})
    link = central._line.link(None)  # type: ignore[attr-defined]  # AmqpCentral's own
    link.publish(body, QUEUE, content_encoding="utf-8")
    caller = client._Caller()
    caller.call.acquire()
    central._callers["mine"] = caller  # type: ignore[attr-defined]  # AmqpCentral's own
    link.publish(body, QUEUE, reply_to=own("answers", link.id), correlation_id="mine")
    assert caller.call.acquire(timeout=WAIT_S)
    assert caller.reply is not None
    (answer,) = codec.reply(caller.reply).answers
    with pytest.raises(Problem, match="cannot read"):
        codec.reply_to(GetQuotas(caller=ME, project_id="p"), answer)
    until(lambda: rabbitmq.queues(url)[QUEUE] == 0, deadline_s=WAIT_S)
    assert codec.unreadable == 2


def test_a_malformed_answer_wakes_nobody_and_the_next_is_heard(rabbitmq: RabbitMQ, amqp: Buses) -> None:
    bus = amqp(rabbitmq.transport_url())
    central = bus.central(lambda _: {"zones": 1})
    link = central._line.link(None)  # type: ignore[attr-defined]  # AmqpCentral's own
    for body in MALFORMED:
        link.publish(body, own("answers", link.id))
        link.publish(body, own("answers", link.id), correlation_id="nobody's")
    assert central.call(GetQuotas(caller=ME, project_id="p")) == {"zones": 1}


def test_a_closed_client_lets_its_callers_go(
    rabbitmq: RabbitMQ, amqp: Buses, pool: ThreadPoolExecutor, slow: Slow
) -> None:
    with ExitStack() as stack:
        bus = AmqpBus(rabbitmq.transport_url(), stack)
        bus.serve_asked(slow)
        central = bus.ask()
        answer = pool.submit(central.call, GetQuotas(caller=ME, project_id="p"))
        until(lambda: len(slow.seen) == 1, deadline_s=WAIT_S)
        central.close()
        with pytest.raises(TimedOut):
            answer.result(2)
        slow.go_on.set()


def test_a_request_that_waits_for_central_lets_the_others_of_its_process_run(amqp: Buses, rabbitmq: RabbitMQ) -> None:
    slow, answers, crew = Slow(), list[Any](), Crew(2)
    bus = amqp(rabbitmq.transport_url())
    bus.serve_asked(slow)
    central = bus.ask()
    try:
        crew.inbox.put(
            lambda: answers.append(central.call(GetQuotas(caller=ME, project_id="p1"))),
            slow.go_on.set,
        )
        until(lambda: bool(answers), deadline_s=WAIT_S / 2)
    finally:
        slow.go_on.set()
        crew.turns.close()
        for thread in crew.threads:
            thread.join(WAIT_S)
