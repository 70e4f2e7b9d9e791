# SPDX-License-Identifier: Apache-2.0
"""When the tasks of an attempt hear of each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from redesignate.model.pool import Endpoint
from redesignate.worker.attempt import Signals

ONE, TWO, THREE = (Endpoint(f"192.0.2.{n}", 53) for n in (1, 2, 3))


def on_loop(test: Callable[[], None]) -> None:
    async def main() -> None:
        test()

    asyncio.run(main())


def test_polling_may_begin_at_once_where_no_target_is_to_be_notified() -> None:
    def test() -> None:
        signals = Signals(everyone={ONE}, polled={ONE}, current=set(), targets=set())
        assert signals.notified[ONE].done()

    on_loop(test)


def test_a_nameserver_waits_for_its_own_target_and_one_without_for_any() -> None:
    def test() -> None:
        signals = Signals(everyone={ONE, THREE}, polled={ONE, THREE}, current=set(), targets={ONE, TWO})
        signals.mark_notified(TWO)
        assert not signals.notified[ONE].done()
        assert signals.notified[THREE].done()
        signals.mark_notified(ONE, ok=False)
        assert signals.notified[ONE].done()
        assert signals.failed == {ONE}

    on_loop(test)


def test_a_target_is_served_by_the_server_at_its_address_and_one_without_by_all() -> None:
    def test() -> None:
        signals = Signals(everyone={ONE, TWO}, polled={ONE, TWO}, current=set(), targets={ONE, THREE})
        signals.mark_polled(ONE, ok=True)
        assert signals.served[ONE].done()
        assert not signals.served[THREE].done()
        assert not signals.polls_over.done()
        signals.mark_polled(TWO, ok=True)
        assert signals.served[THREE].done()
        assert signals.polls_over.done()

    on_loop(test)


def test_a_failure_ends_the_polls_and_nothing_counts_as_served_by_all() -> None:
    def test() -> None:
        signals = Signals(everyone={ONE}, polled={ONE}, current=set(), targets={ONE})
        signals.mark_polled(ONE, ok=False)
        assert signals.polls_over.done()
        assert not signals.all_served.done()
        assert not signals.served[ONE].done()

    on_loop(test)


def test_a_server_that_is_left_alone_counts_as_not_serving() -> None:
    def test() -> None:
        signals = Signals(everyone={ONE, TWO}, polled={ONE}, current=set(), targets=set())
        signals.mark_polled(ONE, ok=True)
        assert not signals.all_served.done()

    on_loop(test)


def test_a_server_that_is_current_counts_as_serving() -> None:
    def test() -> None:
        signals = Signals(everyone={ONE, TWO}, polled={ONE}, current={TWO}, targets={TWO})
        assert signals.served[TWO].done()
        signals.mark_polled(ONE, ok=True)
        assert signals.all_served.done()

    on_loop(test)
