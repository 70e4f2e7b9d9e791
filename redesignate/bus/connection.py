# SPDX-License-Identifier: Apache-2.0
"""Connections to the broker: `Link` is one, from when it is made until it is lost; `Line` makes it again.

py-amqp connects, and packs and unpacks frames; the socket is ours, and never blocks. One thread reads it. Whoever
publishes or acknowledges writes by itself, under a lock that reading takes too (TLS needs that), so an answer costs no
other thread's turn; what the socket does not take at once the reading thread sends later.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any

import amqp
from amqp import spec
from amqp.method_framing import frame_writer

from redesignate.bus.broker import UNAVAILABLE, Broker
from redesignate.model.clock import new_id
from redesignate.observe.log import events
from redesignate.threads.deadline import uptime
from redesignate.threads.service import Daemon

log = events(__name__)

LARGEST = 32 * 2**20
"""The longest message, in bytes. RabbitMQ 3 takes 128 MiB, RabbitMQ 4 takes 16 MiB unless it is told otherwise."""
WAITING = 32 * 2**20
"""The most bytes that wait for the socket when a further message is accepted."""
CLOSE_S = 2.0
STOP_S = 4.0
"""How long `Line.stop` waits for its thread, which may be connecting."""
SETTLED_S = 1.0
"""A connection that was lost sooner counts as a failed attempt: the pause grows."""
FIRST_PAUSE_S = 0.1

_READ, _WRITE = 2**16, 2**16
_HEADER = struct.Struct(">BHI")
_END = 0xCE
_NOTHING = contextlib.nullcontext()
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Lost(Exception):
    """The connection is lost. A message that was given to it may have been delivered."""


class NotSent(Lost):
    """The connection was lost before the message was given to it."""


class Refused(Exception):
    """The message was not sent: it is too long, or too much waits for the broker already."""


class Link:
    """One connection with one channel. Any thread may publish and acknowledge.

    channel   py-amqp's, for use before `run`, and in the functions that it calls
    id        no other link has it
    blocked   the broker takes no messages for now: it is short of memory or disk
    """

    def __init__(self, connection: Any, rate: int = 2) -> None:
        self.id = new_id()
        self.blocked = False
        self.channel: Any = connection.channel()
        self.channel.auto_decode = False
        self._connection = connection
        self._rate = rate
        self._sock = connection.sock
        self._wakes, self._wake = socket.socketpair()
        self._lock = threading.RLock()
        self._corked = False
        self._waits_to_send = False
        self._out, self._in = bytearray(), bytearray()
        self._why: Exception | None = None
        self._published = 0
        self._closes_at: float | None = None
        connection.on_blocked = self._block
        connection.on_unblocked = self._unblock

    def take_over(self) -> None:
        """Take the socket from py-amqp: from now on nothing blocks, and `run` reads. Before any other use."""
        for each in (self._sock, self._wake, self._wakes):
            each.setblocking(False)
        write = frame_writer(self._connection, self)

        def locked(*frame: Any) -> None:
            with self._lock:
                write(*frame)

        self._connection.frame_writer = locked

    def publish(
        self, body: bytes, queue: str, *, mandatory: bool = False, ack: int | None = None, **properties: str
    ) -> int:
        """Send a message to a queue, and acknowledge another with it; return its number, which a confirm names.

        mandatory   it is returned where there is no such queue; else it is dropped then
        Raises Refused, and then nothing is sent; Lost.
        """
        message = amqp.Message(body, delivery_mode=1, **properties)
        with self._lock:
            self._check()
            if len(body) > LARGEST:
                raise Refused(f"a message of {len(body)} octets is too long for the broker (at most {LARGEST})")
            if self._out and len(self._out) + len(body) > WAITING:
                raise Refused("the broker is too slow")
            self._published += 1
            self._corked = True  # both are sent with one call
            try:
                self.channel.send_method(spec.Basic.Publish, "Bssbb", (0, "", queue, mandatory, False), message)
                if ack is not None:
                    self.channel.basic_ack(ack)
            finally:
                self._corked = False
                self._send()
            return self._published

    def acknowledge(self, tag: int) -> None:
        """Acknowledge a message. Raises Lost."""
        with self._lock:
            self._check()
            self.channel.basic_ack(tag)

    def give_back(self, tag: int) -> None:
        """Return a message to its queue. Raises Lost."""
        with self._lock:
            self._check()
            self.channel.basic_reject(tag, True)

    def cancel(self, consumer: str) -> None:
        """Have no more messages sent to a consumer. Raises Lost."""
        with self._lock:
            self._check()
            self.channel.send_method(spec.Basic.Cancel, "sb", (consumer, True))

    def fail(self, why: str) -> None:
        """Give the connection up, because of something that was heard over it, or was not."""
        self._fail(ConnectionError(why))

    def close(self) -> None:
        """Close in order, which takes CLOSE_S at most; returns at once, `run` returns then."""
        with self._lock:
            if self._why is None and self._closes_at is None and self._connection.connected:
                self._closes_at = uptime() + CLOSE_S
                self._connection.send_method(spec.Connection.Close, "BsBB", (0, "", 0, 0))
        self._nudge()

    def run(self, tick: Callable[[], float | None]) -> None:
        """Read until the connection is closed or lost; what is heard is passed on to the channel's functions.

        tick   is called after whatever happens; returns in how many seconds at the latest again, None: at any time
        Raises what ended it, except after `close`.
        """
        poll = select.poll()
        poll.register(self._wakes, select.POLLIN)
        file = self._sock.fileno()
        beat_s = self._connection.heartbeat / self._rate / 2 if self._connection.heartbeat else None
        beat_at = uptime()
        asked = 0
        self._receive()  # over TLS, what came with the last answer of the set-up is read already, and `poll` is silent
        while self._why is None and self._connection.connected:
            now = uptime()
            if beat_s is not None and now >= beat_at:
                self._connection.heartbeat_tick(rate=self._rate)
                beat_at = now + beat_s
            if self._closes_at is not None and now >= self._closes_at:
                return
            waits = [beat_at - now if beat_s else None, tick(), self._closes_at and self._closes_at - now]
            least = min((wait for wait in waits if wait is not None), default=None)
            self._waits_to_send = False  # who adds to `_out` from here on nudges, unless it is seen by the next line
            asks = select.POLLIN | (select.POLLOUT if self._out else 0)
            self._waits_to_send = asks != select.POLLIN
            if asks != asked:
                poll.register(file, asked := asks)
            ready = dict(poll.poll(None if least is None else max(0, least) * 1000 + 1))
            if ready.pop(self._wakes.fileno(), 0):
                self._wakes.recv(4096)
            if ready:
                self._send()
                self._receive()
        if self._why is not None and self._closes_at is None:
            raise self._why

    def dispose(self) -> None:
        """Close the sockets; whoever still uses the link raises Lost."""
        with self._lock:
            self._why = self._why or ConnectionError("the connection is closed")
            self._out.clear()
            self._connection.collect()
            for each in (self._wake, self._wakes):
                each.close()

    def write(self, octets: memoryview) -> None:
        """Take a packed frame from py-amqp, as its transport would. With the lock held."""
        self._out += octets
        if not self._corked:
            self._send()

    def _check(self) -> None:
        if self._why is not None or self._closes_at is not None or not self._connection.connected:
            raise NotSent

    def _send(self) -> None:
        """Send as much as the socket takes; `run` sends the rest."""
        with self._lock:
            try:
                while self._out and self._why is None:
                    with memoryview(self._out) as waiting, waiting[:_WRITE] as part:
                        sent = self._sock.send(part)
                    del self._out[:sent]
            except _NOT_NOW:
                if not self._waits_to_send:
                    self._nudge()
            except OSError as error:
                self._fail(error)

    def _receive(self) -> None:
        while True:
            with self._lock:
                try:
                    heard = self._sock.recv(_READ)
                except _NOT_NOW:
                    return
            if not heard:
                raise ConnectionError("the broker closed the connection")
            self._in += heard
            self._pass_on()
            if len(heard) < _READ:  # that is more than a record of TLS, which so never keeps what `poll` cannot see
                return

    def _pass_on(self) -> None:
        """Give each whole frame to py-amqp, which calls the channel's functions."""
        at, length = 0, len(self._in)
        with memoryview(self._in) as read:
            while length - at >= _HEADER.size and self._connection.connected:
                kind, channel, size = _HEADER.unpack_from(read, at)
                end = at + _HEADER.size + size
                if size > self._connection.frame_max:
                    raise ConnectionError(f"the broker sent a frame of {size} octets")
                if end >= length:
                    break
                if read[end] != _END:
                    raise ConnectionError("the broker sent a frame without an end")
                with self._lock if channel == 0 else _NOTHING:  # py-amqp may take the connection apart
                    self._connection.on_inbound_frame((kind, channel, bytes(read[at + _HEADER.size : end])))
                at = end + 1
        del self._in[:at]

    def _fail(self, why: Exception) -> None:
        with self._lock:
            self._why = self._why or why
        self._nudge()

    def _nudge(self) -> None:
        with contextlib.suppress(OSError):  # full: it is awake; closed: it has ended
            self._wake.send(b"\0")

    def _block(self, _reason: str) -> None:
        self.blocked = True
        log.warning("message broker takes no messages for now: it is short of memory or disk")

    def _unblock(self) -> None:
        self.blocked = False
        log.info("message broker takes messages again")


