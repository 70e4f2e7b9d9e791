# SPDX-License-Identifier: Apache-2.0
"""Which zone names this cloud accepts: those below a TLD of its list, if it has one, that are not blacklisted."""

from __future__ import annotations

from redesignate.central.rules import Rules
from redesignate.model.caller import Caller
from redesignate.model.errors import InvalidZoneName
from redesignate.model.pattern import matches
from redesignate.store.allowed import Allowed
from redesignate.store.unit import Work


def check_allowed(rules: Rules, work: Work, caller: Caller, name: str) -> None:
    """Check a new zone's name (canonical) against the TLDs and the blacklist. Whatever creates a zone for a user calls
    it: requests, imports, zones that are made by themselves.

    The lists are read in the transaction of the creation: an entry counts if it was committed before this statement
    (on Galera: had reached this node). One that is committed later, while the creation still goes on, comes after it,
    as if the zone had been there first: entries never apply to zones that exist.

    Raises InvalidZoneName.
    Cost   one query, whatever the length of the lists.
    """
    found = Allowed(work.conn).about(name)
    if found.any_tld and name[:-1] in found.tlds:
        raise InvalidZoneName(f"{name} is itself a TLD of this cloud; only names below it are accepted")
    if found.any_tld and not found.tlds:
        raise InvalidZoneName(f"{name} is not below any TLD that this cloud accepts; an administrator can add one")
    if any(matches(pattern, name) for pattern in found.patterns) and not rules.policy.allows(
        "use_blacklisted_zone", caller, {}
    ):
        raise InvalidZoneName("Blacklisted zone name")
