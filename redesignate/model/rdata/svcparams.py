# SPDX-License-Identifier: Apache-2.0
"""The parameters of SVCB and HTTPS records (RFC 9460 §7 and §14.3.2, RFC 9461 §5, RFC 9540)."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection

from redesignate.model.rdata import ech
from redesignate.model.rdata.alpn import ALPN_IDS
from redesignate.model.rdata.base import Reader, base64, integer, octets, quote, quoted, to_base64

KEYS = {
    "mandatory": 0,
    "alpn": 1,
    "no-default-alpn": 2,
    "port": 3,
    "ipv4hint": 4,
    "ech": 5,
    "ipv6hint": 6,
    "dohpath": 7,
    "ohttp": 8,
}
_NAMES = {number: name for name, number in KEYS.items()}
_GENERIC = re.compile(r"key(0|[1-9][0-9]{0,4})")
_PATH = re.compile(r"/(?:[!#$&-;=?-\[\]_a-z~]|%[0-9A-Fa-f]{2}|\{[!-z|~]*\})*")
_CHAR, _LENGTH = r"(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})", r":[1-9][0-9]{0,3}"
_SPEC = rf"{_CHAR}++(?:\*|{_LENGTH}(?:,{_CHAR}*+{_LENGTH})*+(?:,{_CHAR}*+\*?)?+)?+"
_TEMPLATE = re.compile(rf"/(?:[^{{%]|%[0-9A-Fa-f]{{2}}|\{{[+#./;?&]?{_SPEC}(?:,{_SPEC})*\}})*")
_DNS = re.compile(r"\{[+#./;?&]?(?:(?:[^{}]*,)?[^{},:]*,)?dns[*:,}]")
"""A URI template as BIND reads it (RFC 6570 §2): any characters, no dot in a variable's name, which may be empty after
one with a length. It finds the variable dns where it is not the next after one with a length."""
_NO_VALUE = (KEYS["no-default-alpn"], KEYS["ohttp"])


def key_number(key: str) -> int:
    """The number of a key, by its name or as keyNNNNN. Raises ValueError."""
    if key in KEYS:
        return KEYS[key]
    found = _GENERIC.fullmatch(key)
    if found is None or int(found[1]) > 65534:
        raise ValueError(f"{quote(key)} is not a parameter; one without a name is key0 to key65534")
    return int(found[1])


def encode(number: int, key: str, value: str | None) -> bytes:
    """A parameter's value from its text, which may be quoted. Raises ValueError."""
    content = octets(value) if value else b""
    if key not in KEYS:
        wire = content
    elif number in _NO_VALUE:
        if value is not None:
            raise ValueError(f"{key} takes no value")
        return b""
    elif not content:
        raise ValueError(f"{key} needs a value")
    else:
        wire = _ENCODE[number](content)
    if len(wire) > 65535:
        raise ValueError(f"{key} is longer than 65535 octets")
    _text(number, wire)
    return wire


def decode(number: int, wire: bytes) -> str:
    """A parameter as text. Raises ValueError for a value that its key cannot have."""
    if number == 65535:
        raise ValueError("key65535 is reserved")
    text = _text(number, wire)
    key = _NAMES.get(number, f"key{number}")
    return f"{key}={text}" if text else key


def check_together(params: dict[int, bytes]) -> None:
    """What keys demand of each other. Raises ValueError. RFC 9460 §7.1, §8."""
    if KEYS["no-default-alpn"] in params and KEYS["alpn"] not in params:
        raise ValueError("no-default-alpn needs alpn beside it")
    for key in _numbers(params.get(0, b"")):
        if key not in params:
            raise ValueError(f"mandatory names {_NAMES.get(key, f'key{key}')}, which is not given")


def check_resolver(params: dict[int, bytes]) -> None:
    """What they must say of a DNS resolver. Raises ValueError. RFC 9461 §4, §5."""
    alpn = params.get(KEYS["alpn"])
    if alpn is None:
        raise ValueError("a record at _dns needs alpn")
    if {b"h2", b"h3"} & set(_ids(alpn)) and KEYS["dohpath"] not in params:
        raise ValueError("a record at _dns with alpn h2 or h3 needs dohpath")


def check_alpn(params: dict[int, bytes], more: Collection[str]) -> None:
    """Every id of alpn must be a registered one or among `more`. Raises ValueError."""
    for found in _ids(params.get(KEYS["alpn"], b"")):
        name = found.decode("latin-1")
        if name not in ALPN_IDS and name not in more:
            raise ValueError(f"alpn {quote(name)} is not a registered protocol id; write one such as h2 or h3")


# -- text → wire, one function a key; what comes out is then checked by the function that reads it


