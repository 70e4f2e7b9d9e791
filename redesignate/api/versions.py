# SPDX-License-Identifier: Apache-2.0
"""The versions document at `/`. There is no microversion header: a minor version only says what is there."""

from __future__ import annotations

import functools

import msgspec

# Those whose feature is there: v2.1 is shared zones, v2.4 the import of a zone as JSON.
VERSIONS = (
    ("v2", "SUPPORTED", "2022-06-29T00:00:00Z"),
    ("v2.0", "SUPPORTED", "2022-06-29T00:00:00Z"),
    ("v2.2", "SUPPORTED", "2025-08-25T00:00:00Z"),
    ("v2.3", "CURRENT", "2026-04-06T00:00:00Z"),
)
HELP = "https://docs.openstack.org/api-ref/dns"


@functools.lru_cache(maxsize=64)
def document(base: str, *, v2: bool = True) -> bytes:
    """The document for clients that reach us at `base`; empty where v2 is switched off."""
    links = [{"href": f"{base}/v2", "rel": "self"}, {"href": HELP, "rel": "help"}]
    listed = [
        {"id": ident, "status": status, "updated": updated, "links": links}
        for ident, status, updated in (VERSIONS if v2 else ())
    ]
    return msgspec.json.encode({"versions": listed})
