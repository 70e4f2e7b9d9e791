# SPDX-License-Identifier: Apache-2.0
"""What central refuses of API tokens, and to whom."""

from __future__ import annotations

from typing import Any

import pytest

from redesignate.commands.base import Command
from redesignate.commands.tokens import CreateToken, FindToken, ListTokens, RevokeToken
from redesignate.model.errors import Forbidden, InvalidObject, TokenNotFound
from tests.central.conftest import Build
from tests.central.driver import OPERATOR, START, member

GOOD: dict[str, Any] = {"caller": OPERATOR, "digest": "0" * 64, "project_id": "home", "roles": ("member",)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"digest": "x"}, {"digest": "A" * 64}, {"project_id": ""}, {"project_id": "p" * 37}, {"project_id": "a\nb"},
        {"roles": ()}, {"roles": ("Admin",)}, {"roles": ("a,b",)}, {"roles": tuple(f"r{n}" for n in range(17))},
        {"description": "d" * 161}, {"expires_at": START},
    ],
)  # fmt: skip
def test_a_token_that_cannot_be_is_refused(build: Build, wrong: dict[str, Any]) -> None:
    central = build()
    with pytest.raises(InvalidObject):
        central.call(CreateToken(**(GOOD | wrong)))
    assert central.call(ListTokens(caller=OPERATOR)) == ()


def test_only_administrators_make_list_and_revoke_tokens(build: Build) -> None:
    central = build()
    made = central.call(CreateToken(**GOOD))
    commands: tuple[Command[Any], ...] = (
        CreateToken(**(GOOD | {"caller": member(), "digest": "1" * 64})),
        ListTokens(caller=member()),
        RevokeToken(caller=member(), token_id=made.id),
    )
    for command in commands:
        with pytest.raises(Forbidden):
            central.call(command)
    assert central.call(FindToken(digest="0" * 64)) == made


def test_a_token_that_is_gone_is_not_found(build: Build) -> None:
    central = build()
    made = central.call(CreateToken(**GOOD))
    assert central.call(RevokeToken(caller=OPERATOR, token_id=made.id)) == made
    assert central.call(FindToken(digest="0" * 64)) is None
    with pytest.raises(TokenNotFound):
        central.call(RevokeToken(caller=OPERATOR, token_id=made.id))
