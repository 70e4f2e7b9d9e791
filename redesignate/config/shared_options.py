# SPDX-License-Identifier: Apache-2.0
"""Options outside the service sections: `[DEFAULT]`, the database, coordination, and what HTTP middleware reads."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from redesignate.config.service_options import IGNORED, setting
from redesignate.config.settings import (
    QUOTAS,
    ApiSettings,
    BusSettings,
    CentralSettings,
    CorsSettings,
    HeartbeatSettings,
    RabbitSettings,
    Settings,
    StoreSettings,
)
from redesignate.model.limits import INT32_MAX

_all, _central, _store, _bus = Settings(), CentralSettings(), StoreSettings(), BusSettings()
_heart, _cors, _api, _rabbit = HeartbeatSettings(), CorsSettings(), ApiSettings(), RabbitSettings()

_REPLIES = "queues for replies belong to their connection, and are gone with it."
_CONNECTIONS = "each part of a process has one connection."
_PAUSES = "the first attempt is made at once, the pauses after it grow up to rabbit_interval_max."
_UNUSED = {
    "ssl_version": "TLS 1.2 or newer is used.",
    "ssl_enforce_fips_mode": "OpenSSL's own configuration says so.",
    "rabbit_ha_queues": "queues are mirrored by a policy of the broker.",
    "rabbit_transient_quorum_queue": _REPLIES,
    "rabbit_transient_queues_ttl": _REPLIES,
    "rabbit_stream_fanout": "nothing is sent to all.",
    "use_queue_manager": _REPLIES,
    "hostname": _REPLIES,
    "processname": _REPLIES,
    "heartbeat_in_pthread": "heartbeats are always sent by a thread.",
    "kombu_compression": "messages are not compressed.",
    "kombu_failover_strategy": "the hosts of transport_url are tried in random order.",
    "kombu_missing_consumer_retry_timeout": "a reply that nobody waits for is dropped at once.",
    "kombu_reconnect_delay": _PAUSES,
    "kombu_reconnect_splay": "pauses are random by a half.",
    "rabbit_retry_interval": _PAUSES,
    "rabbit_retry_backoff": _PAUSES,
    "rpc_conn_pool_size": _CONNECTIONS,
    "conn_pool_min_size": _CONNECTIONS,
    "conn_pool_ttl": _CONNECTIONS,
    "direct_mandatory_flag": "a reply that nobody waits for is dropped at once.",
}
"""What oslo.messaging does and our own client has no use for, and why."""


def _seconds(name: str, text: str, *, old: str | None = None) -> cfg.Opt:
    return setting(_central, name, text, min=0, max=INT32_MAX, deprecated_name=old)


DEFAULT = [
    cfg.StrOpt("host", sample_default="<this host's name>", help="This node's name on the broker and in statuses."),
    setting(
        _all,
        "state_path",
        "Folder for files that outlive the process; secret.key among them, which every host with a database "
        "connection must share.",
    ),
    cfg.StrOpt(
        "central_access",
        default="auto",
        choices=["auto", "direct", "bus"],
        help="How this process reaches central: in its own memory (direct, needs the database) or over the broker "
        "(bus). auto: bus where transport_url is set and no database connection is, else direct.",
    ),
    _seconds("default_ttl", "TTL of zones that are created without one, in seconds."),
    _seconds(
        "default_soa_refresh_min",
        "Lowest SOA refresh of a new zone, in seconds; a random value between this and the max spreads the load.",
        old="default_soa_refresh",
    ),
    _seconds("default_soa_refresh_max", "Highest SOA refresh of a new zone."),
    _seconds("default_soa_retry", "SOA retry of a new zone, in seconds."),
    _seconds("default_soa_expire", "SOA expire of a new zone, in seconds."),
    _seconds("default_soa_minimum", "SOA minimum (negative TTL) of a new zone."),
    cfg.ListOpt("supported_record_type", help="Record types that may be created. Unset: all that are supported."),
    cfg.ListOpt(
        "additional_alpn_ids",
        default=[],
        help="Protocol ids that the alpn of HTTPS and SVCB records may use in addition to registered ones; * for any.",
    ),
    setting(
        _central,
        "quota_driver",
        "storage: limits a project, kept in the database. noop: the defaults below, for everyone.",
        choices=["storage", "noop"],
    ),
    *(
        cfg.IntOpt(f"quota_{name}", default=limit, help=f"Default limit of {name}. Negative: none.")
        for name, limit in QUOTAS.items()
    ),
    cfg.StrOpt("transport_url", secret=True, help="The broker: rabbit://user:password@host1:5672,host2:5672/vhost."),
    setting(_bus, "rpc_response_timeout", "Seconds to wait for an answer from central.", min=1),
    setting(_bus, "executor_thread_pool_size", "Requests from the broker that central handles at a time.", min=1),
    cfg.IntOpt(
        "graceful_shutdown_timeout",
        default=int(_all.graceful_shutdown_timeout),
        min=0,
        help="Seconds that a stopping service waits for the work it has begun. 0: until it is done.",
    ),
    setting(_api, "backlog", "HTTP connections that may wait to be accepted.", min=1),
    cfg.StrOpt(
        "control_exchange", default="designate", help=IGNORED + "messages go to queues directly, through no exchange."
    ),
    cfg.StrOpt("pybasedir", help=IGNORED + "see the documentation for the folders that are searched."),
    cfg.ListOpt(
        "allowed_remote_exmods",
        default=[],
        deprecated_name="allowed_rpc_exception_modules",
        help=IGNORED + "errors are sent over the broker as published kinds.",
    ),
    cfg.StrOpt("root_helper", help=IGNORED + "BIND's control protocol is spoken directly, no rndc is started."),
    cfg.StrOpt("network_api", default="neutron", help=IGNORED + "there are no floating IPs yet."),
    cfg.BoolOpt("notify_api_faults", default=False, help=IGNORED + "no notifications are sent yet."),
    cfg.StrOpt("notification_plugin", default="default", help=IGNORED + "no notifications are sent yet."),
]


def _db(option: Callable[..., cfg.Opt], name: str, text: str, **more: Any) -> cfg.Opt:
    """A database option; other OpenStack services use `[database]`, which is read too."""
    return option(name, deprecated_group="database", help=text, **more)


def _db_setting(name: str, text: str, **more: Any) -> cfg.Opt:
    return setting(_store, name, text, deprecated_group="database", **more)


STORE = [
    _db(cfg.StrOpt, "connection", "SQLAlchemy URL of the database (SQLite, PostgreSQL, MySQL, MariaDB).", secret=True),
    _db(
        cfg.StrOpt,
        "slave_connection",
        "A replica that mdns may read from if `connection` does not answer.",
        secret=True,
    ),
    _db(cfg.MultiStrOpt, "read_connection", "Further replicas; may be given several times.", default=[], secret=True),
    _db(
        cfg.BoolOpt,
        "sqlite_synchronous",
        "SQLite waits for the disk at each commit. Off: a killed process loses nothing, a power cut the last commits.",
        default=_store.sqlite_full,
    ),
    _db_setting("mysql_sql_mode", "sql_mode of MySQL sessions."),
    _db(cfg.IntOpt, "mysql_wsrep_sync_wait", "wsrep_sync_wait of Galera sessions. Unset: the server's.", min=0, max=15),
    _db_setting("connection_recycle_time", "Seconds after which a pooled connection is replaced. -1: never.", min=-1),
    _db_setting(
        "max_pool_size",
        "Connections kept open; what is needed beyond these is opened for each request anew. 0: no limit.",
        min=0,
    ),
    _db_setting("max_overflow", "Connections beyond max_pool_size. -1: no limit.", min=-1),
    _db_setting("pool_timeout", "Seconds to wait for a free connection.", min=0),
    _db_setting("max_retries", "Attempts to connect at start. -1: until one succeeds.", min=-1),
    _db_setting("retry_interval", "Seconds between those attempts.", min=0),
    _db(
        cfg.IntOpt,
        "db_max_retries",
        "Runs of a change that met a deadlock or lost a race. -1: no limit.",
        default=_store.conflict_retries,
        min=-1,
    ),
    _db(cfg.StrOpt, "connection_parameters", "Appended to the URL: name=value&name=value.", default=""),
    _db(
        cfg.IntOpt,
        "connection_debug",
        IGNORED + "set default_log_levels = sqlalchemy.engine=INFO.",
        default=0,
        min=0,
        max=100,
    ),
    _db(cfg.BoolOpt, "connection_trace", IGNORED + "statements can be found without it.", default=False),
    _db(cfg.StrOpt, "backend", IGNORED + "there is one way to the database.", default="sqlalchemy"),
    _db(cfg.BoolOpt, "use_db_reconnect", IGNORED + "lost connections are always replaced.", default=False),
    _db(cfg.IntOpt, "db_retry_interval", IGNORED + "pauses grow from milliseconds.", default=1),
    _db(cfg.BoolOpt, "db_inc_retry_interval", IGNORED + "pauses always grow.", default=True),
    _db(cfg.IntOpt, "db_max_retry_interval", IGNORED + "pauses grow from milliseconds.", default=10),
    _db(cfg.BoolOpt, "synchronous_reader", IGNORED + "see mysql_wsrep_sync_wait.", default=True),
]

COORDINATION = [
    cfg.StrOpt(
        "backend_url", secret=True, help="tooz URL of the group store, such as kazoo://host:port. Unset: the database."
    ),
    *(
        cfg.FloatOpt(name, default=default, min=0.1, help=IGNORED + "the producer renews its membership itself.")
        for name, default in (("heartbeat_interval", 5.0), ("run_watchers_interval", 10.0))
    ),
]

HEARTBEAT = [
    setting(_heart, "heartbeat_interval", "Seconds between the heartbeats of a service.", min=0.1),
    setting(_heart, "emitter_type", "Destination of heartbeats. rpc: central; noop: the log.", choices=["rpc", "noop"]),
]

RABBIT = [
    setting(_rabbit, "ssl", "Encrypt connections to the broker (TLS 1.2 or newer)."),
    setting(_rabbit, "ssl_ca_file", "Authorities whose certificates a broker may show. Unset: the system's."),
    setting(_rabbit, "ssl_cert_file", "Certificate to show to the broker."),
    setting(_rabbit, "ssl_key_file", "Private key of ssl_cert_file."),
    setting(
        _rabbit,
        "ssl_enforce_hostname_verification",
        "Accept a broker only if its certificate is for the host that transport_url names.",
    ),
    setting(_rabbit, "rabbit_login_method", "How to log in.", choices=["PLAIN", "AMQPLAIN", "EXTERNAL"]),
    setting(
        _rabbit,
        "heartbeat_timeout_threshold",
        "Seconds within which a heartbeat is due; a connection ends after twice as long without one. 0: no heartbeats.",
        min=0,
        max=65535,
    ),
    setting(_rabbit, "heartbeat_rate", "Heartbeats that are sent in that time.", min=1),
    setting(_rabbit, "rabbit_interval_max", "Longest pause between attempts to connect, in seconds.", min=1),
    setting(
        _rabbit,
        "rabbit_qos_prefetch_count",
        "Messages that a worker, or central, holds and has not acknowledged. 0: 64 for a worker, 16 for central.",
        min=0,
        max=65535,
    ),
    setting(_rabbit, "amqp_durable_queues", "Queues outlive a restart of the broker; their messages do not."),
    setting(_rabbit, "amqp_auto_delete", "A queue is deleted when nobody reads it any more."),
    setting(_rabbit, "rabbit_quorum_queue", "Replicate queues over the nodes of a cluster; they are durable."),
    setting(_rabbit, "rabbit_quorum_delivery_limit", "x-delivery-limit of quorum queues. 0: the broker's.", min=0),
    setting(_rabbit, "rabbit_quorum_max_memory_length", "x-max-in-memory-length of them. 0: none.", min=0),
    setting(_rabbit, "rabbit_quorum_max_memory_bytes", "x-max-in-memory-bytes of them. 0: none.", min=0),
    setting(
        _rabbit,
        "enable_cancel_on_failover",
        "Read again after a failover of mirrored queues (x-cancel-on-ha-failover).",
    ),
    *(cfg.StrOpt(name, help=IGNORED + why) for name, why in _UNUSED.items()),
]

NOTIFICATIONS: list[cfg.Opt] = [
    cfg.StrOpt(name, help=IGNORED + "no notifications are sent yet.")
    for name in ("driver", "transport_url", "topics", "retry")
]

MIDDLEWARE = [
    setting(
        _api,
        "max_request_body_size",
        "Longest request body, in bytes.",
        min=1,
        deprecated_opts=[cfg.DeprecatedOpt("osapi_max_request_body_size", group="DEFAULT")],
    ),
    setting(
        _api,
        "enable_proxy_headers_parsing",
        "Trust X-Forwarded-* and Forwarded: set it only behind a proxy that writes them.",
    ),
]

CORS = [
    cfg.ListOpt("allowed_origin", default=[], help="Origins whose pages may call the API. Empty: no CORS headers."),
    setting(_cors, "allow_credentials", "Allow browsers to send credentials."),
    setting(_cors, "expose_headers", "Response headers that pages may read."),
    setting(_cors, "max_age", "Seconds for which browsers may keep a preflight answer.", min=0),
    setting(_cors, "allow_methods", "Methods that pages may use."),
    setting(_cors, "allow_headers", "Request headers that pages may send."),
]

HEALTH = [
    cfg.BoolOpt("detailed", default=False, help=IGNORED + "there is one check, and the answer states its result."),
    cfg.StrOpt(
        "disable_by_file_path",
        default=_api.healthcheck_disable_file,
        help="While this file exists, /healthcheck answers 503.",
    ),
]

SHARED: dict[str, list[cfg.Opt]] = {
    "DEFAULT": DEFAULT,
    "storage:sqlalchemy": STORE,
    "coordination": COORDINATION,
    "heartbeat_emitter": HEARTBEAT,
    "oslo_messaging_rabbit": RABBIT,
    "oslo_messaging_notifications": NOTIFICATIONS,
    "oslo_middleware": MIDDLEWARE,
    "cors": CORS,
    "healthcheck": HEALTH,
    "network_api:neutron": [
        cfg.ListOpt("endpoints", help=IGNORED + "there are no floating IPs yet."),
        cfg.StrOpt("endpoint_type", default="publicURL", help=IGNORED + "there are no floating IPs yet."),
        cfg.IntOpt("timeout", default=30, help=IGNORED + "there are no floating IPs yet."),
        cfg.BoolOpt("insecure", default=False, help=IGNORED + "there are no floating IPs yet."),
        cfg.StrOpt("ca_certificates_file", help=IGNORED + "there are no floating IPs yet."),
        cfg.StrOpt("client_certificate_file", help=IGNORED + "there are no floating IPs yet."),
    ],
    "proxy": [
        cfg.StrOpt("http_proxy", help=IGNORED + "no backend uses a proxy yet."),
        cfg.StrOpt("https_proxy", help=IGNORED + "no backend uses a proxy yet."),
        cfg.ListOpt("no_proxy", default=[], help=IGNORED + "no backend uses a proxy yet."),
    ],
    "pqc": [
        cfg.StrOpt("check_mode", default="permissive", help=IGNORED + "certificates are not checked yet."),
        cfg.StrOpt("tls_minimum_version", help=IGNORED + "backends with TLS choose for themselves."),
    ],
}


def hostname() -> str:
    """The value of `host` if the operator sets none."""
    return socket.gethostname()
