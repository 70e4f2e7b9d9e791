# SPDX-License-Identifier: Apache-2.0
"""`redesignate serve`: every service in one process, on SQLite, with a nameserver. No login, so loopback only.

The first start makes the database and a default pool whose one nameserver is our own mdns; a second start finds them
again. A pool that the operator has since applied is left as it is.
"""

from __future__ import annotations

import fcntl
import os
import sys
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from redesignate.api.app import build
from redesignate.auth.noauth import NoAuth
from redesignate.bus.inproc import InprocCentral, InprocWake, InprocWorkSource
from redesignate.bus.pending import Pending
from redesignate.bus.port import Central
from redesignate.commands.pools import ApplyPool, ListPools
from redesignate.commands.work import ReleaseWork
from redesignate.config.load import Configuration
from redesignate.config.settings import CentralAccess, Settings
from redesignate.mdns.service import DNSService
from redesignate.model.caller import operator
from redesignate.model.errors import Misconfigured
from redesignate.model.paging import ListQuery
from redesignate.model.pool import NSRecord, Pool, PoolSpec, TargetSpec
from redesignate.run.heartbeat import Heart
from redesignate.run.http import Threaded
from redesignate.run.processes import until_stopped
from redesignate.run.producing import OneMember, start_producer
from redesignate.run.stopping import FAREWELL_S, within
from redesignate.run.wiring import at_end, make_herald, make_service, make_store
from redesignate.store import migrate
from redesignate.store.serving import Serving
from redesignate.worker.service import Worker

LOOPBACK = "127.0.0.1"
CONFIG = "redesignate.conf"
BUSY, IDLE = 1, 8
"""Zones that the worker has on their way at once while requests wait, and while none do. It shares Python's one
running thread with the API: answers come first, and more at once would make both slower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `serve` may be told. `state` holds the database and the key of its secrets."""

    port: int = 9001
    dns_port: int = 5354
    state: Path = Path("state")
    database: str | None = None


def serve(configuration: Configuration, options: Options) -> int:
    """Start everything, say so in one line, run until Ctrl-C or SIGTERM. Raises Misconfigured."""
    _make_state(options.state)
    _only_one(options.state)
    configuration = replace(configuration, settings=_settings(configuration.settings, options))
    settings = configuration.settings
    assert settings.store.url is not None
    migrate.upgrade(settings.store.url)
    _write_config(options.state / CONFIG, settings)
    with ExitStack() as end:
        _start(configuration, options, end)
        print(_ready(options), flush=True)
        until_stopped()
    return 0


def _settings(settings: Settings, options: Options) -> Settings:
    state = options.state.resolve()
    url = options.database or settings.store.url or f"sqlite:///{state / 'redesignate.db'}"
    listen = ((LOOPBACK, options.dns_port),)
    return replace(
        settings,
        state_path=str(state),
        central_access=CentralAccess.DIRECT,
        store=replace(settings.store, url=url),
        api=replace(settings.api, listen=((LOOPBACK, options.port),), auth_strategy="noauth"),
        mdns=replace(settings.mdns, listen=listen),
    )


def _only_one(folder: Path) -> None:
    """Keep a second `serve` off the same folder until this process ends. Raises Misconfigured."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)  # open until the end: it is the lock
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise Misconfigured(
            f"{folder} is in use by another `redesignate serve`; choose another with --state-dir (make serve STATE=…)."
        ) from error


def _start(configuration: Configuration, options: Options, end: ExitStack) -> None:
    """Start the services, those that are asked before those that ask."""
    settings, hints = configuration.settings, Pending()
    store = make_store(settings, end)
    central = InprocCentral(make_service(configuration, store, InprocWake(hints)).dispatch)
    try:
        dns = DNSService(Serving(store), settings.mdns, shared=False, passed=make_herald(central, end).tell)
        dns.run_in_thread()
        at_end(end, dns.stop_thread)
        _default_pool(central, settings, options.dns_port)
        http = Threaded(build(central, settings.api, NoAuth()), settings.api)
    except OSError as error:
        raise Misconfigured(
            f"Cannot listen on {LOOPBACK}, port {options.port} (API) or {options.dns_port} (DNS): "
            f"{error.strerror or error}; choose others with --port and --dns-port (make serve PORT=… DNS_PORT=…)."
        ) from error
    central.call(ReleaseWork())  # a worker that held something was ours, and is dead
    worker = Worker(
        central=central,
        source=InprocWorkSource(hints),
        settings=settings.worker,
        pace=lambda: BUSY if http.crowded() else IDLE,
    )
    worker.start()
    at_end(end, worker.stop)
    start_producer(central, OneMember(), settings.producer, end)
    http.start()
    at_end(end, http.stop)
    heart = Heart(central, settings.heartbeat, settings.host, ("api", "central", "mdns", "worker", "producer"))
    heart.start()
    at_end(end, within(FAREWELL_S, heart.stop))


def _default_pool(central: Central, settings: Settings, dns_port: int) -> None:
    """Make the default pool, or bring the built-in one to this start's port."""
    caller = operator(f"req-{uuid.uuid4()}")
    pools = central.call(ListPools(caller=caller, query=ListQuery(limit=1000))).items
    default = next((pool for pool in pools if pool.id == settings.central.default_pool_id), None)
    if default is not None and not _is_built_in(default):
        return
    spec = PoolSpec(
        id=settings.central.default_pool_id,
        name="default",
        description="the built-in nameserver",
        ns_records=(NSRecord("ns1.example.net.", 1),),
        nameservers=({"host": LOOPBACK, "port": dns_port, "tsigkey_id": None},),
        targets=(TargetSpec(type="builtin", options={"host": LOOPBACK, "port": str(dns_port)}),),
    )
    central.call(ApplyPool(caller=caller, spec=spec))


def _is_built_in(pool: Pool) -> bool:
    return all(target.type == "builtin" for target in pool.targets)


def _make_state(folder: Path) -> None:
    """The folder, its owner's alone where it is new. Raises Misconfigured."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"{folder}: {error.strerror}; choose another folder with --state-dir.") from error


def _write_config(path: Path, settings: Settings) -> None:
    """A file for `redesignate --config-file … manage`, so that the command line works on the same database.

    It may hold a password: only its owner may read it, also where an earlier file was everybody's.
    """
    path.touch(mode=0o600, exist_ok=True)
    path.chmod(0o600)
    state, url = (str(text).replace("$", "$$") for text in (settings.state_path, settings.store.url))
    path.write_text(
        "# Written at each start by `redesignate serve`; for `redesignate --config-file` of this folder.\n"
        f"[DEFAULT]\nstate_path = {state}\n\n"
        f"[storage:sqlalchemy]\nconnection = {url}\n"
    )


def _ready(options: Options) -> str:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    api = f"http://{LOOPBACK}:{options.port}"
    return (
        f"{bold}ready{plain}: API {api} (no login, so loopback only), DNS {LOOPBACK}:{options.dns_port} udp and tcp; "
        "Ctrl-C stops. Try:\n"
        f"  curl -s {api}/v2/zones -H 'Content-Type: application/json' "
        '-d \'{"name": "example.org.", "email": "admin@example.org"}\'\n'
        f"  dig @{LOOPBACK} -p {options.dns_port} example.org SOA +short"
    )
