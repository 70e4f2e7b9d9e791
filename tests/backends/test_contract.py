# SPDX-License-Identifier: Apache-2.0
"""What every backend keeps to, whatever it speaks to. A new backend adds itself to RIGS and changes nothing else."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from redesignate.backends import registry
from redesignate.backends.fake import Fake
from redesignate.backends.port import Backend, BackendZone, NotOurs
from redesignate.model.pool import Endpoint, Pool, Target
from tests.support.bind import RealBind
from tests.support.servers import until


@dataclass(frozen=True)
class Rig:
    """A backend under test.

    has       looks at the server itself; None where there is nothing to see
    foreign   a zone that the server's operator put there, not we; None only where the server serves our database alone
    look      all that the server itself says of a zone
    """

    backend: Backend
    has: Callable[[BackendZone], bool] | None = None
    foreign: str | None = None
    look: Callable[[BackendZone], object] = lambda _: None


def a_zone(name: str | None = None) -> BackendZone:
    ident = str(uuid.uuid4())
    return BackendZone(ident, name or f"z{ident[:8]}.example.")


def built(kind: str, options: dict[str, str]) -> Backend:
    target = Target(id="t1", type=kind, options=options, primaries=(Endpoint("127.0.0.1", 5354),))
    return registry.build(Pool(id="p1", name="default", version=1, created_at=0, targets=(target,)), target)


def bind_rig(bind: RealBind) -> Rig:
    backend = built("bind9", bind.target_options(view="inside"))

    def look(zone: BackendZone) -> str:
        return bind.rndc("showzone", f'"{zone.name}" in inside')

    return Rig(backend, lambda zone: "masters" in look(zone), "infra.example.com.", look)


def fake_rig(_: RealBind) -> Rig:
    backend = built("fake", {})
    assert isinstance(backend, Fake)
    backend.foreign.add("infra.example.com.")
    return Rig(backend, lambda zone: zone.name in backend.zones, "infra.example.com.", lambda _: backend.zones.copy())


def builtin_rig(_: RealBind) -> Rig:
    return Rig(built("builtin", {}))


RIGS = {"fake": fake_rig, "builtin": builtin_rig, "bind9": bind_rig}
pytestmark = pytest.mark.external


@pytest.fixture(params=list(RIGS))
def rig(request: pytest.FixtureRequest, bind: RealBind) -> Rig:
    return RIGS[request.param](bind)


def run(rig: Rig, *steps: tuple[str, BackendZone]) -> None:
    async def all_steps() -> None:
        try:
            for step, zone in steps:
                match step:
                    case "create":
                        await rig.backend.create(zone)
                    case "update":
                        await rig.backend.update(zone)
                    case _:
                        await rig.backend.delete(zone, step == "delete hard")
        finally:
            await rig.backend.close()

    asyncio.run(all_steps())


def there(rig: Rig, zone: BackendZone) -> bool | None:
    return None if rig.has is None else rig.has(zone)


def test_a_created_zone_is_there_and_a_deleted_one_is_not(rig: Rig) -> None:
    zone = a_zone()
    run(rig, ("create", zone))
    assert there(rig, zone) is not False
    run(rig, ("delete", zone))
    assert not there(rig, zone)


def test_creating_a_zone_that_is_there_succeeds(rig: Rig) -> None:
    zone = a_zone()
    run(rig, ("create", zone), ("create", zone))
    assert there(rig, zone) is not False


def test_deleting_a_zone_that_is_not_there_succeeds(rig: Rig) -> None:
    run(rig, ("delete", a_zone()), ("delete hard", a_zone()))


def test_a_zone_may_come_back_under_another_id(rig: Rig) -> None:
    first, second = a_zone("again.example."), a_zone("again.example.")
    run(rig, ("create", first), ("delete hard", first))
    until(lambda: not there(rig, first))  # BIND drops a zone's configuration some time after it has said so
    run(rig, ("create", second), ("update", second))
    assert there(rig, second) is not False


@pytest.mark.parametrize("step", ["create", "delete", "delete hard"])
def test_a_zone_that_is_not_provably_ours_is_neither_changed_nor_deleted(rig: Rig, step: str) -> None:
    if rig.foreign is None:
        assert rig.has is None, "a server with zones of its own needs one that is not ours"
        return
    zone = a_zone(rig.foreign)
    before = rig.look(zone)
    with pytest.raises(NotOurs) as raised:
        run(rig, (step, zone))
    assert rig.foreign in str(raised.value)
    assert "\n" not in str(raised.value)
    assert rig.look(zone) == before


def test_updating_a_zone_succeeds(rig: Rig) -> None:
    zone = a_zone()
    run(rig, ("create", zone), ("update", zone))
    assert there(rig, zone) is not False


def test_a_hundred_zones_at_once_are_all_there(rig: Rig) -> None:
    zones = [a_zone() for _ in range(100)]

    async def create_all() -> None:
        await asyncio.gather(*(rig.backend.create(zone) for zone in zones))
        await rig.backend.close()

    asyncio.run(create_all())
    assert all(there(rig, zone) is not False for zone in zones[::33])


@pytest.mark.parametrize(
    "name",
    [
        "_tcp.under.example.",
        "0/25.2.0.192.in-addr.arpa.",
        "xn--bcher-kva.example.",
        'quo"te.example.',
        "semi\\059colon.example.",
        "brace}\\;end.example.",
        "new\\010line.example.",
        "back\\\\slash.example.",
        "a" * 63 + "." + "b" * 63 + "." + "c" * 63 + "." + "d" * 61 + ".",
    ],
)
def test_no_zone_name_is_more_than_a_name(rig: Rig, name: str) -> None:
    zone = a_zone(name)
    run(rig, ("create", zone), ("create", zone), ("delete", zone))
