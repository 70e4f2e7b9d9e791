# SPDX-License-Identifier: Apache-2.0
"""The settings of each room, as frozen values with the contract's names and defaults.

`config/options.py` says how operators spell them, `config/load.py` makes the settings. A room takes its own
settings object as an argument; nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from redesignate.model.addresses import AddressList, address_list

DEFAULT_POOL_ID = "794ccc2c-d751-44fe-b57f-8894c9f5c842"
QUOTAS: Mapping[str, int] = MappingProxyType(
    {"zones": 10, "zone_recordsets": 500, "zone_records": 500, "recordset_records": 20, "api_export_size": 1000}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralSettings:
    """Rules and their numbers. Times in seconds unless the name ends in another unit.

    supported_record_type   None: every type that `redesignate.model.rdata` supports by default
    scheduler_filters       names of pool filters, in the order they are asked
    xfr_max_bytes           the worker section's: the largest size of an incoming zone when unpacked
    threshold_percentage, poll_retry_interval, poll_max_retries   the worker section's, for central judges by them
    """

    default_ttl: int = 3600
    default_soa_refresh_min: int = 3500
    default_soa_refresh_max: int = 3600
    default_soa_retry: int = 600
    default_soa_expire: int = 86400
    default_soa_minimum: int = 3600
    supported_record_type: tuple[str, ...] | None = None
    additional_alpn_ids: tuple[str, ...] = ()
    max_zone_name_len: int = 255
    max_recordset_name_len: int = 255
    managed_resource_email: str = "hostmaster@example.com"
    min_ttl: int = 0
    default_pool_id: str = DEFAULT_POOL_ID
    scheduler_filters: tuple[str, ...] = ("default_pool",)
    quota_driver: str = "storage"
    quotas: Mapping[str, int] = field(default_factory=lambda: QUOTAS)
    threshold_percentage: int = 100
    poll_retry_interval: int = 15
    poll_max_retries: int = 10
    xfr_max_bytes: int = 64 * 2**20
    max_import_records: int = 10_000_000
    workers: int = 1
    topic: str = "central"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsSettings:
    """Cross-origin requests (the `[cors]` section). No origin: the middleware is left out."""

    allowed_origin: tuple[str, ...] = ()
    allow_credentials: bool = True
    expose_headers: tuple[str, ...] = (
        "X-OpenStack-Request-ID",
        "Host",
        "ETag",
        "Location",
        "Retry-After",
        "X-Redesignate-Wait",
    )
    max_age: int = 3600
    allow_methods: tuple[str, ...] = ("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD")
    allow_headers: tuple[str, ...] = (
        "X-Auth-Token",
        "X-Auth-Sudo-Tenant-ID",
        "X-Auth-Sudo-Project-ID",
        "X-Auth-All-Projects",
        "X-Designate-Edit-Managed-Records",
        "X-Designate-Hard-Delete",
        "X-Designate-Delete-Shares",
        "OpenStack-DNS-Hide-Counts",
        "If-Match",
        "If-None-Match",
        "Idempotency-Key",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """The HTTP door. `listen` holds (host, port); `max_request_body_size` counts bytes.

    auth_strategy              keystone, token or noauth
    allow_noauth_beyond_loopback   noauth may serve other machines too: anybody who can reach it may do everything
    healthcheck_disable_file   while this file exists, /healthcheck answers 503; None: it never does
    """

    enable_host_header: bool = True
    api_base_uri: str = "http://127.0.0.1:9001/"
    listen: tuple[tuple[str, int], ...] = (("0.0.0.0", 9001),)
    backlog: int = 4096
    auth_strategy: str = "keystone"
    allow_noauth_beyond_loopback: bool = False
    enable_api_v2: bool = True
    default_limit_v2: int = 20
    max_limit_v2: int = 1000
    quotas_verify_project_id: bool = False
    enable_api_admin: bool = False
    enabled_extensions_admin: tuple[str, ...] = ()
    max_limit_admin: int = 1000
    allow_empty_secrets_for_tsig: bool = True
    maintenance_mode: bool = False
    maintenance_mode_role: str = "admin"
    max_request_body_size: int = 114688
    max_import_size: int = 32 * 2**20
    enable_proxy_headers_parsing: bool = False
    healthcheck_disable_file: str | None = "/etc/designate/healthcheck_disable"
    cors: CorsSettings = field(default_factory=CorsSettings)
    threads: int = 100
    workers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MdnsSettings:
    """The hidden primary.

    tcp_recv_timeout   seconds of silence after which a TCP connection is closed; 0: never
    max_message_size   bytes of a message that is sent; room for TSIG is subtracted
    allow_transfer     who may fetch zones, as `transfer_list` reads it
    cache_bytes        upper bound of memory for rendered zones; `answer_cache_bytes`: for answers
    tcp_per_address    TCP connections of one address (IPv6: /56 network), unless it may transfer zones
    tcp_min_rate       octets a second that a peer has to read
    responses_per_second   datagrams a second: answers of one kind to one network; `questions_per_second`: those
                       of one network that are handled; `response_slip`: which limited answers are truncated; 0: none
    """

    listen: tuple[tuple[str, int], ...] = (("0.0.0.0", 5354),)
    tcp_backlog: int = 100
    tcp_keepidle: int | None = None
    tcp_recv_timeout: float = 0.5
    query_enforce_tsig: bool = False
    allow_transfer: tuple[str, ...] = ("pool", "loopback", "keys")
    max_message_size: int = 65535
    default_pool_id: str = DEFAULT_POOL_ID
    cache_bytes: int = 64 * 2**20
    answer_cache_bytes: int = 32 * 2**20
    tcp_per_address: int = 50
    tcp_min_rate: int = 4096
    responses_per_second: int = 20
    questions_per_second: int = 500
    response_slip: int = 2
    threads: int = 1000
    workers: int = 1


def transfer_list(texts: tuple[str, ...]) -> AddressList:
    """`allow_transfer`, parsed. Raises ValueError with a text that says how to write it."""
    return address_list(texts, ("pool", "keys"), "key:")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """The worker. Times in seconds.

    poll_timeout   how long one DNS question or backend call may take
    find_interval  how often a worker looks for overdue work where hints may be lost
    lease          how long a worker holds a zone before another may take it
    audit_interval the time in which every zone is compared with what each nameserver serves; 0: never
    audit_rate     most questions a second that one worker sends for the audit
    xfr_timeout    from a primary: for the connection, and for each message; `xfr_max_time` for a whole zone
    xfr_max_…      what one zone may be: records, octets of them, and octets when packed for the way to central
    xfr_slots      zones that are transferred in at once
    allowed_masters, denied_masters   the addresses that tenants may name as primaries; denied wins
    serial_…       questions for a primary's serial: the retries if it does not answer, the pause between, the timeout
    topic          the topic of hints on the broker; central's too
    """

    poll_timeout: int = 30
    all_tcp: bool = False
    workers: int = 1
    find_interval: float = 1.0
    lease: float = 10.0
    audit_interval: float = 300.0
    audit_rate: int = 100
    xfr_timeout: int = 10
    xfr_max_time: int = 600
    xfr_max_records: int = 250_000
    xfr_max_bytes: int = 64 * 2**20
    xfr_max_compressed: int = 10 * 2**20
    xfr_slots: int = 10
    allowed_masters: tuple[str, ...] = ("any",)
    denied_masters: tuple[str, ...] = ("loopback", "link-local", "unspecified", "multicast")
    serial_max_retries: int = 3
    serial_retry_delay: int = 1
    serial_timeout: int = 1
    topic: str = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """One periodic task: every `interval` seconds, at most `batch_size` rows a step.

    time_threshold   seconds, where the task has an age to compare with
    """

    interval: float
    batch_size: int = 100
    time_threshold: int = 0


def _tasks() -> dict[str, TaskSettings]:
    return {
        "increment_serial": TaskSettings(interval=5),
        "delayed_notify": TaskSettings(interval=5),
        "periodic_exists": TaskSettings(interval=3600),
        "periodic_secondary_refresh": TaskSettings(interval=3600),
        "worker_periodic_recovery": TaskSettings(interval=120),
        "zone_purge": TaskSettings(interval=3600, time_threshold=604800),
        "periodic_check_service_status": TaskSettings(interval=3600, time_threshold=1800),
        "periodic_cleanup_stopped_service_status": TaskSettings(interval=172800, time_threshold=604800),
        "overdue_work": TaskSettings(interval=1, batch_size=500),
        "journal_trim": TaskSettings(interval=600, batch_size=1000, time_threshold=7 * 86400),
        "apex_refresh": TaskSettings(interval=5),
        "pool_queue": TaskSettings(interval=10, batch_size=1000),
        "zone_moves": TaskSettings(interval=2),
        "zone_handover": TaskSettings(interval=10, batch_size=500),
        "order_keys": TaskSettings(interval=600, batch_size=500),
        "tasks_trim": TaskSettings(interval=600, batch_size=500, time_threshold=30 * 86400),
        "questions_trim": TaskSettings(interval=60, batch_size=1000, time_threshold=900),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerSettings:
    """The periodic sweeps. `enabled_tasks` None: all; `tasks` has every task of the contract and ours by name."""

    enabled_tasks: tuple[str, ...] | None = None
    tasks: Mapping[str, TaskSettings] = field(default_factory=_tasks)
    workers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The database. `url` is a SQLAlchemy URL of a driver that we ship; None: this process holds no credentials.

    sqlite_full             wait for the disk at each commit (survives a power cut, not only a killed process)
    read_urls               further hosts that mdns may read from, tried in order after a failure of the first
    connection_recycle_time seconds after which a pooled connection is replaced
    pool_timeout            seconds to wait for a free connection
    max_retries             how often connecting at start is tried (-1: for ever), `retry_interval` seconds apart
    conflict_retries        how often a unit of work is retried after a deadlock or a serialisation failure
    """

    url: str | None = field(default=None, repr=False)
    read_urls: tuple[str, ...] = field(default=(), repr=False)
    sqlite_full: bool = False
    mysql_sql_mode: str | None = "TRADITIONAL"
    mysql_wsrep_sync_wait: int | None = None
    connection_recycle_time: int = 3600
    max_pool_size: int = 10
    max_overflow: int = 45
    pool_timeout: float = 30.0
    max_retries: int = 10
    retry_interval: float = 10.0
    conflict_retries: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitSettings:
    """How RabbitMQ is spoken to, by the names of oslo.messaging. Times in seconds."""

    ssl: bool = False
    ssl_ca_file: str = ""
    ssl_cert_file: str = ""
    ssl_key_file: str = ""
    ssl_enforce_hostname_verification: bool = True
    rabbit_login_method: str = "AMQPLAIN"
    heartbeat_timeout_threshold: int = 60
    heartbeat_rate: int = 3
    rabbit_interval_max: int = 2
    rabbit_qos_prefetch_count: int = 0
    amqp_durable_queues: bool = False
    amqp_auto_delete: bool = False
    rabbit_quorum_queue: bool = False
    rabbit_quorum_delivery_limit: int = 0
    rabbit_quorum_max_memory_length: int = 0
    rabbit_quorum_max_memory_bytes: int = 0
    enable_cancel_on_failover: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """The broker. `transport_url` None: there is none, and every service finds its work in the database."""

    transport_url: str | None = field(default=None, repr=False)
    rpc_response_timeout: int = 60
    executor_thread_pool_size: int = 64
    rabbit: RabbitSettings = field(default_factory=RabbitSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinationSettings:
    """Group membership by tooz. `backend_url` None: database leases."""

    backend_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatSettings:
    """How often a service sends its heartbeat (seconds), and whether to central ("rpc") or to its log ("noop")."""

    heartbeat_interval: float = 10.0
    emitter_type: str = "rpc"


class CentralAccess(Enum):
    """How a process reaches central: in its own memory, or over the broker."""

    DIRECT = "direct"
    BUS = "bus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All the settings of one process.

    host             this node's name: message server, service status, producer member
    state_path       folder for files that must outlive the process (SQLite file, keys of the sandbox)
    central_access   "auto" already resolved: BUS where there is a broker and no database connection, else DIRECT
    files            the configuration files read, in order
    graceful_shutdown_timeout   seconds that a stopping service waits for the work it has begun; 0: until it is done
    """

    host: str = "localhost"
    state_path: str = "/var/lib/designate"
    central_access: CentralAccess = CentralAccess.DIRECT
    files: tuple[str, ...] = ()
    graceful_shutdown_timeout: float = 60.0
    central: CentralSettings = field(default_factory=CentralSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    mdns: MdnsSettings = field(default_factory=MdnsSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    producer: ProducerSettings = field(default_factory=ProducerSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    bus: BusSettings = field(default_factory=BusSettings)
    coordination: CoordinationSettings = field(default_factory=CoordinationSettings)
    heartbeat: HeartbeatSettings = field(default_factory=HeartbeatSettings)
