# SPDX-License-Identifier: Apache-2.0
"""Central's one door: which use-case answers which command, in what kind of transaction, and the hints it leaves.

Each noun's file ends with its `ANSWERS`; this joins them. A reading command runs in a snapshot, a writing one in a
transaction that the store retries when it loses a race; its hints are sent once it is committed. A hint that is lost
costs seconds, never the change. `tests/central/test_service.py` holds each use-case's types against its command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from redesignate.bus.port import Wake
from redesignate.central import (
    access,
    arrival,
    audit,
    inbound,
    pools,
    quotas,
    rrsets,
    services,
    tokens,
    tsigkeys,
    upkeep,
    views,
    work,
    zones,
)
from redesignate.central.rules import Answers, Rules, check_switches
from redesignate.commands.access import CheckAccess
from redesignate.commands.audit import ZonesAtRest
from redesignate.commands.base import CallerCommand, Command
from redesignate.commands.inbound import DueInbound, ReportInbound
from redesignate.commands.pools import GetPool, ListPools
from redesignate.commands.quotas import GetLimits, GetQuotas
from redesignate.commands.rrsets import CreateRRset, GetRRset, ListRRsets, UpdateRRset
from redesignate.commands.services import GetService, ListServices
from redesignate.commands.tokens import FindToken, ListTokens
from redesignate.commands.tsigkeys import ListTSIGKeys
from redesignate.commands.work import Overdue, PoolForWork
from redesignate.commands.zones import GetZone, ListZones, ZoneNameservers, ZonePeers
from redesignate.observe.log import events
from redesignate.store.unit import Store, Work

R = TypeVar("R")
log = events(__name__)

ANSWERS: Answers = {
    **access.ANSWERS,
    **zones.ANSWERS,
    **views.ANSWERS,
    **rrsets.ANSWERS,
    **quotas.ANSWERS,
    **pools.ANSWERS,
    **tsigkeys.ANSWERS,
    **tokens.ANSWERS,
    **services.ANSWERS,
    **work.ANSWERS,
    **audit.ANSWERS,
    **upkeep.ANSWERS,
    **inbound.ANSWERS,
}
"""The use-case of every command."""

READS: frozenset[type[Command[Any]]] = frozenset(
    {
        CheckAccess,
        DueInbound,
        FindToken,
        GetLimits,
        GetPool,
        GetQuotas,
        GetRRset,
        GetService,
        GetZone,
        ListPools,
        ListRRsets,
        ListServices,
        ListTSIGKeys,
        ListTokens,
        ListZones,
        Overdue,
        PoolForWork,
        ZoneNameservers,
        ZonePeers,
        ZonesAtRest,
    }
)
"""Commands that change nothing: they are answered from a snapshot. All others commit."""

BEFORE: Mapping[type[Command[Any]], Callable[[Rules, Store, Any], Any]] = {
    CreateRRset: quotas.weigh,
    UpdateRRset: quotas.weigh,
    ReportInbound: arrival.unpacked,
}
"""What is too much work for a transaction and needs none: done once, before it. What it returns takes the command's
place, and `ANSWERS` has the use-case for that: a `ReportInbound` is answered as the `Unpacked` that was made of it."""


class CentralService:
    """Answers commands over one store. Safe for use from many threads."""

    def __init__(self, store: Store, rules: Rules, wake: Wake) -> None:
        self._store = store
        self._rules = rules
        self._wake = wake

    def dispatch(self, command: Command[R]) -> R:
        """The command's answer. Raises its Problem."""
        self._check(command)
        given = self._prepared(command)
        use_case = ANSWERS[type(given)]
        answer: R
        if type(command) in READS:
            reading, answer = self._store.look(lambda unit: use_case(self._rules, unit, given))
            self._send(reading)
            return answer
        answer = self._store.transact(lambda unit: use_case(self._rules, unit, given), then=self._send)
        return answer

    def together(self, commands: Sequence[Command[Any]]) -> list[Any]:
        """Answers to writing commands in one transaction, each seeing what those before it did.

        Raises what the first to fail raises, and then none was carried out; Unavailable where that is not known.
        """
        for command in commands:
            if type(command) in READS:
                raise ValueError(f"{type(command).__struct_config__.tag} changes nothing; it is asked by itself")
            self._check(command)
        todo = [self._prepared(command) for command in commands]

        def all_of_them(unit: Work) -> list[Any]:
            return [ANSWERS[type(given)](self._rules, unit, given) for given in todo]

        return self._store.transact(all_of_them, then=self._send)

    def _check(self, command: Command[Any]) -> None:
        if isinstance(command, CallerCommand):
            check_switches(self._rules, command.caller)

    def _prepared(self, command: Command[Any]) -> Any:
        """What the use-case gets: the command, or what was made of it before its transaction."""
        prepare = BEFORE.get(type(command))
        return command if prepare is None else prepare(self._rules, self._store, command)

    def _send(self, unit: Work) -> None:
        for event, fields in unit.events:
            log.info(event, **fields)
        if unit.hints:
            self._wake.wake(tuple(dict.fromkeys(unit.hints)))
