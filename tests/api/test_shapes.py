# SPDX-License-Identifier: Apache-2.0
"""Reading the members of a body: what is coerced, what is refused, and that nothing else can happen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.api.shapes.members import TEXT, TTL, Body
from redesignate.api.shapes.quotas import QUOTA
from redesignate.api.shapes.rrsets import RECORDSET
from redesignate.api.shapes.services import SERVICE
from redesignate.api.shapes.zones import ZONE
from redesignate.model.errors import InvalidObject
from redesignate.model.rrset import RRsetChange
from redesignate.model.service import Service, ServiceState
from redesignate.model.zone import NewZone, ZoneChange, ZoneType

NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ZONE_MEMBERS = sorted(ZONE.names)
RRSET_MEMBERS = sorted(RECORDSET.names)


@pytest.mark.parametrize(
    ("sent", "read"),
    [(0, 0), (2**31 - 1, 2**31 - 1), ("3600", 3600), (" +60 ", 60), (60.0, 60), (60.9, 60), (True, 1), ("007", 7)],
)
def test_a_ttl_is_read_from_whatever_is_a_number(sent: object, read: int) -> None:
    assert TTL.read("ttl", sent) == read


@pytest.mark.parametrize(
    "sent", [-1, 2**31, 10**400, "", "x", "1_0", "1e3", "٣", None, [], {}, float("inf"), float("nan"), "9" * 5000]
)
def test_a_ttl_out_of_range_or_of_another_kind_is_refused(sent: object) -> None:
    with pytest.raises(InvalidObject, match="Provided object is not valid"):
        TTL.read("ttl", sent)


def test_text_is_text_and_without_nul() -> None:
    assert TEXT.read("email", "a@b.example") == "a@b.example"
    wrong: object
    for wrong in (None, True, [], {}, "a\0b"):
        with pytest.raises(InvalidObject, match="email"):
            TEXT.read("email", wrong)


def test_unknown_members_are_all_named() -> None:
    with pytest.raises(InvalidObject) as caught:
        ZONE.created({"name": "a.", "x": 1, "y": 2})
    expected = "Provided object does not match schema. Keys ['x', 'y'] are not valid for zone"
    assert caught.value.message == expected


def test_only_the_first_read_only_member_is_named() -> None:
    with pytest.raises(InvalidObject, match=r"Keys \['serial'\] are not valid for zone"):
        ZONE.created({"name": "a.", "serial": 1, "status": "ACTIVE"})


def test_a_lacking_member_is_a_field_error_in_two_nests() -> None:
    with pytest.raises(InvalidObject) as caught:
        RECORDSET.created({"name": "a."})
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
    assert ZONE.created({"name": "a.", "pool_id": "anything"}).name == "a."
    with pytest.raises(InvalidObject, match="pool_id"):
        ZONE.changed({"pool_id": "other"}, lambda: {"pool_id": "mine"})
    assert ZONE.changed({"pool_id": "mine"}, lambda: {"pool_id": "mine"}) == ZoneChange()


def test_the_resource_is_only_looked_up_to_compare() -> None:
    def never() -> Body:
        raise AssertionError

    change = ZONE.changed({"ttl": "60", "name": "a.", "type": "SECONDARY"}, never)
    assert (change.ttl, change.same_name, change.same_type) == (60, "a.", ZoneType.SECONDARY)


def test_true_is_not_one_when_compared() -> None:
    with pytest.raises(InvalidObject):
        ZONE.changed({"shared": 1}, lambda: {"shared": True})
    with pytest.raises(InvalidObject):
        ZONE.changed({"version": True}, lambda: {"version": 1})


def test_null_on_create_means_not_given() -> None:
    new = ZONE.created({"name": "a.", "email": None, "ttl": None, "masters": None, "attributes": None, "id": None})
    assert new == NewZone(name="a.")


@pytest.mark.parametrize("member", ["ttl", "email", "attributes", "masters", "name", "type"])
def test_null_on_change_is_refused(member: str) -> None:
    with pytest.raises(InvalidObject):
        ZONE.changed({member: None}, dict)


def test_a_recordset_may_go_back_to_its_zones_ttl() -> None:
    assert RECORDSET.changed({"ttl": None, "description": None}, dict) == RRsetChange(ttl=None, description=None)


def test_records_keep_their_order_and_their_doubles_for_central_to_judge() -> None:
    new = RECORDSET.created({"name": "a.", "type": "A", "records": ["192.0.2.2", "192.0.2.1", "192.0.2.2"]})
    assert new.records == ("192.0.2.2", "192.0.2.1", "192.0.2.2")


def test_quotas_know_their_names_and_bounds() -> None:
    assert QUOTA.changed({"zones": "-1", "zone_records": 7}, dict) == {"zones": -1, "zone_records": 7}
    for wrong in ({"zones": -2}, {"zones": 2**31}, {"zones": None}, {"nonsense": 1}):
        with pytest.raises(InvalidObject):
            QUOTA.changed(wrong, dict)


def service(**times: int | None) -> Any:
    known: dict[str, Any] = {"service_name": "api", "hostname": "h", "status": ServiceState.UP, "created_at": 0}
    return SERVICE.shown(Service(id="i", **(known | {"heartbeated_at": None} | times)), "http://h%s")


def test_timestamps_have_six_digits_always() -> None:
    shown = service(heartbeated_at=1_700_000_000_000_001)
    assert shown.created_at == "1970-01-01T00:00:00.000000"
    assert shown.heartbeated_at == "2023-11-14T22:13:20.000001"
    assert shown.updated_at is None


def test_links_begin_with_the_base_whatever_is_in_it() -> None:
    assert service().links == {"self": "http://h%s/v2/service_statuses/i"}


def test_what_is_always_empty_is_empty() -> None:
    assert service().capabilities == {}


def test_a_number_is_taken_for_its_digits() -> None:
    """YAML gives numbers where text is meant, and v2 takes them."""
    assert ZONE.changed({"description": 2026}, dict).description == "2026"
    new = RECORDSET.created({"name": "a.", "type": "TXT", "records": [5, 1.5]})
    assert new.records == ("5", "1.5")


def test_records_that_are_no_list_are_a_field_error() -> None:
    with pytest.raises(InvalidObject) as caught:
        RECORDSET.created({"name": "a.", "type": "A", "records": "192.0.2.1"})
    assert caught.value.errors == {
        "errors": [
            {
                "path": ["records"],
                "message": "'192.0.2.1' is not a valid list of records",
                "validator": "type",
                "validator_value": ["list"],
            }
        ]
    }


@settings(deadline=None)
@given(
    body=st.dictionaries(st.sampled_from([*ZONE_MEMBERS, "x"]) | st.text(max_size=3), NESTED, max_size=5),
    present=st.dictionaries(st.sampled_from(ZONE_MEMBERS), NESTED),
)
def test_no_zone_body_does_worse_than_be_refused(body: dict[str, Any], present: dict[str, Any]) -> None:
    for read in (ZONE.created, lambda b: ZONE.changed(b, lambda: present), lambda b: QUOTA.changed(b, dict)):
        try:
            read(body)
        except InvalidObject as refused:
            json.dumps([refused.message, refused.errors])


@settings(deadline=None)
@given(body=st.dictionaries(st.sampled_from([*RRSET_MEMBERS, "x"]) | st.text(max_size=3), NESTED, max_size=5))
def test_no_recordset_body_does_worse_than_be_refused(body: dict[str, Any]) -> None:
    for read in (RECORDSET.created, lambda b: RECORDSET.changed(b, dict)):
        try:
            read(body)
        except InvalidObject as refused:
            json.dumps([refused.message, refused.errors])
