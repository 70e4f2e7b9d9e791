# SPDX-License-Identifier: Apache-2.0
"""The policy rules as data: published names, built-in check strings, and the request that each guards.

`auth/policy.py` decides by them. docs/policy.md is written from this table.
"""

from __future__ import annotations

from dataclasses import dataclass

ADMIN = "role:admin"
MEMBER = "(role:admin) or (role:member and project_id:%(project_id)s)"
READER = "(role:admin) or (role:reader and project_id:%(project_id)s)"
READER_OR_SHARED = f"{READER} or ('True':%(zone_shared)s)"
READER_OR_ALL = f"{READER} or (True:%(all_tenants)s and role:reader)"
TRANSFER = f"({MEMBER}) or project_id:%(target_project_id)s or None:%(target_project_id)s"
_PRIMARY, _SECONDARY = "('PRIMARY':%(zone_type)s)", "('SECONDARY':%(zone_type)s)"
_OF_ZONE = (
    f"(role:member and project_id:%(project_id)s) and {_PRIMARY}"
    f" or ({ADMIN}) and {_PRIMARY} or ({ADMIN}) and {_SECONDARY}"
)
RRSET_CREATE = f"{_OF_ZONE} or ('True':%(zone_shared)s) and {_PRIMARY}"
RRSET_WRITE = f"{_OF_ZONE} or role:member and (project_id:%(recordset_project_id)s) and {_PRIMARY}"
ANYONE = "@"

