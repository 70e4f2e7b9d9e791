# SPDX-License-Identifier: Apache-2.0
"""Carries out once what a client asks for several times under one `Idempotency-Key`.

The key is claimed as the first step of the transaction, and its answer stored as the last of the use-case: both are
there with the change, or neither is. A request that comes while the first is carried out waits for its row, and gets
the same answer. What was refused has changed nothing, and leaves no key: it is judged again. Whoever may no longer do
what was asked for is told so, not what the first was answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from redesignate.bus import codec
from redesignate.central.rules import Rules, UseCase
from redesignate.commands.base import CallerCommand
from redesignate.commands.table import SECRET
from redesignate.model.caller import Repeat
from redesignate.model.clock import SECOND
from redesignate.model.errors import KeyReused
from redesignate.store.repeats import Repeats
from redesignate.store.unit import Store, Work
from redesignate.store.zones import Stale

KEPT_S = 24 * 3600
"""How long a repeated request gets the first one's answer."""

_MARGIN_S = 300
"""A key that is forgotten so soon may be forgotten before its request is carried out."""


StillMay = Callable[[Rules, Work, CallerCommand[Any]], None]


def once(use_case: UseCase, command: CallerCommand[Any], repeat: Repeat, *, still_may: StillMay) -> UseCase:
    """The use-case of a command, carried out by the first of its copies alone.

    still_may  refuses a copy whose caller has lost the right

    Raises what it raises; KeyReused where the key is that of another request.
    Cost   two statements more; for a copy three and those of `still_may`. Where a step precedes the transaction,
           `is_answered` too.
    """

    def first(rules: Rules, work: Work, given: Any) -> Any:
        rows = Repeats(work.conn)
        ident = _ident(command, repeat)
        secret = type(command) in SECRET
        if rows.claim(ident, repeat.digest, KEPT_S * SECOND):
            answer = use_case(rules, work, given)
            text = codec.answer(answer)
            rows.keep(ident, work.secrets.seal(text.decode(), work.conn).encode() if secret else text)
            return answer
        found = rows.find(ident)
        if found is None:  # it was forgotten just now
            raise Stale
        if found.digest != repeat.digest:
            raise KeyReused("This Idempotency-Key is that of another request; nothing was changed. Send a new key.")
        still_may(rules, work, command)
        stored = work.secrets.open(found.answer.decode()).encode() if secret else found.answer
        return codec.reply_to(command, stored)

    return first


def is_answered(store: Store, command: CallerCommand[Any], repeat: Repeat) -> bool:
    """Whether the request was carried out, so that its key is still there when `once` claims it. One query."""
    ident, age = _ident(command, repeat), (KEPT_S - _MARGIN_S) * SECOND
    return store.look(lambda work: Repeats(work.conn).is_known(ident, age))[1]


def _ident(command: CallerCommand[Any], repeat: Repeat) -> str:
    """Who sends a key is part of what identifies it, so that no key tells one user what another was answered."""
    caller = command.caller
    whole = "\0".join((caller.project_id or "", caller.user_id or "", repeat.key))
    return hashlib.sha256(whole.encode()).hexdigest()
