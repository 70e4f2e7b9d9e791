# SPDX-License-Identifier: Apache-2.0
"""The second process of a nameserver: it answers what anybody asks, so that publication has an interpreter of its own.

It is forked before there are threads, engines and connections, and ends with the process that it belongs to.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from contextlib import ExitStack
from functools import partial

from redesignate.config.settings import Settings
from redesignate.mdns.service import DNSService
from redesignate.observe.log import events
from redesignate.run.wiring import at_end, make_store
from redesignate.store.serving import Serving
from redesignate.wire.handover import Handover, Kind, notified

log = events(__name__)

_NICE = 5
_STOPS = (signal.SIGTERM, signal.SIGINT)
_END_S = 2.0


def fork_questions(settings: Settings, end: ExitStack) -> Handover | None:
    """Start it, and return the channel to it; None where several processes share the port as equals."""
    if settings.mdns.workers > 1:
        return None
    ours, theirs = Handover.pair()
    gc.freeze()  # a collection would write to every page that the two share
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    pid = os.fork()
    if pid == 0:
        for number in _STOPS:  # they go to all processes of a terminal, or of a unit: it ends with the channel
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    if pid == 0:
        ours.close()
        os._exit(_live(settings, theirs))
    theirs.close()
    at_end(end, partial(_wait, pid))
    at_end(end, ours.close)
    return ours


def _live(settings: Settings, channel: Handover) -> int:
    """Answer until the other process ends; the exit code."""
    os.nice(_NICE)

    def forward(zone_id: str, peer: str) -> None:
        channel.give(Kind.NOTIFIED, notified(zone_id, peer))

    try:
        with ExitStack() as stack:
            service = DNSService(Serving(make_store(settings, stack)), settings.mdns, forward=forward)
            asyncio.run(_answer(service, channel))
    except BaseException:  # no caller reports it: the process ends here
        log.exception("cannot answer questions")
        return 1
    return 0


async def _answer(service: DNSService, channel: Handover) -> None:
    ended = asyncio.Event()
    await service.begin_handed(channel, ended.set)
    await ended.wait()
    os._exit(0)  # at once: nothing is held here, and a database that hangs must not keep it


def _wait(pid: int) -> None:
    """Wait for its end, which follows that of the channel."""
    ends = time.monotonic() + _END_S
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > ends:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
