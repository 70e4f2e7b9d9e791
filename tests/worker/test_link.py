# SPDX-License-Identifier: Apache-2.0
"""Patience while central is unavailable."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from redesignate.commands.base import Command
from redesignate.commands.work import Overdue
from redesignate.model.errors import Unavailable
from redesignate.worker.link import Link


class Unreachable:
    """Central that is unavailable for the first few questions."""

    def __init__(self, times: int) -> None:
        self.left = times

    def call(self, command: Command[Any]) -> Any:
        self.left -= 1
        if self.left >= 0:
            raise Unavailable("down")
        return ("zone",)


def test_a_question_is_asked_again_until_central_is_back() -> None:
    async def run() -> tuple[str, ...]:
        link = Link(Unreachable(2))
        try:
            return (await link.ask_patiently(Overdue(), asyncio.get_running_loop().time() + 5))[0]
        finally:
            link.close()

    assert asyncio.run(run()) == ("zone",)


def test_patience_ends() -> None:
    async def run() -> None:
        link = Link(Unreachable(1000))
        try:
            await link.ask_patiently(Overdue(), asyncio.get_running_loop().time() + 0.3)
        finally:
            link.close()

    with pytest.raises(Unavailable):
        asyncio.run(run())
