# SPDX-License-Identifier: Apache-2.0
"""Single values that users send: each checked once, with the error that the API publishes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from redesignate.central.rules import Rules
from redesignate.model.caller import Caller
from redesignate.model.errors import BadInput, InvalidObject, InvalidTTL
from redesignate.model.inbound import DNS_PORT, endpoint
from redesignate.model.limits import ATTRIBUTE_LENGTH, DESCRIPTION_LENGTH, NAME_LENGTH, TTL_MAX
from redesignate.model.names import InvalidName, canonical, check_rrset_name, check_zone_name
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.rdata import TYPES, Rdata, check_alpn, check_at, is_supported, key, parse
from redesignate.model.rrset import SINGLETONS

MOST = 60
"""Attributes or primaries of one zone: what fits in a text column of every database (65,535 octets)."""
NAMED = 100
"""Faults of one record set that are listed."""


def refused(error: ValueError) -> InvalidObject:
    """A value that no rule of the model takes, in the words that clients of v2 know."""
    return InvalidObject(f"Provided object is not valid. Got a ValueError error with message {error}")


def zone_name(text: str) -> str:
    """A zone's name in its one form. Raises InvalidObject."""
    try:
        return check_zone_name(text)
    except InvalidName as error:
        raise refused(error) from error


def rrset_name(text: str, rrtype: str) -> str:
    """An owner name in its one form. Raises InvalidObject, BadInput for a TLSA at the wrong place."""
    try:
        return check_rrset_name(text, rrtype)
    except InvalidName as error:
        if rrtype == "TLSA":
            raise BadInput(str(error)) from error
        raise refused(error) from error


def is_name(text: str, name: str) -> bool:
    """Whether a text that was sent back names `name`, in whatever spelling it was typed."""
    try:
        return canonical(text) == name
    except InvalidName:
        return False


def by_name(query: ListQuery) -> ListQuery:
    """The question with the names in its filters as they are stored, so that a name is found as it was sent.

    A whole name in any spelling (RFC 4343, RFC 5891); of a part of one, the case alone.
    """
    return replace(query, conditions=tuple(_stored(condition) for condition in query.conditions))


def _stored(condition: Condition) -> Condition:
    if condition.field != "name":
        return condition
    value = condition.value.lower()
    if condition.op in (Op.EQ, Op.NE):
        with contextlib.suppress(InvalidName):  # what is no name names nothing, and is then not found
            value = canonical(condition.value)
    return replace(condition, value=value, upper=condition.upper and condition.upper.lower())


def email(text: str) -> str:
    """A mail address that fits an SOA: one @, 255 characters at most, a name once the @ is a dot. InvalidObject."""
    if text.count("@") != 1 or len(text) > NAME_LENGTH or not text.isascii():
        raise refused(ValueError(f"{text} is not an email address"))
    try:
        check_zone_name(text.replace("@", ".") + ".")
    except InvalidName as error:
        raise refused(ValueError(f"{text} is not an email address that an SOA record can hold")) from error
    return text


def description(text: str | None) -> str | None:
    """At most 160 characters. Raises InvalidObject."""
    if text is not None and len(text) > DESCRIPTION_LENGTH:
        raise refused(ValueError(f"Value too long for description (max {DESCRIPTION_LENGTH})"))
    if text is not None and "\0" in text:
        raise refused(ValueError("A description holds no NUL characters"))
    return text


def ttl(rules: Rules, caller: Caller, seconds: int) -> int:
    """0 to 2**31-1, and not below the operator's minimum unless policy allows. Raises InvalidObject, InvalidTTL."""
    if not 0 <= seconds <= TTL_MAX:
        raise refused(ValueError(f"Value must be between 0 and {TTL_MAX}, not {seconds}"))
    lowest = rules.settings.min_ttl
    if seconds < lowest and not rules.policy.allows("use_low_ttl", caller, {}):
        raise InvalidTTL(f"TTL is below the minimum: {lowest}")
    return seconds


def attributes(given: Mapping[str, str]) -> dict[str, str]:
    """Keys and values of at most 50 characters. Raises InvalidObject."""
    for name, value in given.items():
        if len(name) > ATTRIBUTE_LENGTH or len(value) > ATTRIBUTE_LENGTH:
            raise refused(ValueError(f"Attribute keys and values hold at most {ATTRIBUTE_LENGTH} characters"))
    if len(given) > MOST:
        raise refused(ValueError(f"There may be at most {MOST} attributes"))
    return dict(given)


def primaries(given: Sequence[str]) -> tuple[str, ...]:
    """Hosts, with a port each or without; port 53 is not written. Raises InvalidObject."""
    if len(given) > MOST or any(len(text) > NAME_LENGTH or "\0" in text for text in given):
        raise refused(ValueError(f"There may be at most {MOST} masters of at most {NAME_LENGTH} characters each"))
    try:
        return tuple(dict.fromkeys(_primary(text) for text in given))
    except ValueError as error:
        raise refused(error) from error


def _primary(text: str) -> str:
    """One primary as it is stored. Raises ValueError."""
    at = endpoint(text)
    return at.host if at.port == DNS_PORT else str(at)


def rrtype(rules: Rules, mnemonic: str) -> str:
    """A type that exists and that this cloud takes. Raises InvalidObject."""
    if is_supported(mnemonic, rules.supported_types):
        return mnemonic
    what = "supported" if mnemonic in TYPES else "valid"
    raise InvalidObject.at(
        ["recordset", "type"], f"'{mnemonic}' is not a {what} record type", validator="value", value=mnemonic
    )


def records(rules: Rules, name: str, rrtype: str, texts: Sequence[str]) -> tuple[Rdata, ...]:
    """The records parsed, in the order given, a repeated one once.

    Raises InvalidObject naming the bad ones, the first NAMED of them: nobody reads more, and a body of empty records
    would cost a second and be answered forty times its size.
    """
    parsed: dict[bytes, Rdata] = {}
    faults = []
    for at, text in enumerate(texts):
        try:
            data = parse(rrtype, text)
            check_at(name, rrtype, data)
            check_alpn(rrtype, data, rules.settings.additional_alpn_ids)
        except ValueError as error:
            faults.append(
                {
                    "path": ["records", at],
                    "message": f"'{text}' is not a '{rrtype}' Record: {error}",
                    "validator": "format",
                    "validator_value": [rrtype],
                }
            )
            if len(faults) == NAMED:
                break
        else:
            parsed.setdefault(key(rrtype, data.wire), data)
    if faults:
        raise InvalidObject(errors={"errors": faults})
    if rrtype in SINGLETONS and len(parsed) > 1:
        raise BadInput(f"{rrtype} recordsets may not have more than 1 record")
    return tuple(parsed.values())
