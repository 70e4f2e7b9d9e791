# SPDX-License-Identifier: Apache-2.0
"""Checks of single values that users send; each value is checked once, with the error that the API publishes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from redesignate.central.rules import Rules
from redesignate.model.caller import Caller
from redesignate.model.errors import BadInput, InvalidObject, InvalidProject, InvalidTTL
from redesignate.model.inbound import DNS_PORT, endpoint
from redesignate.model.limits import ATTRIBUTE_LENGTH, DESCRIPTION_LENGTH, NAME_LENGTH, PROJECT_LENGTH, TTL_MAX
from redesignate.model.names import InvalidName, canonical, check_rrset_name, check_zone_name
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.rdata import CHECKED, DEFAULT_SUPPORTED, TYPES, Rdata, check_entry, is_supported, key, parse
from redesignate.model.rrset import SINGLETONS

MOST = 60
"""The most attributes or primaries of one zone: they fit in a text column of every database (65,535 octets)."""
NAMED = 100
"""The most faults of one record set that an error lists."""


def refused(error: ValueError) -> InvalidObject:
    """Make the error for a value that the model refuses, in the words that clients of v2 know."""
    return InvalidObject(f"Provided object is not valid. Got a ValueError error with message {error}")


def zone_name(text: str) -> str:
    """A zone's name in canonical form. Raises InvalidObject."""
    try:
        return check_zone_name(text)
    except InvalidName as error:
        raise refused(error) from error


def rrset_name(text: str, rrtype: str) -> str:
    """An owner name in canonical form. Raises InvalidObject, BadInput for a TLSA at the wrong place."""
    try:
        return check_rrset_name(text, rrtype)
    except InvalidName as error:
        if rrtype == "TLSA":
            raise BadInput(str(error)) from error
        raise refused(error) from error


def project_id(text: str) -> str:
    """A project's id, which fits the database's column; PostgreSQL cannot even compare a NUL. Raises InvalidProject."""
    if not 0 < len(text) <= PROJECT_LENGTH or not text.isprintable():
        raise InvalidProject(
            f"{text[:PROJECT_LENGTH]!r} is not a project id: ids have 1 to {PROJECT_LENGTH} characters, "
            "all of them printable"
        )
    return text


def is_name(text: str, name: str) -> bool:
    """Whether a text that was sent back names `name`, in whatever spelling it was typed."""
    try:
        return canonical(text) == name
    except InvalidName:
        return False


def by_name(query: ListQuery) -> ListQuery:
    """The query, with the names in its filters in stored form, so that a name is found in the spelling it was sent in.

    A whole name is found in any spelling (RFC 4343, RFC 5891), a part of a name in upper or lower case.
    """
    return replace(query, conditions=tuple(_stored(condition) for condition in query.conditions))


def _stored(condition: Condition) -> Condition:
    if condition.field != "name":
        return condition
    value = condition.value.lower()
    if condition.op in (Op.EQ, Op.NE):
        with contextlib.suppress(InvalidName):  # a text that is not a name matches no zone
            value = canonical(condition.value)
    return replace(condition, value=value, upper=condition.upper and condition.upper.lower())


def email(text: str) -> str:
    """Check that a mail address fits an SOA: one @, at most 255 characters, a name with a dot for the @. Raises
    InvalidObject."""
    if text.count("@") != 1 or len(text) > NAME_LENGTH or not text.isascii():
        raise refused(ValueError(f"{text} is not an email address"))
    try:
        check_zone_name(text.replace("@", ".") + ".")
    except InvalidName as error:
        raise refused(ValueError(f"{text} is not an email address that an SOA record can hold")) from error
    return text


def description(text: str | None) -> str | None:
    """Check a description: it has at most 160 characters. Raises InvalidObject."""
    if text is not None and len(text) > DESCRIPTION_LENGTH:
        raise refused(ValueError(f"Value too long for description (max {DESCRIPTION_LENGTH})"))
    if text is not None and "\0" in text:
        raise refused(ValueError("A description holds no NUL characters"))
    return text


def ttl(rules: Rules, caller: Caller, seconds: int) -> int:
    """Check a TTL: 0 to 2**31-1, not below the operator's minimum unless policy allows. Raises InvalidObject,
    InvalidTTL."""
    if not 0 <= seconds <= TTL_MAX:
        raise refused(ValueError(f"Value must be between 0 and {TTL_MAX}, not {seconds}"))
    lowest = rules.settings.min_ttl
    if seconds < lowest and not rules.policy.allows("use_low_ttl", caller, {}):
        raise InvalidTTL(f"TTL is below the minimum: {lowest}")
    return seconds


def attributes(given: Mapping[str, str]) -> dict[str, str]:
    """Check attributes: keys and values have at most 50 characters. Raises InvalidObject."""
    for name, value in given.items():
        if len(name) > ATTRIBUTE_LENGTH or len(value) > ATTRIBUTE_LENGTH:
            raise refused(ValueError(f"Attribute keys and values hold at most {ATTRIBUTE_LENGTH} characters"))
    if len(given) > MOST:
        raise refused(ValueError(f"There may be at most {MOST} attributes"))
    return dict(given)


def primaries(given: Sequence[str]) -> tuple[str, ...]:
    """Check primaries: each is a host, with or without a port; port 53 is left out. Raises InvalidObject."""
    if len(given) > MOST or any(len(text) > NAME_LENGTH or "\0" in text for text in given):
        raise refused(ValueError(f"There may be at most {MOST} masters of at most {NAME_LENGTH} characters each"))
    try:
        return tuple(dict.fromkeys(_primary(text) for text in given))
    except ValueError as error:
        raise refused(error) from error


def _primary(text: str) -> str:
    """One primary in its stored form. Raises ValueError."""
    at = endpoint(text)
    return at.host if at.port == DNS_PORT else str(at)


def rrtype(rules: Rules, mnemonic: str) -> str:
    """Check that a type exists and that this cloud supports it: the operator's list narrows the table of types.
    Raises InvalidObject."""
    if is_supported(mnemonic, rules.settings.supported_record_type or DEFAULT_SUPPORTED):
        return mnemonic
    what = "supported" if mnemonic in TYPES else "valid"
    raise InvalidObject.at(
        ["recordset", "type"], f"'{mnemonic}' is not a {what} record type", validator="value", value=[mnemonic]
    )


def records(rules: Rules, name: str, rrtype: str, texts: Sequence[str]) -> tuple[Rdata, ...]:
    """Parse the records, in the order given, a repeated one once.

    Raises InvalidObject that lists the first NAMED faults: users do not read more, and a body of empty records would
    cost a second and get an answer of forty times its size.
    """
    parsed: dict[bytes, Rdata] = {}
    faults = []
    for at, text in enumerate(texts):
        try:
            data = parse(rrtype, text)
            if rrtype in CHECKED:
                check_entry(name, rrtype, data, rules.settings.additional_alpn_ids)
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
