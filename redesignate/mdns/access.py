# SPDX-License-Identifier: Apache-2.0
"""Which peers may transfer a zone, and which are exempt from limits: `[service:mdns] allow_transfer`, and the pools'
own servers.

Of the pools a copy is kept, looked at every REFRESH_S and read again when a version moved, so that a question costs no
statement for it. Host names are resolved beside, never while a question waits.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache

from redesignate.mdns.reply import Client
from redesignate.mdns.source import View
from redesignate.model import names
from redesignate.model.addresses import AddressList, address
from redesignate.model.pool import Pool, catalog_key
from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.observe.log import events
from redesignate.store.served_zone import Reach, ServedZone
from redesignate.wire import tsig

REFRESH_S = 2.0
RESOLVE_S = 60.0
MOST_NAMES = 1000
"""How many host names are kept resolved; pools that name more get no default for the rest."""
SIGNED_S = 3600.0
"""How long after a signed question its sender's questions go first."""
MOST_SIGNED = 1000
MOST_PEERS = 10_000
"""Of how many peers is remembered whether they are trusted."""
log = events(__name__)

Resolve = Callable[[str], Iterable[str]]
_parsed = lru_cache(maxsize=MOST_PEERS)(address)
"""The address of a peer: parsing one takes a tenth of the time of an IXFR."""


def resolved(host: str) -> list[str]:
    """Every address of a host name, by the system's resolver. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the pools.

    hosts     for each pool's id the addresses of the hosts that it names, host names as they were last resolved
    every     those of all pools
    catalogs  for each (pool id, name) of a catalog zone that has a key: that key, named like the zone
    """

    hosts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    every: frozenset[str] = frozenset()
    catalogs: Mapping[tuple[str, str], TSIGKey] = field(default_factory=dict)


