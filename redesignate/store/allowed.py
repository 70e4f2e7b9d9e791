# SPDX-License-Identifier: Apache-2.0
"""What the lists of TLDs and of blacklisted patterns say about one name: a single statement, on their indexes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import String, bindparam, func, literal_column, null, select, union_all

from redesignate.model.pattern import grams
from redesignate.model.tld import suffixes
from redesignate.store.fast import Module, run
from redesignate.store.settings_schema import blacklist_needles, blacklists, tlds

_STEP = 16
"""Lists of binds are filled up to a multiple of it, so that a driver does not see a new text for each length."""
_LISTED, _COVERS, _PATTERN = "listed", "covers", "pattern"
_ASKED = union_all(
    select(
        literal_column(f"'{_LISTED}'", String).label("what"),
        func.min(tlds.c.name).label("found"),
        null().label("pattern"),
    ),
    select(literal_column(f"'{_COVERS}'", String), tlds.c.name, null()).where(
        tlds.c.name.in_(bindparam("suffixes", expanding=True))
    ),
    select(literal_column(f"'{_PATTERN}'", String), blacklist_needles.c.needle, blacklists.c.pattern).where(
        blacklist_needles.c.gram.in_(bindparam("grams", expanding=True)),
        blacklists.c.id == blacklist_needles.c.blacklist_id,
    ),
)


class About(NamedTuple):
    """What is known of a name.

    any_tld   whether there is a list of TLDs
    tlds      those of the list that the name is, or lies below
    patterns  those of the blacklist that may match it: of any other it lacks what the pattern needs
    """

    any_tld: bool
    tlds: frozenset[str]
    patterns: tuple[str, ...]


class Allowed(Module):
    """Both lists, of one transaction."""

    def about(self, name: str) -> About:
        """What the lists say of a zone's name. One query, whose cost does not depend on their length."""
        given = {"suffixes": _filled(suffixes(name)), "grams": _filled([*grams(name), ""])}
        any_tld, covering = False, set[str]()
        patterns: dict[str, None] = {}
        for row in run(self._conn, _ASKED, given):
            if row.what == _LISTED:
                any_tld = row.found is not None
            elif row.what == _COVERS:
                covering.add(row.found)
            elif row.found in name:
                patterns[row.pattern] = None
        return About(any_tld, frozenset(covering), tuple(patterns))


def _filled(values: Sequence[str]) -> list[str]:
    return [*values, *[values[-1]] * (-len(values) % _STEP)]
