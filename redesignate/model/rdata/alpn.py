# SPDX-License-Identifier: Apache-2.0
"""The ids that the alpn parameter of HTTPS and SVCB may name: IANA's registry of ALPN protocol ids (RFC 7301 §6)."""

from __future__ import annotations

ALPN_IDS = frozenset(
    (
        "http/0.9", "http/1.0", "http/1.1", "spdy/1", "spdy/2", "spdy/3", "h2", "h2c", "h3",
        "stun.turn", "stun.nat-discovery", "webrtc", "c-webrtc", "sip/2",
        "ftp", "imap", "pop3", "managesieve", "nntp", "nnsp", "irc", "xmpp-client", "xmpp-server", "mqtt",
        "dot", "doq", "ntske/1", "acme-tls/1", "coap", "co", "sunrpc", "smb", "dicom", "postgresql", "tds/8.0",
        "radius/1.0", "radius/1.1",
    )
)  # fmt: skip
"""The registered ids; the option `additional_alpn_ids` adds to them."""
