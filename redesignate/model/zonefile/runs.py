# SPDX-License-Identifier: Apache-2.0
"""Rows in order, however many: sorted runs in a temporary file, merged as they are read.

A zone file is not sorted, and an RRset needs all of its records. In memory a million records are 320 MB; here they are
`room`, and a block of 128 KiB for each run of `room` while they are merged.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Callable, Iterator
from typing import IO

import msgspec

Row = tuple[bytes, str, int, int, int, str, bytes, str | None]
"""Order key of the owner, type, running number, line, TTL, text, wire, and the owner's name as typed where that is not
its canonical form."""

_ROW = 300
"""Octets that a row takes beside its text and its octets: a tuple, and what is in it."""
_BLOCK = 128 * 1024
_SIZE = struct.Struct("!L")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Row]).decode


class Runs:
    """Rows that are added in any order, and read in ascending order.

    room   octets of memory for rows, about; beyond them they go to the file that `spool` opens
    alive  called when rows go there, and for each block that is read from there; what it raises ends the work
    Raises OSError where that file cannot be written.
    """

    def __init__(self, room: int, spool: Callable[[], IO[bytes]], alive: Callable[[], object] = bool) -> None:
        self._room = self._left = room
        self._spool, self._alive = spool, alive
        self._file: IO[bytes] | None = None
        self._rows: list[Row] = []
        self._spans: list[tuple[int, int]] = []

    def add(self, row: Row) -> None:
        """Add one row."""
        self._rows.append(row)
        self._left -= _weight(row)
        if self._left < 0:
            self._spill()

    def __iter__(self) -> Iterator[Row]:
        """All rows in ascending order."""
        self._rows.sort()
        if not self._spans:
            return iter(self._rows)
        return heapq.merge(*[self._run(*span) for span in self._spans], self._rows)

    def close(self) -> None:
        """Forget the rows and remove the file."""
        self._rows, self._spans = [], []
        if self._file is not None:
            self._file.close()
            self._file = None

    def _spill(self) -> None:
        self._alive()
        if self._file is None:
            self._file = self._spool()
        self._rows.sort()
        start = self._file.seek(0, 2)
        for rows in _blocks(self._rows):
            block = _encode(rows)
            self._file.write(_SIZE.pack(len(block)))
            self._file.write(block)
        self._spans.append((start, self._file.tell()))
        self._rows = []
        self._left = self._room

    def _run(self, at: int, end: int) -> Iterator[Row]:
        file = self._file
        assert file is not None
        while at < end:
            self._alive()
            file.seek(at)
            (size,) = _SIZE.unpack(file.read(_SIZE.size))
            block = _decode(file.read(size))
            at += _SIZE.size + size
            yield from block


def _weight(row: Row) -> int:
    """Octets of memory that a row takes, about."""
    return _ROW + len(row[5]) + len(row[6])


def _blocks(rows: list[Row]) -> Iterator[list[Row]]:
    """The rows in pieces of a block each; by their size, for a run of long rows is a few of them."""
    start, size = 0, 0
    for at, row in enumerate(rows, 1):
        size += _weight(row)
        if size >= _BLOCK:
            yield rows[start:at]
            start, size = at, 0
    if start < len(rows):
        yield rows[start:]
