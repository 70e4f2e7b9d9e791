# SPDX-License-Identifier: Apache-2.0
"""Reads pools.yaml: each pool as a `PoolSpec`, or one line that names file, pool, key and fix."""

from __future__ import annotations

import base64
import binascii
import difflib
import ipaddress
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from redesignate.model.errors import Misconfigured
from redesignate.model.limits import INT32_MAX
from redesignate.model.names import InvalidName, check_host, check_zone_name
from redesignate.model.pool import CatalogSpec, NSRecord, PoolSpec, TargetSpec
from redesignate.model.tsigkey import ALGORITHMS

POOL_KEYS = (
    "id",
    "name",
    "description",
    "attributes",
    "ns_records",
    "nameservers",
    "targets",
    "also_notifies",
    "catalog_zone",
)
NS_KEYS = ("hostname", "priority")
NAMESERVER_KEYS = ("host", "port", "tsigkey_id")
TARGET_KEYS = ("type", "description", "tsigkey_id", "masters", "options")
ADDRESS_KEYS = ("host", "port")
CATALOG_KEYS = ("catalog_zone_fqdn", "catalog_zone_refresh", "catalog_zone_tsig_key", "catalog_zone_tsig_algorithm")
LONGEST_VALUE = 255

T = TypeVar("T")


class _Wrong(Exception):
    """The place in the pool, and how to fix it."""

    def __init__(self, where: str, fix: str) -> None:
        super().__init__(f"{where}: {fix}" if where else fix)


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]  # either
    """YAML without tags, which refuses a repeated key in a map (the second would silently win)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(key.value)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def read(file: Path) -> tuple[PoolSpec, ...]:
    """The pools of a file, in its order.

    Raises Misconfigured.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as gone:
        raise Misconfigured(f"{file}: there is no such file; write one or name it with --file") from gone
    except (OSError, UnicodeDecodeError) as broken:
        raise Misconfigured(f"{file}: {' '.join(str(broken).split())}; make it readable UTF-8 text") from broken
    return parse(text, str(file))


def parse(text: str, file: str) -> tuple[PoolSpec, ...]:
    """The pools of a file's text; `file` is named in errors.

    Raises Misconfigured.
    """
    try:
        document = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as broken:
        raise Misconfigured(f"{file}: {_place(broken)}; correct the YAML") from broken
    if not isinstance(document, list) or not document:
        raise Misconfigured(f"{file}: expected a list of pools, each beginning with `- name: …`")
    specs = []
    for number, entry in enumerate(document, 1):
        name = entry.get("name") if isinstance(entry, dict) else None
        try:
            specs.append(_pool(entry))
        except _Wrong as wrong:
            raise Misconfigured(
                f"{file}: pool {name if isinstance(name, str) else f'no. {number}'}: {wrong}"
            ) from wrong
    _no_twins(file, "name", [spec.name for spec in specs])
    _no_twins(file, "id", [spec.id for spec in specs if spec.id])
    return tuple(specs)


def _place(broken: Exception) -> str:
    problem, mark = getattr(broken, "problem", None), getattr(broken, "problem_mark", None)
    if mark is None:
        return " ".join(str(broken).split())
    return f"line {mark.line + 1}: {problem}"


def _no_twins(file: str, key: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise Misconfigured(f"{file}: pool {value}: {key}: two pools have it; give each its own")


def _pool(entry: object) -> PoolSpec:
    pool = _map(entry, "", POOL_KEYS)
    return PoolSpec(
        id=_uuid(pool.get("id"), "id"),
        name=_text(pool.get("name"), "name", 50, need=True) or "",
        description=_text(pool.get("description"), "description", 160),
        attributes=_optional(pool, "attributes", _attributes),
        ns_records=_each(pool, "ns_records", _ns_record, lambda one: one.hostname),
        nameservers=_each(pool, "nameservers", _nameserver, lambda one: (one["host"], one["port"])),
        targets=_each(pool, "targets", _target, None),
        also_notifies=_each(pool, "also_notifies", lambda item, at: _address(item, at, 53), lambda one: one),
        catalog=_optional(pool, "catalog_zone", _catalog),
    )


def _optional(pool: Mapping[str, Any], key: str, make: Callable[[Any, str], T]) -> T | None:
    return None if pool.get(key) is None else make(pool[key], key)


def _each(
    pool: Mapping[str, Any], key: str, make: Callable[[Any, str], T], same: Callable[[T], object] | None
) -> tuple[T, ...] | None:
    """The list under a key, each item made; None where the key is absent or empty, which keeps what is stored."""
    given = pool.get(key)
    if given is None:
        return None
    if not isinstance(given, list):
        raise _Wrong(key, "expected a list, each item beginning with a dash")
    made = [make(item, f"{key}[{number}]") for number, item in enumerate(given)]
    if same is not None:
        first: dict[object, int] = {}
        for number, item in enumerate(made):
            if (twin := first.setdefault(same(item), number)) != number:
                raise _Wrong(f"{key}[{number}]", f"is the same as {key}[{twin}]; remove one")
    return tuple(made)


def _map(given: object, where: str, known: Iterable[str], *, need: Iterable[str] = ()) -> dict[str, Any]:
    known = tuple(known)
    if not isinstance(given, dict):
        raise _Wrong(where, f"expected keys and values ({', '.join(known)})")
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1)
            fix = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise _Wrong(_at(where, str(key)), f"there is no such key; {fix}")
    for key in need:
        if given.get(key) is None:
            raise _Wrong(_at(where, key), "is missing; add it")
    return given


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _text(given: object, where: str, longest: int, *, need: bool = False) -> str | None:
    if given is None and not need:
        return None
    if not isinstance(given, str) or (need and not given):
        raise _Wrong(where, "expected text; put it in quotes" if given is not None else "is missing; add it")
    if len(given) > longest:
        raise _Wrong(where, f"has {len(given)} characters; at most {longest} are allowed")
    return given


