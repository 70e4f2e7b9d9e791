# SPDX-License-Identifier: Apache-2.0
"""BIND 9, told of zones through its control channel (what `rndc addzone` and `delzone` use), over a kept connection."""

from __future__ import annotations

import ipaddress
import random
import re

from redesignate.backends.port import BackendError, BackendKind, BackendZone, TargetOptions
from redesignate.backends.rndc_channel import CommandRefused, RndcChannel
from redesignate.backends.rndc_config import key_for
from redesignate.model.errors import Misconfigured
from redesignate.model.pool import Endpoint, Target

DEFAULT_TIMEOUT_S = 5.0
LONGEST_FILE_NAME = 240
PLAIN = re.compile(r"[A-Za-z0-9_.*/-]+")
VIEW = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
ESCAPED = re.compile(r"\\(\d{3})|\\(.)|(.)", re.DOTALL)
PRIMARIES = re.compile(r"\b(?:masters|primaries)\b[^{;]*\{([^}]*)\}")
ONE_PRIMARY = re.compile(r"([0-9A-Fa-f.:]+)(?:\s+port\s+(\d+))?\s*;")


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
    """One named. Raises Misconfigured when the key cannot be read, or a primary is no address."""

    def __init__(self, target: Target, options: Bind9Options) -> None:
        self._options = options
        self._primaries = _checked_primaries(target)
        if options.view is not None and not VIEW.fullmatch(options.view):
            raise Misconfigured(f"option 'view': {options.view!r} is no name of a view")
        server = Endpoint(options.rndc_host, options.rndc_port)
        try:
            key = key_for(options.rndc_host, options.rndc_key_file or options.rndc_config_file)
        except ValueError as error:
            raise Misconfigured(f"option 'rndc_key_file': {error}") from None
        self._channel = RndcChannel(server, key, options.rndc_timeout or DEFAULT_TIMEOUT_S)

    async def create(self, zone: BackendZone) -> None:
        """addzone; where named has the zone with other primaries, modzone. One command; up to three where it exists."""
        try:
            await self._channel.command(f"addzone {self._operands(zone)} {self._body(zone)}")
        except CommandRefused as refused:
            if "already exists" not in refused.reason:
                raise
            await self._agree(zone)

    async def update(self, zone: BackendZone) -> None:
        """Nothing: the NOTIFY is enough. A named that lost the zone says so to the NOTIFY, and is told by `create`."""

    async def delete(self, zone: BackendZone, hard: bool) -> None:
        """delzone, with `-clean` where asked for by option or call. One command."""
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
        shown = await self._channel.command(f"showzone {self._operands(zone)}")
        if _shown_primaries(shown) != set(self._primaries):
            await self._channel.command(f"modzone {self._operands(zone)} {self._body(zone)}")

    def _operands(self, zone: BackendZone) -> str:
        view = f" in {self._options.view}" if self._options.view else ""  # named takes no quotes here
        return quoted(zone.name) + view

    def _body(self, zone: BackendZone) -> str:
        """The zone's configuration. Each named asks the primaries in an order of its own, so load spreads."""
        primaries = random.sample(self._primaries, len(self._primaries))
        listed = "".join(f" {primary.host} port {primary.port};" for primary in primaries)
        # `slave` and `masters`: every BIND since 9.9 knows them, the newer words only those since 9.16
        return f'{{ type slave; masters {{{listed} }}; file "{file_name(zone)}"; }};'


def quoted(name: str) -> str:
    """A zone's name as an operand: quoted, without the final dot, everything unusual as \\DDD. Raises BackendError.

    named reads the operands as configuration text; nothing in here can end the quotes.
    """
    bare = name.removesuffix(".")
    if not bare or len(name) > 1024:
        raise BackendError(f"rndc: {name[:80]!r} is no name of a zone")
    if PLAIN.fullmatch(bare):
        return f'"{bare}"'
    return '"' + "".join(map(_escaped, ESCAPED.finditer(bare))) + '"'


def file_name(zone: BackendZone) -> str:
    """Where named keeps its copy: "slave.example.org.<id>"; what could leave the folder or be too long is left out."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", zone.name)
    ident = re.sub(r"[^A-Za-z0-9_-]", "_", zone.id)
    return f"slave.{name[: LONGEST_FILE_NAME - len(ident)]}{ident}"


def _escaped(found: re.Match[str]) -> str:
    code, after, plain = found.groups()
    number = int(code) if code is not None else ord(after if after is not None else plain)
    if number > 255:
        raise BackendError("rndc: the zone's name holds what is no octet")
    if code is None and after is None and PLAIN.fullmatch(plain):
        return plain
    return f"\\{number:03d}"


def _checked_primaries(target: Target) -> tuple[Endpoint, ...]:
    if not target.primaries:
        raise Misconfigured("key 'masters': empty; list the addresses of mdns as this server sees them")
    checked = []
    for primary in target.primaries:
        try:
            checked.append(Endpoint(str(ipaddress.ip_address(primary.host)), primary.port))
        except ValueError:
            raise Misconfigured(f"key 'masters': {primary.host!r} is no IP address, and BIND takes no other") from None
    return tuple(checked)


def _shown_primaries(shown: str) -> set[Endpoint]:
    found = PRIMARIES.search(shown)
    pairs = ONE_PRIMARY.findall(found[1]) if found else []
    return {Endpoint(host, int(port or 53)) for host, port in pairs}


KIND = BackendKind("bind9", Bind9Options, Bind9)
