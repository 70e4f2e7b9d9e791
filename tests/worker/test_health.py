# SPDX-License-Identifier: Apache-2.0
"""When a peer counts as down, and when central hears that it is back."""

from __future__ import annotations

import pytest

from redesignate.worker.health import DOWN_AFTER_S, HealthTable, PeerHealth


def table() -> tuple[HealthTable, list[PeerHealth], list[PeerHealth]]:
    down: list[PeerHealth] = []
    back: list[PeerHealth] = []
    return HealthTable(on_down=down.append, on_return=back.append), down, back


def test_a_peer_goes_down_after_some_silent_tries_over_some_time() -> None:
    health, down, _ = table()
    peer = health.of("p", "s")
    peer.silent(0.0, 0.3, "no answer")
    peer.silent(0.3, 0.8, "no answer")
    peer.silent(0.8, 1.8, "no answer")
    assert not peer.down
    assert peer.unanswered is not None
    peer.silent(1.8, DOWN_AFTER_S, "no answer")
    assert peer.down
    assert down == [peer]
    peer.silent(2.0, 9.0, "no answer")
    assert down == [peer]


def test_one_late_try_is_not_enough() -> None:
    health, down, _ = table()
    peer = health.of("p", "s")
    peer.silent(0.0, 60.0, "no answer")
    assert not peer.down
    assert down == []


def test_tries_that_are_cancelled_one_after_another_are_silence_in_the_end() -> None:
    health, down, _ = table()
    peer = health.of("pool", "peer")
    ends = []
    for at in range(0, 300, 2):
        peer.cancel(at / 100, at / 100 + 0.009, "no answer")
        ends.append(peer.down)
    assert ends.index(True) / 50 == pytest.approx(DOWN_AFTER_S, abs=0.05)
    assert down == [peer]
    assert peer.hopeless


def test_a_try_cancelled_between_answers_is_no_silence() -> None:
    health = PeerHealth(("pool", "peer"))
    for at in range(0, 1000, 2):
        health.cancel(at / 100, at / 100 + 0.009, "no answer")
        assert health.unanswered is None
        health.answered(at / 100 + 0.01, at / 100 + 0.011)


def test_any_answer_makes_a_peer_well() -> None:
    health, _, back = table()
    peer = health.of("p", "s")
    peer.silent(0.0, 0.3, "no answer")
    peer.answered(0.3, 0.4)
    assert peer.unanswered is None
    assert back == []


def test_a_try_from_before_the_last_answer_counts_for_nothing() -> None:
    health, down, _ = table()
    peer = health.of("p", "s")
    peer.answered(9.9, 10.0)
    for sent in (1.0, 2.0, 3.0, 10.0):
        peer.silent(sent, 15.0, "no answer")
    assert peer.unanswered is None
    assert down == []


def test_central_hears_at_once_that_a_peer_is_back_and_rarely_that_a_zone_is_repaired() -> None:
    health, _, back = table()
    peer = health.of("p", "s")
    for start in (0.0, 20.0):
        for at in range(4):
            peer.silent(start + at, start + at + 1.0, "no answer")
        peer.answered(start + 4.9, start + 5.0)
    assert back == [peer, peer]
    peer.repaired(26.0)
    assert back == [peer, peer]
    peer.repaired(60.0)
    peer.repaired(61.0)
    assert back == [peer, peer, peer]


def test_zones_stop_waiting_for_a_silent_peer_and_go_on_waiting_for_a_slow_one() -> None:
    health, _, _ = table()
    peer = health.of("p", "s")
    for start, took, hopeless in ((0.0, 0.1, True), (20.0, 4.0, False)):
        peer.answered(start, start + took)
        for at in range(4):
            peer.silent(start + 5 + at, start + 6 + at, "no answer")
        assert peer.down
        assert peer.hopeless is hopeless


def test_peers_that_left_their_pool_are_forgotten() -> None:
    health, _, _ = table()
    here, left, elsewhere = health.of("p", "a"), health.of("p", "b"), health.of("q", "b")
    health.keep_only("p", {"a"})
    assert health.known(here)
    assert not health.known(left)
    assert health.known(elsewhere)
