# SPDX-License-Identifier: Apache-2.0
"""Encodes and decodes messages of rndc's control protocol, version 1. It uses no sockets and no clock.

A message is a four-byte length, a four-byte version, and a table. A table is entries one after another: a length byte
and the key, a type byte, a four-byte length and the value. `_auth` comes first and signs all that follows it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass, field

VERSION = 1
LARGEST = 32 * 1024 * 1024
DEEPEST = 8
BINARY, TABLE, LIST = 1, 2, 3
HEADER = struct.Struct("!II")

Value = bytes | dict[str, "Value"] | list["Value"]
Table = dict[str, Value]

ALGORITHMS = {
    "hmac-md5": (157, "md5"),
    "hmac-sha1": (161, "sha1"),
    "hmac-sha224": (162, "sha224"),
    "hmac-sha256": (163, "sha256"),
    "hmac-sha384": (164, "sha384"),
    "hmac-sha512": (165, "sha512"),
}
MD5_ROOM, SHA_ROOM = 22, 88


class RndcFormatError(ValueError):
    """Bytes that are not a message of this protocol, or a message that another key signed."""


@dataclass(frozen=True, slots=True)
class RndcKey:
    """A control key. `secret` is the decoded secret; `algorithm` one of ALGORITHMS."""

    name: str
    algorithm: str
    secret: bytes = field(repr=False)


def encode(key: RndcKey, body: Table) -> bytes:
    """A signed message, length included. `body` holds `_ctrl` and `_data`."""
    signed = _pack_table(body)
    auth = _pack_table({"_auth": _signature(key, signed)})
    return HEADER.pack(4 + len(auth) + len(signed), VERSION) + auth + signed


def decode(key: RndcKey, message: bytes) -> Table:
    """The table of a message (from the version on, without the length) that `key` signed. Raises RndcFormatError."""
    if len(message) < 4 or int.from_bytes(message[:4], "big") != VERSION:
        raise RndcFormatError("not version 1 of the control protocol")
    name, auth, at = _entry(message, 4, len(message), 0)
    if name != "_auth" or not isinstance(auth, dict):
        raise RndcFormatError("the message is not signed")
    if not _same(auth, _signature(key, message[at:])):
        raise RndcFormatError(f"the answer is not signed with key {key.name!r}")
    return _table(message, at, len(message), 0)


def text(table: Table, *path: str) -> str | None:
    """The text at a path of keys, None if there is none."""
    value: Value | None = table
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None


def _signature(key: RndcKey, signed: bytes) -> Table:
    number, digest = ALGORITHMS[key.algorithm]
    mac = base64.b64encode(hmac.digest(key.secret, signed, digest))
    if key.algorithm == "hmac-md5":
        return {"hmd5": mac[:MD5_ROOM]}
    return {"hsha": bytes([number]) + mac.ljust(SHA_ROOM, b"\0")}


def _same(given: Table, wanted: Table) -> bool:
    ((name, value),) = wanted.items()
    found = given.get(name)
    return isinstance(found, bytes) and isinstance(value, bytes) and hmac.compare_digest(found, value)


def _pack_table(table: Table) -> bytes:
    out = bytearray()
    for name, value in table.items():
        key = name.encode("ascii")
        out += bytes([len(key)]) + key + _pack_value(value)
    return bytes(out)


def _pack_value(value: Value) -> bytes:
    match value:
        case bytes():
            return struct.pack("!BI", BINARY, len(value)) + value
        case dict():
            packed = _pack_table(value)
            return struct.pack("!BI", TABLE, len(packed)) + packed
        case list():
            packed = b"".join(map(_pack_value, value))
            return struct.pack("!BI", LIST, len(packed)) + packed


def _table(data: bytes, at: int, end: int, depth: int) -> Table:
    table: Table = {}
    while at < end:
        name, value, at = _entry(data, at, end, depth)
        if name in table:
            raise RndcFormatError("a key is given twice")
        table[name] = value
    return table


def _entry(data: bytes, at: int, end: int, depth: int) -> tuple[str, Value, int]:
    if at >= end or at + 1 + data[at] > end:
        raise RndcFormatError("the message ends within a key")
    stop = at + 1 + data[at]
    try:
        name = data[at + 1 : stop].decode("ascii")
    except UnicodeDecodeError:
        raise RndcFormatError("a key is not ASCII") from None
    value, at = _value(data, stop, end, depth)
    return name, value, at


def _value(data: bytes, at: int, end: int, depth: int) -> tuple[Value, int]:
    if at + 5 > end:
        raise RndcFormatError("the message ends within a value's header")
    kind, size = struct.unpack_from("!BI", data, at)
    at += 5
    stop = at + size
    if stop > end or depth > DEEPEST:
        raise RndcFormatError("a value is longer than its message, or nested too deep")
    if kind == BINARY:
        return data[at:stop], stop
    if kind == TABLE:
        return _table(data, at, stop, depth + 1), stop
    if kind == LIST:
        items: list[Value] = []
        while at < stop:
            item, at = _value(data, at, stop, depth + 1)
            items.append(item)
        return items, stop
    raise RndcFormatError(f"a value is of unknown type {kind}")


def secret_bytes(secret: str) -> bytes:
    """A base64 secret, decoded. Raises ValueError."""
    try:
        return base64.b64decode(secret, validate=True)
    except binascii.Error:
        raise ValueError("the secret is not base64") from None
