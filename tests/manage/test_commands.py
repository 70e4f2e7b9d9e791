# SPDX-License-Identifier: Apache-2.0
"""Keys, services, zones, the database, the sample; arguments, exit codes and failures."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest

from redesignate.bus.port import Central
from redesignate.commands.pools import ApplyPool
from redesignate.commands.services import Heartbeat
from redesignate.commands.tsigkeys import ListTSIGKeys
from redesignate.commands.work import BeginWork, Report
from redesignate.commands.zones import CreateZone, UpdateZone
from redesignate.config.load import load
from redesignate.config.settings import DEFAULT_POOL_ID, Settings, StoreSettings
from redesignate.manage.main import main
from redesignate.manage.screen import Screen, moment, span
from redesignate.model.caller import operator as admin
from redesignate.model.clock import SECOND, now
from redesignate.model.errors import InvalidObject, Unavailable
from redesignate.model.paging import ListQuery
from redesignate.model.pool import NSRecord, Pool, PoolSpec, TargetSpec
from redesignate.model.service import ServiceState
from redesignate.model.work import Outcome, PeerOutcome, Role
from redesignate.model.zone import NewZone, Zone, ZoneChange
from redesignate.store import migrate
from tests.manage.conftest import Operator, Terminal

OWNER = dataclasses.replace(admin("req-1"), project_id="p1")


@pytest.fixture
def pool(operator: Operator) -> Pool:
    """The default pool, with two nameservers behind two targets."""
    spec = PoolSpec(
        id=DEFAULT_POOL_ID,
        name="default",
        ns_records=(NSRecord("ns1.example.net.", 1),),
        nameservers=({"host": "192.0.2.1", "port": 53}, {"host": "192.0.2.2", "port": 53}),
        targets=tuple(
            TargetSpec(type="fake", primaries=(("192.0.2.9", 5354),), options={"host": host})
            for host in ("192.0.2.1", "192.0.2.2")
        ),
    )
    return operator.central.call(ApplyPool(caller=admin("req-1"), spec=spec))


def _zone(operator: Operator) -> Zone:
    new = NewZone(name="example.com.", email="a@example.com")
    return operator.central.call(CreateZone(caller=OWNER, new=new))


# -- zone status


def test_zone_status_names_the_server_that_lags_and_says_why(operator: Operator, pool: Pool) -> None:
    zone = _zone(operator)
    (task,) = operator.central.call(BeginWork(worker="w", zone_ids=(zone.id,)))
    good, bad = pool.nameservers
    peers = (
        *(PeerOutcome(peer_id=t.id, role=Role.TARGET, ok=True, present=True) for t in pool.targets),
        PeerOutcome(peer_id=good.id, role=Role.NAMESERVER, ok=True, present=True, serial=task.serial),
        PeerOutcome(peer_id=bad.id, role=Role.NAMESERVER, ok=False, present=False, why="192.0.2.2:53: timed out"),
    )
    outcome = Outcome(zone_id=zone.id, revision=task.revision, present=True, peers=peers)
    operator.central.call(Report(worker="w", outcomes=(outcome,)))
    ran = operator("zone", "status", "Example.COM")
    assert ran.code == 1
    assert ran.lines[0].startswith("example.com.  PENDING (CREATE)  serial ")
    assert ran.lines[2].split() == ["role", "server", "state", "serial", "since", "failures", "why"]
    (lagging,) = [line for line in ran.lines if "timed out" in line]
    assert "192.0.2.2:53" in lagging
    assert "next try" in lagging
    (current,) = [line for line in ran.lines if line.startswith("nameserver") and "192.0.2.1:53" in line]
    assert str(task.serial) in current
    assert ran.lines[-1] == "1 of 2 lag: 192.0.2.2:53"
    assert operator("zone", "status", zone.id).lines[0] == ran.lines[0]

    every = operator("zone", "status")
    assert every.code == 1
    assert every.lines == [*ran.lines, "Zones that lag: 1"]
    (told,) = json.loads(operator("zone", "status", "--json").out)
    assert (told["name"], told["lagging"]) == ("example.com.", ["192.0.2.2:53"])
    assert {one["server"] for one in told["servers"] if one["state"] == "current"} > {"192.0.2.1:53"}

    healed = dataclasses.replace(peers[-1], ok=True, present=True, serial=task.serial, why=None)
    (task,) = operator.central.call(BeginWork(worker="w", zone_ids=(zone.id,))) or (task,)
    outcome = Outcome(zone_id=zone.id, revision=task.revision, present=True, peers=(*peers[:-1], healed))
    operator.central.call(Report(worker="w", outcomes=(outcome,)))
    assert (operator("zone", "status").code, operator("zone", "status").out) == (0, "Every zone is on every server.\n")
    assert operator("zone", "status", "example.com.").code == 0


def test_a_server_that_lags_was_current_until_the_zones_last_change(operator: Operator, pool: Pool) -> None:
    zone = _zone(operator)
    (task,) = operator.central.call(BeginWork(worker="w", zone_ids=(zone.id,)))
    peers = (
        *(PeerOutcome(peer_id=t.id, role=Role.TARGET, ok=True, present=True) for t in pool.targets),
        *(PeerOutcome(peer_id=s.id, role=Role.NAMESERVER, ok=True, present=True, serial=task.serial)
          for s in pool.nameservers),
    )  # fmt: skip
    outcome = Outcome(zone_id=zone.id, revision=task.revision, present=True, peers=peers)
    operator.central.call(Report(worker="w", outcomes=(outcome,)))
    later = now() + 3600 * SECOND
    operator.clock = lambda: later
    change = UpdateZone(caller=admin("req-x"), zone_id=zone.id, change=ZoneChange(ttl=77))
    operator.central.call(change)
    told = json.loads(operator("zone", "status", "--json").out)
    assert {one["since"] for one in told[0]["servers"] if one["state"] == "behind"} == {moment(later)}


def test_zone_status_waits_until_the_zone_is_on_every_server(operator: Operator, pool: Pool) -> None:
    zone = _zone(operator)
    began = time.monotonic()
    assert operator("zone", "status", "--wait", "0.3", zone.name).code == 1
    assert time.monotonic() - began >= 0.3
    (task,) = operator.central.call(BeginWork(worker="w", zone_ids=(zone.id,)))
    peers = (
        *(PeerOutcome(peer_id=t.id, role=Role.TARGET, ok=True, present=True) for t in pool.targets),
        *(PeerOutcome(peer_id=s.id, role=Role.NAMESERVER, ok=True, present=True, serial=task.serial)
          for s in pool.nameservers),
    )  # fmt: skip
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(operator, "zone", "status", "--wait", "60", zone.name)
        outcome = Outcome(zone_id=zone.id, revision=task.revision, present=True, peers=peers)
        operator.central.call(Report(worker="w", outcomes=(outcome,)))
        assert waiting.result(30).code == 0


def test_zone_status_of_a_zone_whose_pool_has_no_servers_says_so(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "pools.yaml").write_text("- {name: default, ns_records: [{hostname: ns1.example.net., priority: 1}]}\n")
    assert operator("pool", "update", "--file", str(tmp_path / "pools.yaml")).code == 0
    _zone(operator)
    ran = operator("zone", "status", "example.com.")
    assert (ran.code, ran.lines[-1]) == (1, "Its pool has no servers; see `pool show-config`.")


def test_zone_status_of_a_zone_that_is_not_there_is_one_line(operator: Operator, pool: Pool) -> None:
    for named in ("nosuch.example.", "00000000-0000-0000-0000-000000000001", "bad name", "..", ""):
        ran = operator("zone", "status", named)
        assert ran.code == 1
        assert len(ran.err.splitlines()) == 1
        assert ran.err.startswith("error: ")


def test_columns_align_whatever_they_hold() -> None:
    out = StringIO()
    Screen(out).table(["name", "of"], [["a", 1], ["längere", None], ["日本", "x\ny"]])
    assert out.getvalue().splitlines() == ["name     of", "a        1", "längere  -", "日本     x y"]


def test_only_a_terminal_gets_colours(operator: Operator, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    _zone(operator)
    assert "\x1b[" not in operator("zone", "status", "example.com.").out
    bright = operator("zone", "status", "example.com.", terminal=True)
    assert "\x1b[" in bright.out
    assert re.sub(r"\x1b\[[\d;]*m", "", bright.out) == operator("zone", "status", "example.com.").out
    assert operator("zone", "status", "nosuch.", terminal=True).err.startswith("\x1b[31merror:\x1b[0m ")


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (-5, "now"),
        (0, "now"),
        (59 * SECOND, "59 s"),
        (200 * SECOND, "3 min 20 s"),
        (3600 * SECOND, "1 h"),
        (190000 * SECOND, "2 d 4 h"),
    ],
)
def test_a_span_is_told_in_its_largest_units(micros: int, text: str) -> None:
    assert span(micros) == text


# -- keys


def test_a_key_is_made_listed_and_deleted(operator: Operator, pool: Pool) -> None:
    made = operator("tsigkey", "create", "Transfer.Example.", "--algorithm", "hmac-sha512")
    assert made.code == 0
    shown = dict(line.split(None, 1) for line in made.lines)
    assert (shown["name"], shown["algorithm"]) == ("transfer.example", "hmac-sha512")
    assert len(base64.b64decode(shown["secret"])) == 32
    (key,) = operator.central.call(ListTSIGKeys(caller=admin("req-1"), query=ListQuery())).items
    assert (key.secret, key.resource_id) == (shown["secret"], DEFAULT_POOL_ID)
    listed = operator("tsigkey", "list")
    assert "transfer.example" in listed.out
    assert key.secret not in listed.out
    assert key.secret in operator("tsigkey", "list", "--show-secrets").out
    assert operator("tsigkey", "delete", "TRANSFER.example.").out == "transfer.example: deleted\n"
    again = operator("tsigkey", "delete", key.id)
    assert (again.code, again.err) == (1, f"error: there is no TSIG key {key.id}; see `tsigkey list`\n")


def test_a_secret_may_come_by_standard_input_and_is_not_printed(operator: Operator, pool: Pool) -> None:
    zone = _zone(operator)
    ran = operator("tsigkey", "create", "k", "--secret", "-", "--zone", zone.id, stdin="c2VjcmV0\n")
    assert ran.code == 0
    assert "c2VjcmV0" not in ran.out
    (key,) = operator.central.call(ListTSIGKeys(caller=admin("req-1"), query=ListQuery())).items
    assert (key.secret, key.scope.value, key.resource_id) == ("c2VjcmV0", "ZONE", zone.id)


def test_a_key_that_central_refuses_is_one_line(operator: Operator, pool: Pool) -> None:
    operator("tsigkey", "create", "k")
    for argv in (
        ["k"],
        ["l", "--secret", "###"],
        ["m", "--pool", "00000000-0000-0000-0000-000000000001"],
        ["bad..name"],
    ):
        ran = operator("tsigkey", "create", *argv)
        assert (ran.code, len(ran.err.splitlines())) == (1, 1), argv


# -- services


def test_services_are_listed_and_silent_ones_forgotten(operator: Operator) -> None:
    operator.clock = lambda: 1_000 * SECOND
    for name, state in (("worker", ServiceState.UP), ("api", ServiceState.STOPPED), ("mdns", ServiceState.UP)):
        operator.central.call(Heartbeat(service_name=name, hostname="host1", status=state))
    operator.clock = lambda: 1_019 * SECOND
    operator.central.call(Heartbeat(service_name="mdns", hostname="host1", status=ServiceState.UP))
    lines = operator("service", "list").lines
    assert [line.split()[0] for line in lines] == ["service", "api", "mdns", "worker"]
    assert [line.split()[2] for line in lines[1:]] == ["STOPPED", "UP", "UP"]
    assert lines[3].endswith("1970-01-01 00:16:40Z (19 s)")
    assert operator("service", "clean").out == "1 removed\n"
    operator.clock = lambda: 1_021 * SECOND
    assert operator("service", "clean").out == "1 removed\n"
    assert [line.split()[0] for line in operator("service", "list").lines] == ["service", "mdns"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("token list", "There are no tokens. `redesignate manage token create --project ID` makes one."),
        ("tsigkey list", "There are no TSIG keys. `redesignate manage tsigkey create NAME` makes one."),
        ("service list", "There are no services: none that uses this database has sent a heartbeat yet."),
        ("zone status", "There are no zones."),
        ("zone status --json", "[]"),
    ],
)
def test_a_list_of_nothing_says_so(operator: Operator, words: str, said: str) -> None:
    shown = operator(*words.split())
    assert (shown.code, shown.lines) == (0, [said])


def test_a_worker_that_does_not_check_zones_in_time_is_named(operator: Operator) -> None:
    for host, late in (("host1", True), ("host2", False)):
        stats = {"audit": {"zones": 90_000, "seconds": 1800, "interval": 300, "late": late}}
        beat = Heartbeat(service_name="worker", hostname=host, status=ServiceState.UP, stats=stats)
        operator.central.call(beat)
    lines = operator("service", "list").lines
    assert lines[3:] == [
        "worker on host1: zones are checked on their nameservers every 1800 s, not every 300 s; "
        "raise [service:worker] audit_rate, or start more workers"
    ]


# -- the database


def test_the_schema_is_made_and_asked_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    (head,) = migrate.heads()
    assert _manage(url, "database", "version") == (0, f"Current: None Latest: {head}\n", "")
    assert _manage(url, "database", "current")[1] == "None\n"
    assert _manage(url, "database", "sync")[1] == f"Upgraded from an empty database to revision {head}.\n"
    assert _manage(url, "database", "upgrade", "head")[1] == f"The database is at revision {head}.\n"
    assert _manage(url, "database", "heads")[1] == f"{head}\n"
    assert _manage(url, "database", "current")[1] == f"{head}\n"
    assert head in _manage(url, "database", "history")[1]


def test_without_a_database_the_line_says_which_key_to_set() -> None:
    code, out, err = _manage(None, "database", "sync")
    assert (code, out) == (1, "")
    assert err == "error: designate.conf: [storage:sqlalchemy] connection: is not set; write the database's URL there\n"


@contextmanager
def _away(_settings: Settings) -> Iterator[Central]:
    raise Unavailable("the broker at 192.0.2.1:5672 is away")
    yield


def _manage(url: str | None, *argv: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()

    def loaded(_argv: Sequence[str]) -> Settings:
        return Settings(store=StoreSettings(url=url))

    code = main(argv, load=loaded, connect=_away, out=out, err=err)
    return code, out.getvalue(), err.getvalue()


# -- arguments and failures


def test_the_sample_needs_no_configuration_and_no_central(operator: Operator) -> None:
    ran = operator("config", "sample", "--short")
    assert ran.code == 0
    assert "\n[service:worker]\n" in ran.out
    assert (operator.loaded, operator.connected) == ([], 0)


def test_configuration_files_are_handed_on(operator: Operator) -> None:
    operator("--config-file", "/a", "--config-dir", "/d", "--config-file", "/b", "service", "list")
    assert operator.loaded == [["--config-file=/a", "--config-dir=/d", "--config-file=/b"]]
    assert operator.connected == 0


def test_a_wrong_configuration_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "designate.conf"
    file.write_text("[DEFAULT]\ndefault_ttl = soon\n")
    err = StringIO()
    assert main(["--config-file", str(file), "service", "list"], load=load, connect=_away, err=err) == 1
    assert err.getvalue().startswith(f"error: {file}: [DEFAULT] default_ttl: expected whole number")
    assert len(err.getvalue().splitlines()) == 1


def test_a_central_that_is_away_is_one_line() -> None:
    assert _manage(None, "pool", "show-config") == (1, "", "error: the broker at 192.0.2.1:5672 is away\n")


def test_field_errors_are_told_in_the_line() -> None:
    @contextmanager
    def refusing(_settings: Settings) -> Iterator[Central]:
        raise InvalidObject.at(["targets", 0, "type"], "'x' is not a backend")
        yield

    err = StringIO()
    assert main(["service", "list"], load=lambda _: Settings(), connect=refusing, err=err) == 1
    assert err.getvalue() == "error: targets.0.type: 'x' is not a backend\n"


@pytest.mark.parametrize("argv", [[], ["pool"], ["pool", "nosuch"], ["database", "sync", "x"], ["zone", "nosuch"]])
def test_wrong_arguments_exit_with_two(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _manage(None, *argv)[0] == 2
    assert "usage: redesignate manage" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--help"], ["pool", "--help"], ["pool", "update", "--help"]])
def test_help_exits_with_nought(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _manage(None, *argv)[0] == 0
    assert "usage: redesignate manage" in capsys.readouterr().out


def test_a_reader_that_leaves_early_is_no_failure() -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    assert main(["config", "sample", "--short"], load=load, connect=_away, out=Gone()) == 0


def test_the_command_line_does_not_import_the_broker() -> None:
    code = "import sys, redesignate.manage.main; print('amqp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
