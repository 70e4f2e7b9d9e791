# SPDX-License-Identifier: Apache-2.0
"""Ids: UUIDs of version 7 that rise with time."""

from __future__ import annotations

import threading
import uuid

from redesignate.model.clock import new_id, shard_of


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = uuid.UUID(new_id())

    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_ids_of_one_process_rise_and_never_repeat_over_threads() -> None:
    own: list[list[str]] = [[] for _ in range(4)]

    def draw(into: list[str]) -> None:
        into += [new_id() for _ in range(2000)]

    threads = [threading.Thread(target=draw, args=(into,)) for into in own]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(into == sorted(into) for into in own)
    assert len({one for into in own for one in into}) == 8000


def test_shards_are_alike_in_size() -> None:
    quarters = [0, 0, 0, 0]
    for _ in range(4000):
        quarters[shard_of(new_id()) // 1024] += 1

    assert min(quarters) > 800
