# SPDX-License-Identifier: Apache-2.0
"""CAA: which authorities may issue certificates (RFC 8659; iodef §4.4, issuemail RFC 9495)."""

from __future__ import annotations

import re

from redesignate.model.rdata.base import Rdata, Reader, RecordType, octets, quote, quoted, tokens

_USAGE = 'flags tag "value"'
_FLAGS = {"0": 0, "1": 1, "128": 128}
_TAG = re.compile(r"[A-Za-z0-9]{1,255}")
_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
_ISSUER = re.compile(_DOMAIN)
_PARAMETER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"[!-:<-~]*")
_IODEF = re.compile(
    rf"mailto:[!-?A-~]{{1,64}}@{_DOMAIN}(?:\?[!-~]*)?|https?://{_DOMAIN}(?::[0-9]{{1,5}})?(?:[/?#][!-~]*)?"
)
_UNQUOTED = re.compile(r"[^\s\"\\]+(?:; [^\s\"\\;]+)*")


def _encode(text: str) -> Rdata:
    """The value stands in double quotes, or as clients of old write it: bare, with spaces after semicolons only."""
    head = text.split(" ", 2)
    if len(head) != 3 or "" in head:
        raise ValueError(f"write {_USAGE}, separated by single spaces")
    flags, tag, rest = head
    if flags not in _FLAGS:
        raise ValueError(f"flags {quote(flags)} are unknown; write 0, or 128 for a tag that must be understood")
    if _TAG.fullmatch(tag) is None:
        raise ValueError(f"tag {quote(tag)} may have letters and digits only")
    value = _value(rest)
    _check(tag.lower(), value)
    return Rdata(text, bytes((_FLAGS[flags], len(tag))) + tag.encode("ascii") + value)


def _value(text: str) -> bytes:
    if text[0] == '"':
        found = tokens(text)
        if len(found) != 1:
            raise ValueError("there is more than one value; put all of it between one pair of double quotes")
        return octets(found[0])
    if _UNQUOTED.fullmatch(text) is None:
        raise ValueError(f"value {quote(text)} needs double quotes")
    return text.encode("utf-8")


def _check(tag: str, value: bytes) -> None:
    content = value.decode("latin-1")
    if tag in ("issue", "issuewild", "issuemail") and not _is_issuer(content):
        raise ValueError(
            f'the value of {tag} is not an issuer; write one such as "ca.example.net; policy=ev", or ";" for none'
        )
    if tag == "iodef" and _IODEF.fullmatch(content) is None:
        raise ValueError("the value of iodef is not an address; write mailto:name@host or a URL of http or https")


def _is_issuer(content: str) -> bool:
    """An issuer's domain or none, and parameters behind semicolons (RFC 8659 §4.2). Linear in any text."""
    domain, *rest = (piece.strip(" \t") for piece in content.split(";"))
    if domain and _ISSUER.fullmatch(domain) is None:
        return False
    return rest in ([], [""]) or all(_is_parameter(piece) for piece in rest)


def _is_parameter(piece: str) -> bool:
    tag, sign, value = piece.partition("=")
    return bool(sign and _PARAMETER.fullmatch(tag.rstrip(" \t")) and _VALUE.fullmatch(value.lstrip(" \t")))


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    flags, tag = reader.number(1), reader.string()
    return f"{flags} {tag.decode('latin-1')} {quoted(reader.rest())}"


CAA = RecordType(
    name="CAA",
    number=257,
    rfc="RFC 8659",
    usage=_USAGE,
    examples=(
        '0 issue "ca.example.net; policy=ev"',
        '0 issuewild ";"',
        '128 iodef "mailto:security@example.org"',
        "0 issue ca.example.net",
    ),
    encode=_encode,
    decode=_decode,
)
