# SPDX-License-Identifier: Apache-2.0
"""Controls BIND 9 through its control channel (as `rndc addzone` and `delzone` do), over a persistent connection.

named does not check the origin of a zone: `modzone` and `delzone` work on those of named.conf too. So a zone that
exists is read with `showzone` first, and left unchanged unless it is ours (`bind9_zone.ours`).
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
BEGAN = re.compile(r"^boot time: .*", re.MULTILINE)
LOADING = "reload/reconfig in progress"
VIEW = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Bind9Options(TargetOptions, frozen=True, kw_only=True):
    """The options of a target of type bind9. `rndc_bin_path` is read but not used: no process is started.

    rndc_timeout   seconds for one command; 0 means 5, since there is always a limit
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
    """One named. Raises Misconfigured if the key cannot be read, or a primary is not an IP address."""

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

    async def create(self, zone: BackendZone) -> bool:
        """Send addzone; or modzone, if named has the zone with other primaries. One command; up to three if it exists.

        named fetches a zone that it has added by itself. A NOTIFY that comes meanwhile costs it another question for
        the SOA. Raises NotOurs, BackendError.
        """
        try:
            await self._channel.command(f"addzone {self._operands(zone)} {self._clause(zone)}")
        except CommandRefused as refused:
            if "already exists" not in refused.reason:
                raise
            await self._agree(zone)
            return False
        return True

    async def update(self, zone: BackendZone) -> None:
        """Does nothing: the NOTIFY is enough. A named that lost the zone shows that in its answer; `create` follows."""

    async def delete(self, zone: BackendZone, hard: bool) -> None:
        """Send delzone, with `-clean` if option or call asks for it. Two commands. Raises NotOurs, BackendError."""
        if await self._shown(zone) is None:
            return
        clean = "-clean " if hard or self._options.clean_zonefile else ""
        try:
            await self._channel.command(f"delzone {clean}{self._operands(zone)}")
        except CommandRefused as refused:
            if "not found" not in refused.reason:
                raise

    async def ping(self) -> str | None:
        """Send `status`: when named was started; None while it reads its configuration.

        Not when it was last configured: `addzone`, `modzone` and `delzone` of any worker set that time too.
        """
        said = await self._channel.command("status")
        began = BEGAN.search(said)
        return None if began is None or LOADING in said else began[0]

    async def close(self) -> None:
        """Close the control connection."""
        await self._channel.close()

    async def _agree(self, zone: BackendZone) -> None:
        """Set our primaries on an existing zone, unless it has them."""
        shown = await self._shown(zone)
        if shown is None or shown.primaries != set(self._primaries):
            await self._channel.command(f"modzone {self._operands(zone)} {self._clause(zone)}")

    async def _shown(self, zone: BackendZone) -> ShownZone | None:
        """The zone as named has it; None if it has none. Raises NotOurs if it is not ours to change."""
        try:
            shown = read_shown(await self._channel.command(f"showzone {self._operands(zone)}"))
        except CommandRefused as refused:
            if "not found" in refused.reason:
                return None
            shown = ShownZone()  # it has the zone and cannot show it: an automatic empty zone, for example
        if not ours(shown, zone):
            raise NotOurs(self._channel.server, zone, shown.type)
        return shown

    def _operands(self, zone: BackendZone) -> str:
        view = f" in {self._options.view}" if self._options.view else ""  # named accepts no quotes here
        return quoted(zone.name) + view

    def _clause(self, zone: BackendZone) -> str:
        """The zone's configuration. Each named asks the primaries in its own order, which spreads the load."""
        return clause(zone, self._rng.sample(self._primaries, len(self._primaries)))


def _checked_primaries(target: Target) -> tuple[Endpoint, ...]:
    if not target.primaries:
        raise Misconfigured("key 'masters': is empty; list the addresses at which this server can reach mdns")
    checked = []
    for primary in target.primaries:
        try:
            checked.append(Endpoint(str(ipaddress.ip_address(primary.host)), primary.port))
        except ValueError:
            raise Misconfigured(
                f"key 'masters': {primary.host!r} is not an IP address, and BIND accepts only those"
            ) from None
    return tuple(checked)


KIND = BackendKind("bind9", Bind9Options, Bind9)
