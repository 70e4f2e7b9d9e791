# SPDX-License-Identifier: Apache-2.0
"""Threads, and how they share work: every thread of the package is started here or is one of a `ThreadPoolExecutor`.

`service.Daemon` repeats a turn until it is stopped; `loop.LoopThread` holds an event loop; `call.OneCall` makes one
call for which nobody need wait. A new thread is one of these: `tests/house/test_floors.py` finds any other.
"""
