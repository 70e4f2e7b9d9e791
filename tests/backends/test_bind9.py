# SPDX-License-Identifier: Apache-2.0
"""BIND told over its control channel: what goes beyond the contract of every backend."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from redesignate.backends.bind9 import Bind9, Bind9Options
from redesignate.backends.port import BackendError, BackendZone, NotOurs
from redesignate.backends.rndc_channel import CommandRefused, RndcChannel
from redesignate.backends.rndc_config import key_for
from redesignate.backends.rndc_key import KeySource
from redesignate.backends.rndc_message import ALGORITHMS
from redesignate.model.errors import Misconfigured
from redesignate.model.pool import Endpoint, Target
from tests.support.bind import RealBind, free_port

pytestmark = pytest.mark.external


def a_zone() -> BackendZone:
    ident = str(uuid.uuid4())
    return BackendZone(ident, f"z{ident[:8]}.example.")


def backend(bind: RealBind, *primaries: int, **options: object) -> Bind9:
    told = {
        "rndc_port": bind.rndc_port,
        "rndc_key_file": str(bind.key_file),
        "view": "inside" if bind.views else None,
    } | options
    ends = tuple(Endpoint("127.0.0.1", port) for port in primaries or (5354,))
    return Bind9(Target(id="t", type="bind9", primaries=ends), Bind9Options(**told))  # type: ignore[arg-type]


def using(found: Bind9, work: Callable[[Bind9], Awaitable[object]]) -> None:
    async def within() -> None:
        try:
            await work(found)
        finally:
            await found.close()

    asyncio.run(within())


def test_a_zone_is_a_secondary_of_all_primaries_in_its_view_only(bind: RealBind) -> None:
    zone = a_zone()
    using(backend(bind, 5354, 5355), lambda found: found.create(zone))
    shown = bind.rndc("showzone", f"{zone.name} in inside")
    assert "type slave" in shown
    assert "127.0.0.1 port 5354" in shown
    assert "127.0.0.1 port 5355" in shown
    assert f'file "slave.{zone.name}{zone.id}"' in shown
    assert "not found" in bind.rndc("showzone", f"{zone.name} in outside")


def test_named_fetches_a_zone_that_is_added_without_a_notify_and_no_other(bind: RealBind) -> None:
    zone = a_zone()

    async def work(found: Bind9) -> None:
        mark = bind.mark()
        assert await found.create(zone) is True
        failed = rf"zone {zone.name[:-1]}/IN.*: refresh: failure trying primary"
        await asyncio.to_thread(partial(bind.wait_log, failed, since=mark))
        assert await found.create(zone) is False

    using(backend(bind), work)


def test_an_existing_zone_gets_new_primaries(bind: RealBind) -> None:
    zone = a_zone()
    using(backend(bind, 5354), lambda found: found.create(zone))
    using(backend(bind, 5399), lambda found: found.create(zone))
    shown = bind.rndc("showzone", f"{zone.name} in inside")
    assert "5399" in shown
    assert "5354" not in shown


def test_an_existing_zone_with_our_primaries_in_any_order_is_left_alone(bind: RealBind) -> None:
    zone = a_zone()
    using(backend(bind, 1, 2, 3, 4), lambda found: found.create(zone))
    mark = bind.mark()

    async def create_often(found: Bind9) -> None:
        for _ in range(10):
            await found.create(zone)

    using(backend(bind, 4, 3, 2, 1), create_often)
    bind.wait_log("received control channel command 'showzone", since=mark)
    assert not [line for line in bind.tail(100).splitlines() if "modzone" in line and zone.name[:-1] in line]


@pytest.mark.parametrize(("name", "kind"), [("infra.example.com.", "primary"), ("corp.example.com.", "secondary")])
def test_a_zone_of_named_conf_is_left_alone_and_the_refusal_says_why(bind: RealBind, name: str, kind: str) -> None:
    zone = BackendZone(str(uuid.uuid4()), name)
    shown, mark = bind.rndc("showzone", f"{name} in inside"), bind.mark()
    steps: tuple[Callable[[Bind9], Awaitable[object]], ...] = (
        lambda found: found.create(zone),
        lambda found: found.delete(zone, False),
        lambda found: found.delete(zone, True),
    )
    for step in steps:
        with pytest.raises(NotOurs, match=rf"{name} \({kind}\) that was not created by this service.*another name"):
            using(backend(bind), step)
    assert bind.rndc("showzone", f"{name} in inside") == shown
    with pytest.raises(AssertionError):
        bind.wait_log(f"command '(modzone|delzone).*{name[:-1]}", since=mark, timeout=0)
    assert bind.rdata("infra.example.com.", "NS") == ["ns.infra.example.com."]


def test_an_automatic_empty_zone_is_not_ours(tmp_path: Path) -> None:
    with RealBind(tmp_path, recursive=True) as bind:
        zone = BackendZone(str(uuid.uuid4()), "10.in-addr.arpa.")
        assert bind.serial(zone.name) == 0
        with pytest.raises(NotOurs, match=r"10\.in-addr\.arpa\. that was not created by this service"):
            using(backend(bind), lambda found: found.create(zone))
        with pytest.raises(NotOurs):
            using(backend(bind), lambda found: found.delete(zone, True))
        assert bind.serial(zone.name) == 0


def test_clean_removes_the_file(bind: RealBind) -> None:
    for hard, option, cleaned in ((False, False, False), (True, False, True), (False, True, True)):
        zone = a_zone()

        async def make_and_drop(found: Bind9, zone: BackendZone = zone, hard: bool = hard) -> None:
            await found.create(zone)
            await found.delete(zone, hard)

        mark = bind.mark()
        using(backend(bind, clean_zonefile=option), make_and_drop)
        said = bind.wait_log(f"command 'delzone.*{zone.name[:-1]}", since=mark)
        assert ("-clean" in said) is cleaned


def test_a_view_that_is_not_there_is_told_in_one_line(bind: RealBind) -> None:
    with pytest.raises(BackendError) as raised:
        using(backend(bind, view="nowhere"), lambda found: found.create(a_zone()))
    assert "nowhere" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_wrong_secret_is_told_clearly(bind: RealBind, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_text('key "rndc-key" { algorithm hmac-sha256; secret "AAAA"; };')
    with pytest.raises(BackendError, match=r"does not accept key 'rndc-key' \(hmac-sha256\)"):
        using(backend(bind, rndc_key_file=str(other)), lambda found: found.create(a_zone()))


def test_a_key_that_is_put_right_in_its_file_works_at_the_next_try(tmp_path: Path) -> None:
    with RealBind(tmp_path / "bind") as bind:
        right, own = bind.key_file.read_text(), tmp_path / "rndc.key"
        own.write_text(right)

        async def wrong_and_right_again(found: Bind9) -> None:
            await found.create(a_zone())
            await asyncio.to_thread(new_secret, bind)
            for _ in range(3):
                with pytest.raises(BackendError, match="does not accept key"):
                    await found.create(a_zone())
            own.write_text("nonsense {")
            await until(found, "middle of a statement")
            own.unlink()
            await until(found, "rndc.key missing")
            own.write_text(bind.key_file.read_text())
            await until(found, None)

        using(backend(bind, rndc_key_file=str(own)), wrong_and_right_again)


def new_secret(bind: RealBind) -> None:
    """named itself gets another key, and is started with it."""
    bind.key_file.write_text(bind.key_file.read_text().replace('secret "', 'secret "AAAA'))
    bind.restart()


def test_its_start_is_the_same_until_it_is_restarted_whatever_is_done_with_its_zones(tmp_path: Path) -> None:
    with RealBind(tmp_path / "bind") as bind:

        def configured() -> str:
            return next(line for line in bind.rndc("status").splitlines() if line.startswith("last configured: "))

        async def work(found: Bind9) -> None:
            first, before = await found.ping(), await asyncio.to_thread(configured)
            assert first is not None
            assert first.startswith("boot time: ")
            zone = a_zone()
            async with asyncio.timeout(20):  # named's times are whole seconds
                while await asyncio.to_thread(configured) == before:
                    await found.create(zone)
                    await found.delete(zone, True)
            assert await found.ping() == first
            await asyncio.to_thread(bind.restart)
            assert await found.ping() not in (None, first)

        using(backend(bind), work)


async def until(found: Bind9, said: str | None) -> None:
    """Ask as the worker's probe does, until the answer is as wanted: well within its longest pause."""
    async with asyncio.timeout(6):
        while True:
            try:
                await found.ping()
            except BackendError as error:
                if said is not None and said in str(error):
                    return
            else:
                if said is None:
                    return
            await asyncio.sleep(0.1)


