# SPDX-License-Identifier: Apache-2.0
"""What a name may hold after writes of which some were acknowledged."""

from __future__ import annotations

import pytest

from tests.faults.ledger import Name, Write


def write(value: str | None, status: int | None) -> Write:
    return Write(method="PUT", path="/", value=value, status=status, request_id=None, at=0.0, took=0.0)


@pytest.mark.parametrize(
    ("writes", "allowed"),
    [
        ([], {None}),
        ([("a", 202)], {"a"}),
        ([("a", 202), ("b", 503)], {"a", "b"}),
        ([("a", 202), ("b", 504), ("c", None)], {"a", "b", "c"}),
        ([("a", 202), ("b", 504), ("c", 202)], {"c"}),  # what was given up must not come back
        ([("a", 202), ("b", 404), (None, 409)], {"a"}),
        ([("a", 202), (None, 202)], {None}),
        ([("a", 202), (None, 503)], {"a", None}),
    ],
)
def test_the_last_acknowledged_write_holds_or_an_unclear_one_after_it(
    writes: list[tuple[str | None, int | None]], allowed: set[str | None]
) -> None:
    assert Name("n", writes=[write(*each) for each in writes]).allowed() == allowed