def _items(content: bytes) -> list[bytes]:
    r"""A comma-separated list, in which `\,` and `\\` are escapes of its own (RFC 9460 §A.1)."""
    items = [b""]
    at = 0
    while at < len(content):
        char = content[at : at + 1]
        if char == b"\\":
            at += 1
            char = content[at : at + 1]
            if char not in (b",", b"\\"):
                raise ValueError("in a list, a backslash may only precede a comma or another backslash")
            items[-1] += char
        elif char == b",":
            items.append(b"")
        else:
            items[-1] += char
        at += 1
    return items


def _texts(content: bytes) -> list[str]:
    return content.decode("latin-1").split(",")


def _encode_mandatory(content: bytes) -> bytes:
    numbers = sorted(key_number(key) for key in _texts(content))
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def _encode_alpn(content: bytes) -> bytes:
    items = _items(content)
    if max(map(len, items)) > 255:
        raise ValueError("an alpn id has at most 255 octets")
    return b"".join(bytes((len(item),)) + item for item in items)


def _encode_port(content: bytes) -> bytes:
    return integer(content.decode("latin-1"), 65535, "port").to_bytes(2, "big")


def _encode_hint(family: socket.AddressFamily) -> Callable[[bytes], bytes]:
    def encode_hint(content: bytes) -> bytes:
        try:
            return b"".join(socket.inet_pton(family, text) for text in _texts(content))
        except (OSError, ValueError):
            kind = "IPv4" if family == socket.AF_INET else "IPv6"
            raise ValueError(f"{quote(content.decode('latin-1'))} is not a list of {kind} addresses") from None

    return encode_hint


_ENCODE: dict[int, Callable[[bytes], bytes]] = {
    0: _encode_mandatory,
    1: _encode_alpn,
    3: _encode_port,
    4: _encode_hint(socket.AF_INET),
    5: lambda content: base64((content.decode("latin-1"),), "ech"),
    6: _encode_hint(socket.AF_INET6),
    7: bytes,
}


# -- wire → text


def _text(number: int, wire: bytes) -> str:
    """The value's text, "" where there is none. Raises ValueError."""
    if number in _NO_VALUE:
        if wire:
            raise ValueError(f"{_NAMES[number]} takes no value")
        return ""
    if number in _DECODE:
        if not wire:
            raise ValueError(f"{_NAMES[number]} needs a value")
        return _DECODE[number](wire)
    return quoted(wire) if wire else ""


def _numbers(wire: bytes) -> list[int]:
    reader = Reader(wire)
    found = []
    while reader.more():
        found.append(reader.number(2))
    return found


def _decode_mandatory(wire: bytes) -> str:
    numbers = _numbers(wire)
    if numbers != sorted(set(numbers)):
        raise ValueError("mandatory names a key twice or out of order")
    if numbers[0] == 0:
        raise ValueError("mandatory cannot name itself")
    return ",".join(_NAMES.get(number, f"key{number}") for number in numbers)


def _ids(wire: bytes) -> list[bytes]:
    reader = Reader(wire)
    found = []
    while reader.more():
        found.append(reader.string())
    return found


def _decode_alpn(wire: bytes) -> str:
    ids = _ids(wire)
    if b"" in ids:
        raise ValueError("an alpn id is empty")
    return quoted(b",".join(one.replace(b"\\", b"\\\\").replace(b",", b"\\,") for one in ids))


def _decode_port(wire: bytes) -> str:
    reader = Reader(wire)
    port = reader.number(2)
    reader.end()
    return str(port)


def _decode_hint(family: socket.AddressFamily, size: int) -> Callable[[bytes], str]:
    def decode_hint(wire: bytes) -> str:
        reader = Reader(wire)
        found = []
        while reader.more():
            found.append(socket.inet_ntop(family, reader.take(size)))
        return ",".join(found)

    return decode_hint


def check_template(path: bytes) -> None:
    """RFC 9461 §5: a path, as a URI template with a variable dns that nameservers (BIND) read. Raises ValueError."""
    text = path.decode("utf-8", "surrogatepass")
    if _TEMPLATE.fullmatch(text) is None or _DNS.search(text) is None:
        raise ValueError("dohpath is not a URI template with the variable dns; write one such as /dns-query{?dns}")


def _decode_dohpath(wire: bytes) -> str:
    text = wire.decode("latin-1")
    if _PATH.fullmatch(text) is None or "{?dns}" not in text:
        raise ValueError("dohpath is not a URI template with the variable dns; write one such as /dns-query{?dns}")
    check_template(wire)
    return quoted(wire)


def _decode_ech(wire: bytes) -> str:
    ech.check(wire)
    return to_base64(wire)


_DECODE: dict[int, Callable[[bytes], str]] = {
    0: _decode_mandatory,
    1: _decode_alpn,
    3: _decode_port,
    4: _decode_hint(socket.AF_INET, 4),
    5: _decode_ech,
    6: _decode_hint(socket.AF_INET6, 16),
    7: _decode_dohpath,
}
