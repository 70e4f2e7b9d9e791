# SPDX-License-Identifier: Apache-2.0
"""Zone files read in a process of their own: as in this one, and whatever becomes of either process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from redesignate.central.importrows import Block, Frame, Here, Reader, TooManyOfOne
from redesignate.model.zonefile import TooManyRecords, ZoneFileError
from redesignate.run import reading
from redesignate.run.reading import Apart, ReaderFailed

HEAD = "$ORIGIN Example.org.\n$TTL 900\n@ IN SOA ns a.example.org. 2026112201 7200 901 86401 60\n@ IN NS ns\n"
PLENTY = "$GENERATE 1-65535 h$ IN A 192.0.2.1\n"
FRAME = Frame(
    zone_id="z",
    zone="example.org.",
    project_id="p",
    revision=1,
    at=5,
    stored=0,
    most=50,
    longest_name=255,
    children=frozenset({"sub.example.org."}),
    records=2,
    alpn=(),
    min_ttl=60,
    prefix=4,
)


def read(
    kind: Callable[[Callable[[], object]], Reader], text: str, frame: Frame = FRAME, most: int = 100_000
) -> list[Block]:
    with closing(kind(bool)) as reader:
        head = reader.head((text[at : at + 1000].encode() for at in range(0, len(text), 1000)), most)
        assert (head.zone, head.typed_name, head.serial) == ("example.org.", "Example.org.", 2026112201)
        return [without_ids(block) for block in reader.blocks(frame)]


def without_ids(block: Block) -> Block:
    texts = [[("", *text[1:]) for text in some] for some in block.texts]
    return structs.replace(block, rows=[("", *row[1:]) for row in block.rows], texts=texts)


def test_it_reads_as_in_this_process() -> None:
    text = HEAD + 'WWW 60 IN A 192.0.2.1\nwww 60 IN A 192.0.2.2\nlow 59 IN TXT "long;text"\n' + PLENTY
    found, here = read(Apart, text), read(Here, text)
    assert [row for block in found for row in block.rows] == [row for block in here for row in block.rows]
    assert [some for block in found for some in block.texts] == [some for block in here for some in block.texts]
    assert sum(len(block.rows) for block in found) == 65_537
    assert sum(block.records for block in found) == 65_538
    assert [(note.rrtype, note.name, note.is_first) for block in found for note in block.notes] == [
        ("A", "h1.example.org.", True),
        ("TXT", "low.example.org.", True),
    ]


def test_what_is_stored_is_counted_and_not_given_again() -> None:
    found = read(Apart, HEAD + PLENTY, structs.replace(FRAME, stored=65_000))
    assert sum(block.records for block in found) == 65_535
    assert sum(len(block.rows) for block in found) == 535


@pytest.mark.parametrize(
    ("text", "most", "fault", "why"),
    [
        (HEAD + "x IN A 192.0.2.256\n", 9, ZoneFileError, "line 5: A: "),
        (HEAD + "x IN A 192.0.2.256\n" + "y IN A 192.0.2.1\n" * 300_000, 9, ZoneFileError, "line 5: A: "),
        (HEAD + PLENTY, 9, TooManyRecords, "line 5: the file has more than 9 records"),
        (HEAD + "x.sub IN A 192.0.2.1\n", 9, ZoneFileError, "line 5: A at x.sub.example.org.: RecordSet belongs"),
        (HEAD + "w CNAME x\nw A 192.0.2.1\n", 9, ZoneFileError, "line 6: w.example.org. has a CNAME in line 5"),
        (HEAD + "x A 192.0.2.1\nx A 192.0.2.2\nx A 192.0.2.3\n", 9, TooManyOfOne, "3"),
    ],
)
def test_a_fault_is_that_of_the_file(text: str, most: int, fault: type[Exception], why: str) -> None:
    for kind in (Here, Apart):
        with pytest.raises(fault) as raised:
            read(kind, text, most=most)
        assert type(raised.value) is fault
        assert str(raised.value).startswith(why)


def test_a_disk_that_is_full_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setattr("sys.path", [*sys.path, str(tmp_path)])
    (tmp_path / "sitecustomize.py").write_text("import tempfile\ntempfile.tempdir = '/nowhere'\n")
    with pytest.raises(OSError, match="No such file") as raised:
        read(Apart, HEAD + PLENTY + PLENTY.replace("h$", "i$"), most=200_000)
    assert not isinstance(raised.value, BrokenPipeError)


def endless(at_first: Callable[[], object]) -> Iterator[bytes]:
    """A file that never ends."""
    yield HEAD.encode()
    at_first()
    while True:
        yield b"x IN A 192.0.2.1\n" * 1000


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_reader_that_dies_or_hangs_is_seen(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(reading, "HANGS_S", 0.3)
    monkeypatch.setattr(reading, "LOOK_S", 0.1)
    with closing(Apart(bool)) as reader:
        pid = reader.pid
        with pytest.raises(ReaderFailed, match="it ended with -9" if number == signal.SIGKILL else "nothing came"):
            reader.head(endless(lambda: os.kill(pid, number)), 10**9)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_nothing_of_the_working_directory_is_taken_for_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    with closing(Apart(bool)) as reader:
        assert reader.head([HEAD.encode()], 5)


def test_one_that_cannot_be_started_is_no_fault_of_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ReaderFailed, match="could not be started"):
        Apart(bool)


def test_who_is_to_stop_ends_it() -> None:
    class Stopped(Exception):
        pass

    def alive() -> None:
        if asked:
            raise Stopped

    asked = list[bool]()
    reader = Apart(alive)
    with closing(reader), pytest.raises(Stopped):
        reader.head(endless(lambda: asked.append(True)), 10**9)
    with pytest.raises(ProcessLookupError):
        os.kill(reader.pid, 0)


def test_it_hears_no_signal_of_its_parents_terminal_and_ends_with_its_parent() -> None:
    script = "\n".join((
        "import sys, time, msgspec",
        "from redesignate.run.reading import Apart, Frame",
        f"reader = Apart(bool); reader.head([{HEAD!r}.encode()], 5)",
        "print(reader.pid, flush=True)",
        "frame = msgspec.msgpack.decode(bytes.fromhex(sys.stdin.readline()), type=Frame)",
        "list(reader.blocks(frame)); print('it reads', flush=True); time.sleep(60)",
    ))  # fmt: skip
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        pid = int(parent.stdout.readline())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        print(msgspec.msgpack.encode(FRAME).hex(), file=parent.stdin, flush=True)
        assert parent.stdout.readline() == "it reads\n"
        parent.kill()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/cmdline").exists() and "reading" in Path(f"/proc/{pid}/cmdline").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
