# SPDX-License-Identifier: Apache-2.0
"""What the command line says of how long, how large, and over what a group measures."""

from __future__ import annotations

from dataclasses import dataclass

DATABASES = ("sqlite", "mariadb", "postgresql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the groups; each uses those that concern it.

    small      a form that fits into a few minutes together with all other groups
    seconds    of each run; three are made of each
    loads      shares of full load at which latency is measured
    sizes      zones or record sets beside which growth and lists are measured
    databases  over which
    split      lists over a process a service, RabbitMQ between them
    minutes    of mixed load
    """

    small: bool = False
    seconds: float = 2.0
    loads: tuple[float, ...] = (0.0, 0.5, 1.0)
    sizes: tuple[int, ...] = ()
    databases: tuple[str, ...] = ("sqlite",)
    split: bool = False
    minutes: float = 5.0
