# SPDX-License-Identifier: Apache-2.0
"""`redesignate serve`: every service in one process, on SQLite, with a nameserver.

It has no login and serves loopback only, unless it is given an address (`--listen`: then with tokens) or a login
(`[service:api] auth_strategy = token` or `keystone` in a configuration file named on the command line).
The first start makes the database and a default pool whose only nameserver is our own mdns; later starts use them
again. A pool that the operator has since applied is left unchanged.
"""

from __future__ import annotations

import ipaddress
import signal
import sys
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import which

from redesignate.api.app import build
from redesignate.api.parked import Waits
from redesignate.auth.choose import authenticator, check_listeners, check_login
from redesignate.bus.inproc import Bulkheads, InprocCentral, InprocWorkSource, Pending, Shares
from redesignate.bus.port import Central
from redesignate.commands.pools import ApplyPool, ListPools
from redesignate.commands.tokens import ListTokens
from redesignate.commands.work import ReleaseWork
from redesignate.config.load import Configuration
from redesignate.config.settings import CentralAccess, Settings
from redesignate.config.urls import database_urls
from redesignate.mdns.service import DNSService
from redesignate.model.addresses import is_loopback
from redesignate.model.caller import operator
from redesignate.model.errors import Misconfigured
from redesignate.model.paging import ListQuery
from redesignate.model.pool import NSRecord, Pool, PoolSpec, TargetSpec
from redesignate.run.heartbeat import Heart
from redesignate.run.importing import start_importers
from redesignate.run.listening import check_free, explained, free_port
from redesignate.run.processes import until_stopped
from redesignate.run.producing import OneMember, start_producer
from redesignate.run.questions import fork_questions
from redesignate.run.state import CONFIG, make_state, write_config
from redesignate.run.stopping import FAREWELL_S, within
from redesignate.run.wiring import at_end, make_forwarder, make_service, make_store, report_database
from redesignate.store import migrate
from redesignate.store.serving import Serving
from redesignate.worker.service import Worker

LOOPBACK = "127.0.0.1"
_OTHER_PORT = "choose another port with --port (make serve PORT=…)"
SWITCH_S = 0.0005
"""How long Python lets a thread run while another waits. On the way of one change its own 5 ms would be waited for some
twenty times, at each step from one thread to the next and after each call of the database."""
CROWDED = 3
"""Requests at once that keep Python's one running thread busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `serve`. `state` holds the database and the key of its secrets.

    port dns_port   0: a free one is found
    listen          addresses besides loopback on which API and nameserver listen
    """

    port: int = 9001
    dns_port: int = 5354
    state: Path = Path("state")
    database: str | None = None
    listen: tuple[str, ...] = ()


def serve(configuration: Configuration, options: Options) -> int:
    """Start everything, print one line, run until Ctrl-C or SIGTERM. Raises Misconfigured."""
    sys.setswitchinterval(SWITCH_S)
    configuration = replace(configuration, settings=_settings(configuration, options))
    settings = configuration.settings
    check_listeners(settings.api)
    check_login(settings.api, configuration.conf)
    check_free("The API", settings.api.listen, _OTHER_PORT)
    make_state(options.state)
    assert settings.store.url is not None
    migrate.upgrade(settings.store.url)
    write_config(options.state, settings)
    with ExitStack() as end:
        central = _start(configuration, end)
        until_stopped(partial(print, _ready(settings, options.state, central), flush=True))
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        print("stopping; Ctrl-C again ends at once", flush=True)
    print("stopped", flush=True)
    return 0


def _settings(configuration: Configuration, options: Options) -> Settings:
    """The files' settings, for one process: its addresses, its folder, and the login that these addresses need."""
    settings, state = configuration.settings, options.state.resolve()
    hosts = _hosts(options.listen)
    port = options.port or free_port(hosts)
    dns_port = options.dns_port or free_port(hosts, udp=True)
    login = settings.api.auth_strategy
    if not configuration.sources.sets("service:api", "auth_strategy"):
        login = "noauth" if all(map(is_loopback, hosts)) else "token"
    worker = settings.worker
    if login == "noauth" and not configuration.sources.sets("service:worker", "denied_masters"):
        worker = replace(worker, denied_masters=_but_loopback(worker.denied_masters))
    return replace(
        settings,
        state_path=str(state),
        central_access=CentralAccess.DIRECT,
        store=replace(settings.store, url=_database(options) or settings.store.url or _sqlite(state)),
        api=replace(settings.api, listen=tuple((host, port) for host in hosts), auth_strategy=login),
        worker=worker,
        mdns=replace(settings.mdns, listen=tuple((host, dns_port) for host in hosts)),
    )


