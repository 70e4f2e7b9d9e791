# SPDX-License-Identifier: Apache-2.0
"""A running service, as it last reported itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class ServiceState(Enum):
    """The service itself reports UP and STOPPED; the producer sets DOWN when the service falls silent."""

    UP = "UP"
    DOWN = "DOWN"
    WARNING = "WARNING"
    STOPPED = "STOPPED"


Stats = Mapping[str, Mapping[str, int | bool]]
"""Figures that a service reports of itself, by subject. A worker's `audit`: how often zones at rest are checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One row per service name and host. Times in microseconds since 1970."""

    id: str
    service_name: str
    hostname: str
    status: ServiceState
    heartbeated_at: int | None
    created_at: int
    updated_at: int | None = None
    stats: Stats = field(default_factory=dict)
