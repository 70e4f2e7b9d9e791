# SPDX-License-Identifier: Apache-2.0
"""The mnemonics of DNSSEC algorithms (RFC 4034 §A.1 and its registry), which DS and CERT share."""

from __future__ import annotations

from redesignate.model.rdata.base import integer

ALGORITHMS = {
    "RSAMD5": 1,
    "DSA": 3,
    "RSASHA1": 5,
    "DSA-NSEC3-SHA1": 6,
    "RSASHA1-NSEC3-SHA1": 7,
    "RSASHA256": 8,
    "RSASHA512": 10,
    "ECC-GOST": 12,
    "ECDSAP256SHA256": 13,
    "ECDSAP384SHA384": 14,
    "ED25519": 15,
    "ED448": 16,
}


def algorithm(text: str) -> int:
    """An algorithm's number, from its mnemonic or from digits. Raises ValueError."""
    found = ALGORITHMS.get(text)
    return integer(text, 255, "algorithm") if found is None else found
