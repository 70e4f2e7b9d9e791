# SPDX-License-Identifier: Apache-2.0
"""A pool: the nameservers that serve a set of zones, and how zones reach them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET, UnsetType

from redesignate.model.tsigkey import Scope, TSIGKey


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host (address or name) and a port, 1 to 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class NSRecord:
    """A name that every zone of the pool lists at its apex; the lowest priority (1 to 10000) is the SOA's mname."""

    hostname: str
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameserver:
    """A server that is asked for serials. `id` stays the same over changes of the pool while host and port do."""

    id: str
    host: str
    port: int
    tsigkey_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server on which zones are created and deleted: `type` names the backend, `options` are the backend's own,
    `primaries` are the addresses at which the server reaches mdns.

    `id` stays the same over changes of the pool while type and the options that address the server do.
    """

    id: str
    type: str
    options: Mapping[str, str] = field(default_factory=dict)
    primaries: tuple[Endpoint, ...] = ()
    description: str | None = None
    tsigkey_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """A catalog zone (RFC 9432), from which the pool's servers learn their zones instead of from the backends.

    refresh   the SOA's, in seconds; `secret` is base64, None where the zone has no TSIG key
    """

    name: str
    refresh: int = 60
    algorithm: str | None = None
    secret: str | None = None


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A pool as stored. `version` rises with every change, so that holders of a copy can compare it."""

    id: str
    name: str
    version: int
    created_at: int
    description: str | None = None
    project_id: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    ns_records: tuple[NSRecord, ...] = ()
    nameservers: tuple[Nameserver, ...] = ()
    targets: tuple[Target, ...] = ()
    also_notifies: tuple[Endpoint, ...] = ()
    catalog: Catalog | None = None
    updated_at: int | None = None

    @functools.cached_property
    def peers(self) -> frozenset[str]:
        """The ids of the servers whose state is tracked: targets and polled nameservers."""
        return frozenset([*(target.id for target in self.targets), *(server.id for server in self.nameservers)])

    @property
    def peer_keys(self) -> dict[str, str]:
        """The id of the TSIG key that signs what is sent to a server, by the server's id."""
        named = {target.id: target.tsigkey_id for target in self.targets}
        named |= {server.id: server.tsigkey_id for server in self.nameservers}
        return {peer: key for peer, key in named.items() if key is not None}


def catalog_key(pool: Pool) -> TSIGKey | None:
    """Return the key that grants access to the pool's catalog zone, named like the zone; None where it has none."""
    catalog = pool.catalog
    if catalog is None or catalog.secret is None:
        return None
    return TSIGKey(
        id=pool.id,
        name=catalog.name.removesuffix("."),
        algorithm=catalog.algorithm or "hmac-sha256",
        secret=catalog.secret,
        scope=Scope.POOL,
        resource_id=pool.id,
    )


class TargetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One target of a pool file; options as text, as the backend reads them."""

    type: str
    description: str | None = None
    tsigkey_id: str | None = None
    primaries: tuple[tuple[str, int], ...] = ()
    options: dict[str, str] = {}


class CatalogSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A pool file's catalog zone and the TSIG key that protects it; an empty name removes the stored one."""

    name: str
    refresh: int = 60
    algorithm: str | None = None
    secret: str | None = None


class PoolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A pool as `pools.yaml` describes it; None keeps what is stored. Central assigns the ids of its parts."""

    id: str | None = None
    name: str
    description: str | None = None
    attributes: dict[str, str] | None = None
    ns_records: tuple[NSRecord, ...] | None = None
    nameservers: tuple[dict[str, str | int | None], ...] | None = None
    """each: host, port, tsigkey_id"""
    targets: tuple[TargetSpec, ...] | None = None
    also_notifies: tuple[tuple[str, int], ...] | None = None
    catalog: CatalogSpec | None = None


class NewPool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool as the API makes it, without servers; `project_id` None: the caller's."""

    name: str
    description: str | None = None
    project_id: str | None = None
    attributes: dict[str, str] = {}
    ns_records: tuple[NSRecord, ...] = ()


class PoolChange(msgspec.Struct, frozen=True, kw_only=True):
    """The members that a PATCH changes; those that are UNSET stay. `same_project_id` must be the stored one."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    attributes: dict[str, str] | UnsetType = UNSET
    ns_records: tuple[NSRecord, ...] | UnsetType = UNSET
    same_project_id: str | UnsetType | None = UNSET


def ranked(records: tuple[NSRecord, ...]) -> tuple[NSRecord, ...]:
    """NS records, best first: by priority, then name. The first is the SOA's mname."""
    return tuple(sorted(records, key=lambda record: (record.priority, record.hostname)))
