# SPDX-License-Identifier: Apache-2.0
"""Tenants' primaries: names resolved beside everything else, and addresses that may not be asked refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from redesignate.config.settings import WorkerSettings
from redesignate.model.pool import Endpoint
from redesignate.worker import masters
from redesignate.worker.masters import THREADS, MasterRefused, Masters

NAMES: dict[str, Sequence[str]] = {
    "good.example": ("192.0.2.1", "2001:db8::1"),
    "inside.example": ("127.0.0.1", "::1"),
    "mixed.example": ("169.254.169.254", "192.0.2.9"),
    "empty.example": (),
}


def run(
    do: Callable[[Masters], Awaitable[None]],
    resolve: Callable[[str], Sequence[str]] = NAMES.__getitem__,
    **given: object,
) -> None:
    """Run a test with masters of these settings."""

    async def main() -> None:
        made = Masters(WorkerSettings(**given), resolve=resolve)  # type: ignore[arg-type]  # what a test gives
        try:
            await asyncio.wait_for(do(made), 20)
        finally:
            made.close()

    asyncio.run(main())


def found(host: str, **given: object) -> str:
    """The address at which a primary is asked, or why it is not."""
    seen: list[str] = []

    async def do(made: Masters) -> None:
        try:
            seen.append((await made.find(Endpoint(host, 53))).host)
        except MasterRefused as refused:
            seen.append(str(refused))

    run(do, **given)  # type: ignore[arg-type]  # settings
    return seen[0]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1"],
)
def test_addresses_of_this_host_and_link_are_refused_by_default(host: str) -> None:
    assert found(host) == f"{host} is not allowed as a master ([service:worker] allowed_masters, denied_masters)"


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1", "2001:db8::1"])
def test_other_addresses_are_asked_by_default(host: str) -> None:
    assert found(host) == host


def test_a_name_counts_for_what_it_resolves_to() -> None:
    assert found("good.example") == "192.0.2.1"
    assert found("mixed.example") == "192.0.2.9"
    assert found("inside.example").startswith("inside.example is 127.0.0.1, which is not allowed as a master")
    assert found("empty.example") == "empty.example has no address"


def test_the_lists_say_what_may_be_asked() -> None:
    assert found("127.0.0.1", denied_masters=()) == "127.0.0.1"
    assert "not allowed" in found("10.1.2.3", denied_masters=("10.0.0.0/8",))
    assert "not allowed" in found("192.0.2.1", allowed_masters=("198.51.100.0/24",))
    assert found("198.51.100.7", allowed_masters=("198.51.100.0/24",)) == "198.51.100.7"
    assert "not allowed" in found("127.0.0.1", allowed_masters=("127.0.0.1",)), "denied wins"


def test_a_name_is_resolved_once_for_all_that_ask_and_kept() -> None:
    asked: list[str] = []

    def resolve(host: str) -> Sequence[str]:
        asked.append(host)
        return NAMES[host]

    async def do(made: Masters) -> None:
        await asyncio.gather(*(made.find(Endpoint("good.example", port)) for port in range(53, 73)))
        await made.find(Endpoint("good.example", 53))

    run(do, resolve)
    assert asked == ["good.example"]


def test_a_resolver_that_fails_is_no_address() -> None:
    def fail(_host: str) -> Sequence[str]:
        raise OSError("no such name")

    async def do(made: Masters) -> None:
        for _ in range(2):
            with pytest.raises(MasterRefused, match=r"gone.example has no address"):
                await made.find(Endpoint("gone.example", 53))

    run(do, fail)


def test_names_that_hang_keep_nobody_from_the_default_executor() -> None:
    """A pool's nameservers are resolved there."""
    release = threading.Event()

    def hang(host: str) -> Sequence[str]:
        release.wait(10)
        return NAMES["good.example"]

    async def do(made: Masters) -> None:
        hanging = [asyncio.ensure_future(made.find(Endpoint(f"n{n}.example", 53))) for n in range(60)]
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        others = [loop.run_in_executor(None, threading.get_ident) for _ in range(60)]
        await asyncio.wait_for(asyncio.gather(*others), 5)
        assert sum(thread.name.startswith("masters-names") for thread in threading.enumerate()) <= THREADS
        assert (await made.find(Endpoint("192.0.2.1", 53))).host == "192.0.2.1"
        release.set()
        await asyncio.gather(*hanging)

    run(do, hang)


def test_a_name_that_hangs_is_waited_for_no_longer_than_a_transfers_step() -> None:
    release = threading.Event()

    def hang(_host: str) -> Sequence[str]:
        release.wait(10)
        return ()

    async def do(made: Masters) -> None:
        with pytest.raises(MasterRefused, match=r"slow.example was not resolved within 0\.05 s"):
            await made.find(Endpoint("slow.example", 53))
        release.set()

    run(do, hang, xfr_timeout=0.05)


def test_names_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masters, "MOST_KEPT", 10)

    async def do(made: Masters) -> None:
        for n in range(50):
            await made.find(Endpoint(f"n{n}.example", 53))
        assert len(made._kept) == 10

    run(do, lambda _host: ("192.0.2.1",))
