# SPDX-License-Identifier: Apache-2.0
"""A command: a question to central, as a struct that names the type of its answer.

This room holds only structs, one file for each noun, and the table of them all (`table.py`); `hint.py` is what central
sends to workers without being asked. A new operation is a struct here, its line in that table, a use-case of the same
noun in `central/`, and its line in that file's answers.
"""

from __future__ import annotations

from typing import Generic, TypeVar, get_args

import msgspec

from redesignate.model.caller import Caller

R = TypeVar("R")

Match = tuple[str, ...] | None
"""Tags of a resource (`model/etag.py`) of which it must have one, `*` for any; None: whatever it is."""


class Command(msgspec.Struct, Generic[R], frozen=True, kw_only=True, tag_field="op"):
    """A question to central; `R` is the type of its answer."""


class CallerCommand(Command[R], Generic[R], frozen=True, kw_only=True):
    """A command that is carried out for a caller, whose rights are checked before anything else."""

    caller: Caller


def reply_type(command: type[Command[R]]) -> type[R]:
    """Return the type of a command's answer, read from its base class."""
    (base,) = (b for b in command.__orig_bases__ if get_args(b))  # type: ignore[attr-defined]  # typing keeps it there
    reply: type[R] = get_args(base)[0]
    return reply
