# SPDX-License-Identifier: Apache-2.0
"""Threads that carry out imports: in `serve`, in central's processes, and in producers that open the database."""

from __future__ import annotations

import os
import uuid
from contextlib import ExitStack
from functools import partial

from redesignate.central.importing import Importer
from redesignate.central.service import CentralService
from redesignate.model.errors import Problem
from redesignate.observe.log import events
from redesignate.run.reading import Apart
from redesignate.run.stopping import FAREWELL_S
from redesignate.run.wiring import at_end
from redesignate.threads.service import Daemon

IDLE_S, LONGEST_S = 0.25, 2.0
"""The pause between two looks for imports that other processes have received: twice as long after each that found none,
up to LONGEST_S. One's own are taken up at once."""
FAILED_S = 2.0
LANES = ("short", "any")
"""Imports at a time in a process: those of one project follow each other. The first takes short files alone."""
log = events(__name__)


def start_importers(service: CentralService, host: str, end: ExitStack) -> None:
    """Carry out imports until the process ends."""
    for lane in LANES:
        importer = service.importer(f"{host[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}:{lane}")
        daemon = Daemon(f"imports-{lane}", Turns(importer))
        importer.stopping, importer.rest = partial(_stopping, daemon), daemon.rest
        importer.readers, importer.short = Apart, lane == "short"
        service.on_files(daemon.nudge)
        daemon.start()
        at_end(end, partial(daemon.stop, FAREWELL_S))


def _stopping(daemon: Daemon) -> bool:
    return daemon.stopping


class Turns:
    """One import after the other, and the pauses between them."""

    def __init__(self, importer: Importer) -> None:
        self._importer, self._pause = importer, IDLE_S

    def __call__(self) -> float:
        """Carry out an import, if there is one; return the seconds until the next look."""
        try:
            found = self._importer.turn()
        except (Problem, OSError) as failure:  # it is taken up again once its lease has run out
            log.warning("an import could not go on", why=str(failure) or type(failure).__name__)
            return FAILED_S
        pause, self._pause = self._pause, IDLE_S if found else min(2 * self._pause, LONGEST_S)
        return 0.0 if found else pause
