# SPDX-License-Identifier: Apache-2.0
"""A large difference of a zone that is served comes in steps: DNS serves the old zone until all of the new is there."""

from __future__ import annotations

import itertools
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from redesignate.central import loading
from redesignate.central.rules import Rules
from redesignate.commands.inbound import BeginInbound, ForgetCopies, ReportInbound, SweepInbound, TransferZone
from redesignate.commands.quotas import SetQuotas
from redesignate.commands.upkeep import PurgeZones
from redesignate.commands.zones import ZonePeers
from redesignate.model.errors import Unavailable
from redesignate.model.inbound import InboundOutcome, Result
from redesignate.model.names import order_key
from redesignate.model.zone import Zone
from redesignate.store.schema import kept_rrsets
from redesignate.store.serving import Serving
from redesignate.wire.rrset import split
from tests.central.conftest import Build
from tests.central.driver import OPERATOR, PLENTY, POLICY, CentralDriver, member
from tests.central.primaries import BODY, content, fetch, look, secondary, tell
from tests.central.test_journal import check_counts

OLD = dict(BODY) | {(f"n{n}", "A"): (60, ["192.0.2.1"]) for n in range(40)}
NEW = (
    dict(BODY)
    | {(f"n{n}", "A"): (60, ["192.0.2.2"]) for n in range(20, 40)}
    | {(f"m{n}", "A"): (60, ["192.0.2.3"]) for n in range(30)}
)
Dns = tuple[int, Counter[bytes], int]
"""What DNS shows of a zone: its serial, its RRs, and how many of its names a question finds."""


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redesignate.central.loading.AHEAD", 10)
    monkeypatch.setattr("redesignate.central.loading.AT_ONCE", 10)
    monkeypatch.setattr("redesignate.store.kept.STEP", 7)


def dns(central: CentralDriver, zone: Zone) -> Dns:
    with Serving(central.store).read() as view:
        served = view.zone(zone.id)
        assert served is not None
        found: Counter[bytes] = Counter()
        for batch in view.whole_zone(served):
            for _, blob in batch:
                found.update(split(blob))
        assert view.octets(served) == sum(len(rr) * count for rr, count in found.items())
        wanted = sorted({f"{label}.{zone.name}" for label in [*(label for label, _ in (*OLD, *NEW) if label), "third"]})
        at = {name for name, _, _ in view.at_names(served, wanted)}
        keys = [order_key(name, zone.name) for name in wanted]
        for (before, after), key in zip(view.neighbours(served, keys), keys, strict=True):
            assert before < key
            assert not after or after > key
        return served.serial, found, len(at)


def expected(serial: int, body: dict[tuple[str, str], Any]) -> Dns:
    rrs = Counter(split(zlib.decompress(content("example.org.", serial, body)))[1:])
    return serial, rrs, len({label for label, _ in body if label})


@contextmanager
def at_commits(central: CentralDriver, do: Callable[[], None]) -> Iterator[None]:
    """Call `do` right before each commit."""

    def note(_connection: Any) -> None:
        do()

    event.listen(central.store.engine, "commit", note)
    try:
        yield
    finally:
        event.remove(central.store.engine, "commit", note)


def served_zone(central: CentralDriver) -> Zone:
    zone = secondary(central)
    fetch(central, zone, 1, OLD)
    central.serve()
    central.pass_time(60)
    central.call(TransferZone(caller=member(), zone_id=zone.id))
    return zone


def report(central: CentralDriver, zone: Zone, serial: int, body: dict[tuple[str, str], Any]) -> ReportInbound:
    """What a worker reports of the zone, which it has taken up."""
    (task,) = central.call(BeginInbound(worker="w1", zone_ids=(zone.id,), lease_s=60))
    return ReportInbound(worker="w1", outcome=InboundOutcome(
        zone_id=zone.id, asked=task.asked, generation=task.generation, since=task.serial, result=Result.FETCHED,
        primary="192.0.2.9", serial=serial, content=content(zone.name, serial, body),
    ))  # fmt: skip


def forget_copies(central: CentralDriver) -> None:
    while central.call(ForgetCopies()):
        pass


def copied(central: CentralDriver) -> int:
    """The number of RRsets that the committed copies have."""
    with central.store.read() as work:
        return work.conn.exec_driver_sql("SELECT COUNT(*) FROM kept_rrsets").scalar_one()  # type: ignore[no-any-return]  # text


def state(central: CentralDriver, zone: Zone) -> Any:
    with central.store.read() as work:
        return work.inbound.get(zone.id, work.now)