class Line:
    """A connection that is made again whenever it is lost, by a thread of its own.

    opened   sets a new link up (queues, consumers), by blocking calls on its channel. Raises what UNAVAILABLE lists
    lost     hears that a link works no more
    tick     as in `Link.run`
    """

    def __init__(
        self,
        broker: Broker,
        name: str,
        opened: Callable[[Link], None],
        *,
        lost: Callable[[], None] = lambda: None,
        tick: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._broker = broker
        self._name = f"redesignate {name}"
        self._opened, self._lost, self._tick = opened, lost, tick
        self._changed = threading.Condition()
        self._link: Link | None = None
        self._trying = True
        self._failures = 0
        self._daemon = Daemon(f"bus-{name}", self._turn)

    def start(self) -> None:
        """Connect, as soon as the broker is available; returns at once."""
        self._daemon.start()

    def link(self, timeout_s: float | None = 0.0) -> Link | None:
        """Return the link; None where there is none.

        timeout_s   how long to wait for the first attempt after a start or a loss to end; None: for a link, or `stop`
        """
        link = self._link
        if link is not None or timeout_s == 0.0:
            return link
        with self._changed:
            if timeout_s is None:
                self._changed.wait_for(lambda: self._link is not None or self._daemon.stopping)
            else:
                self._changed.wait_for(lambda: self._link is not None or not self._trying, timeout_s)
            return self._link

    def stop(self) -> None:
        """Disconnect; returns when `lost` was called, or after a few seconds where the broker does not answer."""
        self._daemon.stop(0)
        with self._changed:
            link = self._link
            self._changed.notify_all()
        if link is not None:
            link.close()
        self._daemon.stop(STOP_S)

    def _turn(self) -> float:
        """Connect and read until the connection is lost; return the pause before the next attempt."""
        link, since = None, uptime()
        try:
            link = self._connected()
            since = uptime()
            link.run(self._tick)
        except UNAVAILABLE as error:
            if not self._daemon.stopping:
                self._broker.note(self, f"{type(error).__name__}: {error}")
        finally:
            self._down(link)
        if link is not None and uptime() - since > SETTLED_S:
            self._failures = 0
            return 0
        self._failures += 1
        pause = min(float(self._broker.rabbit.rabbit_interval_max), FIRST_PAUSE_S * 2.0 ** min(self._failures, 10))
        return pause * random.uniform(0.5, 1)

    def _connected(self) -> Link:
        connection = self._broker.connect(self._name)
        link = None
        try:
            link = Link(connection, self._broker.rabbit.heartbeat_rate)
            self._opened(link)
            link.take_over()
        except BaseException:
            connection.collect() if link is None else link.dispose()
            raise
        self._broker.note(self, None)
        with self._changed:
            self._link, self._trying = link, False
            self._changed.notify_all()
        if self._daemon.stopping:  # `stop` may not have seen the link
            link.close()
        return link

    def _down(self, link: Link | None) -> None:
        with self._changed:
            self._link, self._trying = None, link is not None
            self._changed.notify_all()
        if link is not None:
            link.dispose()
            self._lost()
        if self._daemon.stopping:
            self._broker.note(self, None)
