# SPDX-License-Identifier: Apache-2.0
"""A service status as v2 shows it."""

from __future__ import annotations

from redesignate.api.shapes.members import EMPTY, FIGURES, ID, TIME, Member, OneOf, Shown
from redesignate.api.shapes.shape import Shape
from redesignate.model.service import ServiceState

SERVICE: Shape[None, None] = Shape(
    "service_status",
    Member("id", ID, "The service's id."),
    Member("hostname", Shown("string"), "The host that it runs on."),
    Member("service_name", Shown("string"), "What it is: api, central, mdns, worker, producer or sink."),
    Member("status", OneOf(ServiceState), "The state that it last reported; DOWN once its heartbeats stop."),
    Member("stats", FIGURES, "Figures that it reports, by subject."),
    Member("capabilities", EMPTY, "Always empty."),
    Member("heartbeated_at", TIME, "When its last heartbeat came."),
    Member("created_at", TIME, "When its first heartbeat came."),
    Member("updated_at", TIME, "When the row was last written.", unset=True),
    link="/v2/service_statuses/{id}",
)
