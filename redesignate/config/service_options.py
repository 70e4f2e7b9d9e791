# SPDX-License-Identifier: Apache-2.0
"""Options of the `[service:…]` sections, as operators write them. Defaults come from `config/settings.py`."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from redesignate.config.settings import (
    ApiSettings,
    CentralSettings,
    MdnsSettings,
    ProducerSettings,
    WorkerSettings,
)
from redesignate.model.limits import INT32_MAX

IGNORED = "Accepted, no effect: "
PORTS = 65535

_api, _central, _mdns, _worker, _producer = (
    ApiSettings(),
    CentralSettings(),
    MdnsSettings(),
    WorkerSettings(),
    ProducerSettings(),
)

_KINDS: dict[type, type[cfg.Opt]] = {
    bool: cfg.BoolOpt,
    int: cfg.IntOpt,
    float: cfg.FloatOpt,
    str: cfg.StrOpt,
    tuple: cfg.ListOpt,
}


def setting(room: object, name: str, text: str, **more: Any) -> cfg.Opt:
    """The option of the setting with this name: its default, and with it the option's kind, is the setting's.

    room   the room's settings; `text` is the help, `more` the option's bounds and other names
    """
    default = getattr(room, name)
    return _KINDS[type(default)](
        name, default=list(default) if isinstance(default, tuple) else default, help=text, **more
    )


def _pool(threads: int, unused: str = "") -> list[cfg.Opt]:
    """`workers` and `threads`, which every service section has."""
    return [
        cfg.IntOpt("workers", min=1, help="Processes of this service on this host. Unset: one."),
        cfg.IntOpt("threads", default=threads, min=1, help=unused or "Requests that each process handles at a time."),
    ]


API = [
    *_pool(_api.threads),
    cfg.ListOpt(
        "listen", default=[f"{h}:{p}" for h, p in _api.listen], help="Addresses to serve HTTP on, each host:port."
    ),
    setting(
        _api,
        "auth_strategy",
        "Login: keystone; token, by the API's own tokens (`redesignate manage token create`); or "
        "noauth, which trusts the headers and serves loopback only. If unset, `redesignate serve` uses noauth.",
        choices=["keystone", "token", "noauth"],
    ),
    setting(
        _api,
        "allow_noauth_beyond_loopback",
        "Allow auth_strategy = noauth to serve other machines too: anybody who can reach the API may do everything.",
    ),
    setting(_api, "enable_host_header", "Build links from the request's Host."),
    cfg.URIOpt("api_base_uri", default=_api.api_base_uri, help="Base URL of links if enable_host_header is off."),
    setting(_api, "enable_api_v2", "Serve /v2."),
    setting(_api, "default_limit_v2", "Items on a page if the request has no `limit`.", min=1),
    setting(_api, "max_limit_v2", "Maximum number of items on a page, and what limit=max means.", min=1),
    setting(_api, "max_import_size", "Longest zone file that is imported, in bytes, sent as text/dns.", min=1),
    setting(
        _api, "quotas_verify_project_id", "Ask the identity service whether a project exists before its quotas are set."
    ),
    setting(
        _api,
        "allow_empty_secrets_for_tsig",
        "Take an empty secret of a TSIG key, and generate one; if off, it is refused.",
    ),
    setting(_api, "enable_api_admin", "Serve /admin, for those parts that enabled_extensions_admin names."),
    setting(_api, "enabled_extensions_admin", "Parts of the admin API: reports, quotas, zones."),
    setting(_api, "max_limit_admin", "Maximum number of projects on a page of /admin/reports/tenants.", min=1),
    cfg.IntOpt("default_limit_admin", default=20, help=IGNORED + "without `limit`, `max_limit_admin` holds."),
    setting(_api, "maintenance_mode", "Answer 503 to everyone except one role."),
    setting(_api, "maintenance_mode_role", "The role that is served in maintenance mode."),
    cfg.StrOpt("api_paste_config", default="api-paste.ini", help=IGNORED + "the pipeline is fixed; see `[cors]`."),
    cfg.ListOpt("enabled_extensions_v2", default=[], help=IGNORED + "no extension was ever shipped."),
    cfg.BoolOpt("pecan_debug", default=False, help=IGNORED + "another web framework is used."),
]

CENTRAL = [
    *_pool(100, IGNORED + "see `[DEFAULT] executor_thread_pool_size`."),
    setting(_central, "max_zone_name_len", "Longest zone name, in characters with the final dot.", min=1, max=255),
    setting(
        _central,
        "max_recordset_name_len",
        "Longest record set name, in characters with the final dot.",
        min=1,
        max=255,
        deprecated_name="max_record_name_len",
    ),
    setting(
        _central,
        "managed_resource_email",
        "Mail address in the SOA of zones that the service creates, and of secondary zones created without one.",
    ),
    cfg.StrOpt(
        "managed_resource_tenant_id",
        default="00000000-0000-0000-0000-000000000000",
        help=IGNORED + "no reverse zones are created yet.",
    ),
    setting(
        _central,
        "min_ttl",
        "Lowest TTL, in seconds, that callers without the rule use_low_ttl may set.",
        min=0,
        max=INT32_MAX,
    ),
    setting(_central, "default_pool_id", "Pool of zones for which no scheduler filter chooses one."),
    setting(
        _central,
        "scheduler_filters",
        "Filters that choose the pool of a new zone, in order: default_pool, fallback, attribute, "
        "pool_id_attribute, random, in_doubt_default_pool.",
    ),
    setting(
        _central,
        "max_import_records",
        "Maximum number of records of a zone file that is imported; quotas may be lower.",
        min=1,
        max=INT32_MAX,
    ),
    cfg.IntOpt(
        "journal_keep",
        default=7 * 86400,
        min=0,
        help="Seconds for which the journal keeps a change (for IXFR and history). 0: for ever.",
    ),
    setting(_central, "topic", "Topic on the broker where central receives requests."),
]

MDNS = [
    *_pool(
        _mdns.threads,
        "TCP connections that each process holds open on an address; one more replaces the connection that has been "
        "idle longest, else the slowest, of the peer that holds most of them.",
    ),
    cfg.ListOpt(
        "listen",
        default=[f"{h}:{p}" for h, p in _mdns.listen],
        help="Addresses to answer DNS on, each host:port, UDP and TCP.",
    ),
    setting(_mdns, "tcp_backlog", "TCP connections that may wait to be accepted.", min=1),
    cfg.IntOpt("tcp_keepidle", min=1, help="Seconds of silence before TCP keepalive probes. Unset: the system's."),
    setting(_mdns, "tcp_recv_timeout", "Seconds of silence after which a TCP connection is closed. 0: never.", min=0),
    setting(_mdns, "query_enforce_tsig", "Refuse queries without TSIG."),
    setting(
        _mdns,
        "allow_transfer",
        "Clients that may transfer zones (AXFR, IXFR): addresses, networks, `pool` (the nameservers, targets and "
        "also_notifies of the zone's pool), `loopback`, `keys` (any TSIG key for the zone), `key:NAME`, `any`. "
        "A catalog zone with a TSIG key is sent to that key alone.",
    ),
    setting(_mdns, "max_message_size", "Longest DNS message that is sent over TCP, in bytes.", min=512, max=65535),
    setting(
        _mdns,
        "tcp_per_address",
        "TCP connections that one address, or one IPv6 /56 network, may hold; loopback, the pools' servers and "
        "the addresses of allow_transfer may hold as many as there are.",
        min=1,
    ),
    setting(
        _mdns,
        "tcp_min_rate",
        "Bytes a second that a TCP peer must read, over any ten seconds; slower ones are disconnected.",
        min=0,
    ),
    setting(
        _mdns,
        "responses_per_second",
        "UDP answers of one kind (to one query, NXDOMAIN, no data, an error) to one network (IPv4 /24, IPv6 "
        "/56) in a second. Loopback, the pools' servers and the addresses of allow_transfer are not limited. "
        "0: no limit.",
        min=0,
    ),
    setting(
        _mdns,
        "response_slip",
        "Which limited answers are sent truncated, so that a real peer retries over TCP: 1 every one, 2 every "
        "second. 0: none.",
        min=0,
    ),
    setting(
        _mdns,
        "questions_per_second",
        "UDP queries from one such network that are handled in a second; more are dropped. 0: no limit.",
        min=0,
    ),
    setting(_mdns, "cache_bytes", "Maximum memory for rendered zones, in bytes, in each process.", min=0),
    setting(
        _mdns,
        "answer_cache_bytes",
        "Maximum memory for UDP answers, in bytes, in each process. An answer is used only while the database shows "
        "that nothing has changed. 0: none is kept.",
        min=0,
    ),
]

WORKER = [
    *_pool(200, IGNORED + "one event loop per process handles all zones."),
    setting(
        _central,
        "threshold_percentage",
        "Share of a pool's nameservers, rounded up and one at least, that must serve a change before the zone is "
        "ACTIVE. Read by central.",
        min=0,
        max=100,
    ),
    setting(
        _worker,
        "poll_timeout",
        "Seconds that one query to a server may take; never longer than an attempt, which is 0.6 of `lease`.",
        min=1,
    ),
    setting(
        _central,
        "poll_retry_interval",
        "Longest pause, in seconds, before a server that failed is tried again: half a second after the first failure, "
        "twice as long after each further one. Read by central.",
        min=1,
    ),
    setting(
        _central,
        "poll_max_retries",
        "Failures in a row after which a server counts as failed; a zone is in ERROR if too few are left "
        "for the threshold. Retries continue. Read by central.",
        min=1,
    ),
    cfg.IntOpt(
        "poll_delay",
        default=5,
        min=0,
        help=IGNORED + "polling starts after 10 milliseconds, with growing pauses.",
    ),
    setting(_worker, "all_tcp", "Send NOTIFY and SOA queries over TCP."),
    setting(
        _worker,
        "find_interval",
        "Seconds between searches of the outbox for work that no hint announced; four times as many after half a "
        "minute without work.",
        min=0.05,
    ),
    setting(_worker, "lease", "Seconds that a zone stays with a worker that has stopped responding.", min=1),
    setting(
        _worker,
        "audit_interval",
        "Seconds in which every zone at rest is compared with what each nameserver serves. 0: never.",
        min=0,
    ),
    setting(
        _worker,
        "audit_rate",
        "Maximum number of queries a second that one worker sends for the audit; each takes about 0.1 ms of CPU. "
        "If zones times nameservers exceed workers times audit_rate times audit_interval, the interval becomes "
        "longer, and a warning in the log says so.",
        min=1,
    ),
    setting(
        _worker,
        "xfr_timeout",
        "Seconds that a primary may take for a connection, and for each message of an incoming zone.",
        min=1,
    ),
    setting(_worker, "xfr_max_time", "Seconds that the transfer of a whole incoming zone may take.", min=1),
    setting(_worker, "xfr_max_records", "Maximum number of records of an incoming zone.", min=1),
    setting(
        _worker,
        "xfr_max_bytes",
        "Maximum size of the records of an incoming zone, in bytes, without name compression. Read by central too.",
        min=1024,
    ),
    setting(
        _worker,
        "xfr_max_compressed",
        "Maximum size of an incoming zone when packed for central, in bytes: it is one message on the broker, which "
        "has a limit of its own.",
        min=1024,
    ),
    setting(_worker, "xfr_slots", "Zones that each worker transfers in at once; at most two from one host.", min=1),
    setting(
        _worker,
        "allowed_masters",
        "What may be a master of a SECONDARY zone: addresses, networks, `any`, `private`, "
        "`loopback`, `link-local`, `multicast`, `unspecified`. Host names are judged by the addresses they resolve to.",
    ),
    setting(
        _worker,
        "denied_masters",
        "Addresses that may never be masters, written the same way; empty: none. `redesignate serve` without "
        "a login leaves `loopback` out of the default.",
    ),
    setting(_worker, "serial_max_retries", "Retries when a primary does not answer the query for its serial.", min=0),
    setting(_worker, "serial_retry_delay", "Seconds between these retries.", min=0),
    setting(_worker, "serial_timeout", "Seconds to wait for a primary's serial.", min=1),
    cfg.BoolOpt("export_synchronous", default=True, help=IGNORED + "exports are always rendered on request."),
    setting(_worker, "topic", "Topic on the broker for hints. Read by central."),
]

PRODUCER = [
    *_pool(20, IGNORED + "every task has a thread of its own."),
    cfg.ListOpt("enabled_tasks", help="Periodic tasks to run, by name. Unset: all."),
    cfg.BoolOpt("export_synchronous", default=True, help=IGNORED + "the producer exports nothing."),
    cfg.StrOpt("topic", default="producer", help=IGNORED + "the producer receives no requests."),
]

SINK = [
    *_pool(1000, IGNORED + "there is no sink yet."),
    cfg.ListOpt("enabled_notification_handlers", default=[], help=IGNORED + "there is no sink yet."),
    cfg.StrOpt("listener_pool_name", help=IGNORED + "there is no sink yet."),
]

SERVICES: dict[str, list[cfg.Opt]] = {
    "service:api": API,
    "service:central": CENTRAL,
    "service:mdns": MDNS,
    "service:worker": WORKER,
    "service:producer": PRODUCER,
    "service:sink": SINK,
}


def task_options() -> dict[str, list[cfg.Opt]]:
    """One `[producer_task:NAME]` section a periodic task."""
    return {f"producer_task:{name}": _task(name) for name in _producer.tasks}


def _task(name: str) -> list[cfg.Opt]:
    ours, idle = _producer.tasks[name], _IDLE.get(name)
    unused = f"{IGNORED}{idle}" if idle else None
    options = [
        cfg.FloatOpt("interval", default=ours.interval, min=0.05, help=unused or "Seconds between runs."),
        cfg.IntOpt("per_page", default=100, min=1, help=unused or IGNORED + "see batch_size."),
        setting(ours, "batch_size", unused or "Maximum number of rows in one step.", min=1),
    ]
    if name in _AGES:
        options.append(setting(ours, "time_threshold", _AGES[name], min=0))
    return options


_IDLE = {
    "increment_serial": "serials rise with each change; see overdue_work.",
    "delayed_notify": "servers are notified at once; see overdue_work.",
    "worker_periodic_recovery": "overdue_work does it.",
    "periodic_exists": "no such notifications are sent yet.",
}
_AGES = {
    "zone_purge": "Seconds since its deletion after which a zone's rows are removed.",
    "periodic_check_service_status": "Seconds without a heartbeat after which a service that is UP becomes DOWN.",
    "periodic_cleanup_stopped_service_status": "Seconds after which a service that is DOWN is forgotten. 0: never.",
    "tasks_trim": "Seconds for which the rows of exports, and of imports that failed, are kept; 0: no limit. At most "
    "the newest 1000 of a zone's exports, and of a project's failed imports, are kept.",
    "questions_trim": "Seconds for which a change requested over the broker is remembered by its id, so that it is "
    "not made twice; must exceed rpc_response_timeout.",
}
