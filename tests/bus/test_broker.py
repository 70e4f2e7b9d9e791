# SPDX-License-Identifier: Apache-2.0
"""What the operator's options make of the broker; no server needed."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from redesignate.bus.amqp_hints import AmqpWorkSource
from redesignate.bus.amqp_server import PREFETCH, CentralServer
from redesignate.bus.broker import Broker
from redesignate.config.load import load
from redesignate.config.settings import RabbitSettings
from redesignate.model.errors import Misconfigured

URL = "rabbit://guest:guest@127.0.0.1:9/vhost"
Make = Callable[..., Broker]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def broker(text: str = "", url: str = URL) -> Broker:
        file = tmp_path / "designate.conf"
        file.write_text(f"[DEFAULT]\ntransport_url = {url}\n[oslo_messaging_rabbit]\n{text}")
        return Broker(load(files=[str(file)]).bus)

    return broker


class Declared:
    """A channel that notes how a queue is declared."""

    def queue_declare(self, queue: str, **how: Any) -> None:
        self.how = how


def declared(broker: Broker) -> dict[str, Any]:
    channel = Declared()
    broker.declare(channel, "q")
    return channel.how


def prefetch(broker: Broker) -> tuple[int, int]:
    """What a worker's source and central's server hold at most."""
    server = CentralServer(broker, lambda *_: None, together=lambda _: [], clock=lambda: 0, host="here")
    return AmqpWorkSource(broker, prefetch=64)._reader._prefetch, server._reader._prefetch


def test_what_the_operator_wrote_holds(make: Make) -> None:
    broker = make("rabbit_interval_max = 17\nrabbit_qos_prefetch_count = 3\nheartbeat_timeout_threshold = 20\n")
    assert broker.rabbit.rabbit_interval_max == 17
    assert broker.rabbit.heartbeat_timeout_threshold == 20
    assert prefetch(broker) == (3, 3)


def test_what_stands_in_the_url_holds(make: Make) -> None:
    broker = make("rabbit_interval_max = 17\n", f"{URL}?rabbit_interval_max=19&rabbit_quorum_queue=true&unknown=1")
    assert broker.rabbit.rabbit_interval_max == 19
    assert broker.rabbit.rabbit_quorum_queue is True
    with pytest.raises(Misconfigured, match="transport_url"):
        make(url=f"{URL}?rabbit_interval_max=soon")


def test_a_reader_holds_so_many_messages_where_the_operator_says_nothing(make: Make) -> None:
    assert prefetch(make()) == (64, PREFETCH)


def test_queues_are_declared_as_the_operator_wishes(make: Make) -> None:
    plain: dict[str, Any] = {"durable": False, "auto_delete": False, "arguments": {}}
    assert declared(make()) == plain
    assert declared(make("amqp_durable_queues = true\n")) == plain | {"durable": True}
    assert declared(make("amqp_auto_delete = true\n")) == plain | {"auto_delete": True}
    quorum = "rabbit_quorum_queue = true\namqp_auto_delete = true\nrabbit_quorum_delivery_limit = 5\n"
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 5}
    assert declared(make(quorum)) == plain | {"durable": True, "arguments": arguments}


@pytest.mark.parametrize(
    ("url", "hosts", "virtual_host"),
    [
        ("rabbit://u:p@a", [("a", 5672, "u", "p")], "/"),
        ("rabbit://u:p@a/", [("a", 5672, "u", "p")], "/"),
        ("rabbit://u:p@a:1//", [("a", 1, "u", "p")], "/"),
        ("rabbit://u%40x:p%2C%3A@a:1/v%2Fw", [("a", 1, "u@x", "p,:")], "v/w"),
        ("rabbit://u:p@a:1,v:q@b:2/x", [("a", 1, "u", "p"), ("b", 2, "v", "q")], "x"),
        ("rabbit://u:p@a,b:2/x", [("a", 5672, "u", "p"), ("b", 2, "u", "p")], "x"),
        ("rabbit://u:p@[2001:db8::1]:1/x", [("2001:db8::1", 1, "u", "p")], "x"),
        ("amqp://a/x", [("a", 5672, "guest", "guest")], "x"),
        ("kombu://u:p@a,u:p@b,/x", [("a", 5672, "u", "p"), ("b", 5672, "u", "p")], "x"),
    ],
)
def test_a_url_names_hosts_logins_and_a_virtual_host(
    make: Make, url: str, hosts: list[tuple[str, int, str, str]], virtual_host: str
) -> None:
    broker = make(url=url)
    assert [(host.name, host.port, host.user, host.password) for host in broker._hosts] == hosts
    assert broker._virtual_host == virtual_host


@pytest.mark.parametrize(
    "url",
    [
        "rabbit://u:s3cret@a:port/",
        "rabbit://u:s3cret@[::1/",
        "kafka://u:s3cret@a/",
        "s3cret",
        "rabbit://u:s3cret@a..b/",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(make: Make, url: str) -> None:
    with pytest.raises(
        Misconfigured, match=r"\[DEFAULT\] transport_url: .*rabbit://user:password@host:5672/"
    ) as caught:
        make(url=url)
    assert "s3cret" not in str(caught.value)


def test_a_password_is_in_no_text_of_the_broker(make: Make) -> None:
    broker = make(url="rabbit://u:s3cret@a/")
    assert "s3cret" not in f"{broker._hosts} {broker.settings} {broker!r}"


def test_tls_checks_the_certificate_and_its_name_unless_the_name_is_not_to_be(make: Make, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    broker = make(f"ssl = true\nssl_ca_file = {ca}\n", "rabbit://u:p@a,b/")
    for host in broker._hosts:
        tls = broker._tls(host)
        assert isinstance(tls, dict)
        assert (tls["ca_certs"], tls["cert_reqs"], tls["server_hostname"]) == (str(ca), ssl.CERT_REQUIRED, host.name)
    lax = make("ssl = true\nssl_enforce_hostname_verification = false\n")
    tls = lax._tls(lax._hosts[0])
    assert isinstance(tls, dict)
    assert (tls["ca_certs"], tls["cert_reqs"], tls["server_hostname"]) == (None, ssl.CERT_REQUIRED, None)
    assert make()._tls(lax._hosts[0]) is False


def test_a_file_for_tls_that_is_missing_is_named_at_the_start(make: Make) -> None:
    with pytest.raises(Misconfigured, match=r"\[oslo_messaging_rabbit\] ssl_ca_file: /no/such: No such file"):
        make("ssl = true\nssl_ca_file = /no/such\n")


def test_a_reason_is_logged_once_until_all_works_again(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    broker = make()
    with caplog.at_level(logging.INFO):
        for why in ("refused", "refused", "no route", "refused"):
            broker.note("one", why)
        broker.note("other", "refused")
        assert not broker.up()
        broker.note("one", None)
        assert not broker.up()
        broker.note("other", None)
        assert broker.up()
        broker.note("one", "refused")
    down, up = "message broker is unavailable; waiting for it", "message broker is available again"
    assert [record.message for record in caplog.records] == [down, down, up, down]


def test_the_defaults_need_no_options(make: Make) -> None:
    assert make().rabbit == RabbitSettings()
