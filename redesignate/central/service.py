# SPDX-License-Identifier: Apache-2.0
"""Central's single entry point: it chooses a command's use-case and kind of transaction, and sends the hints.

Each noun's file ends with its `ANSWERS`; this module joins them. A reading command runs in a snapshot, a writing one in
a transaction that the store retries when it loses a race; its hints are sent once it is committed. A lost hint delays
the change by seconds and never loses it. `tests/central/test_service.py` compares each use-case's types with those of
its command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from redesignate.bus.port import Wake
from redesignate.central import (
    access,
    audit,
    blacklists,
    exports,
    imports,
    inbound,
    loading,
    moves,
    poolchanges,
    pools,
    quotas,
    reach,
    reports,
    rrsets,
    services,
    shares,
    tlds,
    tokens,
    transfers,
    tsigkeys,
    upkeep,
    views,
    work,
    zones,
    zonetasks,
)
from redesignate.central.importing import Importer
from redesignate.central.repeats import is_answered, once
from redesignate.central.rights import still_may
from redesignate.central.rules import Answers, Rules, UseCase, check_switches
from redesignate.commands.base import CallerCommand, Command
from redesignate.commands.imports import AddImportPart
from redesignate.commands.inbound import ReportInbound
from redesignate.commands.rrsets import CreateRRset, DeleteRRset, UpdateRRset, UpsertRRset
from redesignate.commands.table import READS
from redesignate.commands.transfers import AcceptTransfer
from redesignate.observe.log import events
from redesignate.store.unit import Store, Work
from redesignate.threads.deadline import ASKING

R = TypeVar("R")
log = events(__name__)

ANSWERS: Answers = {
    **access.ANSWERS,
    **zones.ANSWERS,
    **zonetasks.ANSWERS,
    **moves.ANSWERS,
    **views.ANSWERS,
    **rrsets.ANSWERS,
    **shares.ANSWERS,
    **transfers.ANSWERS,
    **quotas.ANSWERS,
    **reach.ANSWERS,
    **reports.ANSWERS,
    **pools.ANSWERS,
    **poolchanges.ANSWERS,
    **tsigkeys.ANSWERS,
    **tlds.ANSWERS,
    **blacklists.ANSWERS,
    **exports.ANSWERS,
    **imports.ANSWERS,
    **tokens.ANSWERS,
    **services.ANSWERS,
    **work.ANSWERS,
    **audit.ANSWERS,
    **upkeep.ANSWERS,
    **inbound.ANSWERS,
}
"""The use-case of every command."""

BEFORE: Mapping[type[Command[Any]], Callable[[Rules, Store, Any], Any]] = {
    CreateRRset: quotas.weigh,
    UpdateRRset: quotas.weigh,
    UpsertRRset: quotas.weigh,
    ReportInbound: loading.unpacked,
    AcceptTransfer: transfers.tried,
}
"""Steps that take too long for a transaction and need none: each runs once, before it. Its result replaces the command,
and `ANSWERS` has the use-case of the result: a `ReportInbound` is answered as the `Unpacked` that was made of it."""


SHARING = frozenset({CreateRRset, UpdateRRset, UpsertRRset, DeleteRRset})
"""Commands whose use-cases read nothing of what `store/ending.py` writes last: journal, search texts, outbox."""

DEFERRING = SHARING - {UpsertRRset}
"""Those that read nothing of what `Ending.defer` leaves either; an upsert looks for the RRset of its name."""


APART = READS | {AddImportPart}
"""Commands that no `Idempotency-Key` is stored for: they change nothing, or nothing more when they come again."""


Keep = Callable[[Work, Sequence[Any]], None]
"""`keep(unit, answers)`: stores the answers in the transaction of their changes."""


class CentralService:
    """Answers commands over one store. Safe for use from many threads."""

    def __init__(self, store: Store, rules: Rules, wake: Wake) -> None:
        self._store = store
        self._rules = rules
        self._wake = wake
        self._importers: list[Callable[[], object]] = []

    def dispatch(self, command: Command[R]) -> R:
        """Return the command's answer; nothing goes on to a commit after this thread's deadline. Raises its Problem."""
        use_case, given = self._prepared(command)
        answer: R
        if type(command) in READS:
            reading, answer = self._store.look(lambda unit: use_case(self._rules, unit, given), deadline=ASKING.at)
            self._send(reading)
            return answer
        answer = self._store.transact(
            lambda unit: use_case(self._rules, unit, given),
            then=self._send,
            deadline=ASKING.at,
            shares=type(command) in SHARING,
        )
        return answer

    def together(self, commands: Sequence[Command[Any]], *, keep: Keep | None = None) -> list[Any]:
        """Answer writing commands in one transaction; each sees what the earlier ones did.

        keep   is called with all answers, as the last step of the transaction

        Raises what the first failing command raises, and then none was carried out; Unavailable where that is unknown.
        """
        for command in commands:
            if type(command) in READS:
                raise ValueError(f"{type(command).__struct_config__.tag} changes nothing; it is asked by itself")
        todo = [self._prepared(command) for command in commands]

        def all_of_them(unit: Work) -> list[Any]:
            if len(commands) > 1 and all(type(command) in DEFERRING for command in commands):
                unit.ending.defer()
            answers = [use_case(self._rules, unit, given) for use_case, given in todo]
            if keep is not None:
                unit.hints += unit.ending.write(unit.now)  # so that nothing is written after the last step
                keep(unit, answers)
            return answers

        return self._store.transact(all_of_them, then=self._send, deadline=ASKING.at)

    def on_files(self, wake: Callable[[], object]) -> None:
        """Call this whenever the file of an import is whole."""
        self._importers.append(wake)

    def importer(self, owner: str) -> Importer:
        """Return what carries out imports over this central's database; `owner`: of its leases."""
        return Importer(self._rules, self._store, self._send, owner)

    def _prepared(self, command: Command[Any]) -> tuple[UseCase, Any]:
        """The use-case and its argument: the command, or what was made of it before its transaction. Raises Forbidden
        where its caller set a switch that its roles do not allow."""
        if isinstance(command, CallerCommand):
            check_switches(self._rules, command.caller)
        prepare = BEFORE.get(type(command))
        asked = command if isinstance(command, CallerCommand) and type(command) not in APART else None
        if asked is None or (repeat := asked.caller.repeat) is None:
            given = command if prepare is None else prepare(self._rules, self._store, command)
            return ANSWERS[type(given)], given
        if prepare is None or is_answered(self._store, asked, repeat):
            return once(ANSWERS[type(command)], asked, repeat, still_may=still_may), command
        given = prepare(self._rules, self._store, command)
        return once(ANSWERS[type(given)], asked, repeat, still_may=still_may), given

    def _send(self, unit: Work) -> None:
        for event, fields in unit.events:
            log.info(event, **fields)
        hints, unit.hints[:] = tuple(dict.fromkeys(unit.hints)), ()
        if hints:
            self._wake.wake(hints)
        files, unit.files[:] = tuple(unit.files), ()
        for wake in self._importers if files else ():
            wake()
