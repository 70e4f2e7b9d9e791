# SPDX-License-Identifier: Apache-2.0
"""The pages of docs/api tell of every path, verb, filter, sort key, member and kind of failure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from redesignate.api.blacklists import BLACKLISTS
from redesignate.api.exports import EXPORTS
from redesignate.api.imports import IMPORTS
from redesignate.api.paging import Listing
from redesignate.api.pools import POOLS
from redesignate.api.rrsets import OF_ZONE
from redesignate.api.services import SERVICES
from redesignate.api.shapes.blacklists import BLACKLIST
from redesignate.api.shapes.exports import EXPORT
from redesignate.api.shapes.imports import IMPORT
from redesignate.api.shapes.pools import POOL, REACH
from redesignate.api.shapes.rrsets import RECORDSET
from redesignate.api.shapes.services import SERVICE
from redesignate.api.shapes.shape import Shape
from redesignate.api.shapes.shares import SHARE
from redesignate.api.shapes.tlds import TLD
from redesignate.api.shapes.transfers import ACCEPT, REQUEST
from redesignate.api.shapes.tsigkeys import TSIGKEY
from redesignate.api.shapes.zones import ZONE
from redesignate.api.shares import SHARES
from redesignate.api.tlds import TLDS
from redesignate.api.transfers import REQUESTS
from redesignate.api.tsigkeys import TSIGKEYS
from redesignate.api.zones import ZONES
from redesignate.model.errors import KINDS
from tests.api.test_routes import ROUTES

PAGES = Path(__file__).parents[2] / "docs" / "api"
WHERE = {"zones": ZONES, "recordsets": OF_ZONE, "pools": POOLS, "service-statuses": SERVICES}
WHERE |= {"exports": EXPORTS, "imports": IMPORTS, "tlds": TLDS, "blacklists": BLACKLISTS}
WHERE |= {"tsigkeys": TSIGKEYS, "shares": SHARES, "transfers": REQUESTS}


def _words(page: str) -> set[str]:
    return set(re.findall(r"[a-z0-9_]+", (PAGES / f"{page}.md").read_text()))


@pytest.mark.parametrize("path", [path for path, _ in ROUTES if not path.startswith("/v2/service_status/")])
def test_every_path_and_verb_has_its_line(path: str) -> None:
    text = "\n".join(page.read_text() for page in PAGES.glob("*.md"))
    shown = (
        path.replace("{zone}/recordsets", "{zone_id}/recordsets")
        .replace("/p1", "/{project_id}")
        .replace("counts/zones", "counts/{what}")
    )
    shown = re.sub(r"\{(?!zone_id\}|project_id\}|what\})\w+\}", "{id}", shown)
    if path == "/v2/service_status" or re.match(r"/v2/zones/tasks/export(/|$)", path):  # other names
        assert f"`{shown}`" in text
        return
    for verb in dict(ROUTES)[path]:
        assert f"| `{verb} {shown}` |" in text


@pytest.mark.parametrize("page", WHERE)
def test_every_filter_and_sort_key_is_named(page: str) -> None:
    listing: Listing = WHERE[page]
    assert listing.filters | set(listing.sort_keys) <= _words(page)


@pytest.mark.parametrize(
    ("page", "shape"),
    [
        ("zones", ZONE),
        ("recordsets", RECORDSET),
        ("pools", POOL),
        ("pools", REACH),
        ("exports", EXPORT),
        ("imports", IMPORT),
        ("tlds", TLD),
        ("blacklists", BLACKLIST),
        ("tsigkeys", TSIGKEY),
        ("shares", SHARE),
        ("transfers", REQUEST),
        ("transfers", ACCEPT),
        ("service-statuses", SERVICE),
    ],
)
def test_every_member_is_named(page: str, shape: Shape[Any, Any]) -> None:
    assert set(shape.names) <= _words(page)


def test_every_kind_of_failure_has_its_line_and_status() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", (PAGES / "errors.md").read_text(), re.MULTILINE)
    expected = {kind: cls.status for kind, cls in KINDS.items()} | {"unknown": 500}
    assert {kind: int(status) for kind, status in rows} == expected
