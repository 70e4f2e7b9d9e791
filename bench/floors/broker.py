# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ between two roots that do nothing with its messages: py-amqp packs and unpacks them, as it does for us.

A question is sent with the mandatory flag, its answer is sent before the question is acknowledged; a hint is confirmed
by the broker and acknowledged by who reads it. Unlike our roots these have one thread each, which nobody wakes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import amqp
from amqp import spec

from bench.beside import companion
from bench.figures import Figure
from bench.floors.rounds import rated, serve_rounds
from redesignate.bus.amqp_server import PREFETCH
from redesignate.bus.broker import Broker, own
from redesignate.config.settings import BusSettings
from tests.support.rabbitmq import RabbitMQ

QUESTION, ANSWER, HINT = 620, 460, 60
"""Octets of a record set create, of its answer, and of the hint to the workers."""
QUESTIONS, HINTS = own("questions", "floor"), own("hints", "floor")


def figures(_: Path, seconds: float) -> Iterator[Figure]:
    """Questions there and back, 1 and 8 under way, and hints."""
    broker = RabbitMQ.create()
    try:
        url = broker.transport_url()
        with companion(answers, url) as answerer:
            answerer.hear()
            for window in (1, 8):
                with companion(asks, url, window, seconds) as asker:
                    roots = {"asker": [asker.pid], "answerer": [answerer.pid], "broker": [broker.pid]}
                    yield rated(f"a message there and back through RabbitMQ, {window} under way", asker, roots)
        with companion(reads, url) as reader:
            reader.hear()
            with companion(hints, url, seconds) as sender:
                roots = {"asker": [sender.pid], "answerer": [reader.pid], "broker": [broker.pid]}
                yield rated("a hint through RabbitMQ, confirmed and acknowledged", sender, roots)
    finally:
        broker.close()


def _channel(url: str, queue: str) -> tuple[Any, Any]:
    """A connection without time limit, and its channel, on which the queue is declared."""
    broker = Broker(BusSettings(transport_url=url))
    connection = broker.connect("floor")
    connection.sock.settimeout(None)
    channel = connection.channel()
    broker.declare(channel, queue)
    return connection, channel


def _publish(channel: Any, body: bytes, queue: str, *, mandatory: bool, **properties: str) -> None:
    """Send a message; unlike `basic_publish` this reads nothing."""
    message = amqp.Message(body, delivery_mode=1, **properties)
    channel.send_method(spec.Basic.Publish, "Bssbb", (0, "", queue, mandatory, False), message)


def answers(pipe: Connection, url: str) -> None:
    """Answer each question, then acknowledge it."""
    connection, channel = _channel(url, QUESTIONS)
    body = b"a" * ANSWER

    def answer(message: Any) -> None:
        about = message.properties
        _publish(channel, body, about["reply_to"], mandatory=False, correlation_id=about["correlation_id"])
        channel.basic_ack(message.delivery_info["delivery_tag"])

    channel.basic_qos(0, PREFETCH, False)
    channel.basic_consume(QUESTIONS, callback=answer)
    pipe.send("ready")
    while True:
        connection.drain_events()


def asks(pipe: Connection, url: str, window: int, seconds: float) -> None:
    """Send questions for so many seconds a round, `window` of them under way at a time."""
    connection, channel = _channel(url, QUESTIONS)
    mine = own("answers", f"floor{window}")
    channel.queue_declare(mine, exclusive=True, auto_delete=True)
    body, under_way = b"q" * QUESTION, 0

    def heard(_: Any) -> None:
        nonlocal under_way
        under_way -= 1

    channel.basic_consume(mine, no_ack=True, callback=heard)

    def do(_: int) -> int:
        nonlocal under_way
        ends, sent = time.perf_counter() + seconds, 0
        while time.perf_counter() < ends or under_way:
            while under_way < window and time.perf_counter() < ends:
                _publish(channel, body, QUESTIONS, mandatory=True, reply_to=mine, correlation_id=str(sent))
                sent, under_way = sent + 1, under_way + 1
            connection.drain_events()
        return sent

    serve_rounds(pipe, do)


def reads(pipe: Connection, url: str) -> None:
    """Acknowledge each hint."""
    connection, channel = _channel(url, HINTS)
    channel.basic_consume(HINTS, callback=lambda message: channel.basic_ack(message.delivery_info["delivery_tag"]))
    pipe.send("ready")
    while True:
        connection.drain_events()


def hints(pipe: Connection, url: str, seconds: float) -> None:
    """Send hints for so many seconds a round, each once the one before is confirmed."""
    connection, channel = _channel(url, HINTS)
    channel.confirm_select()
    body, confirmed = b"h" * HINT, True

    def note(_tag: int, _multiple: bool) -> None:
        nonlocal confirmed
        confirmed = True

    channel.events["basic_ack"].add(note)

    def do(_: int) -> int:
        nonlocal confirmed
        ends, sent = time.perf_counter() + seconds, 0
        while time.perf_counter() < ends:
            confirmed, sent = False, sent + 1
            _publish(channel, body, HINTS, mandatory=True)
            while not confirmed:
                connection.drain_events()
        return sent

    serve_rounds(pipe, do)
