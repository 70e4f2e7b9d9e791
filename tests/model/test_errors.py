# SPDX-License-Identifier: Apache-2.0
"""The written table of failures is whole, and the drawing at the head of the module is true."""

from __future__ import annotations

import re

from redesignate.model import errors


def test_the_table_has_every_failure() -> None:
    ours = {one for one in errors.Problem.__subclasses__() if one.__module__.startswith("redesignate.")}
    assert set(errors.PROBLEMS) == ours


def test_the_drawing_names_every_failure_beside_its_status() -> None:
    drawn: dict[str, int] = {}
    status = 0
    for line in (errors.__doc__ or "").splitlines():
        found = re.fullmatch(r"    (\d{3})?\s+(\w+(?: · \w+)*)", line)
        if found:
            status = int(found[1] or status)
            drawn |= dict.fromkeys(found[2].split(" · "), status)
    assert drawn == {problem.__name__: problem.status for problem in errors.PROBLEMS}