class Servers:
    """The copy, for the threads of one process. `resolve` is asked from a thread of this class alone."""

    def __init__(self, resolve: Resolve = resolved, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolve = resolve
        self._clock = clock
        self._lock = threading.Lock()
        self._resolver = ThreadPoolExecutor(1, "mdns-names")
        self._resolving = False
        self._pools: list[Pool] = []
        self._versions: dict[str, int] | None = None
        self._names: dict[str, frozenset[str]] = {}
        self._looked = self._resolved = float("-inf")
        self.known = Known()

    def close(self) -> None:
        """Stop resolving names."""
        self._resolver.shutdown(wait=False, cancel_futures=True)

    def refresh(self, view: View) -> Known:
        """What is known, at most REFRESH_S old. One query when it is due, one more when a pool changed.

        Whoever comes while another looks takes what was known before; the first time, all wait.
        """
        first = self._versions is None
        if not first and (self._clock() < self._looked + REFRESH_S or not self._lock.acquire(blocking=False)):
            return self.known
        if first:
            self._lock.acquire()
        try:
            versions = view.pool_versions()
            if versions != self._versions:
                self._pools, self._versions = view.pools(), versions
                self._resolved = float("-inf")
                self._settle()
            self._looked = self._clock()
            self._resolve_names()
        finally:
            self._lock.release()
        return self.known

    def _settle(self) -> None:
        hosts = {
            pool.id: frozenset(ip for host in _hosts(pool) for ip in self._addresses(host)) for pool in self._pools
        }
        keyed = [(pool, catalog_key(pool)) for pool in self._pools]
        catalogs = {(pool.id, pool.catalog.name): key for pool, key in keyed if pool.catalog and key}
        self.known = Known(hosts, frozenset().union(*hosts.values()), catalogs)

    def _addresses(self, host: str) -> frozenset[str]:
        found = address(host)
        return self._names.get(host, frozenset()) if found is None else frozenset({str(found)})

    def _resolve_names(self) -> None:
        """Begin to look up the names, where that is due and not under way."""
        if self._resolving or self._clock() < self._resolved + RESOLVE_S:
            return
        self._resolved = self._clock()
        names = sorted({host for pool in self._pools for host in _hosts(pool) if address(host) is None})[:MOST_NAMES]
        if names:
            self._resolving = True
            self._resolver.submit(self._look_up, names)

    def _look_up(self, names: list[str]) -> None:
        found: dict[str, frozenset[str]] = {}
        for name in names:
            try:
                found[name] = frozenset(str(ip) for ip in map(address, self._resolve(name)) if ip is not None)
            except OSError as error:
                log.warning("a pool's host cannot be resolved", host=name, why=str(error))
                found[name] = self._names.get(name, frozenset())
        with self._lock:
            self._names, self._resolving = found, False
            self._settle()


def _hosts(pool: Pool) -> set[str]:
    """Every host that the pool names: nameservers, targets (127.0.0.1 where none is written), also_notifies."""
    hosts = {target.options.get("host", "127.0.0.1") for target in pool.targets}
    return hosts | {server.host for server in pool.nameservers} | {at.host for at in pool.also_notifies}


class Access:
    """The rules of one process.

    allowed   addresses and networks; `pool`: the servers that the zone's pool names; `keys`: every TSIG key that
              opens the zone; `key:NAME`: that one
    """

    def __init__(self, allowed: AddressList, servers: Servers, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowed = allowed
        self._servers = servers
        self._clock = clock
        self._trusted: tuple[Known, dict[str, bool]] = servers.known, {}
        self._signed: dict[str, float] = {}

    def key(self, view: View, name: str) -> tuple[TSIGKey, Reach] | None:
        """A TSIG key by its name (lower case, no final dot) and the zones that it opens: a stored one, else that of a
        catalog zone. One query, two for a catalog's."""
        stored = view.key(name)
        if stored is not None:
            return stored, Reach(stored.scope, stored.resource_id)
        for (pool_id, zone_name), key in self._servers.refresh(view).catalogs.items():
            if key.name == name:
                zone = view.nearest_zone([zone_name], Reach(Scope.POOL, pool_id))
                return (key, Reach(Scope.ZONE, zone.id)) if zone else None
        return None

    def refusal(self, view: View, client: Client, zone: ServedZone, *, transfer: bool) -> str | None:
        """Why a question about a zone is not answered, or the zone not sent; None where it is. No query of its own.

        What is asked about a catalog zone that has a key is answered to that key alone, and then the zone is sent too.
        """
        known, allowed, peer = self._servers.refresh(view), self._allowed, client.peer
        guard = known.catalogs.get((zone.pool_id, zone.name))
        if guard is not None:
            return (
                None if _signed_by(client, guard) else "a catalog zone is sent only to queries signed with its TSIG key"
            )
        if not transfer or ("pool" in allowed.words and peer in known.hosts.get(zone.pool_id, ())):
            return None
        if client.key is not None and ("keys" in allowed.words or _word(client.key) in allowed.words):
            return None
        found = _parsed(peer)
        return None if found and allowed.holds(found) else "not in [service:mdns] allow_transfer"

    def guarded(self, view: View) -> Collection[tuple[str, str]]:
        """The catalog zones, by (pool id, name), that are answered to their key alone. No query of its own."""
        return self._servers.refresh(view).catalogs

    def signed(self, peer: str) -> None:
        """Remember that a question from an address was signed with a key that is known here."""
        signed = self._signed
        if len(signed) >= MOST_SIGNED and peer not in signed:
            signed = self._signed = {}  # the addresses that ask are remembered again
        signed[peer] = self._clock() + SIGNED_S

    def signs(self, peer: str) -> bool:
        """Whether an address has lately signed a question. No query.

        A server of a pool that the pool does not name by this address, behind NAT for one, is known by its key.
        """
        return self._signed.get(peer, 0.0) > self._clock()

    def trusts(self, peer: str) -> bool:
        """Whether an address may transfer zones of some pool: no limit of rate or connections concerns it. No query.

        `any` in the list exempts no peer from limits.
        """
        of, kept = self._trusted
        if of is not self._servers.known or len(kept) >= MOST_PEERS:
            of, kept = self._trusted = self._servers.known, {}
        trusted = kept.get(peer)
        if trusted is None:
            found = address(peer)
            listed = found is not None and any(found in network for network in self._allowed.networks)
            trusted = kept[peer] = peer in of.every or listed or (found is not None and found.is_loopback)
        return trusted


def _word(key: tsig.Key) -> str:
    return f"key:{names.from_wire(key.name)[0].removesuffix('.')}"


def _signed_by(client: Client, key: TSIGKey) -> bool:
    try:
        return client.key is not None and client.key == tsig.prepare(key)
    except ValueError:  # a catalog's key that cannot be used opens nothing
        return False