def test_dns_serves_the_old_zone_whole_until_the_new_one_is_there(anywhere: Build) -> None:
    central = anywhere()
    zone = served_zone(central)
    seen: list[Dns] = []
    with at_commits(central, lambda: seen.append(dns(central, zone))):
        fetch(central, zone, 2, NEW)
    assert len(seen) > 12
    assert all(one == expected(1, OLD) for one in seen)
    assert dns(central, zone) == expected(2, NEW)
    assert central.content(zone) == expected(2, NEW)[1]
    check_counts(central, zone)
    forget_copies(central)
    assert not central.rows("kept_rrsets")
    assert dns(central, zone) == expected(2, NEW)


def test_the_steps_are_one_revision_whose_journal_row_has_all_of_the_difference(central: CentralDriver) -> None:
    zone = served_zone(central)
    before, ids = central.get(zone.id), {which: rrset.id for which, rrset in central.rrsets(zone).items()}
    fetch(central, zone, 2, NEW)
    assert central.get(zone.id).revision == before.revision + 1
    last = sorted(central.rows("journal", zone_id=zone.id), key=lambda row: row.revision)[-1]
    assert not last.full
    old, new = expected(1, OLD)[1], expected(2, NEW)[1]
    removed, added = Counter(split(bytes(last.removed))), Counter(split(bytes(last.added)))
    assert (removed, added) == (old - new, new - old)
    after = central.rrsets(zone)
    assert all(after[which].id == ident for which, ident in ids.items() if which in after)


def test_no_transaction_writes_more_than_a_step(central: CentralDriver) -> None:
    zone = served_zone(central)
    written = [0]

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO rrsets"):
            written[-1] += len(values) if isinstance(values, list) else 1
        elif statement.startswith("DELETE FROM rrsets"):
            written[-1] += len(values)

    event.listen(central.store.engine, "begin", lambda _connection: written.append(0))
    event.listen(central.store.engine, "before_cursor_execute", note)
    fetch(central, zone, 2, NEW)
    assert 0 < max(written) <= 10


def statements(central: CentralDriver) -> list[list[str]]:
    """What each transaction from now on writes and reads, as text."""
    found: list[list[str]] = []

    def begun(connection: Any) -> None:
        found.append([])
        connection.connection.dbapi_connection.set_trace_callback(found[-1].append)

    event.listen(central.store.engine, "begin", begun)
    return found


def test_each_transaction_that_writes_a_copy_or_rrsets_ahead_writes_the_row_by_which_others_are_undone(
    central: CentralDriver,
) -> None:
    zone = served_zone(central)
    seen = statements(central)
    fetch(central, zone, 2, NEW)
    forget_copies(central)
    content = (
        "INSERT INTO kept_rrsets",
        "DELETE FROM kept_rrsets",
        "INSERT INTO rrsets",
        "UPDATE rrsets",
        "DELETE FROM rrsets",
    )
    writing = [one for one in seen if any(statement.startswith(content) for statement in one)]
    assert len(writing) > 12
    for one in writing:
        assert any(statement.startswith("UPDATE inbound SET") for statement in one), one


@pytest.mark.parametrize("steps", [NEW, dict(OLD) | {("third", "A"): (60, ["192.0.2.4"])}])
def test_the_transaction_that_publishes_a_change_does_not_read_the_zone(central: CentralDriver, steps: Any) -> None:
    zone = served_zone(central)
    seen = statements(central)
    fetch(central, zone, 2, steps)
    writing = [*seen]
    assert central.content(zone) == expected(2, steps)[1]
    assert any(statement.startswith("INSERT INTO journal") for statement in writing[-1])
    assert not [statement for one in writing for statement in one if statement.startswith("SELECT rrsets.id")]


def test_a_report_asked_again_goes_on_with_the_copy_that_the_first_asking_began(central: CentralDriver) -> None:
    zone = served_zone(central)
    said = report(central, zone, 2, NEW)

    def kill() -> None:
        if copied(central) > 20:
            raise Killed

    with at_commits(central, kill), pytest.raises(Killed):
        central.call(said)
    begun = copied(central)
    assert 0 < begun < len(central.rows("rrsets"))
    served: list[Dns] = []
    left: list[int] = []

    def note() -> None:
        served.append(dns(central, zone))
        left.append(copied(central))

    with at_commits(central, note):
        central.call(said)
    assert min(left) == begun
    assert all(one == expected(1, OLD) for one in served)
    assert dns(central, zone) == expected(2, NEW)
    check_counts(central, zone)