def test_a_port_without_a_server_is_told_clearly(bind: RealBind) -> None:
    with pytest.raises(BackendError, match=r"cannot connect to 127\.0\.0\.1:\d+: Connection refused$"):
        using(backend(bind, rndc_port=free_port()), lambda found: found.create(a_zone()))


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_every_algorithm_opens_the_channel(tmp_path: Path, algorithm: str) -> None:
    with RealBind(tmp_path, key_algorithm=algorithm) as bind:
        zone = a_zone()
        using(backend(bind), lambda found: found.create(zone))
        assert zone.id in bind.rndc("showzone", zone.name)


def test_the_channel_opens_anew_after_a_restart_and_zones_are_still_there(tmp_path: Path) -> None:
    with RealBind(tmp_path) as bind:
        first, second = a_zone(), a_zone()

        async def over_a_restart(found: Bind9) -> None:
            await found.create(first)
            await asyncio.to_thread(bind.stop)
            with pytest.raises(BackendError, match="cannot connect"):
                await found.create(second)
            await asyncio.to_thread(bind.start)
            await found.create(second)
            await found.create(first)

        using(backend(bind), over_a_restart)
        assert first.id in bind.rndc("showzone", first.name)
        assert second.id in bind.rndc("showzone", second.name)


def test_a_kept_connection_that_was_dropped_is_not_noticed(tmp_path: Path) -> None:
    with RealBind(tmp_path) as bind:

        async def over_a_quick_restart(found: Bind9) -> None:
            await found.create(a_zone())
            await asyncio.to_thread(bind.kill)
            await asyncio.to_thread(bind.start)
            await found.create(a_zone())

        using(backend(bind), over_a_quick_restart)


