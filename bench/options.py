# SPDX-License-Identifier: Apache-2.0
"""What the command line says of how long, how large, and over what a group measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DATABASES = ("sqlite", "mariadb", "postgresql")
KINDS = ("zones", "rrsets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the groups; each uses those that concern it.

    small      a form that fits into a few minutes together with all other groups
    seconds    of each run; three are made of each
    loads      shares of full load at which latency is measured
    sizes      zones or record sets beside which growth and lists are measured; records of files that are imported
    databases  over which
    split      lists and imports over a process a service, RabbitMQ between them
    minutes    of mixed load
    kinds      growth by zones, by record sets of one zone, or both
    keep       where growth keeps what it filled for the next time; None: nowhere
    fill_only  growth fills, and measures nothing
    """

    small: bool = False
    seconds: float = 2.0
    loads: tuple[float, ...] = (0.0, 0.5, 1.0)
    sizes: tuple[int, ...] = ()
    databases: tuple[str, ...] = ("sqlite",)
    split: bool = False
    minutes: float = 5.0
    kinds: tuple[str, ...] = KINDS
    keep: Path | None = None
    fill_only: bool = False
