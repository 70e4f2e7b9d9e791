# SPDX-License-Identifier: Apache-2.0
"""Lists of addresses as operators write them: addresses, networks, and words for kinds of addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IP = IPv4Address | IPv6Address

KINDS: dict[str, Callable[[IP], bool]] = {
    "any": lambda _: True,
    "loopback": lambda address: address.is_loopback,
    "link-local": lambda address: address.is_link_local,
    "multicast": lambda address: address.is_multicast,
    "unspecified": lambda address: address.is_unspecified,
    "private": lambda address: address.is_private,
}
"""Words that stand for addresses wherever a list of addresses is written."""


@dataclass(frozen=True, slots=True)
class AddressList:
    """The content of a list: networks, kinds of addresses, and words that only the reader of the list understands."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    kinds: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    def holds(self, address: IP) -> bool:
        """Whether an address is in one of the networks or of one of the kinds."""
        return any(KINDS[kind](address) for kind in self.kinds) or any(address in network for network in self.networks)


def address_list(texts: Iterable[str], words: Iterable[str] = (), prefix: str | None = None) -> AddressList:
    """Parse a list. Raises ValueError that says what is allowed there.

    words   words that are allowed besides addresses, networks and KINDS
    prefix  of words with any further text, such as `key:`
    """
    networks: list[IPv4Network | IPv6Network] = []
    kinds, found = set(), set()
    known = frozenset(words)
    for text in texts:
        word = text.lower()
        if word in KINDS:
            kinds.add(word)
        elif word in known or (prefix and word.startswith(prefix) and len(word) > len(prefix)):
            found.add(word)
        else:
            networks.append(_network(text, known, prefix))
    return AddressList(tuple(networks), frozenset(kinds), frozenset(found))


def _network(text: str, words: frozenset[str], prefix: str | None) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        allowed = ", ".join([*sorted(KINDS), *sorted(words), *([f"{prefix}NAME"] if prefix else [])])
        raise ValueError(
            f"{text!r} is not an address or a network; write one such as 192.0.2.0/24, or {allowed}"
        ) from None


def address(text: str) -> IP | None:
    """Parse the address of a peer or host; an IPv4-mapped IPv6 address becomes IPv4. None for a host name."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def network(peer: str, *, v4: int, v6: int) -> tuple[int, int]:
    """The network that a peer is in, as its version and leading bits. One network for all that is not an address.

    v4, v6   length of the prefix, by version. A host usually has a whole IPv6 network (RFC 6177), so that one of its
             addresses says little about it
    """
    found = address(peer)
    if found is None:
        return (0, 0)
    return (4, int(found) >> (32 - v4)) if found.version == 4 else (6, int(found) >> (128 - v6))


def is_loopback(host: str) -> bool:
    """Whether only this machine can be meant by a host, to any resolver: an address, or localhost (RFC 6761 §6.3)."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
