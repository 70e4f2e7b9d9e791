# SPDX-License-Identifier: Apache-2.0
"""What a broker sends over TLS before its connection is polled: a record of TLS is taken off the socket whole."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from pathlib import Path

from amqp.serialization import dumps

from redesignate.bus.broker import Broker
from redesignate.bus.connection import Line, Link
from redesignate.config.settings import BusSettings, RabbitSettings
from tests.support.certificates import certify

WAIT_S = 20.0
METHOD, HEADER, BODY = 1, 2, 3
Method = tuple[int, int]
START, TUNE, OPEN, OPENED, CLOSE = (10, 10), (10, 30), (10, 40), (10, 41), (10, 50)
OPEN_CHANNEL, CHANNEL_OPENED, CONSUME, CONSUMED, DELIVER = (20, 10), (20, 11), (60, 20), (60, 21), (60, 60)


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(channel: int, which: Method, form: str = "", *values: object) -> bytes:
    return frame(METHOD, channel, struct.pack(">HH", *which) + (dumps(form, values) if form else b""))


def delivery(number: int, body: bytes) -> bytes:
    """A message, as the broker sends it to the consumer."""
    return (
        method(1, DELIVER, "sLbss", "tag", number, False, "", "q")
        + frame(HEADER, 1, struct.pack(">HHQH", 60, 0, len(body), 0))
        + frame(BODY, 1, body)
    )


def converse(listening: socket.socket, context: ssl.SSLContext, bodies: list[bytes]) -> None:
    """Accept one connection, and send these messages in the record of TLS that answers its first consumer."""
    plain, _ = listening.accept()
    with context.wrap_socket(plain, server_side=True) as peer, peer.makefile("rb") as heard:

        def until(wanted: Method) -> None:
            found: Method | None = None
            while found != wanted:
                _, _, size = struct.unpack(">BHI", heard.read(7))
                found = struct.unpack(">HH", heard.read(size + 1)[:4])

        heard.read(8)
        peer.sendall(method(0, START, "ooFSS", 0, 9, {}, "AMQPLAIN PLAIN", "en_US"))
        peer.sendall(method(0, TUNE, "BlB", 2047, 131072, 0))
        until(OPEN)
        peer.sendall(method(0, OPENED, "s", ""))
        until(OPEN_CHANNEL)
        peer.sendall(method(1, CHANNEL_OPENED, "S", ""))
        until(CONSUME)
        peer.sendall(
            method(1, CONSUMED, "s", "tag") + b"".join(delivery(at, body) for at, body in enumerate(bodies, 1))
        )
        until(CLOSE)


def test_messages_that_come_with_the_last_answer_of_the_set_up_are_read_at_once(tmp_path: Path) -> None:
    """They wait inside TLS, where `poll` does not see them, and nothing else comes."""
    bodies, heard, whole = [b"%d" % n for n in range(20)], list[bytes](), threading.Event()
    certify(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    def hear(body: bytes) -> None:
        heard.append(body)
        if len(heard) == len(bodies):
            whole.set()

    def opened(link: Link) -> None:
        link.channel.basic_consume("q", no_ack=True, callback=lambda message: hear(message.body))

    rabbit = RabbitSettings(ssl=True, ssl_ca_file=str(tmp_path / "ca.pem"), heartbeat_timeout_threshold=0)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        broker = threading.Thread(target=converse, args=(listening, context, bodies))
        broker.start()
        url = f"rabbit://guest:guest@localhost:{listening.getsockname()[1]}/"
        line = Line(Broker(BusSettings(transport_url=url, rabbit=rabbit)), "test", opened)
        line.start()
        try:
            assert whole.wait(WAIT_S), heard
        finally:
            line.stop()
            broker.join(WAIT_S)
    assert heard == bodies
