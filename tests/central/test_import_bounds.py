# SPDX-License-Identifier: Apache-2.0
"""Imports of files that are made to take much: records, octets, disk, time, and what is seen of them meanwhile."""

from __future__ import annotations

import contextlib
import errno
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pytest

from redesignate.central import importing, importrows, importrun, quotas, upkeep
from redesignate.central.importrows import Block, Frame, Head, Here
from redesignate.commands.exports import CreateExport
from redesignate.commands.imports import AddImportPart, CreateImport, GetImport
from redesignate.commands.rrsets import ListRRsets
from redesignate.commands.upkeep import ForgetTasks
from redesignate.model import errors
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.zonefile import Content, Found, gather
from redesignate.model.zonetask import TaskStatus
from redesignate.store import few
from redesignate.store.imports import Imports
from tests.central.conftest import Build
from tests.central.driver import PLENTY, CentralDriver, admin, member
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

    monkeypatch.setattr(importrows, "gather", noted)
    done = carried_out(central, HEAD + "$GENERATE 1-65535 h$ IN A 192.0.2.1\n")
    assert (done.message or "").startswith("Quota exceeded during zone import. Quota exceeded for zone_records.")
    assert read == [10 * quotas.SPELLINGS + importrun.BESIDE]
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
    monkeypatch.setattr(importrows, "gather", lambda chunks, **more: full(list(chunks)))
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
    monkeypatch.setattr(importrun, "STEP", 1)
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
    monkeypatch.setattr(importrows, "gather", partial(gather, room=50_000))
    monkeypatch.setattr(importrun, "RENEW_S", 0.0)
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
    second, planned, skipped = importer(central, "two"), importrun.Run._planned, list[int]()

    def noted(run: Any, content: Any) -> Any:
        plan = planned(run, content)
        monkeypatch.setattr(importrun, "RENEW_S", 0.0)
        skipped.append(len(steps))
        return plan

    steps: list[dict[str, Any]] = []
    step: Callable[..., Any] = second.step

    def seen(*args: Any, **more: Any) -> Any:
        steps.append(more)
        return step(*args, **more)

    monkeypatch.setattr(importrun.Run, "_planned", noted)
    monkeypatch.setattr(second, "step", seen)
    assert second.turn()
    assert get(central, made).status is TaskStatus.COMPLETE
    behind = steps[skipped[0] :]
    assert next(number for number, one in enumerate(behind) if "stored" in one) >= 2000 // importrows.SKIPPED


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


def test_an_import_that_fails_unexpectedly_is_given_up_after_some_attempts(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importrun, "SHORT_FILE", -1)
    made, one, tried = sent(central, HEAD + BODY), importer(central), [0]

    class Broken(Here):
        def head(self, chunks: Iterable[bytes], most: int) -> Head:
            tried[0] += 1
            raise KeyError("a fault of ours")

    one.readers = Broken
    for _ in range(importing.MOST_ATTEMPTS):
        with pytest.raises(KeyError):
            one.turn()
        assert not one.turn()  # it is leased
        assert get(central, made).status is TaskStatus.PENDING
        central.pass_time(importing.LEASE_S + 1)
    assert one.turn()
    done = get(central, made)
    assert (done.status, done.message) == (TaskStatus.ERROR, importing.GIVEN_UP)
    assert tried == [importing.MOST_ATTEMPTS]
    assert left(central) == [0, 0, 0, 0, 0]


