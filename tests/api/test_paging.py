# SPDX-License-Identifier: Apache-2.0
"""Query strings as typed questions. Walks over real pages are in test_walks.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.api.paging import condition, page_limit
from redesignate.api.request import truth, uuid_or_none
from redesignate.config.settings import ApiSettings
from redesignate.model.errors import InvalidLimit
from redesignate.model.paging import Condition, Op
from tests.api.client import api_client, is_fault
from tests.api.conftest import System


@pytest.mark.parametrize(
    ("text", "op", "value", "upper"),
    [
        ("example.org.", Op.EQ, "example.org.", None),
        ("*.example.org.", Op.LIKE, "*.example.org.", None),
        ("ex%", Op.LIKE, "ex*", None),
        ("!*x", Op.LIKE, "!*x", None),
        ("!ERROR", Op.NE, "ERROR", None),
        ("<300", Op.LT, "300", None),
        ("<= 300", Op.LE, "300", None),
        (">300", Op.GT, "300", None),
        (">=300", Op.GE, "300", None),
        ("BETWEEN 60, 300", Op.BETWEEN, "60", "300"),
        ("between", Op.EQ, "between", None),
        ("BETWEEN 60", Op.EQ, "BETWEEN 60", None),
        ("", Op.EQ, "", None),
    ],
)
def test_a_filters_text_says_how_it_compares(text: str, op: Op, value: str, upper: str | None) -> None:
    assert condition("name", text) == Condition("name", op, value, upper)


@given(st.text().filter(lambda text: "\0" not in text))
def test_every_filter_text_is_some_condition(text: str) -> None:
    found = condition("data", text)
    assert (found.op is Op.BETWEEN) == (found.upper is not None)


def test_a_limit_is_capped_and_max_is_the_cap() -> None:
    settings = ApiSettings(default_limit_v2=20, max_limit_v2=50)
    sent = [None, "1", "50", "51", "9" * 18, "max", "MAX"]
    assert [page_limit(text, settings) for text in sent] == [20, 1, 50, 50, 50, 50, 50]


@pytest.mark.parametrize("text", ["0", "-1", "", "x", "1.5", "1e1", "0x1", "9" * 40, "00"])
def test_a_limit_that_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(InvalidLimit, match="limit should be an integer between 1 and 1000"):
        page_limit(text, ApiSettings())


COLLECTIONS = [
    "zones",
    "recordsets",
    "pools",
    "service_statuses",
    "service_status",
    "zones/6ba7b810-9dad-11d1-80b4-00c04fd430c8/recordsets",
]


@pytest.mark.parametrize("path", COLLECTIONS)
@pytest.mark.parametrize(
    ("query", "kind", "message"),
    [
        ("nonsense=1&b=2", "bad_request", "Invalid filters nonsense, b"),
        ("zone=x", "bad_request", "Invalid filters zone"),
        ("name=a&name=b", "bad_request", "Duplicate filters name"),
        ("limit=1&limit=2&sort_key=x", "bad_request", "Duplicate filters limit"),
        ("limit=0", "invalid_limit", "limit should be an integer between 1 and 1000"),
        ("sort_dir=up", "invalid_sort_dir", None),
        ("sort_key=records", "invalid_sort_key", None),
        ("marker=nonsense", "invalid_marker", None),
        ("a%00=1", "bad_request", None),
    ],
)
def test_a_list_refuses_what_it_does_not_offer(path: str, query: str, kind: str, message: str | None) -> None:
    answer = api_client().ask("GET", f"/v2/{path}?{query}")
    assert is_fault(answer, 400, kind)
    if message:
        assert answer.json["message"] == message


@pytest.mark.parametrize("query", ["sort_key=", "sort_dir=", "sort_key=&sort_dir="])
def test_an_empty_order_is_the_usual_one(system: System, query: str) -> None:
    client = system.client()
    for name in ("b.example.", "a.example."):
        client.ask("POST", "/v2/zones", {"name": name, "email": "a@example.org"})
    page = client.ask("GET", f"/v2/zones?{query}").json["zones"]
    assert [zone["name"] for zone in page] == ["b.example.", "a.example."]


def test_a_marker_that_is_no_uuid_has_no_message() -> None:
    assert "message" not in api_client().ask("GET", "/v2/zones?marker=x").json


def test_nul_in_a_filter_is_refused() -> None:
    assert is_fault(api_client().ask("GET", "/v2/zones?name=a%00b"), 400, "bad_request")


@pytest.mark.parametrize("text", ["1", "t", "True", "ON", "y", " yes "])
def test_a_switch_that_is_on(text: str) -> None:
    assert truth(text)


@pytest.mark.parametrize("text", ["", "0", "false", "no", "off", "2", "wahr"])
def test_a_switch_that_is_off(text: str) -> None:
    assert not truth(text)


@given(st.uuids())
def test_ids_are_taken_in_their_usual_writings(ident: object) -> None:
    text = str(ident)
    assert uuid_or_none(text) == uuid_or_none(text.upper()) == uuid_or_none(text.replace("-", "")) == text


@given(st.text(max_size=40))
def test_what_is_no_id_is_none(text: str) -> None:
    found = uuid_or_none(text)
    assert found is None or len(found) == 36
