# SPDX-License-Identifier: Apache-2.0
"""BIND 9, given its zones through its control channel (what `rndc addzone` and `delzone` use), over a kept connection.

named does not mind who added a zone: `modzone` and `delzone` work on those of named.conf too. So a zone that is there
already is looked at with `showzone` first, and left alone unless it is ours (`bind9_zone.ours`).
"""

from __future__ import annotations

import ipaddress
import random
import re
from functools import partial

from redesignate.backends.bind9_zone import ShownZone, clause, ours, quoted, read_shown
from redesignate.backends.port import BackendKind, BackendZone, NotOurs, TargetOptions
from redesignate.backends.rndc_channel import CommandRefused, RndcChannel
from redesignate.backends.rndc_config import key_for
from redesignate.backends.rndc_key import KeySource
from redesignate.model.clock import Clock, now
from redesignate.model.errors import Misconfigured
from redesignate.model.pool import Endpoint, Target

DEFAULT_TIMEOUT_S = 5.0
VIEW = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Bind9Options(TargetOptions, frozen=True, kw_only=True):
    """The options of a target of type bind9. `rndc_bin_path` is read and not used: no process is started.

    rndc_timeout   seconds for one command; 0 takes 5, for there is always a limit
    """

    rndc_host: str = "127.0.0.1"
    rndc_port: int = 953
    rndc_config_file: str | None = None
    rndc_key_file: str | None = None
    rndc_timeout: float = 0
    rndc_bin_path: str = "rndc"
    view: str | None = None
    clean_zonefile: bool = False


class Bind9:
    """One named. Raises Misconfigured when the key cannot be read, or a primary is not an IP address."""

    def __init__(
        self, target: Target, options: Bind9Options, *, clock: Clock = now, rng: random.Random | None = None
    ) -> None:
        self._options = options
        self._primaries = _checked_primaries(target)
        self._rng = rng or random.Random()
        if options.view is not None and not VIEW.fullmatch(options.view):
            raise Misconfigured(f"option 'view': {options.view!r} is not the name of a view")
        server = Endpoint(options.rndc_host, options.rndc_port)
        try:
            key = KeySource(partial(key_for, options.rndc_host, options.rndc_key_file or options.rndc_config_file))
        except ValueError as error:
            raise Misconfigured(f"option 'rndc_key_file': {error}") from None
        self._channel = RndcChannel(server, key, options.rndc_timeout or DEFAULT_TIMEOUT_S, clock=clock)

    async def create(self, zone: BackendZone) -> None:
        """addzone; where named has the zone with other primaries, modzone. One command; up to three where it exists.

        Raises NotOurs, BackendError.
        """
        try:
            await self._channel.command(f"addzone {self._operands(zone)} {self._clause(zone)}")
        except CommandRefused as refused:
            if "already exists" not in refused.reason:
                raise
            await self._agree(zone)

    async def update(self, zone: BackendZone) -> None:
        """Nothing: the NOTIFY is enough. A named that lost the zone says so in its answer, and `create` follows."""

    async def delete(self, zone: BackendZone, hard: bool) -> None:
        """delzone, with `-clean` where the option or the call wants it. Two commands. Raises NotOurs, BackendError."""
        if await self._shown(zone) is None:
            return
        clean = "-clean " if hard or self._options.clean_zonefile else ""
        try:
            await self._channel.command(f"delzone {clean}{self._operands(zone)}")
        except CommandRefused as refused:
            if "not found" not in refused.reason:
                raise

    async def ping(self) -> None:
        """One command that does nothing."""
        await self._channel.command("null")

    async def close(self) -> None:
        """Close the control connection."""
        await self._channel.close()

    async def _agree(self, zone: BackendZone) -> None:
        """Give an existing zone our primaries, unless it has them."""
        shown = await self._shown(zone)
        if shown is None or shown.primaries != set(self._primaries):
            await self._channel.command(f"modzone {self._operands(zone)} {self._clause(zone)}")

    async def _shown(self, zone: BackendZone) -> ShownZone | None:
        """The zone as named has it, None where it has none. Raises NotOurs where it is not ours to touch."""
        try:
            shown = read_shown(await self._channel.command(f"showzone {self._operands(zone)}"))
        except CommandRefused as refused:
            if "not found" in refused.reason:
                return None
            shown = ShownZone()  # it has the zone and cannot show it: an automatic empty zone, for one
        if not ours(shown, zone):
            raise NotOurs(self._channel.server, zone, shown.type)
        return shown

    def _operands(self, zone: BackendZone) -> str:
        view = f" in {self._options.view}" if self._options.view else ""  # named takes no quotes here
        return quoted(zone.name) + view

    def _clause(self, zone: BackendZone) -> str:
        """The zone's configuration. Each named asks the primaries in an order of its own, so load spreads."""
        return clause(zone, self._rng.sample(self._primaries, len(self._primaries)))


def _checked_primaries(target: Target) -> tuple[Endpoint, ...]:
    if not target.primaries:
        raise Misconfigured("key 'masters': empty; list the addresses of mdns as this server sees them")
    checked = []
    for primary in target.primaries:
        try:
            checked.append(Endpoint(str(ipaddress.ip_address(primary.host)), primary.port))
        except ValueError:
            raise Misconfigured(
                f"key 'masters': {primary.host!r} is not an IP address, and BIND accepts nothing else"
            ) from None
    return tuple(checked)


KIND = BackendKind("bind9", Bind9Options, Bind9)
