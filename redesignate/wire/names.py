# SPDX-License-Identifier: Apache-2.0
"""Domain names between text and wire (RFC 1035 §3.1, §4.1.4, §5.1). Which names are allowed is model's to say."""

from __future__ import annotations

from collections.abc import Iterator

MAX_NAME = 255
MAX_LABEL = 63
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*/+:=~!#%&'<>?[]^`{|},")
_LOWER = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz")


class Malformed(ValueError):
    """Octets that are not a DNS message, name or record."""


def labels(name: str) -> list[bytes]:
    """A text name's labels without the root, escapes resolved: "a\\.b.example." is [b"a.b", b"example"].

    Raises ValueError for an empty or overlong label or name.
    """
    if name in {".", ""}:
        return []
    found = _escaped_labels(name) if "\\" in name else name.removesuffix(".").encode("utf-8").split(b".")
    for label in found:
        if not 0 < len(label) <= MAX_LABEL:
            raise ValueError(f"a label of {name!r} has {len(label)} octets; 1 to {MAX_LABEL} are allowed")
    if sum(map(len, found)) + len(found) + 1 > MAX_NAME:
        raise ValueError(f"the name {name!r} is longer than {MAX_NAME} octets")
    return found


def _escaped_labels(name: str) -> list[bytes]:
    found, label, rest = [], bytearray(), iter(name.encode("utf-8"))
    for octet in rest:
        if octet == 0x2E:
            found.append(bytes(label))
            label.clear()
        elif octet == 0x5C:
            label.append(_escape(rest, name))
        else:
            label.append(octet)
    if label:
        found.append(bytes(label))
    return found


def _escape(rest: Iterator[int], name: str) -> int:
    following = next(rest, None)
    if following is None:
        raise ValueError(f"{name!r} ends in a backslash")
    if not 0x30 <= following <= 0x39:
        return following
    digits = bytes((following, next(rest, 0), next(rest, 0)))
    if not digits.isdigit() or int(digits) > 255:
        raise ValueError(f"{name!r} holds a malformed escape")
    return int(digits)


def join(found: list[bytes]) -> bytes:
    """Labels as they stand on the wire, without a terminator."""
    return b"".join([bytes((len(label),)) + label for label in found])


def to_wire(name: str) -> bytes:
    """A text name's uncompressed wire form. Raises ValueError."""
    return join(labels(name)) + b"\0"


def read(packet: bytes, at: int) -> tuple[bytes, int]:
    """The name at `at`, decompressed to plain wire form, and the offset after it. Case is kept.

    Pointers may only lead backwards, so that a loop cannot be written (RFC 1035 §4.1.4). Raises Malformed.
    """
    found: list[bytes] = []
    length, end, floor = 1, -1, at
    while True:
        if at >= len(packet):
            raise Malformed("a name runs past the message")
        size = packet[at]
        if size == 0:
            found.append(b"\0")
            return b"".join(found), (at + 1 if end < 0 else end)
        if size < 0x40:
            length += size + 1
            if length > MAX_NAME or at + 1 + size > len(packet):
                raise Malformed("a name is too long")
            found.append(packet[at : at + 1 + size])
            at += 1 + size
        elif size >= 0xC0:
            if at + 2 > len(packet):
                raise Malformed("a name runs past the message")
            target = (size & 0x3F) << 8 | packet[at + 1]
            if target >= floor:
                raise Malformed("a compression pointer does not lead backwards")
            end = at + 2 if end < 0 else end
            at = floor = target
        else:
            raise Malformed("a label of unknown kind")


def lower(wire: bytes) -> bytes:
    """A wire name in lower case (ASCII alone: RFC 4343). Length octets are below "A" and stay."""
    return wire.translate(_LOWER)


def split(wire: bytes) -> list[bytes]:
    """The labels of an uncompressed wire name, without the root."""
    found, at = [], 0
    while wire[at]:
        found.append(wire[at + 1 : at + 1 + wire[at]])
        at += 1 + wire[at]
    return found


def text(found: list[bytes]) -> str:
    """Labels as an absolute text name, escaped where needed (RFC 4343 §2.1)."""
    return ".".join(map(_label_text, found)) + "."


def to_text(wire: bytes) -> str:
    """An uncompressed wire name as absolute text."""
    return text(split(wire))


def _label_text(label: bytes) -> str:
    if _PLAIN.issuperset(label):
        return label.decode("ascii")
    return "".join(_octet_text(octet) for octet in label)


def _octet_text(octet: int) -> str:
    if octet in _PLAIN:
        return chr(octet)
    if 0x21 <= octet <= 0x7E:
        return "\\" + chr(octet)
    return f"\\{octet:03d}"
