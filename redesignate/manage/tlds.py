# SPDX-License-Identifier: Apache-2.0
"""`tlds …`: fills the list of top-level domains from a file, and prints it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import NamedTuple, TextIO

from redesignate.commands.tlds import ImportTLDs
from redesignate.manage.job import Job
from redesignate.model.errors import BadInput
from redesignate.model.limits import DESCRIPTION_LENGTH, NAME_LENGTH
from redesignate.model.tld import NewTLD

BATCH = 500
"""Entries of one request to central, and of one transaction."""
_V2 = "Provided object is not valid. Got a ValueError error with message "


class _Line(NamedTuple):
    """A line of the file: its number, and the entry that it holds, or why it holds none."""

    number: int
    entry: NewTLD | None
    why: str = ""


def load(job: Job) -> int:
    """Add the file's TLDs to the list, and say of each line that was left out why. Repeating it changes nothing.

    Each batch of lines is stored by itself: what was added before an interruption stays. Raises BadInput.
    """
    added = present = left_out = 0
    with ExitStack() as end:
        lines = _lines(_opened(job, end), job.args.delimiter)
        while batch := list(islice(lines, BATCH)):
            sent = [line for line in batch if line.entry is not None]
            entries = tuple(line.entry for line in sent if line.entry is not None)
            done = job.central.call(ImportTLDs(caller=job.caller, entries=entries))
            wrong = {line.number: line.why for line in batch if line.why}
            wrong |= {sent[at].number: why.removeprefix(_V2) for at, why in done.refused.items()}
            for number, why in sorted(wrong.items()):
                job.screen.line(f"line {number}: left out: {why}", "yellow")
            added, present, left_out = added + done.added, present + done.present, left_out + len(wrong)
    job.screen.line(f"{added} added, {present} in the list already, {left_out} left out")
    return 1 if left_out else 0


def show(job: Job) -> int:
    """Print every TLD, by name."""
    rows = [[one.name, one.description] for one in sorted(job.tlds(), key=lambda one: one.name)]
    job.screen.table(["name", "description"], rows, "The list is empty: zones of any name may be created.")
    return 0


def _opened(job: Job, end: ExitStack) -> TextIO:
    """The file that the arguments name. Raises BadInput."""
    name = job.args.file or job.args.input_file
    if not name or (job.args.file and job.args.input_file):
        raise BadInput("Name one file: `tlds import FILE`")
    if len(job.args.delimiter) != 1 or job.args.delimiter in '"\r\n':
        raise BadInput("--delimiter is a single character, such as , or ;")
    if name == "-":
        return job.stdin
    try:
        return end.enter_context(open(name, encoding="utf-8-sig", errors="surrogateescape", newline=""))
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror}") from None


def _lines(file: Iterable[str], delimiter: str) -> Iterator[_Line]:
    """The lines that are neither empty nor a comment (#). Each is read by itself: a quote that is not closed spoils its
    own line alone."""
    for number, line in enumerate(file, 1):
        if line.lstrip().startswith("#"):
            continue
        try:
            row = next(csv.reader([line], delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            why = "a quote is not closed on its line" if "unexpected end" in str(error) else str(error)
            yield _Line(number, None, f"it is not CSV: {why}")
            continue
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield _read(number, cells)


def _read(number: int, cells: list[str]) -> _Line:
    name, description = cells[0], cells[1] if len(cells) > 1 else ""
    if len(cells) > 2:
        return _Line(number, None, f"it has {len(cells)} fields; write name or name and description")
    if len(name) > NAME_LENGTH or len(description) > DESCRIPTION_LENGTH:
        return _Line(number, None, f"a name has {NAME_LENGTH} characters at most, a description {DESCRIPTION_LENGTH}")
    if any("\ud800" <= character <= "\udfff" or character == "\0" for character in name + description):
        return _Line(number, None, "it is not UTF-8 text")
    return _Line(number, NewTLD(name=name, description=description or None))
