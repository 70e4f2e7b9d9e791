# SPDX-License-Identifier: Apache-2.0
"""The paths of the v2 API as Designate publishes them, whether they are there yet or not.

A path that this version does not have is answered with a text that says so; `docs/api/state.md` is made from this
table and `routes.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import falcon

from redesignate.api.request import Request
from redesignate.model.errors import NotFound


class Published(NamedTuple):
    """A path of the v2 API with its verbs; `what` as a heading, `command` that uses it in the openstack client."""

    path: str
    verbs: tuple[str, ...]
    what: str
    command: str


_LIST, _READ, _POST = ("GET", "POST"), ("GET",), ("POST",)
_GONE, _FULL = ("GET", "DELETE"), ("GET", "PATCH", "DELETE")
_TRANSFER, _TASKS, _LIMITS, _OPERATOR = "Zone transfers", "Import and export", "Quotas and limits", "For operators"

PUBLISHED = (
    Published("/v2/zones", _LIST, "Zones", "zone create, list"),
    Published("/v2/zones/{zone_id}", _FULL, "Zones", "zone show, set, delete"),
    Published("/v2/zones/{zone_id}/nameservers", _READ, "Zones", "zone nameservers list"),
    Published("/v2/zones/{zone_id}/tasks/xfr", _POST, "Zones", "zone axfr"),
    Published("/v2/zones/{zone_id}/tasks/abandon", _POST, "Zones", "zone abandon"),
    Published("/v2/zones/{zone_id}/tasks/pool_move", _POST, "Zones", "zone move"),
    Published("/v2/zones/{zone_id}/recordsets", _LIST, "Recordsets", "recordset create, list"),
    Published(
        "/v2/zones/{zone_id}/recordsets/{recordset_id}",
        ("GET", "PUT", "DELETE"),
        "Recordsets",
        "recordset show, set, delete",
    ),
    Published("/v2/recordsets", _READ, "Recordsets", "recordset list all"),
    Published("/v2/recordsets/{recordset_id}", _READ, "Recordsets", ""),
    Published("/v2/zones/{zone_id}/shares", _LIST, "Shared zones", "zone share create, list"),
    Published("/v2/zones/{zone_id}/shares/{share_id}", _GONE, "Shared zones", "zone share show, delete"),
    Published("/v2/zones/{zone_id}/tasks/transfer_requests", _POST, _TRANSFER, "zone transfer request create"),
    Published("/v2/zones/tasks/transfer_requests", _READ, _TRANSFER, "zone transfer request list"),
    Published(
        "/v2/zones/tasks/transfer_requests/{request_id}",
        _FULL,
        _TRANSFER,
        "zone transfer request show, set, delete",
    ),
    Published("/v2/zones/tasks/transfer_accepts", _LIST, _TRANSFER, "zone transfer accept request, list"),
    Published("/v2/zones/tasks/transfer_accepts/{accept_id}", _READ, _TRANSFER, "zone transfer accept show"),
    Published("/v2/zones/tasks/imports", _LIST, _TASKS, "zone import create, list"),
    Published("/v2/zones/tasks/imports/{import_id}", _GONE, _TASKS, "zone import show, delete"),
    Published("/v2/zones/{zone_id}/tasks/export", _POST, _TASKS, "zone export create"),
    Published("/v2/zones/tasks/exports", _READ, _TASKS, "zone export list"),
    Published("/v2/zones/tasks/exports/{export_id}", _GONE, _TASKS, "zone export show, delete"),
    Published("/v2/zones/tasks/exports/{export_id}/export", _READ, _TASKS, "zone export showfile"),
    Published("/v2/reverse/floatingips", _READ, "Floating IPs", "ptr record list"),
    Published(
        "/v2/reverse/floatingips/{floatingip_id}", ("GET", "PATCH"), "Floating IPs", "ptr record show, set, unset"
    ),
    Published("/v2/quotas", _READ, _LIMITS, ""),
    Published("/v2/quotas/{project_id}", _FULL, _LIMITS, "dns quota list, set, reset"),
    Published("/v2/limits", _READ, _LIMITS, "dns limit list"),
    Published("/v2/blacklists", _LIST, _OPERATOR, "zone blacklist create, list"),
    Published("/v2/blacklists/{blacklist_id}", _FULL, _OPERATOR, "zone blacklist show, set, delete"),
    Published("/v2/tlds", _LIST, _OPERATOR, "tld create, list"),
    Published("/v2/tlds/{tld_id}", _FULL, _OPERATOR, "tld show, set, delete"),
    Published("/v2/tsigkeys", _LIST, _OPERATOR, "tsigkey create, list"),
    Published("/v2/tsigkeys/{tsigkey_id}", _FULL, _OPERATOR, "tsigkey show, set, delete"),
    Published("/v2/pools", _LIST, _OPERATOR, ""),
    Published("/v2/pools/{pool_id}", _FULL, _OPERATOR, ""),
    Published("/v2/service_statuses", _READ, _OPERATOR, "dns service list"),
    Published("/v2/service_statuses/{service_id}", _READ, _OPERATOR, "dns service show"),
    Published("/v2/service_status", _READ, _OPERATOR, ""),
    Published("/v2/service_status/{service_id}", _READ, _OPERATOR, ""),
)
"""In the order of the page."""


class NotYet:
    """Answers for a path that Designate has and this version does not."""

    def refuse(self, req: Request, _resp: falcon.Response, **_ids: str) -> None:
        """Raise NotFound, and say why."""
        raise NotFound(f"{req.path} is not part of this version; docs/api/state.md lists what is")

    on_get = on_post = on_put = on_patch = on_delete = refuse