def test_a_channel_that_says_nothing_ends_in_a_time_out_and_the_next_try_starts_afresh(tmp_path: Path) -> None:
    with RealBind(tmp_path) as bind:
        key = KeySource(partial(key_for, "127.0.0.1", str(bind.key_file)))

        async def silent_then_real() -> None:
            connections: list[asyncio.StreamWriter] = []

            async def keep_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                connections.append(writer)

            server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            channel = RndcChannel(Endpoint("127.0.0.1", port), key, 0.2)
            started = time.monotonic()
            with pytest.raises(BackendError, match=r"no answer from 127\.0\.0\.1:\d+ within 0\.2 s"):
                await channel.command("status")
            assert time.monotonic() - started < 2
            server.close()
            for writer in connections:
                writer.close()
            await server.wait_closed()
            channel.server = Endpoint("127.0.0.1", bind.rndc_port)
            assert "server is up" in await channel.command("status")
            await channel.close()

        asyncio.run(silent_then_real())


def test_a_cancelled_command_leaves_no_answer_for_the_next(tmp_path: Path) -> None:
    with RealBind(tmp_path) as bind:
        key = KeySource(partial(key_for, "127.0.0.1", str(bind.key_file)))

        async def cancel_and_go_on() -> None:
            channel = RndcChannel(Endpoint("127.0.0.1", bind.rndc_port), key, 5)
            await channel.command("null")
            for _ in range(20):
                task = asyncio.create_task(channel.command("status"))
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                with pytest.raises(CommandRefused, match="not found"):
                    await channel.command('showzone "nothing.example"')
            await channel.close()

        asyncio.run(cancel_and_go_on())


def test_a_missing_key_file_names_itself_and_the_option(tmp_path: Path) -> None:
    target = Target(id="t", type="bind9", primaries=(Endpoint("127.0.0.1", 53),))
    with pytest.raises(Misconfigured, match=r"rndc_key_file.*nothing\.key"):
        Bind9(target, Bind9Options(rndc_key_file=str(tmp_path / "nothing.key")))


def test_primaries_must_be_addresses(bind: RealBind) -> None:
    target = Target(id="t", type="bind9", primaries=(Endpoint("mdns.example; };", 53),))
    with pytest.raises(Misconfigured, match="not an IP address"):
        Bind9(target, Bind9Options(rndc_key_file=str(bind.key_file)))
    with pytest.raises(Misconfigured, match="masters"):
        Bind9(Target(id="t", type="bind9"), Bind9Options(rndc_key_file=str(bind.key_file)))
