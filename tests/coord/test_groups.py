# SPDX-License-Identifier: Apache-2.0
"""What every kind of group promises, and what happens while its keeper is away (F11, F14)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from redesignate.config.settings import CoordinationSettings
from redesignate.coord.choose import choose_group
from redesignate.coord.leases import LeaseGroup
from redesignate.coord.port import Group, Place
from redesignate.coord.toozgroup import Fallback, ToozGroup
from redesignate.model.errors import Misconfigured, TimedOut, Unavailable
from tests.coord.leases import Leases
from tests.support.mariadb import MariaDB
from tests.support.memcached import Memcached
from tests.support.servers import until

Join = Callable[[str], Group]


@pytest.fixture
def leases() -> Leases:
    return Leases()


@pytest.fixture(params=["leases", "file", pytest.param("memcached", marks=pytest.mark.external)])
def join(request: pytest.FixtureRequest, leases: Leases, tmp_path: Path) -> Iterator[Join]:
    with ExitStack() as stack:
        url = f"file://{tmp_path}"
        if request.param == "memcached":
            url = f"memcached://127.0.0.1:{request.getfixturevalue('memcached').port}"

        def make(member: str) -> Group:
            group = f"producer-{tmp_path.name}"
            made = leases.join(member) if request.param == "leases" else ToozGroup(url, group=group, member=member)
            stack.callback(made.leave)
            return made

        yield make


def test_one_alone_is_the_first_of_one(join: Join) -> None:
    assert join("a").refresh() == Place(0, 1)


def test_members_are_counted_and_sorted_by_name(join: Join) -> None:
    late, early = join("b"), join("a")
    late.refresh()
    early.refresh()
    assert (early.refresh(), late.refresh()) == (Place(0, 2), Place(1, 2))


def test_refreshing_again_changes_nothing(join: Join) -> None:
    one, two = join("a"), join("b")
    two.refresh()
    assert {one.refresh() for _ in range(5)} == {Place(0, 2)}


def test_who_leaves_counts_no_longer(leases: Leases, join: Join) -> None:
    one, two = join("a"), join("b")
    one.refresh()
    two.refresh()
    one.leave()
    leases.now += 1.1
    assert two.refresh() == Place(0, 1)


def test_leaving_without_having_joined_is_nothing(join: Join) -> None:
    join("a").leave()


def test_a_silent_member_loses_its_lease(leases: Leases) -> None:
    one, two = leases.join("a"), leases.join("b")
    one.refresh()
    leases.now = 9.9
    assert two.refresh() == Place(1, 2)
    leases.now = 10.1
    assert two.refresh() == Place(0, 1)


def test_leaving_is_silent_when_central_is_away(leases: Leases) -> None:
    group = leases.join("a")
    group.refresh()
    leases.away = True
    group.leave()


@pytest.fixture
def own_memcached() -> Iterator[Memcached]:
    server = Memcached.create()
    yield server
    server.close()


@pytest.mark.external
def test_while_the_coordinator_is_away_leases_share_the_work(own_memcached: Memcached, leases: Leases) -> None:
    url = f"memcached://127.0.0.1:{own_memcached.port}"

    def member(name: str) -> Fallback:
        return Fallback(ToozGroup(url, group="producer", member=name), leases.join(name))

    one, two = member("a"), member("b")
    one.refresh()
    two.refresh()
    assert (one.refresh(), two.refresh()) == (Place(0, 2), Place(1, 2))
    own_memcached.kill()
    one.refresh()
    two.refresh()
    assert (one.refresh(), two.refresh()) == (Place(0, 2), Place(1, 2))
    assert len(leases.until) == 2
    own_memcached.start()
    until(lambda: (one.refresh(), two.refresh()) == (Place(0, 2), Place(1, 2)), deadline_s=20)
    leases.away = True  # the group is tooz's again
    assert (one.refresh(), two.refresh()) == (Place(0, 2), Place(1, 2))
    one.leave()
    two.leave()


@pytest.mark.external
def test_a_dead_member_is_forgotten(own_memcached: Memcached) -> None:
    url = f"memcached://127.0.0.1:{own_memcached.port}?membership_timeout=2"
    dead, alive = ToozGroup(url, group="g", member="a"), ToozGroup(url, group="g", member="b")
    dead.refresh()
    alive.refresh()
    assert alive.refresh().count == 2
    service = dead._service
    service.heart.stop()  # as a killed process: silent, without a farewell
    service.heart.wait()
    started_at = time.monotonic()
    until(lambda: alive.refresh() == Place(0, 1), deadline_s=10)
    assert time.monotonic() - started_at < 5
    alive.leave()
    dead.leave()


def test_dead_members_are_forgotten_in_time_unless_the_operator_says_otherwise() -> None:
    group = ToozGroup("memcached://127.0.0.1:9", group="g", member="m")
    assert group._service_at("memcached://127.0.0.1:9").membership_timeout == 12
    assert group._service_at("memcached://127.0.0.1:9?membership_timeout=40").membership_timeout == 40


def test_with_neither_the_asker_hears_so(leases: Leases) -> None:
    group = Fallback(ToozGroup("memcached://127.0.0.1:9", group="g", member="m"), leases.join("m"))
    leases.away = True
    with pytest.raises(TimedOut):
        group.refresh()
    group.leave()


def test_a_coordinator_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="coordination service"):
        ToozGroup("memcached://127.0.0.1:9", group="g", member="m").refresh()


def test_an_unknown_driver_names_the_option() -> None:
    with pytest.raises(Misconfigured, match=r"\[coordination\] backend_url.*nosuch"):
        ToozGroup("nosuch://host", group="g", member="m")


@pytest.mark.external
def test_a_driver_without_groups_names_the_option(mariadb: MariaDB) -> None:
    with pytest.raises(Misconfigured, match=r"\[coordination\] backend_url.*groups"):
        ToozGroup(mariadb.database().replace("+pymysql", ""), group="g", member="m").refresh()


def test_without_a_backend_url_leases_hold_the_group(leases: Leases, tmp_path: Path) -> None:
    settings = CoordinationSettings()
    assert isinstance(choose_group(settings, leases.hold, group="g", member="m"), LeaseGroup)
    settings = CoordinationSettings(backend_url=f"file://{tmp_path}")
    assert isinstance(choose_group(settings, leases.hold, group="g", member="m"), Fallback)