OLD_ADMIN = "rule:admin"
OLD_OWNER = "rule:admin_or_owner"
OLD_SHARED = "rule:admin_or_owner or ('True':%(zone_shared)s)"
OLD_TRANSFER = "rule:admin_or_owner or project_id:%(target_project_id)s or None:%(target_project_id)s"
OLD_RRSET_CREATE = f"{_PRIMARY} and (rule:admin_or_owner or ('True':%(zone_shared)s)) or {_SECONDARY} and is_admin:True"
OLD_RRSET_WRITE = f"rule:admin or {_PRIMARY} and (rule:owner or project_id:%(recordset_project_id)s)"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    check       oslo.policy's language
    legacy      OR-ed in if `[oslo_policy] enforce_new_defaults` is off; None: there is none
    guards      the request or the act, for people
    any_scope   open to tokens of every scope; otherwise a project's is needed
    """

    name: str
    check: str
    legacy: str | None
    guards: str
    any_scope: bool = False


def _admin(name: str, guards: str) -> Rule:
    return Rule(name, ADMIN, OLD_ADMIN, guards)


def _member(name: str, guards: str) -> Rule:
    return Rule(name, MEMBER, OLD_OWNER, guards)


def _reader(name: str, guards: str) -> Rule:
    return Rule(name, READER, OLD_OWNER, guards)


BASE = (
    Rule("admin", "role:admin or is_admin:True", None, "named by override files", any_scope=True),
    Rule("owner", "project_id:%(tenant_id)s", None, "named by override files", any_scope=True),
    Rule("admin_or_owner", "rule:admin or rule:owner", None, "named by override files", any_scope=True),
    Rule("default", MEMBER, OLD_OWNER, "every rule name that is not in this table", any_scope=True),
)

SWITCHES = (
    _admin("all_tenants", "X-Auth-All-Projects"),
    _admin("edit_managed_records", "X-Designate-Edit-Managed-Records"),
    _admin("use_low_ttl", "a TTL below min_ttl"),
    _admin("use_sudo", "X-Auth-Sudo-Project-ID"),
    _admin("hard_delete", "X-Designate-Hard-Delete"),
)

ZONES = (
    _member("create_zone", "POST /v2/zones"),
    _reader("get_zones", "kept for override files"),
    Rule("get_zone", READER_OR_SHARED, OLD_SHARED, "GET /v2/zones/{zone}"),
    _reader("get_zone_servers", "kept for override files"),
    _reader("get_zone_ns_records", "GET /v2/zones/{zone}/nameservers"),
    _reader("find_zones", "GET /v2/zones"),
    _member("update_zone", "PATCH /v2/zones/{zone}"),
    _member("delete_zone", "DELETE /v2/zones/{zone}"),
    _member("xfr_zone", "POST /v2/zones/{zone}/tasks/xfr"),
    _admin("abandon_zone", "POST /v2/zones/{zone}/tasks/abandon"),
    _reader("count_zones", "counting zones"),
    _reader("count_zones_pending_notify", "kept for override files"),
    _admin("purge_zones", "forgetting deleted zones"),
    _admin("pool_move_zone", "POST /v2/zones/{zone}/tasks/pool_move"),
    _admin("zone_create_forced_pool", "POST /v2/zones with attribute pool_id"),
    _member("share_zone", "POST /v2/zones/{zone}/shares"),
    _member("get_zone_share", "GET /v2/zones/{zone}/shares/{share}"),
    Rule("find_zone_shares", ANYONE, None, "GET /v2/zones/{zone}/shares", any_scope=True),
    _member("find_project_zone_share", "GET /v2/zones/{zone}/shares of one project"),
    _member("unshare_zone", "DELETE /v2/zones/{zone}/shares/{share}"),
)

RECORDS = (
    _reader("find_records", "GET /v2/reverse/floatingips"),
    _reader("count_records", "counting records"),
    Rule("create_recordset", RRSET_CREATE, OLD_RRSET_CREATE, "POST /v2/zones/{zone}/recordsets"),
    _reader("get_recordsets", "kept for override files"),
    Rule("get_recordset", READER_OR_SHARED, OLD_SHARED, "GET /v2/zones/{zone}/recordsets/{recordset}"),
    _reader("find_recordset", "looking for one record set"),
    _reader("find_recordsets", "GET /v2/zones/{zone}/recordsets, GET /v2/recordsets"),
    Rule("update_recordset", RRSET_WRITE, OLD_RRSET_WRITE, "PUT /v2/zones/{zone}/recordsets/{recordset}"),
    Rule("delete_recordset", RRSET_WRITE, OLD_RRSET_WRITE, "DELETE /v2/zones/{zone}/recordsets/{recordset}"),
    _reader("count_recordset", "counting record sets"),
)

PLACES = (
    _admin("create_blacklist", "POST /v2/blacklists"),
    _admin("find_blacklists", "GET /v2/blacklists"),
    _admin("get_blacklist", "GET /v2/blacklists/{blacklist}"),
    _admin("update_blacklist", "PATCH /v2/blacklists/{blacklist}"),
    _admin("delete_blacklist", "DELETE /v2/blacklists/{blacklist}"),
    _admin("use_blacklisted_zone", "POST /v2/zones with a blacklisted name"),
    _admin("create_pool", "POST /v2/pools, redesignate manage pool update"),
    _admin("find_pools", "GET /v2/pools"),
    _admin("find_pool", "looking for one pool"),
    _admin("get_pool", "GET /v2/pools/{pool}"),
    _admin("update_pool", "PATCH /v2/pools/{pool}, redesignate manage pool update"),
    _admin("delete_pool", "DELETE /v2/pools/{pool}, redesignate manage pool update --delete"),
    _admin("create_tld", "POST /v2/tlds, redesignate manage tlds import"),
    _admin("find_tlds", "GET /v2/tlds"),
    _admin("get_tld", "GET /v2/tlds/{tld}"),
    _admin("update_tld", "PATCH /v2/tlds/{tld}"),
    _admin("delete_tld", "DELETE /v2/tlds/{tld}"),
    _admin("create_tsigkey", "POST /v2/tsigkeys"),
    _admin("find_tsigkeys", "GET /v2/tsigkeys"),
    _admin("get_tsigkey", "GET /v2/tsigkeys/{tsigkey}"),
    _admin("update_tsigkey", "PATCH /v2/tsigkeys/{tsigkey}"),
    _admin("delete_tsigkey", "DELETE /v2/tsigkeys/{tsigkey}"),
)

ACCOUNTS = (
    Rule("get_quotas", READER_OR_ALL, OLD_OWNER, "GET /v2/quotas, GET /v2/quotas/{project}"),
    _admin("set_quota", "PATCH /v2/quotas/{project}"),
    _admin("reset_quotas", "DELETE /v2/quotas/{project}"),
    _admin("find_tenants", "listing projects"),
    _admin("get_tenant", "looking at one project"),
    _admin("count_tenants", "counting projects"),
    _admin("find_service_status", "GET /v2/service_statuses/{service}"),
    _admin("find_service_statuses", "GET /v2/service_statuses"),
    _admin("update_service_status", "a service's heartbeat"),
    _admin("delete_service_status", "redesignate manage service clean"),
)

TASKS = (
    _member("create_zone_import", "POST /v2/zones/tasks/imports"),
    _reader("find_zone_imports", "GET /v2/zones/tasks/imports"),
    _reader("get_zone_import", "GET /v2/zones/tasks/imports/{import}"),
    _member("update_zone_import", "an import's progress"),
    _member("delete_zone_import", "DELETE /v2/zones/tasks/imports/{import}"),
    _member("create_zone_export", "POST /v2/zones/{zone}/tasks/export"),
    _reader("find_zone_exports", "GET /v2/zones/tasks/exports"),
    _reader("get_zone_export", "GET /v2/zones/tasks/exports/{export}"),
    _member("zone_export", "GET /v2/zones/tasks/exports/{export}/export"),
    _member("update_zone_export", "an export's progress"),
    _member("delete_zone_export", "DELETE /v2/zones/tasks/exports/{export}"),
    _member("create_zone_transfer_request", "POST /v2/zones/{zone}/tasks/transfer_requests"),
    Rule("get_zone_transfer_request", TRANSFER, OLD_TRANSFER, "GET /v2/zones/tasks/transfer_requests/{request}"),
    _reader("get_zone_transfer_request_detailed", "the key in GET /v2/zones/tasks/transfer_requests/{request}"),
    Rule("find_zone_transfer_requests", ANYONE, None, "GET /v2/zones/tasks/transfer_requests", any_scope=True),
    _member("update_zone_transfer_request", "PATCH /v2/zones/tasks/transfer_requests/{request}"),
    _member("delete_zone_transfer_request", "DELETE /v2/zones/tasks/transfer_requests/{request}"),
    Rule("create_zone_transfer_accept", TRANSFER, OLD_TRANSFER, "POST /v2/zones/tasks/transfer_accepts"),
    _reader("get_zone_transfer_accept", "GET /v2/zones/tasks/transfer_accepts/{accept}"),
    _admin("find_zone_transfer_accepts", "GET /v2/zones/tasks/transfer_accepts"),
)

RULES: tuple[Rule, ...] = (*BASE, *SWITCHES, *ZONES, *RECORDS, *PLACES, *ACCOUNTS, *TASKS)
