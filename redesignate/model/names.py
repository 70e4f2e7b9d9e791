# SPDX-License-Identifier: Apache-2.0
"""Domain names: text, order, wire form, and which names are allowed for a zone, an RRset or a target.

Text is absolute (ends with a dot). `canonical` gives the one form in which names are compared everywhere: lower case
(RFC 4343), A-labels (RFC 5890), escapes only where needed (RFC 1035 §5.1). Nothing here depends on zones or other
names; central checks placement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import idna

MAX_NAME = 255
MAX_LABEL = 63

_PLAIN = re.compile(r"[A-Za-z0-9_*/-]{1,63}(?:\.[A-Za-z0-9_*/-]{1,63})*\.")
_PLAIN_OCTETS = re.compile(rb"[A-Za-z0-9_*/-]+(?:\.[A-Za-z0-9_*/-]+)*\.")
_ZONE = re.compile(r"(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)+")
_REVERSE = re.compile(r"(?:(?![-/])[a-z0-9_/-]{1,63}(?<![-/])\.)+")
_SRV = re.compile(r"_[a-z0-9_-]{1,62}(?<!-)\._[a-z0-9_-]{1,62}(?<!-)\.[^.*]")
_TLSA = re.compile(r"_([0-9]{1,5})\._[a-z]+\.[^.*]")
_UNTYPED = re.compile(r"[^!-~]|[\"();]")
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # the separators of labels in UTS #46 §4
_SPECIAL = frozenset(b'".;\\()@$')
_OCTET = [bytes((n,)) for n in range(256)]
_TEXT = [
    "\\" + chr(n) if n in _SPECIAL else chr(n) if 0x20 < n < 0x7F else f"\\{n:03d}"  # RFC 1035 §5.1, RFC 4343 §2.1
    for n in range(256)
]


class InvalidName(ValueError):
    """A text that is not a domain name, or not one that is allowed in this use; the message is for a person."""


def canonical(text: str) -> str:
    """The absolute, lower-case, A-label form: "Bücher.Example." → "xn--bcher-kva.example.".

    Raises InvalidName. RFC 1035 §2.3.4 and §3.1 (limits), RFC 4343, RFC 5891 after the mapping of UTS #46.
    """
    if len(text) < MAX_NAME and _PLAIN.fullmatch(text):  # nearly always
        return text.lower()
    return absolute(text).lower()


def absolute(text: str) -> str:
    """As `canonical`, with the case of ASCII letters as typed: for names inside rdata. Raises InvalidName."""
    if len(text) < MAX_NAME and _PLAIN.fullmatch(text):
        return text
    if not text:
        raise InvalidName("A domain name is empty; write an absolute name such as www.example.org.")
    if text == ".":
        return text
    if len(text) > 4 * MAX_NAME:
        raise InvalidName(f"A domain name of {len(text)} characters is too long; at most 255 octets are allowed")
    if not text.isascii():
        text = _to_ascii(text)
    _check_dot(text)
    return _join(_split(text))


def typed(text: str, name: str) -> str | None:
    """Return the name as typed, in its original case and in A-labels; None where that equals the canonical `name`.

    The result is used to show names, never to compare them.
    """
    return None if text == name or (given := absolute(text)) == name else given


def _check_dot(text: str) -> None:
    """Refuse relative names: it is unknown what they are relative to."""
    stripped = text.rstrip("\\") if text.endswith("\\") else text[:-1].rstrip("\\")
    escaped = (len(text) - 1 - len(stripped)) % 2
    if not text.endswith(".") or escaped:
        raise InvalidName(f"Domain {_shown(text)} does not end with a dot")


def _shown(text: str) -> str:
    """The text, made safe for a one-line message."""
    return "".join(c if c.isprintable() else f"\\{ord(c):03d}" for c in text[:MAX_NAME])


def _to_ascii(text: str) -> str:
    """Turn U-labels into A-labels; ASCII labels such as `_dmarc` or `*` stay as they are."""
    if "\\" in text:
        raise InvalidName(f"Domain {_shown(text)} mixes escapes and non-ASCII letters; write its labels as A-labels")
    try:
        mapped = (
            label if label.isascii() else idna.uts46_remap(label, std3_rules=False, transitional=False)
            for label in _DOTS.split(text)
        )  # the case of ASCII labels stays as typed beside others too
        return ".".join(
            label if label.isascii() else idna.alabel(label).decode("ascii") for label in ".".join(mapped).split(".")
        ).replace("\\", "\\\\")  # a full-width backslash is mapped to one: never let it begin an escape
    except (idna.IDNAError, UnicodeError, IndexError) as error:
        raise InvalidName(f"Domain {_shown(text)} is not a name of IDNA 2008: {_shown(str(error))}") from error


def _split(text: str) -> list[bytes]:
    """The labels of an absolute ASCII text, escapes resolved, the root left out. Raises InvalidName."""
    if "\\" in text:
        found = list(_unescaped(text))
    else:
        if _UNTYPED.search(text):
            raise InvalidName(f"Domain {_shown(text)} holds a character that must be written as \\DDD")
        found = [label.encode("ascii") for label in text[:-1].split(".")]
    for label in found:
        if not label:
            raise InvalidName(f"Domain {_shown(text)} has an empty label; remove the extra dot")
        if len(label) > MAX_LABEL:
            raise InvalidName(f"Domain {_shown(text)} has a label of {len(label)} octets; at most 63 are allowed")
    if sum(map(len, found)) + len(found) + 1 > MAX_NAME:
        raise InvalidName(f"Domain {_shown(text)} is too long; at most 255 octets are allowed")
    return found


def _unescaped(text: str) -> Iterator[bytes]:
    r"""Labels of a text with `\X` and `\DDD` in it (RFC 1035 §5.1)."""
    label = bytearray()
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == ".":
            yield bytes(label)
            label.clear()
            continue
        if char == "\\":
            octet, at = unescape(text, at)
            label.append(octet)
            continue
        if _UNTYPED.match(char):
            raise InvalidName(f"Domain {_shown(text)} holds a character that must be written as \\DDD")
        label.append(ord(char))


def unescape(text: str, at: int) -> tuple[int, int]:
    r"""The octet that the escape after a backslash stands for, and where it ends. Raises InvalidName."""
    digits = text[at : at + 3]
    if digits[:1].isdigit():
        if len(digits) == 3 and digits.isascii() and digits.isdigit() and int(digits) < 256:
            return int(digits), at + 3
        raise InvalidName(f"\\{_shown(digits)} is not an escape; after a backslash write three digits, 000 to 255")
    if not digits or not " " <= digits[0] <= "~":
        raise InvalidName("A backslash must be followed by a printable ASCII character or by three digits (\\DDD)")
    return ord(digits[0]), at + 1


def _join(found: list[bytes]) -> str:
    """Text of labels, with no more escapes than needed."""
    return "".join(["".join([_TEXT[octet] for octet in label]) + "." for label in found]) or "."


# -- which names are allowed where


def check_zone_name(text: str) -> str:
    """The canonical form of a name that a zone may have. Raises InvalidName.

    Letters, digits, `_` and inner `-`; no wildcard, not the root. Under in-addr.arpa. also `/` (RFC 2317 §4).
    """
    return _checked(canonical(text))


def check_host(text: str) -> str:
    """The canonical form of a name that a record may point to; the rule is that of zones. Raises InvalidName."""
    return _checked(canonical(text))


def host(text: str) -> str:
    """As `check_host`, with the case as typed: for names inside rdata. Raises InvalidName."""
    name = absolute(text)
    _checked(name.lower())
    return name


def _checked(name: str) -> str:
    if _ZONE.fullmatch(name) or (name.endswith(".in-addr.arpa.") and _REVERSE.fullmatch(name)):
        return name
    if name == ".":
        raise InvalidName("The root . is not allowed here; write an absolute name such as www.example.org.")
    raise InvalidName(
        f"Domain {name} has a label that is not made of letters, digits, _ and inner hyphens"
        + ("; * may only be the first label of a record set" if "*" in name else "")
    )


def check_rrset_name(text: str, rrtype: str) -> str:
    """The canonical form of a name that an RRset of this type may have. Raises InvalidName.

    The zones' rule and a first label `*`; NS without it (RFC 4592 §4.2), SRV at _service._proto (RFC 2782), TLSA at
    _port._proto (RFC 6698 §3).
    """
    name = canonical(text)
    wildcard = name.startswith("*.") and name != "*."
    if wildcard or not _ZONE.fullmatch(name):
        _checked(name[2:] if wildcard else name)
    match rrtype:
        case "NS" if wildcard:
            raise InvalidName(f"Domain {name} is a wildcard; an NS record set is not allowed there")
        case "SRV" if not _SRV.match(name):
            raise InvalidName(f"Domain {name} is not a name for an SRV record set; write _service._proto.name.")
        case "TLSA":
            found = _TLSA.match(name)
            if found is None or int(found[1]) > 65535:
                raise InvalidName(f"Domain {name} is not a name for a TLSA record set; write _port._proto.name.")
    return name


# -- parts and order


def labels(name: str) -> list[str]:
    """The labels of an absolute name as written, without the root: ["www", "example", "org"]."""
    if "\\" not in name:
        return name[:-1].split(".") if name != "." else []
    return re.findall(r"((?:[^.\\]|\\[0-9]{3}|\\.)+)\.", name, re.DOTALL)


def parent(name: str) -> str:
    """The name without its first label; the root is its own parent."""
    if "\\" not in name:
        return name.partition(".")[2] or "."
    return "".join(label + "." for label in labels(name)[1:]) or "."


def ancestors(name: str) -> list[str]:
    """The name itself and all above it, nearest first, without the root."""
    if "\\" not in name:
        parts = name[:-1].split(".") if name != "." else []
        return [".".join(parts[at:]) + "." for at in range(len(parts))]
    found = []
    while name != ".":
        found.append(name)
        name = parent(name)
    return found


def is_below(name: str, zone: str) -> bool:
    """Whether a canonical name is the zone's name or below it; every name is below the root."""
    if zone in (name, "."):
        return True
    if not name.endswith("." + zone):
        return False
    return "\\" not in name or labels(name)[-len(labels(zone)) :] == labels(zone)


