# SPDX-License-Identifier: Apache-2.0
"""NSEC3: names as hashes, and which hashes a record says do not exist (RFC 5155). It reads no zone."""

from __future__ import annotations

import hashlib
from base64 import b32hexencode
from dataclasses import dataclass

from redesignate.model import names

SHA1 = 1
MOST_ITERATIONS = 150
"""More hashing than this is done for nobody: validators take such a zone as unsigned (RFC 9276 §3.2)."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The parameters of one chain of NSEC3 records."""

    iterations: int
    salt: bytes

    def hashed(self, name: str) -> bytes:
        """The hash of a canonical name (RFC 5155 §5): 20 octets. Cost: 0.5 µs, and as much for each iteration."""
        found = hashlib.sha1(names.to_wire(name) + self.salt, usedforsecurity=False).digest()
        for _ in range(self.iterations):
            found = hashlib.sha1(found + self.salt, usedforsecurity=False).digest()
        return found


def chain(rdata: bytes) -> Chain | None:
    """The chain of an NSEC3PARAM record, or that of an NSEC3 record (RFC 5155 §3.2, §4.2).

    None for a malformed one, an unknown hash, or more than MOST_ITERATIONS.
    """
    salt = rdata[5 : 5 + rdata[4]] if len(rdata) > 4 else b""
    iterations = int.from_bytes(rdata[2:4], "big")
    if len(rdata) < 5 + len(salt) or len(rdata) < 5 or len(salt) != rdata[4]:
        return None
    return Chain(iterations, salt) if rdata[0] == SHA1 and iterations <= MOST_ITERATIONS else None


def label(hashed: bytes) -> str:
    """A hash as the first label of its NSEC3 record's owner, in lower case (RFC 5155 §1.3)."""
    return b32hexencode(hashed).decode("ascii").lower()


def next_label(rdata: bytes) -> str:
    """The next owner's label in an NSEC3 record (RFC 5155 §3.1.7); empty where the record is malformed."""
    at = 5 + rdata[4] if len(rdata) > 4 else 0
    size = rdata[at] if len(rdata) > at else 0
    return label(rdata[at + 1 : at + 1 + size]) if size == 20 <= len(rdata) - at - 1 else ""


def covers(owner: str, following: str, hashed: str) -> bool:
    """Whether a hash falls into the gap between an NSEC3 record's owner and the next; labels. RFC 5155 §8.3.

    The last record's gap goes over the end to the first; the only record of a zone has all but its own hash.
    """
    if owner < following:
        return owner < hashed < following
    return bool(following) and (hashed > owner or hashed < following)
