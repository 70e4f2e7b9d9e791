# SPDX-License-Identifier: Apache-2.0
"""What the peers' states add up to: pure functions, by table and by property."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from redesignate.central.rules.agreement import heard, judge, missing, pause
from redesignate.config.settings import CentralSettings
from redesignate.model.clock import SECOND
from redesignate.model.pool import Nameserver, Pool, Target
from redesignate.model.work import Outcome, PeerOutcome, PeerState, Role
from redesignate.model.zone import Action, Status, Zone, ZoneType

ZONE = Zone(
    id="z", name="example.org.", type=ZoneType.PRIMARY, pool_id="p", project_id="p1", email="a@b.org", ttl=3600,
    serial=9, revision=5, confirmed=0, mname="ns1.example.net.", refresh=1, retry=1, expire=1, minimum=1,
    action=Action.UPDATE, status=Status.PENDING, version=1, created_at=0,
)  # fmt: skip
DELETING = structs.replace(ZONE, action=Action.DELETE)


def pool(targets: int, servers: int) -> Pool:
    return Pool(
        id="p", name="p", version=1, created_at=0,
        targets=tuple(Target(id=f"t{n}", type="fake") for n in range(targets)),
        nameservers=tuple(Nameserver(id=f"s{n}", host="192.0.2.1", port=53) for n in range(servers)),
    )  # fmt: skip


def state(peer_id: str, revision: int, *, present: bool = True, attempts: int = 0, next_try: int = 0) -> PeerState:
    role = Role.TARGET if peer_id.startswith("t") else Role.NAMESERVER
    return PeerState(
        peer_id=peer_id, role=role, present=present, revision=revision, attempts=attempts, next_try=next_try
    )


def verdict(zone: Zone, where: Pool | None, *states: PeerState, threshold: int = 100, retries: int = 3):  # type: ignore[no-untyped-def]
    settings = CentralSettings(threshold_percentage=threshold, poll_max_retries=retries)
    return judge(zone, where, {one.peer_id: one for one in states}, settings, 77)


@pytest.mark.parametrize(
    ("threshold", "at", "confirmed"),
    [
        (100, [5, 5, 5], 5),
        (100, [5, 5, 4], 4),
        (100, [5, 5, 0], 0),
        (66, [5, 5, 0], 5),
        (67, [5, 5, 0], 0),
        (50, [5, 4, 3], 4),
        (33, [5, 0, 0], 5),
        (1, [0, 0, 5], 5),
        (0, [0, 0, 5], 5),
        (0, [0, 0, 0], 0),
    ],
)
def test_the_threshold_is_a_share_of_the_nameservers(threshold: int, at: list[int], confirmed: int) -> None:
    states = [state(f"s{n}", revision) for n, revision in enumerate(at)]
    found = verdict(ZONE, pool(0, 3), *states, threshold=threshold)
    assert found.zone.confirmed == confirmed
    assert (found.zone.status is Status.ACTIVE) == (confirmed == 5)
    assert (found.zone.action is Action.NONE) == (confirmed == 5)
    assert found.agreed == (min(at) == 5)


def test_a_target_that_lags_keeps_an_active_zone_in_the_outbox() -> None:
    found = verdict(ZONE, pool(2, 1), state("s0", 5), state("t0", 5), state("t1", 4, next_try=50))
    assert (found.zone.status, found.agreed, found.next_try) == (Status.ACTIVE, False, 50)


def test_the_earliest_of_those_behind_is_due_next() -> None:
    states = (state("s0", 4, next_try=90), state("s1", 4, next_try=60), state("s2", 5, next_try=10))
    assert verdict(ZONE, pool(0, 3), *states).next_try == 60


@pytest.mark.parametrize(
    ("threshold", "attempts", "status"),
    [
        (100, [0, 2], Status.PENDING),
        (100, [0, 3], Status.ERROR),
        (50, [0, 3], Status.PENDING),
        (50, [3, 3], Status.ERROR),
    ],
)
def test_error_is_when_the_threshold_is_out_of_reach(threshold: int, attempts: list[int], status: Status) -> None:
    states = [state(f"s{n}", 4, attempts=count) for n, count in enumerate(attempts)]
    assert verdict(ZONE, pool(0, 2), *states, threshold=threshold).zone.status is status
    targets = [state(f"t{n}", 4, attempts=count) for n, count in enumerate(attempts)]
    assert verdict(ZONE, pool(2, 1), *targets, threshold=threshold).zone.status is status


def test_an_erring_zone_recovers() -> None:
    erring = structs.replace(ZONE, status=Status.ERROR)
    assert verdict(erring, pool(0, 1), state("s0", 4, attempts=1)).zone.status is Status.PENDING
    assert verdict(erring, pool(0, 1), state("s0", 5)).zone.status is Status.ACTIVE


def test_a_pool_without_nameservers_never_confirms_and_never_spins() -> None:
    found = verdict(ZONE, pool(1, 0), state("t0", 5))
    assert (found.zone.status, found.zone.confirmed, found.agreed) == (Status.PENDING, 0, True)
    assert verdict(ZONE, pool(0, 0)).agreed
    assert verdict(ZONE, None).agreed
    assert not verdict(ZONE, pool(1, 0)).agreed


@pytest.mark.parametrize(
    ("where", "states", "gone", "agreed"),
    [
        (pool(1, 1), [("t0", 5, False), ("s0", 5, False)], True, True),
        (pool(1, 1), [("t0", 4, True), ("s0", 5, False)], True, False),
        (pool(1, 1), [("t0", 5, False), ("s0", 4, True)], False, False),
        (pool(1, 1), [("t0", 5, False), ("s0", 4, False)], False, False),
        (pool(1, 1), [("t0", 5, False), ("s0", 5, True)], False, False),
        (pool(1, 0), [("t0", 5, False)], True, True),
        (pool(1, 0), [], False, False),
        (pool(0, 0), [], True, True),
    ],
)
def test_a_deletion_is_done_when_the_servers_say_so(
    where: Pool, states: list[tuple[str, int, bool]], gone: bool, agreed: bool
) -> None:
    found = verdict(DELETING, where, *(state(peer, revision, present=present) for peer, revision, present in states))
    assert (found.zone.status is Status.DELETED) == gone
    assert found.zone.deleted_at == (77 if gone else None)
    assert found.agreed == agreed


def test_a_deletion_that_fails_too_often_is_an_error_and_goes_on() -> None:
    found = verdict(DELETING, pool(0, 1), state("s0", 4, attempts=3, next_try=5))
    assert (found.zone.status, found.zone.action, found.agreed) == (Status.ERROR, Action.DELETE, False)


def test_a_deleted_zone_stays_deleted() -> None:
    gone = structs.replace(ZONE, action=Action.NONE, status=Status.DELETED, deleted_at=3)
    for states in ([], [state("s0", 9)], [state("s0", 5, present=False)]):
        assert verdict(gone, pool(0, 1), *states).zone == gone


states = st.builds(
    state,
    st.sampled_from(["s0", "s1", "s2", "t0", "t1"]),
    st.integers(0, 6),
    present=st.booleans(),
    attempts=st.integers(0, 5),
)


@given(
    known=st.lists(states, max_size=6),
    confirmed=st.integers(0, 5),
    threshold=st.integers(0, 100),
    servers=st.integers(0, 3),
    targets=st.integers(0, 2),
    deleting=st.booleans(),
)
def test_confirmed_never_falls_and_agreed_is_all_of_them(
    known: list[PeerState], confirmed: int, threshold: int, servers: int, targets: int, deleting: bool
) -> None:
    zone = structs.replace(DELETING if deleting else ZONE, confirmed=confirmed)
    by_peer = {one.peer_id: one for one in known}
    where = pool(targets, servers)
    found = verdict(zone, where, *known, threshold=threshold)
    assert confirmed <= found.zone.confirmed <= zone.revision
    members = [f"s{n}" for n in range(servers)] + [f"t{n}" for n in range(targets)]
    right = [by_peer.get(peer) for peer in members]
    assert found.agreed == all(
        one is not None and one.revision >= zone.revision and one.present is not deleting for one in right
    )
    if found.zone.status is Status.ACTIVE:
        assert found.zone.confirmed == zone.revision
    assert (found.zone.serial, found.zone.revision) == (zone.serial, zone.revision)


# -- what is heard


def outcome(revision: int, said: PeerOutcome, *, present: bool = True, final: bool = True) -> Outcome:
    return Outcome(zone_id="z", revision=revision, present=present, peers=(said,), final=final)


def word(role: Role = Role.NAMESERVER, **said: object) -> PeerOutcome:
    return PeerOutcome(**({"peer_id": "x", "role": role, "ok": True, "present": True, "serial": 9} | said))  # type: ignore[arg-type]


def test_a_success_settles_the_state() -> None:
    before = PeerState(peer_id="x", role=Role.NAMESERVER, attempts=4, error="away", next_try=9)
    after = heard(before, word(), outcome(5, word()), now=50, wait=7)
    assert after == PeerState(peer_id="x", role=Role.NAMESERVER, present=True, revision=5, serial=9, since=50)
    again = heard(after, word(serial=10), outcome(5, word()), now=60, wait=7)
    assert (again.since, again.serial) == (50, 10)


def test_a_failure_is_counted_and_keeps_the_revision() -> None:
    before = PeerState(peer_id="x", role=Role.NAMESERVER, present=True, revision=4, serial=8, since=3)
    said = word(ok=False, present=True, serial=8, why="still serves serial 8")
    after = heard(before, said, outcome(5, said), now=50, wait=7)
    assert after == replace(before, attempts=1, error="still serves serial 8", next_try=57)
    assert heard(after, said, outcome(5, said), now=50, wait=7).attempts == 2


def test_a_servers_words_are_kept_on_one_line_that_every_database_holds() -> None:
    said = PeerOutcome(peer_id="n0", role=Role.NAMESERVER, ok=False, present=False, why="rndc: a\0b\nc é")
    outcome = Outcome(zone_id="z", revision=1, present=True, peers=(said,))
    assert heard(None, said, outcome, now=5, wait=1).error == "rndc: a?b?c é"


def test_a_target_says_itself_whether_it_was_told() -> None:
    said = word(Role.TARGET, ok=False, present=True, serial=None, why="created, but no answer to NOTIFY")
    assert heard(None, said, outcome(5, said), now=50, wait=7).present
    lost = replace(said, present=False)
    assert not heard(
        PeerState(peer_id="x", role=Role.TARGET, present=True), lost, outcome(5, lost), now=1, wait=1
    ).present


def test_who_was_left_alone_is_not_counted() -> None:
    before = PeerState(peer_id="x", role=Role.NAMESERVER, attempts=4, error="away", next_try=90)
    said = word(ok=False, tried=False)
    assert heard(before, said, outcome(5, said), now=50, wait=7) == before


@given(
    known=st.integers(0, 9),
    revision=st.integers(0, 9),
    present=st.booleans(),
    was=st.booleans(),
    ok=st.booleans(),
)
def test_word_of_an_older_revision_changes_nothing(
    known: int, revision: int, present: bool, was: bool, ok: bool
) -> None:
    before = PeerState(peer_id="x", role=Role.NAMESERVER, present=was, revision=known, serial=1, since=1)
    said = word(ok=ok, present=present)
    after = heard(before, said, outcome(revision, said, present=present), now=50, wait=7)
    assert after.revision == (max(known, revision) if ok else known)
    if revision < known:
        assert after == before


@pytest.mark.parametrize(
    ("said", "present", "final", "expected"),
    [
        (word(ok=False, present=False, serial=None, absent=True), True, True, True),
        (word(ok=False, present=False, serial=None), True, True, False),  # silent
        (word(ok=False, present=False, serial=None, absent=True, tried=False), True, True, False),
        (word(ok=False, present=False, serial=None, absent=True), True, False, False),
        (word(present=False, serial=None), False, True, False),
    ],
)
def test_targets_are_told_again_when_a_server_says_it_lacks_the_zone(
    said: PeerOutcome, present: bool, final: bool, expected: bool
) -> None:
    assert missing(outcome(5, said, present=present, final=final)) is expected


@given(attempts=st.integers(1, 500), seed=st.integers())
def test_pauses_double_up_to_the_retry_interval_with_a_quarter_by_chance(attempts: int, seed: int) -> None:
    settings = CentralSettings(poll_retry_interval=15)
    whole = min(15.0, 0.5 * 2.0 ** min(attempts - 1, 16)) * SECOND
    assert 0.75 * whole - 1 <= pause(attempts, settings, random.Random(seed)) <= 1.25 * whole
