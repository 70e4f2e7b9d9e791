# SPDX-License-Identifier: Apache-2.0
"""docs/troubleshooting.md: what it says that `zone status` prints is what it prints."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.house.tree import page, rows
from tests.support.bind import RealBind, free_port
from tests.support.system import DEFAULT_POOL, Sandbox

pytestmark = [pytest.mark.external, pytest.mark.timeout(240)]

ZONE = 'zone "ours.example" { type primary; file "ours.db"; };'
RECORDS = "$TTL 60\n@ SOA ns.example. admin.example. 1 60 60 60 60\n@ NS ns.example.\n"


class Stand:
    """A system with one BIND, and a pool that one thing is wrong with."""

    def __init__(self, system: Sandbox, bind: RealBind) -> None:
        self.system, self.bind = system, bind
        self.other_key = system.folder / "other.key"
        self.other_key.write_text(bind.key_file.read_text().replace('secret "', 'secret "AAAA'))

    def pool(self, **wrong: object) -> None:
        """`nameserver`, `masters`: other ports; anything else: another option of the target. `servers=False`: none."""
        nameserver, masters = wrong.pop("nameserver", self.bind.port), wrong.pop("masters", self.system.dns_port)
        options = self.bind.target_options() | {name: str(value) for name, value in wrong.items()}
        target = {"type": "bind9", "masters": [{"host": "127.0.0.1", "port": masters}], "options": options}
        pool: dict[str, Any] = {"id": DEFAULT_POOL, "name": "default"}
        pool["ns_records"] = [{"hostname": "ns1.example.net.", "priority": 1}]
        pool |= {"nameservers": [{"host": "127.0.0.1", "port": nameserver}], "targets": [target]}
        (self.system.folder / "pools.yaml").write_text(yaml.safe_dump([pool]))
        self.system.manage("pool", "update", "--file", str(self.system.folder / "pools.yaml"))


CAUSES: dict[str, tuple[str, Callable[[Stand], None]]] = {
    "no answer to NOTIFY from …": ("notify.example.", lambda at: at.pool(port=(port := free_port()), nameserver=port)),
    "no answer from …": ("silent.example.", lambda at: at.pool(nameserver=free_port())),
    "… answers REFUSED": ("refused.example.", lambda at: at.pool(rndc_port=free_port())),
    "… answers SERVFAIL": ("servfail.example.", lambda at: at.pool(masters=free_port())),
    "rndc: cannot connect to …": ("closed.example.", lambda at: at.pool(rndc_port=free_port())),
    "rndc: … it does not accept key …": ("key.example.", lambda at: at.pool(rndc_key_file=at.other_key)),
    "… 'rndc_key_file': no rndc key: … missing": ("file.example.", lambda at: at.pool(rndc_key_file="/nowhere")),
    "… has a zone … that was not created by this service": ("ours.example.", lambda at: at.pool()),
}
"""By the page's words: a zone, and what is wrong with the pool when it is created."""


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("troubles")
    (folder / "bind").mkdir()
    (folder / "bind" / "ours.db").write_text(RECORDS)
    with RealBind(folder / "bind", config=ZONE) as bind, Sandbox(folder / "system") as system:
        yield Stand(system, bind)


def status(system: Sandbox, zone: str, words: str) -> None:
    """Wait until `zone status` says what the page says."""
    wanted = re.compile(re.escape(words).replace("…", ".*"))
    deadline = time.monotonic() + 30
    while not wanted.search(said := system.manage("zone", "status", zone, code=1)):
        assert time.monotonic() < deadline, (words, said)


@pytest.mark.parametrize("words", CAUSES)
def test_status_names_the_cause_in_the_pages_words(stand: Stand, words: str) -> None:
    zone, break_ = CAUSES[words]
    break_(stand)
    stand.system.api.zone(zone)
    status(stand.system, zone, words)


def test_every_cause_of_the_page_is_tried() -> None:
    text = page("docs/troubleshooting.md").partition("## A zone stays PENDING")[2]
    assert set(rows(text)) - {"Its pool has no servers"} == set(CAUSES)  # that one: tests/manage/test_commands.py
