# SPDX-License-Identifier: Apache-2.0
"""A service status as v2 shows it."""

from __future__ import annotations

from redesignate.api.shapes.members import EMPTY, ID, TIME, Member, OneOf, Shown
from redesignate.api.shapes.shape import Shape
from redesignate.model.service import ServiceState

SERVICE: Shape[None, None] = Shape(
    "service_status",
    Member("id", ID, "The service's id."),
    Member("hostname", Shown("string"), "The host that it runs on."),
    Member("service_name", Shown("string"), "What it is: api, central, mdns, worker, producer or sink."),
    Member("status", OneOf(ServiceState), "What it last said of itself, or DOWN where it fell silent."),
    Member("stats", EMPTY, "Always empty."),
    Member("capabilities", EMPTY, "Always empty."),
    Member("heartbeated_at", TIME, "When it last said that it lives."),
    Member("created_at", TIME, "When it first did."),
    Member("updated_at", TIME, "When the row was last written."),
    link="/v2/service_statuses/{id}",
)
