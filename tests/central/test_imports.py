# SPDX-License-Identifier: Apache-2.0
"""Imports of zone files: all of a file becomes a zone, or nothing does, whatever happens to who works on it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import pytest

from redesignate.central import importing, importrun, imports
from redesignate.central.importing import Importer
from redesignate.commands.imports import AddImportPart, CreateImport, DeleteImport, GetImport, ListImports
from redesignate.commands.tlds import CreateTLD
from redesignate.commands.upkeep import PurgeZones
from redesignate.model import errors
from redesignate.model.caller import Caller
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.tld import NewTLD
from redesignate.model.zonetask import TaskStatus, ZoneImport
from redesignate.run.importing import IDLE_S, LONGEST_S, Turns
from redesignate.store.imports import Imports
from tests.central.conftest import Build
from tests.central.driver import PLENTY, CentralDriver, admin, member

HEAD = (
    "$ORIGIN Example.org.\n$TTL 900\n"
    "@ IN SOA ns.elsewhere.example. host\\.master.example.org. 2026112201 7200 901 86401 60\n"
    "@ IN NS ns.elsewhere.example.\n"
)
BODY = 'WWW 60 IN A 192.0.2.1\nwww 60 IN A 192.0.2.2\n@ IN MX 10 mail\n*.x IN TXT "a;b"\nsub IN NS ns.sub\n'


class Killed(BaseException):
    """The process ends here."""


def importer(central: CentralDriver, owner: str = "one") -> Importer:
    made = central.service.importer(owner)
    made.rest = lambda _seconds: None
    return made


def sent(central: CentralDriver, text: str, caller: Caller | None = None, **more: Any) -> ZoneImport:
    data = zlib.compress(text.encode())
    return central.call(CreateImport(caller=caller or member(), data=data, last=True, **more))


def get(central: CentralDriver, made: ZoneImport) -> ZoneImport:
    return central.call(GetImport(caller=member(), import_id=made.id))


def carried_out(central: CentralDriver, text: str, **more: Any) -> ZoneImport:
    made = sent(central, text, **more)
    assert importer(central).turn()
    assert not importer(central).turn()
    return get(central, made)


def left(central: CentralDriver) -> list[int]:
    return [len(central.rows(table)) for table in ("zones", "rrsets", "rrset_data", "zone_import_parts", "outbox")]


def test_what_carries_imports_out_is_woken_when_a_file_is_whole(central: CentralDriver) -> None:
    """And looks for those of other processes as long as it found some short before."""
    head, body = (zlib.compress(text.encode()) for text in (HEAD, BODY))
    woken: list[str] = []
    turns = Turns(importer(central))
    assert [turns() for _ in range(5)] == [IDLE_S, 2 * IDLE_S, 4 * IDLE_S, LONGEST_S, LONGEST_S]
    central.service.on_files(lambda: woken.append(get(central, made).id))
    made = central.call(CreateImport(caller=member(), data=head, last=False))
    assert not woken
    central.call(AddImportPart(caller=member(), import_id=made.id, number=1, data=body, last=True))
    central.zone("other.org.")
    assert woken == [made.id]
    assert [turns(), turns(), turns()] == [0.0, IDLE_S, 2 * IDLE_S]
    assert get(central, made).status is TaskStatus.COMPLETE


def test_a_file_becomes_a_zone(central: CentralDriver) -> None:
    made = sent(central, HEAD + BODY)
    assert (made.status, made.zone_id, made.project_id) == (TaskStatus.PENDING, None, "p1")
    assert importer(central).turn()
    done = get(central, made)
    assert (done.status, done.message) == (TaskStatus.COMPLETE, "Example.org. imported")
    assert done.zone_id is not None
    zone = central.get(done.zone_id)
    assert (zone.name, zone.shown_name, zone.email) == ("example.org.", "Example.org.", "host.master@example.org")
    assert (zone.serial, zone.ttl, zone.retry, zone.expire) == (2026112201, 900, 901, 86401)
    assert (zone.minimum, zone.mname) == (3600, "ns1.example.net.")
    found = {key: (rrset.ttl, rrset.records) for key, rrset in central.rrsets(zone).items()}
    assert found.pop(("Example.org.", "SOA"))
    assert found == {
        ("Example.org.", "NS"): (None, ("ns1.example.net.", "ns2.example.net.")),
        ("Example.org.", "MX"): (900, ("10 mail.Example.org.",)),
        ("WWW.Example.org.", "A"): (60, ("192.0.2.1", "192.0.2.2")),
        ("*.x.Example.org.", "TXT"): (900, ('"a;b"',)),
        ("sub.Example.org.", "NS"): (900, ("ns.sub.Example.org.",)),
    }
    (row,) = central.rows("zones")
    assert (row.rrset_count, row.record_count) == (6, 5)
    assert left(central)[3:] == [0, 1]
    assert central.hints == [zone.id]
    central.serve()
    assert central.get(zone.id).status.value == "ACTIVE"
    changed = central.rrset(zone, "new")
    assert changed.status.value == "PENDING"


def test_the_record_sets_of_a_zone_that_was_made_are_not_dropped(central: CentralDriver) -> None:
    done = carried_out(central, HEAD + BODY)
    before = left(central)
    with central.store.engine.begin() as connection:
        assert not Imports(connection).drop_stored(done.zone_id or "")
    assert left(central) == before


def test_an_imported_zone_is_what_is_served(central: CentralDriver) -> None:
    done = carried_out(central, HEAD + BODY)
    zone = central.get(done.zone_id or "")
    assert sum(central.content(zone).values()) == 2 + 2 + 1 + 1 + 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "The $ORIGIN statement is required and must be the first statement in the zonefile."),
        ("www IN A 192.0.2.1\n", "The $ORIGIN statement is required and must be the first statement in the zonefile."),
        ("$ORIGIN a.org.\n$TTL 5\nwww IN A 192.0.2.1\n", "An SOA record is required."),
        (HEAD + BODY + "x IN A 192.0.2.256\n", "line 10: A: "),
        (HEAD + BODY + "other.net. IN A 192.0.2.1\n", "line 10: other.net. is not in the zone example.org."),
        (HEAD + BODY + "www IN CNAME x\n", "line 10: www.example.org. has a CNAME in line 10 and A in line 5"),
        (HEAD + BODY + "x IN TXT ( a\n", "line 10: a parenthesis that opens in this statement is not closed"),
        (HEAD + "$INCLUDE /etc/passwd\n", "line 5: $INCLUDE is not allowed"),
        (HEAD + "x IN HTTPS 1 . alpn=nonsense\n", "line 5: HTTPS at x.example.org.: "),
        (HEAD.replace("host\\.master.example.org.", "."), "line 3: the RNAME"),
        (HEAD.replace("Example.org.", "org."), "More than one label is required"),
    ],
)
def test_a_fault_of_the_file_names_its_line_and_leaves_nothing(central: CentralDriver, text: str, why: str) -> None:
    done = carried_out(central, text or "\n")
    assert done.status is TaskStatus.ERROR
    assert (done.message or "").startswith(why), done.message
    assert done.zone_id is None
    assert left(central) == [0, 0, 0, 0, 0]


def test_a_fault_found_late_takes_away_what_was_stored(central: CentralDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importrun, "STEP", 1)
    done = carried_out(central, HEAD + BODY + "z IN CNAME www\nz IN A 192.0.2.1\n")
    assert done.status is TaskStatus.ERROR
    assert left(central) == [0, 0, 0, 0, 0]


def test_a_zone_that_is_there_is_not_imported(central: CentralDriver) -> None:
    central.zone()
    done = carried_out(central, HEAD + BODY)
    assert (done.status, done.message) == (TaskStatus.ERROR, "Duplicate zone.")


def test_another_projects_zone_above_or_below_keeps_its_names(central: CentralDriver) -> None:
    central.zone("sub.example.org.", caller=member("p2"))
    done = carried_out(central, HEAD + BODY)
    assert (done.message or "").startswith("Unable to create zone because another tenant owns a subzone")


def test_a_record_of_a_child_zone_is_refused(central: CentralDriver) -> None:
    central.zone("sub.example.org.")
    done = carried_out(central, HEAD + BODY)
    assert done.message == "line 9: NS at sub.example.org.: RecordSet belongs in a child zone"
    assert len(central.rows("zones")) == 1


def test_the_rules_on_names_hold(central: CentralDriver) -> None:
    central.call(CreateTLD(caller=admin(), new=NewTLD(name="net")))
    done = carried_out(central, HEAD + BODY)
    assert (done.message or "").startswith("example.org. is not below any TLD")


@pytest.mark.parametrize(
    ("quota", "limit"), [("zones", 0), ("zone_recordsets", 5), ("zone_records", 4), ("recordset_records", 1)]
)
def test_quotas_hold(build: Build, quota: str, limit: int) -> None:
    central = build(quotas=PLENTY | {quota: limit})
    done = carried_out(central, HEAD + BODY)
    assert done.status is TaskStatus.ERROR
    assert (done.message or "").startswith(f"Quota exceeded during zone import. Quota exceeded for {quota}.")
    assert left(central) == [0, 0, 0, 0, 0]
    enough = build(quotas=PLENTY | {quota: limit + 1})
    assert carried_out(enough, HEAD + BODY).status is TaskStatus.COMPLETE


def test_ttls_below_the_minimum_need_their_right(build: Build) -> None:
    central = build(min_ttl=100)
    done = carried_out(central, HEAD + BODY)
    assert done.message == "line 5: A at www.example.org.: TTL is below the minimum: 100"
    privileged = sent(central, HEAD + BODY, admin())
    assert importer(central).turn()
    assert get(central, privileged).status is TaskStatus.COMPLETE


def test_a_serial_stays_newer_than_that_of_an_earlier_zone(central: CentralDriver) -> None:
    first = carried_out(central, HEAD + BODY)
    zone = central.get(first.zone_id or "")
    central.serve()
    central.delete(zone)
    central.serve()
    again = central.get(carried_out(central, HEAD + BODY).zone_id or "")
    assert again.serial != 2026112201


@pytest.mark.parametrize("commits", range(1, 9))
def test_a_worker_that_dies_at_any_commit_is_followed_by_another(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    """Killed after each commit in turn: the second one makes the zone, once, with each RRset once."""
    monkeypatch.setattr(importrun, "STEP", 1)
    made, transact, count = sent(central, HEAD + BODY), central.store.transact, [0]

    def counted(*args: Any, **more: Any) -> Any:
        end = transact(*args, **more)
        count[0] += 1
        if count[0] == commits:
            raise Killed
        return end

    monkeypatch.setattr(central.store, "transact", counted)
    with pytest.raises(Killed):
        importer(central).turn()
    monkeypatch.setattr(central.store, "transact", transact)
    importer(central, "two").turn()
    central.pass_time(importing.LEASE_S + 1)
    importer(central, "two").turn()
    done = get(central, made)
    assert done.status is TaskStatus.COMPLETE
    (row,) = central.rows("zones")
    assert (row.rrset_count, row.record_count) == (6, 5)
    assert len(central.rows("rrsets")) == 6
    assert central.rows("zone_import_parts") == []
    assert not importer(central, "two").turn()


def test_who_lost_the_lease_writes_nothing(central: CentralDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importrun, "STEP", 1)
    made, slow = sent(central, HEAD + BODY), importer(central)
    step: Callable[..., Any] = slow.step
    count = [0]

    def late(*args: Any, **more: Any) -> Any:
        count[0] += 1
        if count[0] == 3:
            central.pass_time(importing.LEASE_S + 1)
            assert importer(central, "two").turn()
        return step(*args, **more)

    monkeypatch.setattr(slow, "step", late)
    assert slow.turn()
    assert get(central, made).status is TaskStatus.COMPLETE
    assert len(central.rows("rrsets")) == 6


def test_a_stop_leaves_the_work_to_others_at_once(central: CentralDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importrun, "STEP", 1)
    made, stopped = sent(central, HEAD + BODY), importer(central)
    asked = iter([False] * 4)
    stopped.stopping = lambda: next(asked, True)
    assert stopped.turn()
    assert get(central, made).status is TaskStatus.PENDING
    assert importer(central, "two").turn()
    assert get(central, made).status is TaskStatus.COMPLETE


def test_progress_is_counted(central: CentralDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importrun, "STEP", 2)
    made, said = sent(central, HEAD + BODY), list[str | None]()
    one = importer(central)
    step: Callable[..., Any] = one.step

    def noted(*args: Any, **more: Any) -> Any:
        end = step(*args, **more)
        said.append(get(central, made).message)
        return end

    monkeypatch.setattr(one, "step", noted)
    one.turn()
    assert "2 record sets of example.org. are stored." in said
    assert "4 record sets of example.org. are stored." in said


def test_a_file_comes_in_parts(central: CentralDriver) -> None:
    text = HEAD + BODY
    pieces = [zlib.compress(text[at : at + 40].encode()) for at in range(0, len(text), 40)]
    made = central.call(CreateImport(caller=member(), data=pieces[0], last=False))
    with pytest.raises(errors.ZoneImportNotFound):
        get(central, made)
    assert not importer(central).turn()
    for number, data in enumerate(pieces[1:], 1):
        part = AddImportPart(
            caller=member(), import_id=made.id, number=number, data=data, last=number == len(pieces) - 1
        )
        with pytest.raises(errors.ZoneImportNotFound):
            central.call(AddImportPart(caller=member("p2"), import_id=made.id, number=number, data=data, last=True))
        assert central.call(part) == central.call(part)
    assert importer(central).turn()
    assert get(central, made).status is TaskStatus.COMPLETE


def test_a_file_that_is_never_whole_is_forgotten(central: CentralDriver) -> None:
    central.call(CreateImport(caller=member(), data=zlib.compress(b"x"), last=False))
    central.pass_time(importing.ABANDONED_S - 1)
    assert not importer(central).turn()
    central.pass_time(2)
    assert importer(central).turn()
    assert (central.rows("zone_imports"), central.rows("zone_import_parts")) == ([], [])


@pytest.mark.parametrize("data", [b"nonsense", zlib.compress(b"x" * 2_000_000), zlib.compress(b"x")[:-2]])
def test_a_part_that_is_not_what_it_says_ends_the_import(central: CentralDriver, data: bytes) -> None:
    made = central.call(CreateImport(caller=member(), data=data, last=True))
    assert importer(central).turn()
    assert get(central, made).status is TaskStatus.ERROR


def test_a_project_has_few_unfinished_imports_and_one_at_a_time(central: CentralDriver) -> None:
    for number in range(imports.MOST_UNFINISHED):
        sent(central, HEAD.replace("Example", f"e{number}"))
    with pytest.raises(errors.OverQuota, match="not finished"):
        sent(central, HEAD)
    other = sent(central, HEAD, member("p2"))
    with central.store.read() as work:
        first = Imports(work.conn).due(work.now, 0, 50)[0]
    central.store.transact(lambda work: Imports(work.conn).lease(first[0], "busy", work.now, 30_000_000))
    with central.store.read() as work:
        assert Imports(work.conn).due(work.now, 0, 50) == [(other.id, "p2")]


def test_an_import_is_its_projects(central: CentralDriver) -> None:
    made = carried_out(central, HEAD + BODY)
    for act in (GetImport(caller=member("p2"), import_id=made.id),):
        with pytest.raises(errors.ZoneImportNotFound):
            central.call(act)
    with pytest.raises(errors.ZoneImportNotFound):
        central.call(DeleteImport(caller=member("p2"), import_id=made.id))
    with pytest.raises(errors.Forbidden):
        sent(central, HEAD, member("p1", "reader"))
    with pytest.raises(errors.Forbidden):
        central.call(DeleteImport(caller=member("p1", "reader"), import_id=made.id))
    with pytest.raises(errors.MissingProject):
        sent(central, HEAD, Caller(request_id="r", user_id="u", roles=("admin", "member", "reader")))
    assert central.call(ListImports(caller=member("p2"), query=ListQuery())).items == ()
    by_status = ListQuery(conditions=(Condition("status", Op.EQ, "COMPLETE"),))
    assert central.call(ListImports(caller=member(), query=by_status)).items == (made,)
    assert central.call(ListImports(caller=admin("p2", all_projects=True), query=ListQuery())).total == 1


def test_removing_an_import_does_not_stop_it(central: CentralDriver) -> None:
    made = sent(central, HEAD + BODY)
    central.call(DeleteImport(caller=member(), import_id=made.id))
    with pytest.raises(errors.ZoneImportNotFound):
        get(central, made)
    assert importer(central).turn()
    assert len(central.rows("zones")) == 1
    assert central.rows("zone_imports") == []


def test_an_ended_import_is_removed_with_its_zone(central: CentralDriver) -> None:
    done = carried_out(central, HEAD + BODY)
    central.serve()
    central.delete(central.get(done.zone_id or ""))
    central.serve()
    central.pass_time(10)
    central.call(PurgeZones(age_s=1, first_shard=0, last_shard=4095, limit=10))
    assert central.rows("zone_imports") == []


def test_attributes_choose_the_pool_at_once(build: Build) -> None:
    central = build(scheduler_filters=("attribute",))
    central.pool(attributes={"tier": "gold"})
    with pytest.raises(errors.NoValidPool):
        sent(central, HEAD, attributes={"tier": "lead"})
    done = carried_out(central, HEAD + BODY, attributes={"tier": "gold"})
    assert central.get(done.zone_id or "").attributes == {"tier": "gold"}


def test_a_million_records_from_a_short_file_are_too_many(build: Build) -> None:
    central = build(max_import_records=1000)
    done = carried_out(central, HEAD + "$GENERATE 1-1001 h$ IN A 192.0.2.1\n")
    assert (done.message or "").startswith("line 5: the file has more than 1000 records")


def test_a_file_becomes_a_zone_on_every_database(anywhere: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importrun, "STEP", 2)
    central = anywhere()
    done = carried_out(central, HEAD + BODY)
    assert done.status is TaskStatus.COMPLETE
    assert len(central.rrsets(central.get(done.zone_id or ""))) == 6
    failed = carried_out(central, HEAD.replace("Example", "Other") + BODY + "z IN CNAME www\nz IN A 192.0.2.1\n")
    assert failed.status is TaskStatus.ERROR
    assert [len(central.rows(table)) for table in ("zones", "rrsets", "zone_import_parts")] == [1, 6, 0]
    query = ListQuery(conditions=(Condition("message", Op.LIKE, "line 11*"),))
    assert central.call(ListImports(caller=member(), query=query)).items == (failed,)


def test_a_zone_with_a_long_name_is_imported_on_every_database(anywhere: Build) -> None:
    central = anywhere()
    name = ".".join(["a" * 60] * 4) + ".org."
    done = carried_out(central, f"$ORIGIN {name}\n@ IN SOA ns a.b. 1 2 3 4 5\nw 60 IN A 192.0.2.1\n")
    assert done.status is TaskStatus.COMPLETE
