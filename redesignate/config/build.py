# SPDX-License-Identifier: Apache-2.0
"""Builds the rooms' settings from the options, and checks the rules that hold between options."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

from redesignate.config.reader import Reader
from redesignate.config.settings import (
    QUOTAS,
    ApiSettings,
    BusSettings,
    CentralAccess,
    CentralSettings,
    CoordinationSettings,
    CorsSettings,
    HeartbeatSettings,
    MdnsSettings,
    ProducerSettings,
    RabbitSettings,
    Settings,
    StoreSettings,
    TaskSettings,
    WorkerSettings,
    transfer_list,
)
from redesignate.config.shared_options import hostname
from redesignate.config.urls import database_urls
from redesignate.model.addresses import AddressList, address_list
from redesignate.model.limits import INT32_MAX

S = TypeVar("S")


def settings(read: Reader) -> Settings:
    """Return the settings of every room, after checking the rules between options.

    Raises Misconfigured.
    """
    store = _store(read)
    bus = read.fill(
        BusSettings,
        "DEFAULT",
        transport_url=read.value("DEFAULT", "transport_url") or None,
        rabbit=read.fill(RabbitSettings, "oslo_messaging_rabbit"),
    )
    central = _central(read)
    return read.fill(
        Settings,
        "DEFAULT",
        host=read.value("DEFAULT", "host") or hostname(),
        central_access=_access(read, store, bus),
        central=central,
        api=_api(read),
        mdns=_mdns(read, central.default_pool_id),
        worker=_worker(read),
        producer=_producer(read),
        store=store,
        bus=bus,
        coordination=read.fill(
            CoordinationSettings, "coordination", backend_url=read.value("coordination", "backend_url") or None
        ),
        heartbeat=read.fill(HeartbeatSettings, "heartbeat_emitter"),
    )


def _with_workers(read: Reader, kind: type[S], section: str, **known: Any) -> S:
    return read.fill(kind, section, workers=read.value(section, "workers") or 1, **known)


def _central(read: Reader) -> CentralSettings:
    part = "service:central"
    if read.value("DEFAULT", "default_soa_refresh_min") > read.value("DEFAULT", "default_soa_refresh_max"):
        raise read.wrong("DEFAULT", "default_soa_refresh_min", "must not be above default_soa_refresh_max")
    try:
        pool = str(uuid.UUID(read.value(part, "default_pool_id")))
    except ValueError as wrong:
        raise read.wrong(part, "default_pool_id", "expected the id (a UUID) of a pool") from wrong
    local, at, domain = read.value(part, "managed_resource_email").rpartition("@")
    if not (local and at and domain):
        raise read.wrong(part, "managed_resource_email", "expected a mail address, such as hostmaster@example.com")
    types = read.value("DEFAULT", "supported_record_type") or None
    common = read.fill(CentralSettings, "DEFAULT", supported_record_type=types and tuple(t.upper() for t in types))
    worker = "service:worker"
    shared = ("threshold_percentage", "poll_retry_interval", "poll_max_retries", "xfr_max_bytes")
    names = {field.name for field in fields(CentralSettings) if read.has(part, field.name)} - {"workers"}
    return replace(
        common,
        **{name: read.value(part, name) for name in names} | {"default_pool_id": pool},
        **{name: read.value(worker, name) for name in shared},
        workers=read.value(part, "workers") or 1,
        quotas={name: read.value("DEFAULT", f"quota_{name}") for name in QUOTAS},
    )


def _api(read: Reader) -> ApiSettings:
    part = "service:api"
    if read.value(part, "default_limit_v2") > read.value(part, "max_limit_v2"):
        raise read.wrong(part, "default_limit_v2", "must not be above max_limit_v2")
    return _with_workers(
        read,
        ApiSettings,
        part,
        listen=read.endpoints(part, 9001),
        backlog=read.value("DEFAULT", "backlog"),
        max_request_body_size=read.value("oslo_middleware", "max_request_body_size"),
        enable_proxy_headers_parsing=read.value("oslo_middleware", "enable_proxy_headers_parsing"),
        healthcheck_disable_file=read.value("healthcheck", "disable_by_file_path"),
        cors=read.fill(CorsSettings, "cors"),
    )


def _check_list(read: Reader, part: str, key: str, understood: Callable[[tuple[str, ...]], AddressList]) -> None:
    """Raise Misconfigured where a list of addresses cannot be read."""
    try:
        understood(read.value(part, key))
    except ValueError as wrong:
        raise read.wrong(part, key, str(wrong)) from wrong


def _mdns(read: Reader, default_pool_id: str) -> MdnsSettings:
    part = "service:mdns"
    _check_list(read, part, "allow_transfer", transfer_list)
    return _with_workers(read, MdnsSettings, part, listen=read.endpoints(part, 5354), default_pool_id=default_pool_id)


def _worker(read: Reader) -> WorkerSettings:
    part = "service:worker"
    for key in ("allowed_masters", "denied_masters"):
        _check_list(read, part, key, address_list)
    return _with_workers(read, WorkerSettings, part)


def _producer(read: Reader) -> ProducerSettings:
    part = "service:producer"
    tasks = {name: read.fill(TaskSettings, f"producer_task:{name}") for name in ProducerSettings().tasks}
    keep = read.value("service:central", "journal_keep") or INT32_MAX
    tasks["journal_trim"] = replace(tasks["journal_trim"], time_threshold=keep)
    enabled = read.value(part, "enabled_tasks") or None
    for name in enabled or ():
        if name not in tasks:
            raise read.wrong(part, "enabled_tasks", f"there is no task {name}: {', '.join(sorted(tasks))}")
    return _with_workers(read, ProducerSettings, part, tasks=tasks, enabled_tasks=enabled)


def _store(read: Reader) -> StoreSettings:
    part = "storage:sqlalchemy"
    extra = read.value(part, "connection_parameters")

    def urls(key: str, text: str) -> tuple[str, ...]:
        try:
            return database_urls(text, extra)
        except ValueError as wrong:
            raise read.wrong(part, key, str(wrong)) from wrong

    main = urls("connection", text) if (text := read.value(part, "connection")) else ()
    replica = urls("slave_connection", text) if (text := read.value(part, "slave_connection")) else ()
    further = [url for text in read.value(part, "read_connection") for url in urls("read_connection", text)]
    return read.fill(
        StoreSettings,
        part,
        url=main[0] if main else None,
        read_urls=(*main[1:], *replica, *further),
        sqlite_full=read.value(part, "sqlite_synchronous"),
        conflict_retries=read.value(part, "db_max_retries"),
    )


def _access(read: Reader, store: StoreSettings, bus: BusSettings) -> CentralAccess:
    asked = read.value("DEFAULT", "central_access")
    if asked == "bus" and bus.transport_url is None:
        raise read.wrong("DEFAULT", "central_access", "bus needs transport_url; set it, or choose direct")
    if asked == "auto":
        over = bus.transport_url is not None and store.url is None
        return CentralAccess.BUS if over else CentralAccess.DIRECT
    return CentralAccess(asked)
