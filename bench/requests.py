# SPDX-License-Identifier: Apache-2.0
"""Requests, as values that another process can be given: each is iterated once from its beginning."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.client import Request

Zone = tuple[str, str]
"""Its id and its full name."""
Held = tuple[str, str]
"""The ids of a zone and of one of its record sets."""


def address(number: int) -> str:
    """An IPv4 address of its own for each number below 2²⁴."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@dataclass(frozen=True, slots=True)
class Creates:
    """Record set creates without end, in turn over zones."""

    zones: Sequence[Zone]
    label: str

    def __iter__(self) -> Iterator[Request]:
        number = 0
        while True:
            ident, zone = self.zones[number % len(self.zones)]
            body = {"name": f"{self.label}{number}.{zone}", "type": "A", "records": [address(number)]}
            yield "POST", f"/v2/zones/{ident}/recordsets", body
            number += 1


@dataclass(frozen=True, slots=True)
class Updates:
    """New records for record sets, without end."""

    held: Sequence[Held]
    first: int = 0

    def __iter__(self) -> Iterator[Request]:
        number = self.first
        while True:
            zone, ident = self.held[number % len(self.held)]
            # another address in each round, so that each update changes something
            yield "PUT", f"/v2/zones/{zone}/recordsets/{ident}", {"records": [address(number + 1)]}
            number += 1


@dataclass(frozen=True, slots=True)
class Deletes:
    """Each record set is deleted once."""

    held: Sequence[Held]

    def __iter__(self) -> Iterator[Request]:
        for zone, ident in self.held:
            yield "DELETE", f"/v2/zones/{zone}/recordsets/{ident}", None


@dataclass(frozen=True, slots=True)
class NewZones:
    """Zone creates without end, fifty parents in turn."""

    label: str

    def __iter__(self) -> Iterator[Request]:
        number = 0
        while True:
            name = f"z{number}.zones{number % 50}-{self.label}.example."
            yield "POST", "/v2/zones", {"name": name, "email": "hostmaster@example.org"}
            number += 1


@dataclass(frozen=True, slots=True)
class Gets:
    """Paths that are read in turn, without end."""

    paths: Sequence[str]

    def __iter__(self) -> Iterator[Request]:
        while True:
            for path in self.paths:
                yield "GET", path, None


@dataclass(frozen=True, slots=True)
class Mixed:
    """Reads and record set writes without end, `reads` of them reads; a tenth of the writes create zones."""

    zones: Sequence[Zone]
    paths: Sequence[str]
    label: str
    reads: float
    seed: int = 1

    def __iter__(self) -> Iterator[Request]:
        rng = random.Random(self.seed)
        creates, zones, gets = iter(Creates(self.zones, self.label)), iter(NewZones(self.label)), iter(Gets(self.paths))
        while True:
            if rng.random() < self.reads:
                yield next(gets)
            else:
                yield next(zones if rng.random() < 0.1 else creates)
