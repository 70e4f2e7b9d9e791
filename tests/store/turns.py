# SPDX-License-Identifier: Apache-2.0
"""SQLite's one writer, whose turn lasts as long as a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def turn_held(write: Callable[[Callable[[Any], None]], object]) -> Iterator[None]:
    """Another writer's turn, which lasts as long as the block: those who come meanwhile share the next one.

    write   carries out what it is given in a transaction
    """
    begun, over = threading.Event(), threading.Event()

    def hold(_transaction: Any) -> None:
        begun.set()
        assert over.wait(10)

    thread = threading.Thread(target=write, args=(hold,))
    thread.start()
    assert begun.wait(10)
    try:
        yield
    finally:
        over.set()
        thread.join(10)
