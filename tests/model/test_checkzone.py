# SPDX-License-Identifier: Apache-2.0
"""SVCB, HTTPS and NAPTR records from a primary: what `named-checkzone` loads is taken, and nothing else is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from redesignate.model.rdata import mnemonic, received
from tests.model.octets import OCTETS
from tests.model.test_bind_accepts import drawn
from tests.model.test_layouts import RIGHT, WRONG

pytestmark = pytest.mark.external

HEAD = ("@ 60 IN SOA ns h 1 60 60 600 60", "@ 60 IN NS ns", "ns 60 IN A 127.0.0.1")
Record = tuple[int, bytes]
BOTH = frozenset((35, 64, 65))


def loaded(folder: Path, records: list[Record]) -> list[bool]:
    """Of each record whether BIND loads it; one a line, and BIND names the lines that it refuses."""
    file = folder / "zone"
    lines = [f"r{n} 60 IN TYPE{number} \\# {len(wire)} {wire.hex()}" for n, (number, wire) in enumerate(records)]
    file.write_text("\n".join((*HEAD, *lines, "")))
    done = subprocess.run(
        ["named-checkzone", "-i", "none", "zone.example", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    refused = {int(line) - len(HEAD) - 1 for line in re.findall(rf"{re.escape(str(file))}:(\d+): ", done.stdout)}
    assert bool(refused) == (done.returncode != 0), done.stdout + done.stderr
    return [n not in refused for n in range(len(records))]


def taken(number: int, wire: bytes) -> bool:
    """Whether we take the record from a primary."""
    try:
        received(mnemonic(number), wire)
    except ValueError:
        return False
    return True


def differences(folder: Path, records: list[Record]) -> list[tuple[int, bytes, bool]]:
    """The records on which we and BIND do not agree, and what BIND does."""
    verdicts = zip(records, loaded(folder, records), strict=True)
    return [(number, wire, bind) for (number, wire), bind in verdicts if taken(number, wire) != bind]


@pytest.mark.parametrize("number", sorted(BOTH))
def test_some_thousand_records_are_taken_if_and_only_if_bind_loads_them(tmp_path: Path, number: int) -> None:
    found: set[bytes] = set()

    def take(wire: bytes) -> None:
        found.add(wire)

    drawn(OCTETS[number], 4000, take)
    records = [(number, wire) for wire in sorted(found)]
    assert differences(tmp_path, records) == []
    count = sum(taken(*record) for record in records)
    assert len(records) / 10 < count < len(records) * 9 / 10, f"{count} of {len(records)} are right"


def test_bind_agrees_on_the_records_that_are_written_out(tmp_path: Path) -> None:
    records = [record for record in (*RIGHT, *WRONG.values()) if record[0] in BOTH]
    assert differences(tmp_path, records) == []
