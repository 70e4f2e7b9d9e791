# SPDX-License-Identifier: Apache-2.0
"""The message broker, as the operator's options describe it: its hosts, how to connect, how queues are declared.

The options have the names and the meaning of oslo.messaging's.
"""

from __future__ import annotations

import random
import socket
import ssl
import threading
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import amqp
from amqp.exceptions import AMQPError

from redesignate.config.settings import BusSettings, RabbitSettings
from redesignate.config.shared_options import RABBIT
from redesignate.config.urls import endpoint
from redesignate.model.errors import Misconfigured
from redesignate.observe.log import events

log = events(__name__)

UNAVAILABLE = (AMQPError, OSError)
"""What py-amqp raises when the broker cannot be reached, refuses us, or closes the connection."""

CONNECT_S = 5.0
"""The most that each step of connecting takes: the connection itself, the handshake, the declaration of a queue."""

_FORM = "write it as rabbit://user:password@host:5672/virtual_host"


class _Channel(amqp.Channel):  # type: ignore[misc]  # the library has no types
    def _do_revive(self) -> None:
        """The library would open a closed channel again, and wait for it; here its connection is given up."""


class _Connection(amqp.Connection):  # type: ignore[misc]  # the library has no types
    Channel = _Channel


@dataclass(frozen=True, slots=True)
class _Host:
    name: str
    port: int
    user: str
    password: str = field(repr=False)


class Broker:
    """The broker of one process, shared by its connections (`connection.py`).

    settings   the bus's; `rabbit` are those of RabbitMQ, as the URL's query overrides them
    """

    def __init__(self, settings: BusSettings) -> None:
        """Raises Misconfigured on a transport_url, or a file for TLS, that cannot be used."""
        self.settings = settings
        try:
            self._hosts, self._virtual_host, self.rabbit = _parsed(settings.transport_url or "", settings.rabbit)
        except ValueError as wrong:
            raise Misconfigured(f"[DEFAULT] transport_url: {wrong}; {_FORM}") from None
        _check_files(self.rabbit)
        self._lock = threading.Lock()
        self._down: set[object] = set()
        self._said: set[str] = set()

    def up(self) -> bool:
        """Whether no connection has failed, or was lost, without being made again."""
        return not self._down

    def note(self, line: object, why: str | None) -> None:
        """Record that a connection has failed, and why; or (None) that it works, or is not wanted any more.

        Logs each reason once, until all work again.
        """
        with self._lock:
            was_up, new = not self._down, why is not None and why not in self._said
            if why is None:
                self._down.discard(line)
            else:
                self._down.add(line)
                self._said.add(why)
            if not self._down:
                self._said.clear()
        if new:
            log.warning("message broker is unavailable; waiting for it", why=why)
        elif not was_up and not self._down:
            log.info("message broker is available again")

    def connect(self, name: str) -> Any:
        """Connect to one of the hosts, tried in random order, and return py-amqp's connection, still blocking.

        name   shown by the broker in its list of connections
        Raises what UNAVAILABLE lists, of the last host that was tried.
        """
        failed: Exception | None = None
        for host in random.sample(self._hosts, len(self._hosts)):
            try:
                return self._connected(host, name)
            except UNAVAILABLE as error:
                failed = error
        assert failed is not None
        raise failed

    def declare(self, channel: Any, queue: str) -> None:
        """Declare a queue that services share, as the operator's options say. Raises what UNAVAILABLE lists."""
        rabbit = self.rabbit
        arguments: dict[str, Any] = {}
        if rabbit.rabbit_quorum_queue:
            limits = {
                "x-delivery-limit": rabbit.rabbit_quorum_delivery_limit,
                "x-max-in-memory-length": rabbit.rabbit_quorum_max_memory_length,
                "x-max-in-memory-bytes": rabbit.rabbit_quorum_max_memory_bytes,
            }
            arguments = {"x-queue-type": "quorum"} | {name: limit for name, limit in limits.items() if limit}
        channel.queue_declare(
            queue,
            durable=rabbit.amqp_durable_queues or rabbit.rabbit_quorum_queue,
            auto_delete=rabbit.amqp_auto_delete and not rabbit.rabbit_quorum_queue,  # RabbitMQ has no such queues
            arguments=arguments,
        )

    def consume(self, channel: Any, queue: str, prefetch: int, **more: Any) -> None:
        """Read a queue that services share, at most `prefetch` unacknowledged messages at a time."""
        channel.basic_qos(0, prefetch, False)
        arguments = {"x-cancel-on-ha-failover": True} if self.rabbit.enable_cancel_on_failover else None
        channel.basic_consume(queue, arguments=arguments, **more)

    def _connected(self, host: _Host, name: str) -> Any:
        rabbit = self.rabbit
        made = _Connection(
            f"{host.name}:{host.port}",  # of an IPv6 address too: py-amqp splits at the last colon
            userid=host.user,
            password=host.password,
            login_method=rabbit.rabbit_login_method,
            virtual_host=self._virtual_host,
            ssl=self._tls(host),
            connect_timeout=CONNECT_S,
            heartbeat=rabbit.heartbeat_timeout_threshold,
            client_properties={"connection_name": name},
            socket_settings={socket.TCP_USER_TIMEOUT: rabbit.heartbeat_timeout_threshold * 1000},
        )
        try:
            made.connect()
            made.sock.settimeout(CONNECT_S)
        except BaseException:
            made.collect()
            raise
        return made

    def _tls(self, host: _Host) -> dict[str, Any] | bool:
        """TLS as py-amqp takes it: the certificate is always checked, its name unless the operator says otherwise."""
        rabbit = self.rabbit
        return rabbit.ssl and {
            "ca_certs": rabbit.ssl_ca_file or None,
            "certfile": rabbit.ssl_cert_file or None,
            "keyfile": rabbit.ssl_key_file or None,
            "cert_reqs": ssl.CERT_REQUIRED,
            "server_hostname": host.name if rabbit.ssl_enforce_hostname_verification else None,
        }


def own(kind: str, topic: str) -> str:
    """A queue's name on the broker, distinct from those of a Designate, and of older versions, on a virtual host."""
    return f"redesignate_{kind}_{topic}"


def _parsed(url: str, rabbit: RabbitSettings) -> tuple[list[_Host], str, RabbitSettings]:
    """The hosts, the virtual host, and the options with those of the query. Raises ValueError without the URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in {"rabbit", "amqp", "kombu"}:
        raise ValueError("the broker is RabbitMQ")
    hosts: list[_Host] = []
    user, password = "guest", "guest"
    for part in [one for one in parts.netloc.split(",") if one] or [""]:
        login, at, address = part.rpartition("@")
        if at:
            user, _, password = (unquote(word) for word in login.partition(":"))
        name, port = endpoint(address, 5672)
        try:
            name.encode("idna")
        except UnicodeError:
            raise ValueError(f"{name} is not a host's name") from None
        hosts.append(_Host(name, port, user, password))
    known = {option.dest: option for option in RABBIT}
    changed = {
        name: known[name].type(value)
        for name, value in parse_qsl(parts.query)
        if name in known and hasattr(rabbit, name)
    }
    return hosts, unquote(parts.path[1:]) or "/", replace(rabbit, **changed)


def _check_files(rabbit: RabbitSettings) -> None:
    if not rabbit.ssl:
        return
    for name in ("ssl_ca_file", "ssl_cert_file", "ssl_key_file"):
        file = getattr(rabbit, name)
        try:
            if file:
                open(file, "rb").close()
        except OSError as error:
            raise Misconfigured(f"[oslo_messaging_rabbit] {name}: {file}: {error.strerror}; correct the path") from None
