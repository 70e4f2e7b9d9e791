# SPDX-License-Identifier: Apache-2.0
"""OPENPGPKEY: a public key for mail (RFC 7929)."""

from __future__ import annotations

from redesignate.model.rdata.base import Rdata, RecordType, base64, fields, to_base64


def _encode(text: str) -> Rdata:
    return Rdata(text, base64(fields(text, 1, "key", rest=True), "the key"))


OPENPGPKEY = RecordType(
    name="OPENPGPKEY",
    number=61,
    rfc="RFC 7929 §2",
    usage="key",
    examples=("mQENBFVHm5sBCACqJ2y2rJ8=",),
    encode=_encode,
    decode=to_base64,
)