def _but_loopback(denied: tuple[str, ...]) -> tuple[str, ...]:
    """Allow masters on this host, for trials: whoever needs no login is on this host too."""
    return tuple(word for word in denied if word != "loopback")


def _database(options: Options) -> str | None:
    """The database that the command line names. Raises Misconfigured."""
    if options.database is None:
        return None
    try:
        return database_urls(options.database)[0]
    except ValueError as wrong:
        raise Misconfigured(f"--database: {wrong}.") from None


def _sqlite(state: Path) -> str:
    return f"sqlite:///{state / 'redesignate.db'}"


def _hosts(listen: tuple[str, ...]) -> tuple[str, ...]:
    """Where to listen: always on loopback, for the command line and the built-in nameserver's checks."""
    for text in listen:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise Misconfigured(f"--listen {text}: write an address of this machine, such as 192.168.1.10.") from None
    return listen if "0.0.0.0" in listen else tuple(dict.fromkeys((LOOPBACK, *listen)))


def _start(configuration: Configuration, end: ExitStack) -> Central:
    """Start the services, each after those that it calls; returns the central that they call."""
    from redesignate.run.threaded import THREADS, Threaded  # only here: no other process needs it

    settings, hints = configuration.settings, Pending()
    beside = fork_questions(settings, end)  # first: a fork takes no threads along
    store = make_store(settings, end)
    report_database(store)
    service = make_service(configuration, store, hints)
    central = InprocCentral(service.dispatch)
    forward = make_forwarder(central, end).add
    dns = DNSService(Serving(store), settings.mdns, shared=False, forward=forward, beside=beside)
    with explained(
        "The nameserver", settings.mdns.listen, "choose another port with --dns-port (make serve DNS_PORT=…)"
    ):
        dns.run_in_thread()
    at_end(end, dns.stop_thread)
    _default_pool(central, settings, settings.mdns.listen[0][1])
    login = authenticator(settings.api, configuration.conf, central)
    waits = Waits(central)
    at_end(end, waits.stop)
    api = build(Bulkheads(central, Shares.of_one_writer(THREADS)), settings.api, login, waits=waits)
    with explained("The API", settings.api.listen, _OTHER_PORT):
        http = Threaded(api, settings.api)
    central.call(ReleaseWork())  # a worker that held anything was ours, and is dead
    worker = Worker(
        central=central,
        source=InprocWorkSource(hints),
        settings=settings.worker,
        crowded=lambda: http.turns.in_hand > CROWDED,
    )
    worker.start()
    at_end(end, worker.stop)
    start_producer(central, OneMember(), settings.producer, end)
    start_importers(service, settings.host, end)
    http.start()
    at_end(end, http.stop)
    services = ("api", "central", "mdns", "worker", "producer")
    heart = Heart(central, settings.heartbeat, settings.host, services, stats={"worker": worker.stats})
    heart.start()
    at_end(end, within(FAREWELL_S, heart.stop))
    return central


def _default_pool(central: Central, settings: Settings, dns_port: int) -> None:
    """Create the default pool, or set the built-in one to this start's port."""
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


def _ready(settings: Settings, state: Path, central: Central) -> str:
    """The addresses and the first commands to try."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    (_, port), (_, dns_port) = settings.api.listen[0], settings.mdns.listen[0]
    hosts = [f"[{host}]" if ":" in host else host for host, _ in settings.api.listen]
    login = settings.api.auth_strategy
    inside = all(is_loopback(host) for host, _ in settings.api.listen)
    no_login = f" (no login, so {'loopback only' if inside else 'ANYBODY WHO REACHES IT MAY DO EVERYTHING'})"
    ready = (
        f"{bold}ready{plain}: API {' '.join(f'http://{host}:{port}' for host in hosts)}"
        f"{no_login if login == 'noauth' else f' (login: {login})'}, "
        f"DNS {' '.join(f'{host}:{dns_port}' for host in hosts)} udp and tcp; Ctrl-C stops."
    )
    if login == "token" and not central.call(ListTokens(caller=operator(f"req-{uuid.uuid4()}"))):
        program = "redesignate" if which("redesignate") else Path(sys.executable).with_name("redesignate")
        manage = f"{program} --config-file {state.resolve() / CONFIG} manage"
        return f"{ready} There is no token yet; create one:\n  {manage} token create --project home --role admin"
    token = "" if login == "noauth" else ' -H "X-Auth-Token: $OS_TOKEN"'
    return (
        f"{ready} Try:\n"
        f"  curl -s http://{LOOPBACK}:{port}/v2/zones{token} -H 'Content-Type: application/json' "
        '-d \'{"name": "example.org.", "email": "admin@example.org"}\'\n'
        f"  dig @{LOOPBACK} -p {dns_port} example.org SOA +short"
    )
