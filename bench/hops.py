# SPDX-License-Identifier: Apache-2.0
"""Where the milliseconds of one change go, split: the processor time of each process, and who was waited for.

One change at a time is a chain: whoever sends the next packet was worked for since the packet before it. So the time
before each packet is its sender's. Changes that run beside each other have no such chain; for those there is processor
time alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import running, work
from bench.capture import Hop, captured, hops, may_capture, ports_of
from bench.dns import Asker, wait_served
from bench.figures import Figure, aligned, of_runs, say
from bench.options import Options
from bench.requests import Creates, Zone
from bench.running import Running

ORDER = ("client", "api", "broker", "central", "database", "worker", "mdns", "named")
PHASES = ("until the 202", "until it is served", "until central has it ACTIVE")
QUIET_S = 0.08
"""Waited after each change: within it the worker has asked the nameserver and reported."""
GUESSES = {"mdns": "named", "named": "worker", "api": "client", "database": "central", "broker": "worker"}
PUBLISHING = {frozenset(("named", "mdns")), frozenset(("mdns", "database")), frozenset(("worker", "named"))}


@dataclass(frozen=True, slots=True)
class Moments:
    """When a change was sent, accepted, served, and when nothing of it was left; seconds since 1970."""

    sent: float
    accepted: float
    served: float
    over: float


def figures(folder: Path, options: Options) -> Iterator[Figure]:
    """What `python -m bench hops` prints."""
    with running.split(folder) as (where, _):
        zone = where.zone("hops")
        for connections in (1, 8):
            rated = work.rated(
                where,
                lambda number, count=connections: Creates([zone], f"c{count}r{number}n"),  # type: ignore[misc]
                lambda: where.active(zone),
                connections=connections,
                seconds=options.seconds,
            )
            words = work.in_words(connections)
            yield rated.figure(f"record set creates on one zone, {words}")
            yield rated.spent(f"CPU of one, {words}")
            accepted = [load.percentile(0.5) for load in rated.loads]
            yield of_runs(f"its 202, {words}, median", accepted, "ms", least=False, used=rated.used)
        if may_capture():
            yield from _waits(where, zone, 20 if options.small else 60)
        else:
            say("who was waited for is not measured: only root may read packets")


def _waits(where: Running, zone: Zone, count: int) -> Iterator[Figure]:
    say("who is waited for")
    asker = where.askers()[0]
    for number in range(5):
        _change(where, zone, asker, f"warm{number}")
    with where.meter() as meter, captured() as capture:
        moments = [_change(where, zone, asker, f"hop{number}") for number in range(count)]
    found = hops(capture.packets, ports_of(where.roots()), GUESSES)
    asker.close()
    chain = [hop for hop in found if set(hop[1:]) != {"client", "named"}]  # our own questions
    each = [_shares(chain, one) for one in moments]
    for phase in range(len(PHASES)):
        whole = [sum(shares[phase].values()) for shares in each]
        yield of_runs(f"wall time {PHASES[phase]}, median", [median(whole)], "ms", least=False, used=[meter.used])
        for hop in ORDER:
            times = [shares[phase].get(hop, 0.0) for shares in each]
            if median(times) >= 0.005:
                yield of_runs(_name(hop, PHASES[phase]), [median(times)], "ms", least=False)


def matrix(figures: Sequence[Figure]) -> str:
    """A table of the hops: processor time of one change at 1 and 8 connections, and wall time in each phase."""
    by_name = {one.what: one for one in figures if one.group == "hops"}
    spent = [one.cpu for name, one in by_name.items() if name.startswith("record set creates")]
    rows = [("", "CPU, 1 connection", "CPU, 8 connections", *(f"wall {phase}" for phase in PHASES))]
    for hop in ORDER:
        cpu = [f"{one[hop]:.2f}" if hop in one else "" for one in spent]
        walls = [by_name.get(_name(hop, phase)) for phase in PHASES]
        rows.append((hop, *cpu, *(f"{one.value:.2f}" if one else "" for one in walls)))
    sums = [by_name.get(f"wall time {phase}, median") for phase in PHASES]
    whole = [f"{sum(one.values()):.2f}" for one in spent]
    rows.append(("all", *whole, *(f"{one.value:.2f}" if one else "" for one in sums)))
    return "Milliseconds of one change:\n\n" + aligned(rows)


def _name(hop: str, phase: str) -> str:
    return f"… {hop}, {phase}"


def _change(where: Running, zone: Zone, asker: Asker, label: str) -> Moments:
    """One change, followed by DNS alone: questions to the API would be part of what is measured."""
    name = f"{label}.{zone[1]}"
    sent = time.time()
    where.api.rrset(zone[0], name, "A", ["192.0.2.1"])
    accepted = time.time()
    wait_served([asker], name)
    served = time.time()
    time.sleep(QUIET_S)
    return Moments(sent, accepted, served, time.time())


def _shares(chain: Sequence[Hop], moments: Moments) -> tuple[dict[str, float], ...]:
    """Milliseconds of each phase by who was waited for."""
    first = _phase(chain, moments.sent, moments.accepted, None)
    middle = [hop for hop in chain if moments.accepted < hop.at <= moments.served]
    told = next((hop.at for hop in middle if (hop.source, hop.target) == ("worker", "named")), moments.served)
    asked = _phase(chain, moments.accepted, told, None)
    # the worker's polls run beside the transfer that they wait for
    published = _phase([h for h in chain if "worker" not in h[1:]], told, moments.served, PUBLISHING)
    published["named"] = published.get("named", 0.0) + 1000 * (moments.served - told) - sum(published.values())
    second = {hop: asked.get(hop, 0.0) + published.get(hop, 0.0) for hop in ORDER}
    last = [hop.at for hop in chain if moments.served < hop.at < moments.over and "central" in hop[1:]]
    third = _phase(chain, moments.served, max(last, default=moments.served), None)
    return first, second, third


def _phase(chain: Sequence[Hop], since: float, until: float, pairs: set[frozenset[str]] | None) -> dict[str, float]:
    """Milliseconds between packets, put down to the sender of the later one."""
    found: dict[str, float] = {}
    before = since
    for hop in chain:
        if since < hop.at <= until and (pairs is None or frozenset(hop[1:]) in pairs):
            found[hop.source] = found.get(hop.source, 0.0) + 1000 * (hop.at - before)
            before = hop.at
    return found
