# SPDX-License-Identifier: Apache-2.0
"""Writes pools in the format of pools.yaml, and lists the changes that a file would make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from redesignate.model.pool import Pool, PoolSpec

Document = dict[str, Any]
BLOT = "***"
_SECRET = re.compile(r"secret|passw|token|tsig_key$|private", re.IGNORECASE)


def document(pool: Pool) -> Document:
    """A stored pool, with the keys and the order of the file; empty values are left out."""
    said: Document = {"id": pool.id, "name": pool.name, "description": pool.description}
    said["attributes"] = dict(pool.attributes)
    said["ns_records"] = [{"hostname": r.hostname, "priority": r.priority} for r in pool.ns_records]
    said["nameservers"] = [
        _without_none({"host": s.host, "port": s.port, "tsigkey_id": s.tsigkey_id}) for s in pool.nameservers
    ]
    said["targets"] = [
        _target(t.type, t.description, t.tsigkey_id, [(p.host, p.port) for p in t.primaries], t.options)
        for t in pool.targets
    ]
    said["also_notifies"] = [{"host": one.host, "port": one.port} for one in pool.also_notifies]
    if pool.catalog is not None:
        one = pool.catalog
        said["catalog_zone"] = _catalog(one.name, one.refresh, one.secret, one.algorithm)
    return {key: value for key, value in said.items() if value}


def whole(pool: Pool) -> Document:
    """A stored pool with every key that a file may have but an absent catalog zone: empty ones too, as tools expect."""
    empty: Document = {"also_notifies": [], "attributes": {}, "description": None, "nameservers": [], "ns_records": []}
    return {**empty, "targets": [], **document(pool)}


def wanted(spec: PoolSpec) -> Document:
    """A pool of a file in the same form; keys that the file leaves out are left out."""
    said: Document = {"id": spec.id, "name": spec.name, "description": spec.description, "attributes": spec.attributes}
    if spec.ns_records is not None:
        said["ns_records"] = [{"hostname": r.hostname, "priority": r.priority} for r in spec.ns_records]
    if spec.nameservers is not None:
        said["nameservers"] = [_without_none(dict(one)) for one in spec.nameservers]
    if spec.targets is not None:
        said["targets"] = [_target(t.type, t.description, t.tsigkey_id, t.primaries, t.options) for t in spec.targets]
    if spec.also_notifies is not None:
        said["also_notifies"] = [{"host": host, "port": port} for host, port in spec.also_notifies]
    if spec.catalog is not None:
        one = spec.catalog
        said["catalog_zone"] = _catalog(one.name, one.refresh, one.secret, one.algorithm) if one.name else {}
    return _without_none(said)


def _target(
    kind: str,
    description: str | None,
    tsigkey_id: str | None,
    primaries: Iterable[tuple[str, int]],
    options: Mapping[str, str],
) -> Document:
    masters = [{"host": host, "port": port} for host, port in primaries]
    said = {"type": kind, "description": description, "tsigkey_id": tsigkey_id}
    return _without_none({**said, "masters": masters or None, "options": dict(options) or None})


def _catalog(name: str, refresh: int, secret: str | None, algorithm: str | None) -> Document:
    said = {"catalog_zone_fqdn": name, "catalog_zone_refresh": refresh}
    return _without_none({**said, "catalog_zone_tsig_key": secret, "catalog_zone_tsig_algorithm": algorithm})


def _without_none(said: Mapping[str, Any]) -> Document:
    return {key: value for key, value in said.items() if value is not None}


class _Dumper(yaml.SafeDumper):
    """Quotes and escapes characters that a reader would take for the end of a line."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = None if text.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def dump(documents: Iterable[Document], *, sort_keys: bool = False) -> str:
    """The documents as a file that `manage/poolfile.py` reads back to the same pools."""
    text: str = yaml.dump(list(documents), Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, width=100)
    return text


def changes(stored: Pool | None, spec: PoolSpec) -> list[str]:
    """The changes that the file would make, a line each: `+` added, `-` removed, `~` changed. Secrets are masked.

    A key that the file leaves out keeps the stored value and is not a change.
    """
    before, after = document(stored) if stored else {}, wanted(spec)
    lines = []
    for key, value in after.items():
        if key == "id" and stored is not None:
            continue
        old = before.get(key)
        if isinstance(value, list):
            lines += _list_changes(key, old or [], value)
        elif isinstance(value, dict):
            lines += _map_changes(key, old or {}, value)
        elif value != old:
            lines.append(f"+ {key}: {value}" if old is None else f"~ {key}: {old} → {value}")
    return lines


def _map_changes(key: str, old: Document, new: Document) -> list[str]:
    gone = [f"- {key}.{name}: {_shown(name, old[name])}" for name in old if name not in new]
    came = [f"+ {key}.{name}: {_shown(name, value)}" for name, value in new.items() if name not in old]
    other = [
        f"~ {key}.{name}: {_shown(name, old[name])} → {_shown(name, value)}"
        for name, value in new.items()
        if name in old and old[name] != value
    ]
    return gone + came + other


def _list_changes(key: str, old: list[Document], new: list[Document]) -> list[str]:
    gone = [f"- {key}: {_entry(one)}" for one in old if one not in new]
    came = [f"+ {key}: {_entry(one)}" for one in new if one not in old]
    if not gone and not came and old != new:
        return [f"~ {key}: in another order"]
    return gone + came


def _entry(one: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(name, value)}" for name, value in one.items())


def _shown(name: str, value: object) -> str:
    if _SECRET.search(name):
        return BLOT
    if isinstance(value, dict):
        return "{" + _entry(value) + "}"
    if isinstance(value, list):
        return "[" + "; ".join(_entry(one) for one in value) + "]"
    return str(value)