def reverse_key(name: str) -> str:
    """The labels from the top down, "www.example.org." → "org.example.www."; names below a zone share its prefix."""
    if "\\" not in name:
        return ".".join(name[:-1].split(".")[::-1]) + "."
    return ".".join(labels(name)[::-1]) + "."


def order_key(name: str, zone: str) -> bytes:
    """A key that sorts a zone's names in canonical order (RFC 4034 §6.1), octet by octet; empty for the apex.

    The labels below the apex from the top down, each ended by a zero octet; octets 0 and 1 inside a label are written
    01 01 and 01 02, so that they sort after that end and before the rest. Hence all names below a name share its key
    as a prefix. `name` is canonical and at or below `zone`. At most 512 octets.
    """
    below = name[: -len(zone)] if zone != "." else name.removesuffix(".") and name
    if not below:
        return b""
    if "\\" not in below:
        return "\0".join(below[:-1].split(".")[::-1]).encode("ascii") + b"\0"
    return b"".join([_sortable(label) + b"\0" for label in reversed(_split(below))])


def from_order_key(key: bytes, zone: str) -> str:
    """The name that has this key in a zone: the inverse of `order_key`."""
    found = [label.replace(b"\1\1", b"\0").replace(b"\1\2", b"\1") for label in key.split(b"\0")[:-1]]
    return (_join(found[::-1]) if found else "") + zone