def _scalar(given: object, where: str, longest: int) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    if not isinstance(given, str | int | float):
        raise _Wrong(where, "expected text, a number, true or false")
    text = str(given)
    if len(text) > longest:
        raise _Wrong(where, f"has {len(text)} characters; at most {longest} are allowed")
    return text


def _number(given: object, where: str, low: int, high: int) -> int:
    if isinstance(given, str) and given.isascii() and given.isdecimal():
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise _Wrong(where, f"expected a whole number from {low} to {high}")
    return given


def _uuid(given: object, where: str) -> str | None:
    if given is None:
        return None
    try:
        return str(uuid.UUID(str(given)))
    except ValueError as wrong:
        raise _Wrong(where, "expected a UUID, such as 794ccc2c-d751-44fe-b57f-8894c9f5c842") from wrong


def _attributes(given: object, where: str) -> dict[str, str]:
    if not isinstance(given, dict):
        raise _Wrong(where, "expected keys and values")
    return {_scalar(key, f"{where} {key}", 50): _scalar(value, f"{where}.{key}", 50) for key, value in given.items()}


def _ns_record(given: object, where: str) -> NSRecord:
    record = _map(given, where, NS_KEYS, need=NS_KEYS)
    return NSRecord(
        _name(record["hostname"], f"{where}.hostname", check_host),
        _number(record["priority"], f"{where}.priority", 1, 10000),
    )


def _name(given: object, where: str, check: Callable[[str], str]) -> str:
    if not isinstance(given, str):
        raise _Wrong(where, "expected a name with a final dot, such as ns1.example.org.")
    try:
        return check(given)
    except InvalidName as wrong:
        raise _Wrong(where, f"{wrong}; write it as ns1.example.org. with the final dot") from wrong


def _host(given: object, where: str) -> str:
    """An address in its canonical form, or a host name."""
    if not isinstance(given, str) or not given:
        raise _Wrong(where, "expected an address or a host name, in quotes")
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        pass
    try:
        check_host(given if given.endswith(".") else given + ".")
    except InvalidName as wrong:
        raise _Wrong(where, f"{given} is not an address or a host name; correct it") from wrong
    if given.rstrip(".").rpartition(".")[2].isdecimal():
        raise _Wrong(where, f"{given} looks like an address but is not valid; correct it")
    return given


def _address(given: object, where: str, default_port: int) -> tuple[str, int]:
    address = _map(given, where, ADDRESS_KEYS, need=("host",))
    port = default_port if address.get("port") is None else address["port"]
    return _host(address["host"], f"{where}.host"), _number(port, f"{where}.port", 1, 65535)


def _nameserver(given: object, where: str) -> dict[str, str | int | None]:
    server = _map(given, where, NAMESERVER_KEYS, need=("host",))
    host, port = _address({key: server.get(key) for key in ADDRESS_KEYS}, where, 53)
    return {"host": host, "port": port, "tsigkey_id": _uuid(server.get("tsigkey_id"), f"{where}.tsigkey_id")}


def _target(given: object, where: str) -> TargetSpec:
    target = _map(given, where, TARGET_KEYS, need=("type",))
    options = target.get("options") or {}
    if not isinstance(options, dict):
        raise _Wrong(f"{where}.options", "expected keys and values")
    masters = _each(
        {f"{where}.masters": target.get("masters")},
        f"{where}.masters",
        lambda i, at: _address(i, at, 5354),
        lambda m: m,
    )
    return TargetSpec(
        type=_text(target["type"], f"{where}.type", 50, need=True) or "",
        description=_text(target.get("description"), f"{where}.description", 160),
        tsigkey_id=_uuid(target.get("tsigkey_id"), f"{where}.tsigkey_id"),
        primaries=masters or (),
        options={
            _scalar(key, f"{where}.options {key}", LONGEST_VALUE): _scalar(v, f"{where}.options.{key}", LONGEST_VALUE)
            for key, v in options.items()
            if v is not None
        },
    )


def _catalog(given: object, where: str) -> CatalogSpec:
    """The catalog zone; an empty map removes it, while a missing key keeps the stored one."""
    if given == {}:
        return CatalogSpec(name="")
    catalog = _map(given, where, CATALOG_KEYS, need=("catalog_zone_fqdn",))
    refresh = catalog.get("catalog_zone_refresh")
    secret = _text(catalog.get("catalog_zone_tsig_key"), f"{where}.catalog_zone_tsig_key", 160)
    algorithm = catalog.get("catalog_zone_tsig_algorithm")
    if secret is not None:
        try:
            base64.b64decode(secret, validate=True)
        except binascii.Error as wrong:
            raise _Wrong(f"{where}.catalog_zone_tsig_key", "expected base64, as tsig-keygen prints it") from wrong
        algorithm = algorithm or "hmac-sha256"
    elif algorithm is not None:
        raise _Wrong(f"{where}.catalog_zone_tsig_key", "is missing; add it, or remove the algorithm")
    if algorithm is not None and algorithm not in ALGORITHMS:
        raise _Wrong(f"{where}.catalog_zone_tsig_algorithm", f"expected one of {', '.join(ALGORITHMS)}")
    return CatalogSpec(
        name=_name(catalog["catalog_zone_fqdn"], f"{where}.catalog_zone_fqdn", check_zone_name),
        refresh=60 if refresh is None else _number(refresh, f"{where}.catalog_zone_refresh", 0, INT32_MAX),
        algorithm=algorithm,
        secret=secret,
    )
