# SPDX-License-Identifier: Apache-2.0
"""The argument of every command: its options, the settings, and central, each made on first use."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TextIO, TypeVar

from redesignate.bus.port import Central
from redesignate.commands.base import Command
from redesignate.commands.pools import ListPools
from redesignate.commands.tlds import ListTLDs
from redesignate.commands.tsigkeys import ListTSIGKeys
from redesignate.commands.zones import ListZones
from redesignate.config.settings import Settings
from redesignate.manage.screen import Screen
from redesignate.model.caller import Caller, operator
from redesignate.model.clock import SECOND, Clock
from redesignate.model.errors import Misconfigured
from redesignate.model.paging import Condition, ListQuery, Op, Page
from redesignate.model.pool import Pool
from redesignate.model.tld import TLD
from redesignate.model.tsigkey import TSIGKey
from redesignate.model.zone import Zone

T = TypeVar("T")
PAGE = 100


@dataclass
class Job:
    """One run of one command. `settings` and `central` are made on first use, so that commands that need none do
    not ask for a database."""

    args: argparse.Namespace
    load: Callable[[], Settings]
    connect: Callable[[Settings], AbstractContextManager[Central]]
    out: TextIO
    err: TextIO
    stdin: TextIO
    clock: Clock
    enter: Callable[[AbstractContextManager[Central]], Central]

    @cached_property
    def screen(self) -> Screen:
        """Where results are printed."""
        return Screen(self.out)

    @cached_property
    def settings(self) -> Settings:
        """The settings that the files give. Raises Misconfigured."""
        return self.load()

    @cached_property
    def central(self) -> Central:
        """Central, for as long as the command runs."""
        return self.enter(self.connect(self.settings))

    @cached_property
    def caller(self) -> Caller:
        """The operator, with a request id of this run."""
        return operator(f"req-{uuid.uuid4()}")

    def seconds(self) -> float:
        """The clock, in seconds, as `Progress` reads it."""
        return self.clock() / SECOND

    def database(self) -> str:
        """The database's URL. Raises Misconfigured where there is none."""
        if self.settings.store.url is None:
            file = self.settings.files[-1] if self.settings.files else "designate.conf"
            raise Misconfigured(f"{file}: [storage:sqlalchemy] connection: is not set; write the database's URL there")
        return self.settings.store.url

    def pools(self) -> list[Pool]:
        """Every pool, oldest first. One request to central for each hundred."""
        return list(self._pages(lambda query: ListPools(caller=self.caller, query=query)))

    def zones(self) -> Iterator[Zone]:
        """Every zone. One request to central for each hundred."""
        return self._pages(lambda query: ListZones(caller=self.caller, query=query))

    def zones_named(self, name: str) -> list[Zone]:
        """The zones of this name, one a pool at most."""
        wanted = (Condition("name", Op.EQ, name),)
        return list(self._pages(lambda query: ListZones(caller=self.caller, query=query), wanted))

    def tlds(self) -> list[TLD]:
        """Every TLD, oldest first."""
        return list(self._pages(lambda query: ListTLDs(caller=self.caller, query=query)))

    def tsigkeys(self) -> list[TSIGKey]:
        """Every TSIG key, oldest first."""
        return list(self._pages(lambda query: ListTSIGKeys(caller=self.caller, query=query)))

    def _pages(
        self, ask: Callable[[ListQuery], Command[Page[T]]], conditions: tuple[Condition, ...] = ()
    ) -> Iterator[T]:
        marker = None
        while True:
            query = ListQuery(limit=PAGE, marker=marker, conditions=conditions, count=False)
            page = self.central.call(ask(query))
            yield from page.items
            if len(page.items) < PAGE:
                return
            marker = page.items[-1].id  # type: ignore[attr-defined]  # every listed thing has an id
