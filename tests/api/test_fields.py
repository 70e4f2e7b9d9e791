# SPDX-License-Identifier: Apache-2.0
"""Reading the members of a body: what is coerced, what is refused, and that nothing else can happen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.api import fields, shapes
from redesignate.model.errors import InvalidObject
from redesignate.model.rrset import RRsetChange
from redesignate.model.zone import NewZone, ZoneChange, ZoneType

NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ZONE_MEMBERS = sorted(shapes.ZoneOut.__struct_fields__)
RRSET_MEMBERS = sorted(shapes.RecordsetOut.__struct_fields__)


@pytest.mark.parametrize(
    ("sent", "read"),
    [(0, 0), (2**31 - 1, 2**31 - 1), ("3600", 3600), (" +60 ", 60), (60.0, 60), (60.9, 60), (True, 1), ("007", 7)],
)
def test_a_ttl_is_read_from_whatever_is_a_number(sent: object, read: int) -> None:
    assert fields.ttl(sent) == read


@pytest.mark.parametrize(
    "sent", [-1, 2**31, 10**400, "", "x", "1_0", "1e3", "٣", None, [], {}, float("inf"), float("nan"), "9" * 5000]
)
def test_a_ttl_out_of_range_or_of_another_kind_is_refused(sent: object) -> None:
    with pytest.raises(InvalidObject, match="Provided object is not valid"):
        fields.ttl(sent)


def test_text_is_text_and_without_nul() -> None:
    assert fields.text("email", "a@b.example") == "a@b.example"
    wrong: object
    for wrong in (None, 5, True, [], {}, "a\0b"):
        with pytest.raises(InvalidObject, match="email"):
            fields.text("email", wrong)


def test_unknown_members_are_all_named() -> None:
    with pytest.raises(InvalidObject) as caught:
        shapes.new_zone({"name": "a.", "x": 1, "y": 2})
    expected = "Provided object does not match schema. Keys ['x', 'y'] are not valid for zone"
    assert caught.value.message == expected


def test_only_the_first_read_only_member_is_named() -> None:
    with pytest.raises(InvalidObject, match=r"Keys \['serial'\] are not valid for zone"):
        shapes.new_zone({"name": "a.", "serial": 1, "status": "ACTIVE"})


def test_a_lacking_member_is_a_field_error_in_two_nests() -> None:
    with pytest.raises(InvalidObject) as caught:
        shapes.new_recordset({"name": "a."})
    assert caught.value.message == ""
    assert caught.value.errors == {
        "errors": [
            {
                "path": ["records", 0, "type"],
                "message": "'type' is a required property",
                "validator": "required",
                "validator_value": ["type"],
            }
        ]
    }


def test_a_pool_is_ignored_on_create_and_fixed_on_change() -> None:
    assert shapes.new_zone({"name": "a.", "pool_id": "anything"}).name == "a."
    with pytest.raises(InvalidObject, match="pool_id"):
        shapes.zone_change({"pool_id": "other"}, lambda: {"pool_id": "mine"})
    assert shapes.zone_change({"pool_id": "mine"}, lambda: {"pool_id": "mine"}) == ZoneChange()


def test_the_resource_is_only_looked_up_to_compare() -> None:
    def never() -> fields.Body:
        raise AssertionError

    change = shapes.zone_change({"ttl": "60", "name": "a.", "type": "SECONDARY"}, never)
    assert (change.ttl, change.same_name, change.same_type) == (60, "a.", ZoneType.SECONDARY)


def test_true_is_not_one_when_compared() -> None:
    with pytest.raises(InvalidObject):
        shapes.zone_change({"shared": 1}, lambda: {"shared": True})
    with pytest.raises(InvalidObject):
        shapes.zone_change({"version": True}, lambda: {"version": 1})


def test_null_on_create_means_not_given() -> None:
    new = shapes.new_zone({"name": "a.", "email": None, "ttl": None, "masters": None, "attributes": None, "id": None})
    assert new == NewZone(name="a.")


@pytest.mark.parametrize("member", ["ttl", "email", "attributes", "masters", "name", "type"])
def test_null_on_change_is_refused(member: str) -> None:
    with pytest.raises(InvalidObject):
        shapes.zone_change({member: None}, dict)


def test_a_recordset_may_go_back_to_its_zones_ttl() -> None:
    assert shapes.recordset_change({"ttl": None, "description": None}, dict) == RRsetChange(ttl=None, description=None)


def test_records_keep_their_order_and_their_doubles_for_central_to_judge() -> None:
    new = shapes.new_recordset({"name": "a.", "type": "A", "records": ["192.0.2.2", "192.0.2.1", "192.0.2.2"]})
    assert new.records == ("192.0.2.2", "192.0.2.1", "192.0.2.2")


def test_quotas_know_their_names_and_bounds() -> None:
    assert shapes.quota_limits({"zones": "-1", "zone_records": 7}) == {"zones": -1, "zone_records": 7}
    for wrong in ({"zones": -2}, {"zones": 2**31}, {"zones": None}, {"nonsense": 1}):
        with pytest.raises(InvalidObject):
            shapes.quota_limits(wrong)


def test_timestamps_have_six_digits_always() -> None:
    assert shapes.timestamp(0) == "1970-01-01T00:00:00.000000"
    assert shapes.timestamp(1_700_000_000_000_001) == "2023-11-14T22:13:20.000001"
    assert shapes.timestamp(None) is None


@given(
    body=st.dictionaries(st.sampled_from([*ZONE_MEMBERS, "x"]) | st.text(max_size=3), NESTED, max_size=5),
    present=st.dictionaries(st.sampled_from(ZONE_MEMBERS), NESTED),
)
def test_no_zone_body_does_worse_than_be_refused(body: dict[str, Any], present: dict[str, Any]) -> None:
    for read in (shapes.new_zone, lambda b: shapes.zone_change(b, lambda: present), shapes.quota_limits):
        try:
            read(body)
        except InvalidObject as refused:
            json.dumps([refused.message, refused.errors])


@given(body=st.dictionaries(st.sampled_from([*RRSET_MEMBERS, "x"]) | st.text(max_size=3), NESTED, max_size=5))
def test_no_recordset_body_does_worse_than_be_refused(body: dict[str, Any]) -> None:
    for read in (shapes.new_recordset, lambda b: shapes.recordset_change(b, dict)):
        try:
            read(body)
        except InvalidObject as refused:
            json.dumps([refused.message, refused.errors])
