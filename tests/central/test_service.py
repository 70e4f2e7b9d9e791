# SPDX-License-Identifier: Apache-2.0
"""The table of use-cases: every command has one, and its types are those that the command publishes.

mypy cannot see this, for the table is a mapping; so it is held here: `use_case(rules, work, command) -> answer`.
"""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import pytest

from redesignate.central.rules import Rules
from redesignate.central.service import ANSWERS, BEFORE
from redesignate.commands.base import Command, reply_type
from redesignate.commands.table import ALL, READS, SECRET
from redesignate.store.unit import Store, Work


def answered(command: type[Command[Any]]) -> type[Any]:
    """What the use-case of a command gets: the command, or what is made of it before the transaction."""
    if command not in BEFORE:
        return command
    hints = get_type_hints(BEFORE[command])
    made: type[Any] = hints["return"]
    return command if made == hints[list(hints)[2]] else made


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.__name__)
def test_a_use_case_takes_its_command_and_gives_its_reply(command: type[Command[Any]]) -> None:
    use_case = ANSWERS[answered(command)]
    hints = get_type_hints(use_case)
    reply = hints.pop("return")
    assert list(hints.values()) == [Rules, Work, answered(command)]
    assert reply == (reply_type(command) if reply_type(command) is not type(None) else type(None))


def test_every_use_case_is_a_function_that_one_can_find_by_its_name() -> None:
    for use_case in ANSWERS.values():
        assert inspect.isfunction(use_case)
        assert getattr(inspect.getmodule(use_case), use_case.__name__) is use_case


def test_the_table_answers_all_commands_and_nothing_else() -> None:
    assert set(ANSWERS) == {answered(command) for command in ALL}
    assert set(ALL) >= READS | SECRET
    assert not READS & SECRET


@pytest.mark.parametrize("command", BEFORE, ids=lambda command: command.__name__)
def test_a_step_before_the_transaction_takes_its_command(command: type[Command[Any]]) -> None:
    rules, store, given, made = get_type_hints(BEFORE[command]).values()
    assert (rules, store) == (Rules, Store)
    assert command is given or command in getattr(given, "__args__", ())
    assert made == given or made in ANSWERS


def test_every_command_of_the_package_is_in_the_written_table() -> None:
    def leaves(kind: type[Any]) -> set[type[Any]]:
        found = {below for cls in kind.__subclasses__() for below in leaves(cls)}
        tagged = "." in str(kind.__struct_config__.tag) and kind.__module__.startswith("redesignate.")
        return found | ({kind} if tagged else set())

    assert leaves(Command) == set(ALL)
