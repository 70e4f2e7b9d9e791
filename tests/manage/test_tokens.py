# SPDX-License-Identifier: Apache-2.0
"""`manage token`: a secret is printed once, and what is listed opens nothing."""

from __future__ import annotations

import datetime

import pytest

from redesignate.commands.tokens import FindToken
from redesignate.model.clock import SECOND
from redesignate.model.token import digest
from tests.manage.conftest import Operator

DAY = 86400 * SECOND
AT = int(datetime.datetime(2027, 1, 1, 12, tzinfo=datetime.UTC).timestamp()) * SECOND


def test_a_secret_is_printed_once(operator: Operator) -> None:
    made = operator("token", "create", "--project", "home", "--description", "the router")
    told = dict(line.split(maxsplit=1) for line in made.lines[:-1])
    assert (told["project"], told["roles"], told["expires"]) == ("home", "member", "never")
    assert "cannot be shown again" in made.lines[-1]

    found = operator.central.call(FindToken(digest=digest(told["token"]) or ""))
    assert found is not None
    listed = operator("token", "list").out
    assert told["id"] in listed
    assert "the router" in listed
    assert told["token"] not in listed

    assert operator("token", "revoke", told["id"]).out == f"{told['id']} of project home: revoked\n"
    assert told["id"] not in operator("token", "list").out
    gone = operator("token", "revoke", told["id"])
    assert (gone.code, gone.err) == (1, f"error: There is no token {told['id']}\n")


def test_a_script_gets_the_secret_alone(operator: Operator) -> None:
    made = operator("token", "create", "--project", "home", "--role", "reader", "--role", "dns-ops", "--quiet")
    found = operator.central.call(FindToken(digest=digest(made.out.strip()) or ""))
    assert found is not None
    assert found.roles == ("reader", "dns-ops")


@pytest.mark.parametrize(
    ("text", "ends"),
    [("12h", AT + DAY // 2), ("90d", AT + 90 * DAY), ("1y", AT + 365 * DAY), ("2027-01-31", AT - DAY // 2 + 30 * DAY)],
)
def test_a_token_expires_when_the_operator_says(operator: Operator, text: str, ends: int) -> None:
    operator.clock = lambda: AT
    secret = operator("token", "create", "--project", "p", "--expires", text, "--quiet").out.strip()
    found = operator.central.call(FindToken(digest=digest(secret) or ""))
    assert found is not None
    assert found.expires_at == ends
    operator.clock = lambda: ends
    assert "(expired)" in operator("token", "list").out


@pytest.mark.parametrize("text", ["soon", "0d", "5", "2027-02-30", "-1d", "2020-01-01"])
def test_a_moment_that_cannot_be_is_one_line(operator: Operator, text: str) -> None:
    operator.clock = lambda: AT
    made = operator("token", "create", "--project", "p", f"--expires={text}")
    assert made.code == 1
    assert made.err.startswith("error: ")
    assert made.err.count("\n") == 1


def test_an_id_that_is_none_is_said(operator: Operator) -> None:
    revoked = operator("token", "revoke", "home")
    assert (revoked.code, "`token list` prints the ids" in revoked.err) == (1, True)


def test_a_role_that_cannot_be_is_one_plain_line(operator: Operator) -> None:
    """Without the words that the v2 API publishes in front of a reason."""
    made = operator("token", "create", "--project", "home", "--role", "Admin")
    assert made.code == 1
    assert made.err.startswith("error: 'Admin' is not a role: ")
