# SPDX-License-Identifier: Apache-2.0
"""The page that says what of the v2 API is there is what the routes say, and what is not there says so."""

from __future__ import annotations

import re

import pytest

from redesignate.api.covered import COVERED
from redesignate.api.published import PUBLISHED, Published
from redesignate.api.routes import ROUTES
from redesignate.api.state import page
from tests.api.client import api_client, is_fault
from tests.api.test_docs import PAGES

IDENT = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
THERE = {route.path: route for route in ROUTES}
BEYOND = {("PUT", "/v2/zones/{zone_id}/recordsets")}
"""On the page of what is beyond Designate."""
ABSENT = [published for published in PUBLISHED if published.path not in THERE]


def test_the_page_is_what_the_tables_say() -> None:
    """Else: `python -m redesignate.api.state > docs/api/state.md`."""
    assert (PAGES / "state.md").read_text() == page()


@pytest.mark.parametrize("path", [route.path for route in ROUTES])
def test_every_path_names_a_test_that_is_there(path: str) -> None:
    """Else: its line in `redesignate/api/covered.py`."""
    file, name = COVERED[path]
    assert f"\ndef test_{name}(" in (PAGES.parents[1] / file).read_text()


@pytest.mark.parametrize("published", ABSENT, ids=lambda published: published.path)
def test_a_published_path_that_is_not_there_says_so(published: Published) -> None:
    path = re.sub(r"\{\w+\}", IDENT, published.path)
    for verb in (*published.verbs, "PUT"):
        answer = api_client().ask(verb, path)
        assert is_fault(answer, 404, "not_found")
        assert answer.json["message"] == f"{path} is not part of this version; docs/api/state.md lists what is"


def test_what_is_there_beside_the_published_is_named() -> None:
    known = {published.path for published in PUBLISHED}
    assert [route.path for route in ROUTES if route.path not in known] == [
        "/v2/zones/{zone_id}/peers",
        "/v2/zones/tasks/export",
        "/v2/zones/tasks/export/{export_id}",
        "/v2/zones/tasks/export/{export_id}/export",
        "/v2/zones/{zone_id}/moves",
        "/v2/pools/{pool_id}/progress",
    ]


def test_no_published_path_is_listed_twice() -> None:
    assert len({published.path for published in PUBLISHED}) == len(PUBLISHED)


def test_no_verb_is_there_that_is_not_published() -> None:
    for published in PUBLISHED:
        if published.path in THERE:
            more = {(verb, published.path) for verb in THERE[published.path].verbs if verb not in published.verbs}
            assert more <= BEYOND


def test_what_nobody_published_is_just_not_there() -> None:
    answer = api_client().ask("GET", "/v2/nothing")
    assert is_fault(answer, 404, "not_found")
    assert answer.json["message"] == "resource not found"
