# SPDX-License-Identifier: Apache-2.0
"""A zone whose new revisions wait for the end of the transaction that several changes share (`store/ending.py`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from redesignate.model.zone import Zone


@dataclass(slots=True)
class Deferred:
    """A locked zone as its transaction has left it, and what its row does not show yet.

    rrsets records   its counts
    row              the binds of the one statement that writes it; empty where nothing has changed
    """

    zone: Zone
    rrsets: int
    records: int
    row: dict[str, Any] = field(default_factory=dict)

    def advance(self, after: Zone, row: dict[str, Any]) -> None:
        """Take a further change with these binds: the statement goes from the first revision to the last."""
        more_rrsets, more_records = row["more_rrsets"], row["more_records"]
        self.zone, self.rrsets, self.records = after, self.rrsets + more_rrsets, self.records + more_records
        if self.row:
            row |= {"r": self.row["r"], "more_rrsets": self.row["more_rrsets"] + more_rrsets}
            row["more_records"] = self.row["more_records"] + more_records
        self.row = row
