# SPDX-License-Identifier: Apache-2.0
"""BIND told over its control channel: what goes beyond the contract of every backend."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from redesignate.backends.bind9 import Bind9, Bind9Options, file_name, quoted
from redesignate.backends.port import BackendError, BackendZone
from redesignate.backends.rndc_channel import CommandRefused, RndcChannel
from redesignate.backends.rndc_config import key_for
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


def using(found: Bind9, work: Callable[[Bind9], Awaitable[None]]) -> None:
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
    with pytest.raises(BackendError, match=r"does not take key 'rndc-key' \(hmac-sha256\)"):
        using(backend(bind, rndc_key_file=str(other)), lambda found: found.create(a_zone()))


def test_a_port_without_a_server_is_told_clearly(bind: RealBind) -> None:
    with pytest.raises(BackendError, match=r"cannot connect to 127\.0\.0\.1:\d+"):
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
        key = key_for("127.0.0.1", str(bind.key_file))

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
        key = key_for("127.0.0.1", str(bind.key_file))

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
    with pytest.raises(Misconfigured, match="no IP address"):
        Bind9(target, Bind9Options(rndc_key_file=str(bind.key_file)))
    with pytest.raises(Misconfigured, match="masters"):
        Bind9(Target(id="t", type="bind9"), Bind9Options(rndc_key_file=str(bind.key_file)))


@pytest.mark.parametrize(
    ("name", "operand"),
    [
        ("example.org.", '"example.org"'),
        ('a"b.org.', '"a\\034b.org"'),
        ("a\\;b.org.", '"a\\059b.org"'),
        ("a\\010b.org.", '"a\\010b.org"'),
        ("a\nb.org.", '"a\\010b.org"'),
    ],
)
def test_a_name_becomes_one_quoted_operand(name: str, operand: str) -> None:
    assert quoted(name) == operand


def test_the_file_stays_in_its_folder_and_has_room_for_its_name() -> None:
    ident = str(uuid.uuid4())
    assert file_name(BackendZone(ident, "example.org.")) == f"slave.example.org.{ident}"
    assert "/" not in file_name(BackendZone(ident, "../../etc/passwd."))
    assert len(file_name(BackendZone(ident, "x" * 255))) < 256