def test_a_database_that_is_unavailable_takes_no_attempt(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, one, store = sent(central, HEAD + BODY), importer(central), Imports.store_ahead

    def full(*_: object) -> None:
        raise errors.Unavailable("The database has no space left; retry.")

    monkeypatch.setattr(Imports, "store_ahead", full)
    for _ in range(importing.MOST_ATTEMPTS + 2):
        with pytest.raises(errors.Unavailable):
            one.turn()
        central.pass_time(importing.LEASE_S + 1)
    monkeypatch.setattr(Imports, "store_ahead", store)
    assert one.turn()
    assert get(central, made).status is TaskStatus.COMPLETE


def test_attempts_are_counted_since_the_last_record_sets_were_stored(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importrun, "STEP", 1)
    monkeypatch.setattr(importing, "MOST_ATTEMPTS", 2)
    monkeypatch.setattr(importrun, "SHORT_FILE", -1)
    made, one = sent(central, HEAD + BODY), importer(central)

    class Breaks(Here):
        def blocks(self, frame: Frame) -> Iterator[Block]:
            given = False
            for block in super().blocks(frame):
                if given:
                    raise KeyError("a fault of ours")
                given = bool(block.rows)
                yield block

    one.readers = Breaks
    for _ in range(12):
        with contextlib.suppress(KeyError):
            one.turn()
        central.pass_time(importing.LEASE_S + 1)
    assert get(central, made).status is TaskStatus.COMPLETE


def test_a_lane_for_short_files_leaves_long_ones_to_others(central: CentralDriver) -> None:
    pieces = [zlib.compress(piece.encode()) for piece in (HEAD, BODY)]
    long = central.call(CreateImport(caller=member(), data=pieces[0], last=False))
    central.call(AddImportPart(caller=member(), import_id=long.id, number=1, data=pieces[1], last=True))
    short = sent(central, HEAD.replace("Example", "Other") + BODY, member("p2"))
    one, any_ = importer(central), importer(central, "two")
    one.short = True
    assert one.turn()
    assert not one.turn()
    assert central.call(GetImport(caller=member("p2"), import_id=short.id)).status is TaskStatus.COMPLETE
    assert get(central, long).status is TaskStatus.PENDING
    assert any_.turn()
    assert get(central, long).status is TaskStatus.COMPLETE


def test_lists_do_not_count_what_is_stored_ahead(anywhere: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    central = anywhere()
    central.zone("settled.org.")
    central.serve()
    zone = central.zone("shown.org.")
    monkeypatch.setattr(importrun, "STEP", 2)
    sent(central, HEAD + BODY)
    one = importer(central)
    one.stopping = lambda: bool(central.rows("zone_imports")[0].stored)
    assert one.turn()
    assert central.rows("zone_imports")[0].stored == 2
    of_all = admin(all_projects=True)
    by_type = ListQuery(conditions=(Condition("type", Op.EQ, "MX"),))
    assert central.call(ListRRsets(caller=member(), zone_id=None, query=ListQuery())).total == 4
    assert central.call(ListRRsets(caller=of_all, zone_id=None, query=ListQuery())).total == 4
    assert central.call(ListRRsets(caller=member(), zone_id=None, query=by_type)).total == 0
    monkeypatch.setattr(few, "FEW", 1)
    for word in ("ACTIVE", "PENDING"):
        by_status = ListQuery(conditions=(Condition("status", Op.EQ, word),))
        for caller in (member(), of_all):
            page = central.call(ListRRsets(caller=caller, zone_id=None, query=by_status))
            assert page.total == len(page.items)
    one.stopping = bool
    assert one.turn()
    assert central.call(ListRRsets(caller=member(), zone_id=None, query=ListQuery())).total == 4 + 6
    assert central.call(ListRRsets(caller=member(), zone_id=None, query=by_type)).total == 1
    assert zone.id


def test_failed_imports_and_exports_are_kept_for_a_time_and_to_a_number(
    anywhere: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "MOST_TASKS", 2)
    central = anywhere()
    zone = central.zone("shown.org.")

    def kept() -> tuple[list[str], list[str]]:
        return tuple(sorted(row.id for row in central.rows(table)) for table in ("zone_imports", "zone_exports"))  # type: ignore[return-value]  # two

    whole = carried_out(central, HEAD + BODY)
    failed = [carried_out(central, HEAD + BODY) for _ in range(4)]
    exports = [central.call(CreateExport(caller=member(), zone_id=zone.id)) for _ in range(4)]
    assert central.call(ForgetTasks(age_s=100, limit=100)) == 4
    assert kept() == (sorted(one.id for one in (whole, *failed[2:])), sorted(one.id for one in exports[2:]))
    assert central.call(ForgetTasks(age_s=100, limit=100)) == 0
    central.pass_time(101)
    assert central.call(ForgetTasks(age_s=0, limit=100)) == 0
    assert central.call(ForgetTasks(age_s=100, limit=3)) == 3
    assert central.call(ForgetTasks(age_s=100, limit=3)) == 1
    assert kept() == ([whole.id], [])
