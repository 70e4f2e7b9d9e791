# SPDX-License-Identifier: Apache-2.0
"""How the operator's options and ours meet; no server needed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from oslo_config import cfg

from redesignate.bus.broker import GROUP, OURS, Broker
from redesignate.config.settings import BusSettings

URL = "rabbit://guest:guest@127.0.0.1:9/vhost"
Make = Callable[..., Broker]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:

        def broker(text: str = "", url: str = URL) -> Broker:
            file = tmp_path / "designate.conf"
            file.write_text(text)
            conf = cfg.ConfigOpts()
            conf([], default_config_files=[str(file)], default_config_dirs=[])
            made = Broker(conf, BusSettings(transport_url=url))
            stack.callback(made.close)
            return made

        yield broker


def _option(broker: Broker, name: str, transport: object) -> object:
    return transport._driver.conf[GROUP][name]  # type: ignore[attr-defined]  # what the library will really use


def test_ours_take_the_place_of_the_librarys_defaults(make: Make) -> None:
    broker = make()
    for name, value in OURS.items():
        assert float(str(_option(broker, name, broker.rpc()))) == float(value)


def test_what_the_operator_wrote_holds(make: Make) -> None:
    broker = make(f"[{GROUP}]\nrabbit_interval_max = 17\nrabbit_qos_prefetch_count = 3\n")
    transport = broker.notifications(prefetch=64)
    assert _option(broker, "rabbit_interval_max", transport) == 17
    assert _option(broker, "rabbit_qos_prefetch_count", transport) == 3


def test_what_stands_in_the_url_holds(make: Make) -> None:
    broker = make(url=f"{URL}?rabbit_interval_max=19")
    assert _option(broker, "rabbit_interval_max", broker.rpc()) == 19


def test_a_listener_holds_so_many_messages_where_the_operator_says_nothing(make: Make) -> None:
    broker = make()
    assert _option(broker, "rabbit_qos_prefetch_count", broker.notifications(prefetch=64)) == 64
    assert _option(broker, "rabbit_qos_prefetch_count", broker.rpc()) == 0


def test_the_exchange_is_designate(make: Make) -> None:
    transport = make().rpc()
    assert transport._driver._default_exchange == "designate"


def test_the_first_of_several_hosts_that_is_there_will_do(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert make(url=f"rabbit://a:b@127.0.0.1:9,a:b@127.0.0.1:{port}/").up()
    assert not make(url=f"rabbit://a:b@127.0.0.1:9,a:b@127.0.0.1:{port}/").up()


def test_an_outage_and_its_end_are_seen(make: Make) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    broker = make(url=f"rabbit://a:b@127.0.0.1:{port}/")
    assert broker.up()
    server.close()
    assert not broker.doubt()
    assert broker.outages == 1
    with socket.create_server(("127.0.0.1", port)):
        assert broker.wait_up(5)
