# SPDX-License-Identifier: Apache-2.0
"""Which test covers which path, beside `tests/api/test_routes.py`, which walks each by every verb: for the page of
`state.py`. A test looks whether these are there."""

from __future__ import annotations

_ZONES, _SETS, _SHARES = "tests/api/test_zones.py", "tests/api/test_recordsets.py", "tests/api/test_shares.py"
_TASKS, _IN, _OUT = "tests/central/test_zonetasks.py", "tests/api/test_imports.py", "tests/api/test_exports.py"
_BLACK, _TLDS = "tests/central/test_blacklists.py", "tests/central/test_tlds.py"
_KEYS, _POOLS = "tests/api/test_tsigkeys.py", "tests/central/test_written_pools.py"
_HANDS = "tests/api/test_transfers.py"
_MADE = "a_pattern_is_made_read_changed_and_removed"

COVERED = {
    "/v2/zones": (_ZONES, "a_new_zone_is_shown_whole_and_says_where_it_is"),
    "/v2/zones/{zone_id}": (_ZONES, "a_zone_turns_active_and_then_a_delete_makes_it_vanish"),
    "/v2/zones/{zone_id}/nameservers": (_ZONES, "the_nameservers_are_the_pools_best_first"),
    "/v2/zones/{zone_id}/peers": (_ZONES, "the_peers_say_where_the_zone_is"),
    "/v2/zones/{zone_id}/moves": (_TASKS, "the_former_servers_let_go_only_when_every_server_of_the_new_pool_serves"),
    "/v2/zones/{zone_id}/tasks/xfr": (_ZONES, "a_transfer_is_asked_for_of_secondary_zones_alone"),
    "/v2/zones/{zone_id}/tasks/abandon": (_TASKS, "an_abandoned_zone_is_gone_and_no_server_is_asked_to_drop_it"),
    "/v2/zones/{zone_id}/tasks/pool_move": (_TASKS, "where_a_zone_cannot_go_it_stays"),
    "/v2/zones/{zone_id}/recordsets": (_SETS, "a_new_recordset_is_shown_whole_and_says_where_it_is"),
    "/v2/zones/{zone_id}/recordsets/{recordset_id}": (_SETS, "a_put_changes_only_what_it_holds"),
    "/v2/recordsets": (_SETS, "all_recordsets_are_ones_own_projects"),
    "/v2/recordsets/{recordset_id}": (
        "tests/api/test_routes.py",
        "the_redirect_leads_to_the_recordset_in_its_zone",
    ),
    "/v2/zones/{zone_id}/shares": (_SHARES, "lists_by_page_and_by_target"),
    "/v2/zones/{zone_id}/shares/{share_id}": (_SHARES, "a_share_from_its_creation_to_its_end"),
    "/v2/zones/{zone_id}/tasks/transfer_requests": (_HANDS, "null_and_nothing_offer_a_zone_to_anybody"),
    "/v2/zones/tasks/transfer_requests": (_HANDS, "both_sides_are_one_list"),
    "/v2/zones/tasks/transfer_requests/{request_id}": (_HANDS, "a_zone_changes_hands"),
    "/v2/zones/tasks/transfer_accepts": (_HANDS, "a_zone_changes_hands"),
    "/v2/zones/tasks/transfer_accepts/{accept_id}": (_HANDS, "a_zone_changes_hands"),
    "/v2/zones/tasks/imports": (_IN, "a_zone_file_is_imported_as_v2_publishes_it"),
    "/v2/zones/tasks/imports/{import_id}": (_IN, "a_zone_file_is_imported_as_v2_publishes_it"),
    "/v2/zones/{zone_id}/tasks/export": (_OUT, "an_export_is_shown_as_v2_publishes_it"),
    "/v2/zones/tasks/exports": (_OUT, "an_export_is_shown_as_v2_publishes_it"),
    "/v2/zones/tasks/exports/{export_id}": (_OUT, "an_export_is_shown_as_v2_publishes_it"),
    "/v2/zones/tasks/exports/{export_id}/export": (_OUT, "the_file_is_sent_whatever_the_client_accepts"),
    "/v2/zones/tasks/export": (_OUT, "openstacksdk_finds_exports_where_it_looks"),
    "/v2/zones/tasks/export/{export_id}": (_OUT, "openstacksdk_finds_exports_where_it_looks"),
    "/v2/zones/tasks/export/{export_id}/export": (_OUT, "openstacksdk_finds_exports_where_it_looks"),
    "/v2/quotas": (_SETS, "quotas_show_what_is_used_beside_them_when_asked"),
    "/v2/quotas/{project_id}": (_SETS, "quotas_are_read_set_and_reset"),
    "/v2/limits": (_SETS, "limits_are_open_to_every_caller"),
    "/v2/blacklists": (_BLACK, _MADE),
    "/v2/blacklists/{blacklist_id}": (_BLACK, _MADE),
    "/v2/tlds": (_TLDS, "an_entry_is_made_read_changed_and_removed"),
    "/v2/tlds/{tld_id}": (_TLDS, "an_entry_is_made_read_changed_and_removed"),
    "/v2/tsigkeys": (_KEYS, "the_list_has_filters_and_sort_keys_and_no_total"),
    "/v2/tsigkeys/{tsigkey_id}": (_KEYS, "a_key_from_its_creation_to_its_end"),
    "/v2/pools": (_POOLS, "a_pool_is_made_changed_and_deleted"),
    "/v2/pools/{pool_id}": (_POOLS, "a_pool_is_made_changed_and_deleted"),
    "/v2/pools/{pool_id}/progress": (
        _POOLS,
        "changed_ns_records_reach_every_zone_in_steps_and_the_progress_says_how_far",
    ),
    "/v2/service_statuses": ("tests/api/test_routes.py", "a_list_has_its_envelope"),
    "/v2/service_statuses/{service_id}": ("tests/api/test_routes.py", "a_list_has_its_envelope"),
    "/v2/service_status": ("tests/api/test_routes.py", "a_list_has_its_envelope"),
    "/v2/service_status/{service_id}": ("tests/api/test_routes.py", "each_path_answers_its_verbs_and_no_other"),
}
"""The file, and the test's name after `test_`."""
