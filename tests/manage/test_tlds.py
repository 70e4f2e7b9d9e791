# SPDX-License-Identifier: Apache-2.0
"""`manage tlds`: a file fills the list, and each line that does not is named with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from redesignate.manage import tlds
from tests.manage.conftest import Operator

CSV = """\
# Version 2026112200
com,commerce
ORG
"co.uk"," shops, and others "

*.ck
net.
a,b,c
рф,Russia
com,again
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "tlds.csv"
    path.write_text(CSV, encoding="utf-8")
    return str(path)


def test_a_file_is_imported_and_each_line_that_is_left_out_is_named(operator: Operator, file: str) -> None:
    ran = operator("tlds", "import", file)
    assert ran.code == 1
    assert [line.partition(": ")[0] for line in ran.lines] == ["line 6", "line 7", "line 8", ran.lines[-1]]
    assert "Domain *.ck. has a label" in ran.lines[0]
    assert "ends with a dot; write it without" in ran.lines[1]
    assert "it has 3 fields" in ran.lines[2]
    assert ran.lines[-1] == "4 added, 1 in the list already, 3 left out"
    listed = operator("tlds", "list").lines
    assert [line.split(maxsplit=1) for line in listed[1:]] == [
        ["co.uk", "shops, and others"],
        ["com", "commerce"],
        ["org", "-"],
        ["xn--p1ai", "Russia"],
    ]
    again = operator("tlds", "import", file)
    assert again.lines[-1] == "0 added, 5 in the list already, 3 left out"


def test_it_may_be_spelled_as_designate_does(operator: Operator, tmp_path: Path) -> None:
    path = tmp_path / "tlds.csv"
    path.write_bytes(b"\xef\xbb\xbfcom;commerce\r\norg;\r\n")
    ran = operator("tlds", "import", "--input_file", str(path), "--delimiter", ";")
    assert (ran.code, ran.out) == (0, "2 added, 0 in the list already, 0 left out\n")
    assert operator("tlds", "import", "-", stdin="com\nnet\n").out == "1 added, 1 in the list already, 0 left out\n"


def test_lines_are_counted_over_batches(operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tlds, "BATCH", 3)
    path = tmp_path / "many.csv"
    path.write_text("".join(f"t{n}\n" if n % 5 else f"-{n}\n" for n in range(1, 21)))
    ran = operator("tlds", "import", str(path))
    assert [line.partition(":")[0] for line in ran.lines[:-1]] == ["line 5", "line 10", "line 15", "line 20"]
    assert ran.lines[-1] == "16 added, 0 in the list already, 4 left out"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"b\xfccher\nok\n", "line 1: left out: it is not UTF-8 text"),
        (b"a\0b\nok\n", "line 1: left out: it is not UTF-8 text"),
        (b'"' + b"x" * 200_000 + b"\nok\n", "line 1: left out: it is not CSV: field larger"),
        (b'com,"commerce\nok\n', "line 1: left out: it is not CSV: a quote is not closed on its line"),
        (b'com,"commerce"s\rok\r', "line 1: left out: it is not CSV: ',' expected after '\"'"),
        (b"x" * 300 + b"\nok\n", "line 1: left out: a name has 255 characters at most"),
        (b"ok," + b"x" * 161 + b"\nok\n", "line 1: left out: a name has 255 characters at most, a description 160"),
        (b",only a description\nok\n", "line 1: left out: A TLD has no name"),
    ],
)
def test_a_line_that_cannot_be_does_not_stop_the_others(
    operator: Operator, tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    ran = operator("tlds", "import", str(path))
    assert (ran.code, ran.err) == (1, "")
    assert ran.lines[0].startswith(why), ran.out
    assert ran.lines[-1] == "1 added, 0 in the list already, 1 left out"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["import"], "Name one file"),
        (["import", "a", "--input-file", "b"], "Name one file"),
        (["import", "/nowhere/tlds.csv"], "No such file"),
        (["import", "-", "--delimiter", "::"], "single character"),
    ],
)
def test_wrong_arguments_are_one_line(operator: Operator, words: list[str], why: str) -> None:
    ran = operator("tlds", *words)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: ")
    assert why in ran.err
    assert ran.err.count("\n") == 1


def test_an_empty_list_says_what_it_means(operator: Operator) -> None:
    assert operator("tlds", "list").out == "The list is empty: zones of any name may be created.\n"