def _sortable(label: bytes) -> bytes:
    return label.replace(b"\1", b"\1\2").replace(b"\0", b"\1\1")


# -- wire form


def to_wire(name: str) -> bytes:
    """The uncompressed wire form of an absolute name, case kept (RFC 1035 §3.1). Raises InvalidName.

    Cost  about 1 µs for a name without escapes.
    """
    if name == ".":
        return b"\0"
    if "\\" in name or name[-1:] != "." or _UNTYPED.search(name):
        return to_wire_of(_split(absolute(name)))
    wire = to_wire_of(name[:-1].encode("ascii").split(b"."))
    if len(wire) > MAX_NAME or b"\0" in wire[:-1]:
        _split(name)
    return wire


def to_wire_of(found: list[bytes]) -> bytes:
    """The wire form of labels. Raises InvalidName for one longer than 63 octets."""
    try:
        return b"".join([_LENGTH[len(label)] + label for label in found]) + b"\0"
    except IndexError:
        raise InvalidName(f"A label of {max(map(len, found))} octets is too long; at most 63 are allowed") from None


_LENGTH = _OCTET[: MAX_LABEL + 1]


def from_wire(wire: bytes, offset: int = 0) -> tuple[str, int]:
    """Read the uncompressed absolute name at an offset, case kept; return it and the offset after it.

    Raises InvalidName for a compression pointer, a name that is cut short, and one longer than 255 octets.
    """
    found: list[bytes] = []
    at = offset
    while True:
        if at >= len(wire):
            raise InvalidName("A domain name is cut short")
        size = wire[at]
        at += 1
        if size == 0:
            break
        if size > MAX_LABEL:
            raise InvalidName("A domain name is compressed where that is not allowed")
        if at + size > len(wire):
            raise InvalidName("A domain name is cut short")
        found.append(wire[at : at + size])
        at += size
    if at - offset > MAX_NAME:
        raise InvalidName("A domain name is longer than 255 octets")
    text = b".".join(found) + b"."
    plain = _PLAIN_OCTETS.fullmatch(text) and text.count(b".") == len(found)  # no label holds a dot
    return (text.decode("ascii") if plain else _join(found)), at
