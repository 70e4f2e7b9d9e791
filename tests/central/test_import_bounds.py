# SPDX-License-Identifier: Apache-2.0
"""Imports of files that are made to take much: records, octets, disk, time, and what is seen of them meanwhile."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from redesignate.central import importing, quotas
from redesignate.model.zonefile import Content, Found, gather
from redesignate.model.zonetask import TaskStatus
from redesignate.store.imports import Imports
from tests.central.conftest import Build
from tests.central.driver import PLENTY, CentralDriver
from tests.central.test_imports import BODY, HEAD, carried_out, get, importer, left, sent

LONG = HEAD + "$GENERATE 1-3000 h$ IN A 192.0.2.1\n"


def test_a_file_far_beyond_its_projects_quota_is_not_read_to_its_end(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    central = build(quotas=PLENTY | {"zone_records": 10})
    read: list[int] = []

    def noted(*args: Any, **more: Any) -> Any:
        read.append(more["most"])
        return gather(*args, **more)

    monkeypatch.setattr(importing, "gather", noted)
    done = carried_out(central, HEAD + "$GENERATE 1-65535 h$ IN A 192.0.2.1\n")
    assert (done.message or "").startswith("Quota exceeded during zone import. Quota exceeded for zone_records.")
    assert read == [10 * quotas.SPELLINGS + importing.BESIDE]
    assert left(central) == [0, 0, 0, 0, 0]
    equal = carried_out(central, HEAD + "www IN A 192.0.2.1\n" * 30)
    assert equal.status is TaskStatus.COMPLETE


def full(_text: object) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device", "/private/place")


def test_an_import_for_which_the_disk_has_no_room_ends_after_a_few_trials(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, one, rests = sent(central, HEAD + BODY), importer(central), list[float]()
    one.rest = rests.append
    monkeypatch.setattr(importing, "gather", lambda chunks, **more: full(list(chunks)))
    assert one.turn()
    done = get(central, made)
    assert (done.status, "No space left on device" in (done.message or "")) == (TaskStatus.ERROR, True)
    assert "private" not in (done.message or "")
    assert rests == [importing.AGAIN_S] * (importing.TRIALS - 1)
    assert left(central) == [0, 0, 0, 0, 0]


def test_an_import_goes_on_behind_what_is_stored_once_the_disk_has_room(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary file fails while it is read again, after a first step was stored."""
    monkeypatch.setattr(importing, "STEP", 1)
    made, one, times = sent(central, HEAD + BODY), importer(central), [0]

    def breaks(content: Content) -> Iterator[Found]:
        times[0] += 1
        for number, found in enumerate(original(content)):
            if times[0] == 1 and number == 3:
                full(found)
            yield found

    original = Content.rrsets
    monkeypatch.setattr(Content, "rrsets", breaks)
    assert one.turn()
    assert (get(central, made).status, times) == (TaskStatus.COMPLETE, [2])
    assert len(central.rows("rrsets")) == 6


def test_a_lease_is_renewed_and_a_stop_seen_while_one_part_is_read(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "gather", partial(gather, room=50_000))
    monkeypatch.setattr(importing, "RENEW_S", 0.0)
    made, one, asked, held = sent(central, LONG), importer(central), [0], [0]
    hold = Imports.hold

    def counted(imports_: Imports, *args: Any) -> None:
        held[0] += 1
        hold(imports_, *args)

    def stopping() -> bool:
        asked[0] += 1
        return asked[0] > 10

    monkeypatch.setattr(Imports, "hold", counted)
    one.stopping = stopping
    assert one.turn()
    assert held[0] == 5
    assert central.rows("zone_imports")[0].stored == 0
    assert get(central, made).status is TaskStatus.PENDING


def test_a_lease_is_renewed_while_what_is_stored_is_skipped(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, first = sent(central, LONG), importer(central)
    first.stopping = lambda: central.rows("zone_imports")[0].stored >= 2000
    assert first.turn()
    assert central.rows("zone_imports")[0].stored == 2000
    second, planned, skipped = importer(central, "two"), importing._Run._planned, list[int]()

    def noted(run: Any, content: Any) -> Any:
        plan = planned(run, content)
        monkeypatch.setattr(importing, "RENEW_S", 0.0)
        skipped.append(len(steps))
        return plan

    steps: list[dict[str, Any]] = []
    step: Callable[..., Any] = second.step

    def seen(*args: Any, **more: Any) -> Any:
        steps.append(more)
        return step(*args, **more)

    monkeypatch.setattr(importing._Run, "_planned", noted)
    monkeypatch.setattr(second, "step", seen)
    assert second.turn()
    assert get(central, made).status is TaskStatus.COMPLETE
    behind = steps[skipped[0] :]
    assert next(number for number, one in enumerate(behind) if "stored" in one) >= 2000 // importing.SKIPPED


def test_a_step_has_few_octets_however_large_its_record_sets_are(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = " ".join(['"' + "x" * 255 + '"'] * 200)
    made, one, stored = sent(central, HEAD + f"$GENERATE 1-60 h$ IN TXT {record}\n"), importer(central), list[int]()
    step: Callable[..., Any] = one.step

    def seen(*args: Any, **more: Any) -> Any:
        stored.extend([more["stored"]] if "stored" in more else [])
        return step(*args, **more)

    monkeypatch.setattr(one, "step", seen)
    assert one.turn()
    assert get(central, made).status is TaskStatus.COMPLETE
    assert stored == [20, 40, 60]


def test_what_is_left_is_removed_with_rests_while_others_wait(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, rests = importer(central), list[float]()
    one.rest = rests.append
    sent(central, LONG + "z IN CNAME www\nz IN A 192.0.2.1\n")
    drop = Imports.drop_stored

    def waited_for(imports_: Imports, target_id: str) -> bool:
        monkeypatch.setattr(central.store, "writers_waiting", lambda: 1)
        removed.append(len(rests))
        return drop(imports_, target_id)

    removed: list[int] = []
    monkeypatch.setattr(Imports, "drop_stored", waited_for)
    assert one.turn()
    assert removed == [0, 1, 2, 3, 4, 5, 6]
    assert left(central) == [0, 0, 0, 0, 0]