def test_a_report_that_is_cut_off_again_and_again_is_stored_in_the_end(central: CentralDriver) -> None:
    """Each asking has time for four transactions: its begin, two steps, and one that is not committed."""
    zone = served_zone(central)
    said = report(central, zone, 2, NEW)
    for asked in itertools.count(1):
        left = [4]

        def kill(left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise Killed

        with at_commits(central, kill):
            try:
                central.call(said)
                break
            except Killed:
                assert dns(central, zone) == expected(1, OLD), asked
        assert asked < 40
    assert asked > 6
    assert dns(central, zone) == expected(2, NEW)
    check_counts(central, zone)


def test_a_copy_that_was_begun_before_another_change_is_made_anew(central: CentralDriver) -> None:
    zone = served_zone(central)
    said = report(central, zone, 2, NEW)

    def kill() -> None:
        if copied(central) > 20:
            raise Killed

    with at_commits(central, kill), pytest.raises(Killed):
        central.call(said)
    central.pass_time(61)
    small = dict(OLD) | {("n1", "A"): (60, ["192.0.2.9"])}
    fetch(central, zone, 2, small)
    central.serve()
    central.pass_time(61)
    central.call(TransferZone(caller=member(), zone_id=zone.id))
    served: list[Dns] = []
    with at_commits(central, lambda: served.append(dns(central, zone))):
        fetch(central, zone, 3, NEW)
    assert all(one == expected(2, small) for one in served[1:])
    assert dns(central, zone) == expected(3, NEW)


def test_a_zone_that_was_published_beside_its_served_copy_is_fetched_again_at_once(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = killed_in_the_middle(central)
    copy = "UPDATE inbound SET kept_rrsets = {}, kept_records = {}, kept_revision = {}"
    was = state(central, zone)
    third = dict(NEW) | {("third", "A"): (60, ["192.0.2.4"])}
    with central.store.engine.begin() as connection:  # a version that knows nothing of copies
        connection.exec_driver_sql(copy.format("NULL", "NULL", "NULL"))
    monkeypatch.setattr("redesignate.central.loading.AT_ONCE", 1000)
    fetch(central, zone, 3, third)
    with central.store.engine.begin() as connection:
        connection.exec_driver_sql(copy.format(was.kept_rrsets, was.kept_records, was.kept_revision))
    assert dns(central, zone) == (3, *expected(1, OLD)[1:]), "DNS serves the copy"
    central.serve()
    everything = SweepInbound(first_shard=0, last_shard=4095, limit=10)
    assert central.call(everything) == 1
    (task,) = central.call(BeginInbound(worker="w1", zone_ids=(zone.id,), lease_s=60))
    assert task.forced
    central.pass_time(61)
    fetch(central, zone, 3, third)
    assert dns(central, zone) == (4, *expected(3, third)[1:])
    assert central.call(everything) == 0


def test_a_served_copy_whose_zone_is_not_fetched_yet_waits_for_its_retry(central: CentralDriver) -> None:
    zone = killed_in_the_middle(central)
    tell(central, look(central, zone), Result.FAILED, why="no answer")
    assert state(central, zone).kept_rrsets is not None
    assert central.call(SweepInbound(first_shard=0, last_shard=4095, limit=10)) == 0
    assert state(central, zone).due_at > state(central, zone).read_at


def test_the_search_for_copies_to_delete_reads_none_of_their_rows(central: CentralDriver) -> None:
    """One entry of the index for each zone with a copy: counted in steps of SQLite's machine."""
    zone = killed_in_the_middle(central)
    done = [0]

    def count() -> int:
        done[0] += 1
        return 0

    event.listen(
        central.store.engine, "begin", lambda one: one.connection.dbapi_connection.set_progress_handler(count, 10)
    )
    assert central.call(ForgetCopies()) == 0
    few = done[0]
    row = {"zone_id": zone.id, "type": "TXT", "ttl": 60, "wire": b""}
    with central.store.engine.begin() as connection:
        connection.execute(kept_rrsets.insert(), [row | {"name": f"x{n}.example.org."} for n in range(5000)])
    done[0] = 0
    assert central.call(ForgetCopies()) == 0
    assert done[0] <= few + 20


def test_killed_at_any_commit_the_old_zone_is_served_whole_and_then_the_new_one_comes(build: Build) -> None:
    for kill_at in itertools.count(1):
        central = build()
        zone = served_zone(central)
        said = report(central, zone, 2, NEW)
        left = [kill_at]

        def kill(left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise Killed

        with at_commits(central, kill):
            try:
                central.call(said)
                break
            except Killed:
                pass
        assert dns(central, zone) == expected(1, OLD), kill_at
        central.pass_time(61)
        third = dict(NEW) | {("third", "A"): (60, ["192.0.2.4"])}
        fetch(central, zone, 3, third)
        assert dns(central, zone) == expected(3, third), kill_at
        assert central.content(zone) == expected(3, third)[1], kill_at
        check_counts(central, zone)
        assert (state(central, zone).kept_rrsets, state(central, zone).loader) == (None, None)
        last = sorted(central.rows("journal", zone_id=zone.id), key=lambda row: row.revision)[-1]
        if not last.full:
            old, new = expected(1, OLD)[1], expected(3, third)[1]
            assert Counter(split(bytes(last.removed))) == old - new
            assert Counter(split(bytes(last.added))) == new - old
        forget_copies(central)
        assert not central.rows("kept_rrsets")
    assert kill_at > 12


def killed_in_the_middle(central: CentralDriver) -> Zone:
    """A zone of which some RRsets are changed and DNS serves the copy."""
    zone = served_zone(central)
    said = report(central, zone, 2, NEW)

    def kill() -> None:
        with central.store.read() as work:
            if any(held.name.startswith("m2") for held in work.rrsets.walk(zone.id)):
                raise Killed

    with at_commits(central, kill), pytest.raises(Killed):
        central.call(said)
    central.pass_time(61)
    return zone


def test_a_zone_whose_copy_is_served_is_fetched_though_its_primary_has_nothing_newer(central: CentralDriver) -> None:
    zone = killed_in_the_middle(central)
    (task,) = central.call(BeginInbound(worker="w1", zone_ids=(zone.id,), lease_s=60))
    assert task.forced
    central.pass_time(61)
    fetch(central, zone, 1, OLD)
    serial, rrs, names = dns(central, zone)
    assert (serial, rrs, names) == (2, *expected(1, OLD)[1:])
    assert central.content(zone) == rrs
    check_counts(central, zone)


def test_a_copy_goes_with_its_zone(central: CentralDriver) -> None:
    zone = killed_in_the_middle(central)
    assert central.rows("kept_rrsets")
    forget_copies(central)
    assert central.rows("kept_rrsets"), "DNS serves it"
    central.delete(zone)
    central.serve()
    central.call(PurgeZones(first_shard=0, last_shard=4095, age_s=-1, limit=10))
    assert not central.rows("zones", id=zone.id)
    assert not central.rows("kept_rrsets")


def test_a_run_that_another_one_replaced_stores_nothing_more(central: CentralDriver) -> None:
    zone = served_zone(central)
    said = report(central, zone, 2, NEW)
    rules = Rules(settings=central.settings, policy=POLICY)
    begun: list[str] = []

    def second() -> None:
        if len(begun) < 1 and state(central, zone).kept_rrsets is not None:
            begun.append("second")
            with central.store.engine.connect() as connection:
                connection.exec_driver_sql("UPDATE inbound SET loader = 'another'")
                connection.commit()

    event_at: list[int] = []
    with pytest.raises(Unavailable, match="retry"):
        _with_first_look(central, second, lambda: loading.unpacked(rules, central.store, said), event_at)
    assert dns(central, zone) == expected(1, OLD)
    central.call(said)
    assert dns(central, zone) == expected(2, NEW)
    check_counts(central, zone)


def _with_first_look(central: CentralDriver, do: Callable[[], None], run: Callable[[], Any], seen: list[int]) -> None:
    """Call `do` at each snapshot that is read while `run` runs."""

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not seen and "FROM rrsets" in statement and "ORDER BY" in statement:
            seen.append(1)
            do()
            seen.clear()

    event.listen(central.store.engines[1], "before_cursor_execute", note)
    run()


def test_what_the_quota_forbids_is_refused_before_anything_is_stored(build: Build) -> None:
    central = build(quotas=PLENTY | {"zone_records": 60})
    zone = served_zone(central)
    much = dict(NEW) | {(f"x{n}", "A"): (60, ["192.0.2.3"]) for n in range(20)}
    fetch(central, zone, 2, much)
    assert "zone_records" in (central.call(ZonePeers(caller=member(), zone_id=zone.id))[0].error or "")
    assert central.content(zone) == expected(1, OLD)[1]
    assert not central.rows("kept_rrsets")


def test_a_copy_over_a_lowered_quota_is_completed_though_most_of_its_change_is_stored(central: CentralDriver) -> None:
    zone = killed_in_the_middle(central)
    limits = {"zone_records": 1, "zone_recordsets": 1}
    central.call(SetQuotas(caller=OPERATOR, project_id="p1", limits=limits))
    same_size = dict(OLD) | {("n1", "A"): (60, ["192.0.2.9"])}
    fetch(central, zone, 3, same_size)
    assert dns(central, zone) == expected(3, same_size)
