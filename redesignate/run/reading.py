# SPDX-License-Identifier: Apache-2.0
"""Zone files read in a process of their own, so that this one only stores their rows.

    →  how many records; the file in pieces; an empty piece
    ←  whose zone it is, or what is wrong
    →  the frame of its rows
    ←  the rows in blocks, an empty one, or what is wrong

The other process is the same Python with nothing but this module's needs: no database, no options, no threads. It ends
with its pipes, and with its parent; whoever waits for it for HANGS_S kills it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TypeVar

import msgspec

from redesignate.central.importrows import Block, Frame, Head, Here, TooManyOfOne
from redesignate.model.zonefile import TooManyRecords, ZoneFileError

HANGS_S = 900.0
"""How long nothing may come or go: one part may be ten million records by `$GENERATE`, on a machine that is busy."""
LOOK_S = 1.0
"""How long is waited between two calls of `alive`."""
NICE = 5
PIPE = 1 << 20
"""Octets that a pipe may hold: blocks that are ready before they are asked for."""
_READ = 1 << 18
_PDEATHSIG = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
_SIZE = struct.Struct("!L")
T = TypeVar("T")


class ReaderFailed(Exception):
    """The other process ended, hangs, or met an error of ours."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What ended the reading. `kind`: "file", "many" (TooManyRecords), "one" (TooManyOfOne), "disk" or "bug"."""

    kind: str
    why: str = ""
    line: int | None = None
    number: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What comes back: one of these; neither is the end."""

    head: Head | None = None
    block: Block | None = None
    fault: Fault | None = None


_encode = msgspec.msgpack.Encoder().encode
_answer = msgspec.msgpack.Decoder(Answer).decode
_frame = msgspec.msgpack.Decoder(Frame).decode


class Apart:
    """Reads in a process of its own: a `Reader`. `pid`: of that process."""

    def __init__(self, alive: Callable[[], object]) -> None:
        self._alive = alive
        path = os.pathsep.join(one for one in sys.path if one)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(os.getpid())],  # nothing of the working directory
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=os.environ | {"PYTHONPATH": path},
            )
        except OSError as error:  # no disk's fault
            raise ReaderFailed(f"it could not be started: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        self._held = bytearray()
        _widen(self._from)

    def head(self, chunks: Iterable[bytes], most: int) -> Head:
        """As `Reader`; ReaderFailed besides."""
        with contextlib.suppress(BrokenPipeError):  # it has said why
            self._send(_encode(most))
            for chunk in chunks:
                if chunk:
                    self._send(chunk)
            self._send(b"")
        found = self._hear().head
        if found is None:
            raise ReaderFailed("it did not say whose zone the file is")
        return found

    def blocks(self, frame: Frame) -> Iterator[Block]:
        """As `Reader`; ReaderFailed besides."""
        with contextlib.suppress(BrokenPipeError):
            self._send(_encode(frame))
        while (block := self._hear().block) is not None:
            yield block

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        with self._process:  # closes the pipes, and waits
            pass

    def _send(self, octets: bytes) -> None:
        """Raises BrokenPipeError, ReaderFailed, and what `alive` raises."""
        left = memoryview(_SIZE.pack(len(octets)) + octets)
        while left:
            self._wait(self._to, select.POLLOUT)
            with contextlib.suppress(BlockingIOError):
                left = left[os.write(self._to, left[:_READ]) :]

    def _hear(self) -> Answer:
        """Raises what the other process says, ReaderFailed, and what `alive` raises."""
        (size,) = _SIZE.unpack(self._take(_SIZE.size))
        answer = _answer(self._take(size))
        if answer.fault is not None:
            _raise(answer.fault)
        return answer

    def _take(self, size: int) -> bytes:
        held = self._held
        while len(held) < size:
            self._wait(self._from, select.POLLIN)
            octets = os.read(self._from, _READ)
            if not octets:
                raise ReaderFailed(f"it ended with {self._process.wait()}")
            held += octets
        taken = bytes(held[:size])
        del held[:size]
        return taken

    def _wait(self, descriptor: int, event: int) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        ends = time.monotonic() + HANGS_S
        self._alive()
        while not poll.poll(1000 * LOOK_S):
            self._alive()
            if time.monotonic() > ends:
                raise ReaderFailed(f"nothing came from it for {HANGS_S:.0f} seconds")


def _raise(fault: Fault) -> None:
    match fault.kind:
        case "file":
            raise ZoneFileError(fault.line, fault.why)
        case "many":
            raise TooManyRecords(fault.line, fault.why)
        case "one":
            raise TooManyOfOne(fault.number)
        case "disk":
            raise OSError(fault.number, fault.why)
        case _:
            raise ReaderFailed(fault.why)


def _widen(descriptor: int) -> None:
    """Let a pipe hold more, where the system allows it."""
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE)


# -- in the other process


def main() -> None:
    """Read one file for the process that started this one."""
    _end_with(int(sys.argv[1]))
    os.nice(NICE)
    with sys.stdin.buffer as asked, open(sys.stdout.fileno(), "wb", buffering=0) as out:
        try:
            for answer in _answers(asked):
                _write(out, answer)
        except BrokenPipeError:
            os._exit(1)


def _end_with(parent: int) -> None:
    """What a terminal or a unit sends to all of its processes is for the parent, with which this one ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _answers(asked: IO[bytes]) -> Iterator[Answer]:
    reader = Here(bool)
    try:
        most = msgspec.msgpack.decode(_read(asked), type=int)
        yield Answer(head=reader.head(iter(lambda: _read(asked), b""), most))
        for block in reader.blocks(_frame(_read(asked))):
            yield Answer(block=block)
        yield Answer()
    except TooManyRecords as fault:
        yield Answer(fault=Fault(kind="many", why=fault.why, line=fault.line))
    except ZoneFileError as fault:
        yield Answer(fault=Fault(kind="file", why=fault.why, line=fault.line))
    except TooManyOfOne as fault:
        yield Answer(fault=Fault(kind="one", number=fault.records))
    except OSError as fault:
        yield Answer(fault=Fault(kind="disk", why=fault.strerror or type(fault).__name__, number=fault.errno or 0))
    except Exception:  # noqa: BLE001  # the other side logs it
        yield Answer(fault=Fault(kind="bug", why=traceback.format_exc()))
    finally:
        reader.close()


def _read(asked: IO[bytes]) -> bytes:
    """The next message; the end of the process where nobody is left to send one."""
    head = asked.read(_SIZE.size)
    if len(head) == _SIZE.size:
        (size,) = _SIZE.unpack(head)
        octets = asked.read(size)
        if len(octets) == size:
            return octets
    os._exit(1)


def _write(out: IO[bytes], answer: Answer) -> None:
    octets = _encode(answer)
    left = memoryview(_SIZE.pack(len(octets)) + octets)
    while left:
        left = left[out.write(left) :]


if __name__ == "__main__":
    main()
