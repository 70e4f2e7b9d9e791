# SPDX-License-Identifier: Apache-2.0
"""The second process of a nameserver: it answers what anybody asks, so that publication has an interpreter of its own.

It is forked before there are threads, engines and connections, and ends with the process that it belongs to.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import time
from contextlib import ExitStack, suppress
from functools import partial

from redesignate.config.settings import Settings
from redesignate.mdns.service import DNSService
from redesignate.observe.log import events
from redesignate.run.wiring import at_end, make_store
from redesignate.store.serving import Serving
from redesignate.wire.handover import Handover, Kind, notified

log = events(__name__)

_NICE = 5
_NOT_ITS_OWN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_END_S = 2.0
_BEAT_S = 1.0
_PDEATHSIG = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def fork_questions(settings: Settings, end: ExitStack) -> Handover | None:
    """Start it, and return the channel to it; None where several processes share the port as equals."""
    if settings.mdns.workers > 1:
        return None
    ours, theirs = Handover.pair()
    gc.freeze()  # a collection would write to every page that the two share
    signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_ITS_OWN)
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        _end_with(parent)
        for number in _NOT_ITS_OWN:  # they go to all processes of a terminal, or of a unit: it ends with the channel
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOT_ITS_OWN)
    if pid == 0:
        ours.close()
        os._exit(_live(settings, theirs))
    theirs.close()
    ours.kill = partial(os.kill, pid, signal.SIGKILL)  # it keeps its number until `_wait`
    at_end(end, partial(_wait, pid))
    at_end(end, ours.close)
    return ours


def _end_with(parent: int) -> None:
    """Have the kernel end this process with its parent, even one that is suspended: it would keep the port, and of
    `serve` the state folder, from the next. Where there is no prctl(2) it ends with the channel alone."""
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


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
    while not ended.is_set():
        channel.give(Kind.BEAT)
        with suppress(TimeoutError):
            async with asyncio.timeout(_BEAT_S):
                await ended.wait()
    os._exit(0)  # at once: nothing is held here, and a database that hangs must not keep it


def _wait(pid: int) -> None:
    """Wait for its end, which follows that of the channel."""
    ends = time.monotonic() + _END_S
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > ends:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
