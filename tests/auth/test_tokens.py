# SPDX-License-Identifier: Apache-2.0
"""The API's own tokens: who gets in, as whom, for how long after a revocation, and what is stored of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from redesignate.auth.tokens import FRESH_S, TokenLogin
from redesignate.bus.port import R
from redesignate.commands.base import Command
from redesignate.commands.tokens import CreateToken, ListTokens, RevokeToken
from redesignate.config.settings import ApiSettings
from redesignate.model.clock import SECOND
from redesignate.model.errors import Unavailable
from redesignate.model.token import Token, digest, implied, new_secret
from redesignate.store import migrate
from tests.api.client import Client, api_client
from tests.central.driver import OPERATOR, CentralDriver


@dataclass
class Installation:
    """An API with token login over a central. `seconds` is the login's monotonic clock; `asked` what it asked."""

    central: CentralDriver
    seconds: float = 0.0
    asked: list[Command[Any]] = field(default_factory=list)
    down: bool = False
    login: TokenLogin = field(init=False)
    api: Client = field(init=False)

    def __post_init__(self) -> None:
        self.login = TokenLogin(self, clock=lambda: self.central.time, monotonic=lambda: self.seconds)
        self.api = api_client(self.central, auth=self.login, settings=ApiSettings(healthcheck_disable_file=None))

    def call(self, command: Command[R]) -> R:
        if self.down:
            raise Unavailable("The broker cannot be reached.")
        self.asked.append(command)
        return self.central.call(command)

    def token(self, *roles: str, project: str = "home", expires_at: int | None = None) -> tuple[Token, str]:
        secret = new_secret()
        made = self.central.call(
            CreateToken(
                caller=OPERATOR,
                digest=digest(secret) or "",
                project_id=project,
                roles=roles or ("member",),
                expires_at=expires_at,
            )
        )
        return made, secret

    def status(self, secret: str, method: str = "GET", path: str = "/v2/zones", body: object = None) -> int:
        return self.api.ask(method, path, body, {"X-Auth-Token": secret}).status


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    """A new installation with a default pool."""
    url = f"sqlite:///{tmp_path / 'db'}"
    migrate.upgrade(url)
    made = Installation(CentralDriver(url))
    made.central.pool()
    yield made
    made.central.store.close()


ZONE = {"name": "example.org.", "email": "a@example.org"}


@pytest.mark.parametrize(
    ("role", "reads", "writes", "rules"),
    [("reader", 200, 403, 403), ("member", 200, 202, 403), ("admin", 200, 202, 200), ("guest", 403, 403, 403)],
)
def test_a_role_may_what_policy_says(installed: Installation, role: str, reads: int, writes: int, rules: int) -> None:
    _, secret = installed.token(role)
    assert installed.status(secret) == reads
    assert installed.status(secret, "POST", body=ZONE) == writes
    assert installed.status(secret, path="/v2/pools") == rules


def test_a_project_sees_its_own_zones_alone(installed: Installation) -> None:
    (_, ours), (_, theirs) = installed.token(project="ours"), installed.token(project="theirs")
    assert installed.status(ours, "POST", body=ZONE) == 202
    zones = [
        installed.api.ask("GET", "/v2/zones", headers={"X-Auth-Token": one}).json["zones"] for one in (ours, theirs)
    ]
    assert [[zone["project_id"] for zone in found] for found in zones] == [["ours"], []]


NOT_TOKENS: tuple[dict[str, str], ...] = (
    {},
    {"X-Auth-Token": ""},
    {"X-Auth-Token": "rdt_" + "A" * 43},
    {"X-Auth-Token": "x" * 9000},
    {"Authorization": "Basic YTpi"},
    {"X-Project-Id": "home", "X-Roles": "admin"},
)


@pytest.mark.parametrize("shown", NOT_TOKENS)
def test_without_a_token_that_holds_nobody_gets_in(installed: Installation, shown: dict[str, str]) -> None:
    answer = installed.api.ask("GET", "/v2/zones", headers=shown)
    assert answer.status == 401
    assert answer.json["type"] == "unauthorized"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_bearer_token_is_a_token(installed: Installation) -> None:
    _, secret = installed.token()
    assert installed.api.ask("GET", "/v2/zones", headers={"Authorization": f"bearer  {secret}"}).status == 200


def test_a_revoked_token_opens_nothing_after_a_few_seconds(installed: Installation) -> None:
    token, secret = installed.token()
    assert installed.status(secret) == 200
    installed.central.call(RevokeToken(caller=OPERATOR, token_id=token.id))
    installed.seconds += FRESH_S
    assert FRESH_S <= 5
    assert installed.status(secret) == 401


def test_an_expired_token_opens_nothing_at_once(installed: Installation) -> None:
    _, secret = installed.token(expires_at=installed.central.time + 60 * SECOND)
    assert installed.status(secret) == 200
    installed.central.pass_time(60)
    assert installed.status(secret) == 401


def test_central_is_asked_once_in_a_while_and_told_of_use_once_an_hour(installed: Installation) -> None:
    _, secret = installed.token()
    for _ in range(20):
        assert installed.status(secret) == 200
    assert [type(one).__name__ for one in installed.asked] == ["FindToken", "NoteTokenUse"]
    for _ in range(20):
        installed.seconds += FRESH_S
        installed.central.pass_time(FRESH_S)
        assert installed.status(secret) == 200
    assert [type(one).__name__ for one in installed.asked].count("NoteTokenUse") == 1
    (listed,) = installed.central.call(ListTokens(caller=OPERATOR))
    assert listed.last_used_at is not None
    installed.seconds += 3600
    installed.central.pass_time(3600)
    assert installed.status(secret) == 200
    assert [type(one).__name__ for one in installed.asked].count("NoteTokenUse") == 2


def test_a_login_that_central_cannot_answer_is_a_503(installed: Installation) -> None:
    _, secret = installed.token()
    installed.down = True
    assert installed.status(secret) == 503


def test_nothing_stored_or_sent_opens_the_api(installed: Installation) -> None:
    _, secret = installed.token()
    installed.status(secret)
    with installed.central.store.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM tokens")).one()
    for stored in [str(value) for value in row]:
        assert secret not in stored
        assert installed.status(stored) == 401
    assert secret not in repr(installed.asked)


def test_a_secret_has_256_random_bits() -> None:
    secrets = {new_secret() for _ in range(1000)}
    assert len(secrets) == 1000
    assert all(digest(secret) and len(secret) == 47 for secret in secrets)


def test_a_role_implies_those_below_it() -> None:
    assert implied(("admin",)) == ("admin", "member", "reader")
    assert implied(("reader", "dns-ops")) == ("reader", "dns-ops")
