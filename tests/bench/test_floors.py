# SPDX-License-Identifier: Apache-2.0
"""What is measured alone does what it does for us: the same statements, messages of the same size, whole transfers."""

from __future__ import annotations

import shutil
import sqlite3
import time
from multiprocessing.connection import Connection
from pathlib import Path

import dns.query
import dns.xfr
import dns.zone
import pytest

from bench.beside import Ended, companion
from bench.client import Address, run
from bench.floors import bind, broker, database, http
from bench.floors.primary import Primary
from bench.floors.rounds import rated, serve_rounds
from bench.requests import Creates
from redesignate.bus import codec
from redesignate.bus.amqp_hints import written
from redesignate.bus.port import Asked
from redesignate.commands.hint import Hint, Kind
from redesignate.commands.rrsets import CreateRRset
from redesignate.model.clock import new_id, now
from redesignate.model.rrset import NewRRset, RRset
from redesignate.model.zone import Action, Status
from redesignate.threads.deadline import Deadline
from tests.central.driver import member
from tests.support.servers import accepts, free_port, until


def slow(pipe: Connection) -> None:
    """Ten operations in 20 ms a round."""

    def do(_: int) -> int:
        time.sleep(0.02)
        return 10

    serve_rounds(pipe, do)


def broken(pipe: Connection) -> None:
    """Fails in its first round."""

    def do(number: int) -> int:
        raise ValueError(f"round {number} is broken")

    serve_rounds(pipe, do)


def test_a_rate_is_of_the_time_that_a_round_took_and_its_cpu_of_each_operation() -> None:
    with companion(slow) as doer:
        figure = rated("operations", doer, {"doer": [doer.pid]})
    assert 100 < figure.value <= 500
    assert len(figure.runs) == 3
    assert 0 < figure.cpu["doer"] < 1


def test_what_fails_beside_the_bench_says_why() -> None:
    with companion(broken) as doer, pytest.raises(Ended, match="round 0 is broken"):
        rated("operations", doer, {})


@pytest.mark.parametrize("together", [1, 8])
def test_statements_that_are_sent_again_leave_the_database_as_central_left_it(tmp_path: Path, together: int) -> None:
    file, copy = tmp_path / "recorded.db", tmp_path / "copy.db"

    def keep() -> str:
        shutil.copy(file, copy)
        return f"sqlite:///{copy}"

    url, rounds = database.recorded(f"sqlite:///{file}", keep, database.Kind(1, together), 16)
    assert content(copy) != content(file)
    with companion(database.replay, url, rounds) as loop:
        loop.hear()
        assert [loop.ask(number)[0] for number in range(len(rounds))] == [16] * len(rounds)
    assert content(copy) == content(file)
    assert len(content(file)["rrsets"]) > 16 * len(rounds)


def content(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of a database."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for name in tables}


def test_messages_are_as_long_as_ours() -> None:
    name, zone, ident = "c8r1n1234.creates-a1b2c3.example.", "creates-a1b2c3.example.", new_id()
    new = NewRRset(name=name, type="A", records=("10.0.4.1",))
    command = CreateRRset(caller=member("noauth-project"), zone_id=ident, new=new)
    how = Asked(deadline=Deadline.after(60), until=now(), id=new_id())
    made = RRset(
        id=new_id(), zone_id=ident, zone_name=zone, project_id="noauth-project", name=name, type="A", ttl=None,
        records=new.records, description=None, managed=False, revision=12345, born=12345, version=1, created_at=now(),
        updated_at=None, status=Status.PENDING, action=Action.CREATE,
    )  # fmt: skip
    question = codec.together([codec.sent(codec.question(command), how)])
    answer = codec.replied([codec.answer(made)], now())
    hint = written([Hint(Kind.OUTBOUND, ident)])
    found = [len(one) for one in (question, answer, hint)]
    assert found == pytest.approx([broker.QUESTION, broker.ANSWER, broker.HINT], rel=0.15)


def test_the_primary_that_has_answers_ready_transfers_whole_zones_and_single_changes() -> None:
    primary = Primary()
    primary.change("example.org.")
    zone = dns.zone.Zone("example.org.", relativize=False)
    dns.query.inbound_xfr("127.0.0.1", zone, port=primary.port)
    assert len(zone.nodes) == 1
    primary.change("example.org.")
    query, serial = dns.xfr.make_query(zone)
    assert serial == 1
    dns.query.inbound_xfr("127.0.0.1", zone, query, port=primary.port)
    assert zone.get_soa().serial == 2
    assert {str(name) for name in zone.nodes} == {"example.org.", "host-2.example.org."}
    assert {primary.fetched.get(timeout=1) for _ in range(2)} == {"example.org."}


@pytest.mark.parametrize("server", [http.octets_back, http.own, http.gunicorn])
def test_each_http_server_answers_every_request(server: object) -> None:
    port = free_port()
    with companion(server, port) as other:  # type: ignore[arg-type]  # pytest's parameters are objects
        other.hear()
        until(lambda: accepts(port))
        requests = [one for one, _ in zip(Creates([http.ZONE], "c"), range(20), strict=False)]
        load = run(Address("127.0.0.1", port), requests, connections=4, keep=True)
    assert load.bodies == [http.ANSWER] * 20


@pytest.mark.external
def test_rabbitmq_and_bind_do_alone_what_they_do_for_us(tmp_path: Path) -> None:
    found = [*broker.figures(tmp_path, 0.05), *bind.figures(tmp_path, 0.05)]
    assert all(figure.value > 1 and figure.unit == "/s" and figure.least for figure in found)
    assert {kind for figure in found for kind in figure.cpu} == {"asker", "answerer", "broker", "named", "primary"}
