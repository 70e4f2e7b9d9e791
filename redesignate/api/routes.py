# SPDX-License-Identifier: Apache-2.0
"""Which path is answered by which resource: the table that the application is made of and `state.py` describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from redesignate.api.admin import AdminQuotas, AdminReports, AdminZones
from redesignate.api.blacklists import Blacklists
from redesignate.api.exports import Exports
from redesignate.api.imports import Imports
from redesignate.api.pools import Pools
from redesignate.api.quotas import Limits, Quotas
from redesignate.api.request import Resource
from redesignate.api.rrsets import Recordsets
from redesignate.api.services import Services
from redesignate.api.shares import Shares
from redesignate.api.tlds import TLDs
from redesignate.api.transfers import TransferAccepts, TransferRequests
from redesignate.api.tsigkeys import TSIGKeys
from redesignate.api.zones import Zones
from redesignate.api.zonetasks import ZoneTasks
from redesignate.config.settings import ApiSettings

_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Route(NamedTuple):
    """A path, and the resource whose methods `on_VERB` or, with a suffix, `on_VERB_SUFFIX` answer there."""

    path: str
    resource: type[Resource]
    suffix: str | None = None

    @property
    def verbs(self) -> tuple[str, ...]:
        """The verbs that the path takes."""
        return tuple(verb for verb in _VERBS if hasattr(self.resource, self.method(verb)))

    def method(self, verb: str) -> str:
        """The name of the method that answers a verb."""
        return f"on_{verb.lower()}_{self.suffix}" if self.suffix else f"on_{verb.lower()}"


ROUTES = (
    Route("/v2/zones", Zones),
    Route("/v2/zones/{zone_id}", Zones, "one"),
    Route("/v2/zones/{zone_id}/nameservers", Zones, "nameservers"),
    Route("/v2/zones/{zone_id}/peers", Zones, "peers"),
    Route("/v2/zones/{zone_id}/tasks/xfr", Zones, "xfr"),
    Route("/v2/zones/{zone_id}/tasks/export", Exports, "zone"),
    Route("/v2/zones/tasks/imports", Imports),
    Route("/v2/zones/tasks/imports/{import_id}", Imports, "one"),
    Route("/v2/zones/tasks/exports", Exports),
    Route("/v2/zones/tasks/exports/{export_id}", Exports, "one"),
    Route("/v2/zones/tasks/exports/{export_id}/export", Exports, "file"),
    Route("/v2/zones/tasks/export", Exports),  # openstacksdk asks for exports by this name
    Route("/v2/zones/tasks/export/{export_id}", Exports, "one"),
    Route("/v2/zones/tasks/export/{export_id}/export", Exports, "file"),
    Route("/v2/zones/{zone_id}/tasks/abandon", ZoneTasks, "abandon"),
    Route("/v2/zones/{zone_id}/tasks/pool_move", ZoneTasks, "move"),
    Route("/v2/zones/{zone_id}/moves", ZoneTasks, "moves"),
    Route("/v2/zones/{zone_id}/recordsets", Recordsets),
    Route("/v2/zones/{zone_id}/recordsets/{recordset_id}", Recordsets, "one"),
    Route("/v2/zones/{zone_id}/shares", Shares),
    Route("/v2/zones/{zone_id}/shares/{share_id}", Shares, "one"),
    Route("/v2/zones/{zone_id}/tasks/transfer_requests", TransferRequests, "zone"),
    Route("/v2/zones/tasks/transfer_requests", TransferRequests),
    Route("/v2/zones/tasks/transfer_requests/{request_id}", TransferRequests, "one"),
    Route("/v2/zones/tasks/transfer_accepts", TransferAccepts),
    Route("/v2/zones/tasks/transfer_accepts/{accept_id}", TransferAccepts, "one"),
    Route("/v2/recordsets", Recordsets, "all"),
    Route("/v2/recordsets/{recordset_id}", Recordsets, "any"),
    Route("/v2/quotas", Quotas),
    Route("/v2/quotas/{project_id}", Quotas, "one"),
    Route("/v2/limits", Limits),
    Route("/v2/tlds", TLDs),
    Route("/v2/tlds/{tld_id}", TLDs, "one"),
    Route("/v2/blacklists", Blacklists),
    Route("/v2/blacklists/{blacklist_id}", Blacklists, "one"),
    Route("/v2/tsigkeys", TSIGKeys),
    Route("/v2/tsigkeys/{tsigkey_id}", TSIGKeys, "one"),
    Route("/v2/pools", Pools),
    Route("/v2/pools/{pool_id}", Pools, "one"),
    Route("/v2/pools/{pool_id}/progress", Pools, "progress"),
    Route("/v2/service_statuses", Services),
    Route("/v2/service_statuses/{service_id}", Services, "one"),
    Route("/v2/service_status", Services),
    Route("/v2/service_status/{service_id}", Services, "one"),
)
"""Every path of v2 that is answered."""

ADMIN: Mapping[str, tuple[Route, ...]] = {
    "reports": (
        Route("/admin/reports/counts", AdminReports, "counts"),
        Route("/admin/reports/counts/{what}", AdminReports, "count"),
        Route("/admin/reports/tenants", AdminReports, "projects"),
        Route("/admin/reports/tenants/{project_id}", AdminReports, "project"),
    ),
    "quotas": (Route("/admin/quotas/{project_id}", AdminQuotas),),
    "zones": (Route("/admin/zones/export/{zone_id}", AdminZones, "export"),),
}
"""The paths of each name in `enabled_extensions_admin`."""

ALL: tuple[Route, ...] = (*ROUTES, *[route for part in ADMIN.values() for route in part])


def routes(settings: ApiSettings) -> tuple[Route, ...]:
    """The paths that the operator has switched on: those of v2, and of the admin API."""
    parts = settings.enabled_extensions_admin if settings.enable_api_admin else ()
    return (*ROUTES, *[route for name in parts for route in ADMIN.get(name, ())])
