# SPDX-License-Identifier: Apache-2.0
"""docs/troubleshooting.md, "A request fails": each answer of its table is given by a system that has that trouble."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.house.tree import page, rows
from tests.support.api import Answer, Api
from tests.support.bind import free_port
from tests.support.mariadb import MariaDB
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import until
from tests.support.system import Sandbox, Split

pytestmark = [pytest.mark.external, pytest.mark.timeout(240)]

ZONE = {"name": "example.org.", "email": "a@example.org"}
NO_ZONE = "/v2/zones/01a20024-e83f-77d0-b5f8-068d4aacdbe2"
READER = {"X-Roles": "reader", "X-Auth-Project-ID": "home"}
FULL = {"X-Roles": "member", "X-Auth-Project-ID": "full"}


def said(answer: Answer) -> str:
    """An answer as the page writes it."""
    status, body = answer
    return f"{status} {body['type']}: {body['message']}" if "message" in body else f"{status} {body['type']}"


def check(words: str, answer: Answer) -> None:
    """The answer is the page's, to its last word, where "…" stands for any."""
    assert re.fullmatch(re.escape(words).replace("…", ".+"), said(answer)), said(answer)


def over_quota(api: Api) -> Answer:
    assert api.ask("PATCH", "/v2/quotas/full", {"zones": 0}, headers={"X-Auth-All-Projects": "true"})[0] == 200
    return api.ask("POST", "/v2/zones", ZONE, headers=FULL)


REQUESTS: dict[str, Callable[[Api], Answer]] = {
    "400 bad_request: The Host … is not this machine's loopback; …": lambda api: api.ask(
        "GET", "/v2/zones", headers={"Host": "dns.example.net"}
    ),
    "403 forbidden: The policy rule … does not allow this …": lambda api: api.ask(
        "POST", "/v2/zones", ZONE, headers=READER
    ),
    "404 not_found: … is not part of this version; …": lambda api: api.ask("GET", "/v2/reverse/floatingips"),
    "404 zone_not_found: Could not find Zone": lambda api: api.ask("GET", NO_ZONE),
    "413 over_quota: Quota exceeded for …": over_quota,
    "415 unsupported_content_type: …": lambda api: api.ask(
        "POST", "/v2/zones", ZONE, headers={"Content-Type": "text/plain"}
    ),
}
"""By the page's words: a request to `redesignate serve` that is answered so."""

TOKENS = (
    "401 unauthorized: This API needs a token: …",
    "401 unauthorized: The token is unknown or was revoked.",
    "401 unauthorized: The token has expired.",
)
KEYSTONE = "503 unavailable: The identity service is unavailable; retry."
DATABASE, BROKER, CENTRAL, SILENT = (
    "503 unavailable: The database is unavailable: …",
    "503 unavailable: The message broker is unavailable; retry.",
    "503 unavailable: No central service is running; retry.",
    "504 timeout: No answer in time. …",
)


def test_every_answer_of_the_page_is_tried() -> None:
    text = page("docs/troubleshooting.md").partition("## A request fails")[2].partition("\n## ")[0]
    assert set(rows(text)) == {*REQUESTS, *TOKENS, KEYSTONE, DATABASE, BROKER, CENTRAL, SILENT}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("requests")) as system:
        yield system


@pytest.mark.parametrize("words", REQUESTS)
def test_a_request_is_refused_in_the_words_of_the_page(sandbox: Sandbox, words: str) -> None:
    check(words, REQUESTS[words](sandbox.api))


def test_the_request_id_of_a_refusal_is_in_the_log(sandbox: Sandbox) -> None:
    """So the page says. The line is written when the answer is on its way."""
    request_id = sandbox.api.ask("GET", NO_ZONE)[1]["request_id"]
    until(lambda: f"request_id={request_id}" in sandbox.process.said(), deadline_s=5)


def test_a_token_is_refused_in_the_words_of_the_page(tmp_path: Path) -> None:
    with Sandbox(tmp_path, options="[service:api]\nauth_strategy = token\n") as system:
        token = system.manage("token", "create", "--project", "home", "--expires", "1h", "--quiet").strip()
        assert system.api.ask("GET", "/v2/zones", headers={"X-Auth-Token": token})[0] == 200
        check(TOKENS[0], system.api.ask("GET", "/v2/zones"))
        check(TOKENS[1], system.api.ask("GET", "/v2/zones", headers={"X-Auth-Token": "rdt_" + "0" * 43}))
        system.process.stop(signal.SIGINT)
        system.process.set_clock(2 * 3600)
        system.start()
        check(TOKENS[2], system.api.ask("GET", "/v2/zones", headers={"X-Auth-Token": token}))


def test_a_keystone_that_is_down_is_named_in_the_words_of_the_page(tmp_path: Path) -> None:
    login = "auth_type = password\nusername = u\npassword = p\nproject_name = s\nuser_domain_name = d\n"
    login += f"project_domain_name = d\nauth_url = http://127.0.0.1:{free_port()}/v3\nhttp_request_max_retries = 0\n"
    with Sandbox(tmp_path, options=f"[service:api]\nauth_strategy = keystone\n[keystone_authtoken]\n{login}") as system:
        assert system.api.ask("GET", "/v2/zones")[0] == 401
        token = {"X-Auth-Token": "a-token"}
        check(KEYSTONE, system.api.ask("GET", "/v2/zones", headers=token))


def test_what_a_split_system_lacks_is_named_in_the_words_of_the_page(tmp_path: Path) -> None:
    none = {"central": 0, "api": 1, "worker": 0, "producer": 0, "mdns": 0}
    options = "[DEFAULT]\nrpc_response_timeout = 4\n"
    with closing(RabbitMQ.create()) as broker, closing(MariaDB.create()) as database:
        url = database.database()
        with Split(
            tmp_path / "none", database=url, transport_url=broker.transport_url(), counts=none, unready=[503]
        ) as system:
            _until_it_says(CENTRAL, system.api)
        one = none | {"central": 1}
        with Split(
            tmp_path / "one", database=url, transport_url=broker.transport_url(), counts=one, options=options
        ) as system:
            database.stop()
            _until_it_says(DATABASE, system.api)
            database.start()
            until(lambda: system.api.ask("GET", "/v2/zones")[0] == 200, deadline_s=60, what="the database's return")
            assert system.processes["central"][0].stop() == 0
            _until_it_says(SILENT, system.api)
            broker.stop()
            _until_it_says(BROKER, system.api)


def _until_it_says(words: str, api: Api) -> None:
    """Ask until the trouble is noticed. Whatever is 503 says when to retry."""
    deadline = time.monotonic() + 60
    wanted = re.compile(re.escape(words).replace("…", ".+"))
    while not wanted.fullmatch(text := said(api.ask("GET", "/v2/zones"))):
        assert time.monotonic() < deadline, text
    if words.startswith("503"):
        status, headers = api.ask_headers("GET", "/v2/zones")
        assert (status, headers["Retry-After"]) == (503, "2")
