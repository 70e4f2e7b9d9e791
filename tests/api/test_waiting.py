# SPDX-License-Identifier: Apache-2.0
"""`wait=served` and `wait=active`, over the HTTP server that holds connections without a thread."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from redesignate.api import parked
from redesignate.api.app import build
from redesignate.api.parked import Waits
from redesignate.auth.noauth import NoAuth
from redesignate.bus.port import R
from redesignate.commands.base import Command
from redesignate.commands.pools import ApplyPool
from redesignate.commands.reach import AskReach
from redesignate.commands.work import BeginWork, PoolForWork, Report
from redesignate.config.settings import ApiSettings, CentralSettings
from redesignate.model.caller import operator
from redesignate.model.errors import Unavailable
from redesignate.model.pool import PoolSpec
from redesignate.model.work import Outcome, PeerOutcome, Role
from redesignate.run.threaded import Threaded
from tests.api.conftest import PLENTY, System, _system
from tests.support.bind import free_port
from tests.support.servers import until

WAIT_S = 30
ZONE = {"name": "example.org.", "email": "a@example.org"}
WWW = {"name": "www.example.org.", "type": "A", "records": ["192.0.2.1"]}
HEADER = "X-Redesignate-Wait"


@dataclass
class Watched:
    """A central that counts how often it is asked how far nameservers are, and fails at will.

    then   called once after it has found out, and before it says so
    """

    system: System
    asked: int = 0
    fails: bool = False
    then: Callable[[], object] | None = None

    def call(self, command: Command[R]) -> R:
        if isinstance(command, AskReach):
            self.asked += 1
            if self.fails:
                raise Unavailable("The database is unavailable; retry.")
        answer = self.system.central.call(command)
        if isinstance(command, AskReach) and self.then is not None:
            then, self.then = self.then, None
            then()
        return answer


@dataclass
class Answer:
    """What came back."""

    status: int
    word: str | None
    body: Any


@dataclass
class Door:
    """The API behind our own HTTP server, with few connections beside those that wait."""

    system: System
    most: int = parked.MOST
    connections: int = 100
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(40))

    def __enter__(self) -> Door:
        self.port, self.central = free_port(), Watched(self.system)
        settings = ApiSettings(listen=(("127.0.0.1", self.port),), healthcheck_disable_file=None)
        self.waits = Waits(self.central, most=self.most)
        app = build(self.system.central, settings, NoAuth(), waits=self.waits)
        self.server = Threaded(app, settings, threads=2, connections=self.connections)
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.waits.stop()
        self.pool.shutdown()

    def ask(self, verb: str, path: str, body: object = None, project: str = "p1", **headers: str) -> Answer:
        """One request on a connection of its own."""
        given = {"X-Auth-Project-ID": project, "X-Roles": "member,reader", "Content-Type": "application/json"}
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)) as connection:
            data = None if body is None else json.dumps(body)
            connection.request(verb, path, data, given | {name.replace("_", "-"): v for name, v in headers.items()})
            answer = connection.getresponse()
            text = answer.read()
        return Answer(answer.status, answer.headers[HEADER], json.loads(text) if text else None)

    def begin(self, verb: str, path: str, body: object = None, **more: str) -> Future[Answer]:
        """Send a request, and wait until its answer waits."""
        before = len(self.waits)
        found = self.pool.submit(self.ask, verb, path, body, **more)
        until(lambda: found.done() or len(self.waits) > before, deadline_s=WAIT_S)
        return found

    def connected(self) -> socket.socket:
        """A connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)

    def zone(self) -> str:
        """The path of a zone that is served."""
        made = self.ask("POST", "/v2/zones", ZONE)
        self.system.serve()
        return f"/v2/zones/{made.body['id']}"


@pytest.fixture
def door(system: System) -> Iterator[Door]:
    with Door(system) as made:
        yield made


def got(found: Future[Answer]) -> Answer:
    return found.result(WAIT_S)


def test_a_write_is_answered_once_all_nameservers_serve_it(door: Door) -> None:
    zone = door.zone()
    waiting = door.begin("POST", f"{zone}/recordsets?wait=served", WWW)
    until(lambda: door.central.asked > 2, deadline_s=WAIT_S)
    assert not waiting.done()
    door.system.serve()
    answer = got(waiting)
    assert (answer.status, answer.word) == (201, "served")
    assert (answer.body["status"], answer.body["action"]) == ("ACTIVE", "NONE")
    assert answer.body == door.ask("GET", path_of(answer)).body


def path_of(answer: Answer) -> str:
    return "/v2" + str(answer.body["links"]["self"]).partition("/v2")[2]


WRITES: dict[str, Callable[[str, str], tuple[str, str, object]]] = {
    "POST of a zone": lambda _zone, _rrset: ("POST", "/v2/zones", ZONE | {"name": "b.example."}),
    "PATCH of a zone": lambda zone, _rrset: ("PATCH", zone, {"ttl": 77}),
    "DELETE of a zone": lambda zone, _rrset: ("DELETE", zone, None),
    "POST": lambda zone, _rrset: ("POST", f"{zone}/recordsets", WWW | {"name": "b.example.org."}),
    "PUT": lambda _zone, rrset: ("PUT", rrset, {"ttl": 88}),
    "PUT by name": lambda zone, _rrset: ("PUT", f"{zone}/recordsets?name=www.example.org.&type=A", {"ttl": 99}),
    "PUT of a new one": lambda zone, _rrset: (
        "PUT",
        f"{zone}/recordsets?name=c.example.org.&type=A",
        {"records": ["192.0.2.1"]},
    ),
    "DELETE": lambda _zone, rrset: ("DELETE", rrset, None),
}
ENDED = {"POST of a zone": 201, "POST": 201, "PUT of a new one": 201, "DELETE of a zone": 202, "DELETE": 202}


@pytest.mark.parametrize("word", ["served", "active"])
@pytest.mark.parametrize("name", list(WRITES))
def test_every_write_of_what_nameservers_serve_can_wait(door: Door, name: str, word: str) -> None:
    zone = door.zone()
    rrset = path_of(door.ask("POST", f"{zone}/recordsets", WWW))
    door.system.serve()
    verb, path, body = WRITES[name](zone, rrset)
    waiting = door.begin(verb, f"{path}{'&' if '?' in path else '?'}wait={word}", body)
    assert not waiting.done()
    door.system.serve()
    answer = got(waiting)
    assert (answer.status, answer.word) == (ENDED.get(name, 200), word)
    assert answer.body["status"] == ("DELETED" if verb == "DELETE" else "ACTIVE")


def test_a_get_waits_and_is_carried_out_again(door: Door) -> None:
    zone = door.zone()
    door.ask("POST", f"{zone}/recordsets", WWW)
    waiting = door.begin("GET", f"{zone}?wait=active")
    serial = door.ask("PATCH", zone, {"ttl": 77}).body["serial"]  # while it waits
    door.system.serve()
    answer = got(waiting)
    assert (answer.status, answer.word, answer.body["status"]) == (200, "active", "ACTIVE")
    assert (answer.body["serial"], answer.body["ttl"]) == (serial, 77)


def test_a_get_of_what_was_changed_again_waits_for_that_too(door: Door) -> None:
    zone = door.zone()
    for ttl in (88, 99):
        door.central.then = partial(door.ask, "PATCH", zone, {"ttl": ttl})
        door.ask("PATCH", zone, {"ttl": 77})
        door.system.serve()
        waiting = door.begin("GET", f"{zone}?wait=served")
        until(lambda: door.central.then is None, deadline_s=WAIT_S)
        asked = door.central.asked
        until(partial(lambda seen, one: door.central.asked > seen or one.done(), asked, waiting), deadline_s=WAIT_S)
        assert not waiting.done()
        door.system.serve()
        assert (got(waiting).body["status"], got(waiting).body["ttl"]) == ("ACTIVE", ttl)


def test_a_get_of_a_zone_that_is_being_deleted_is_404_once_it_is_gone(door: Door) -> None:
    zone = door.zone()
    door.ask("DELETE", zone)
    waiting = door.begin("GET", f"{zone}?wait=served")
    door.system.serve()
    assert got(waiting).status == 404


def test_a_get_of_what_is_so_is_answered_at_once(door: Door) -> None:
    zone = door.zone()
    for word in ("active", "served"):
        answer = door.ask("GET", f"{zone}?wait={word}")
        assert (answer.status, answer.word) == (200, word)


def test_a_get_shows_nothing_that_its_caller_may_not_see_any_more(door: Door) -> None:
    zone = door.zone()
    share = door.ask("POST", f"{zone}/shares", {"target_project_id": "p2"}).body
    door.ask("PATCH", zone, {"ttl": 77})
    waiting = door.begin("GET", f"{zone}?wait=active", project="p2")
    door.ask("DELETE", f"{zone}/shares/{share['id']}")
    door.system.serve()
    assert got(waiting).status == 404
    assert door.ask("GET", f"{zone}?wait=active", project="p3").status == 404


def test_at_the_deadline_the_answer_is_the_usual_one(door: Door) -> None:
    zone = door.zone()
    answer = door.ask("POST", f"{zone}/recordsets?wait=served&wait_timeout=1", WWW)
    assert (answer.status, answer.word, answer.body["status"]) == (202, "timeout", "PENDING")
    answer = door.ask("GET", f"{zone}?wait=active&wait_timeout=1")
    assert (answer.status, answer.word, answer.body["status"]) == (200, "timeout", "PENDING")


def test_while_nobody_knows_how_far_nameservers_are_the_deadline_holds(door: Door) -> None:
    zone = door.zone()
    door.central.fails = True
    answer = door.ask("POST", f"{zone}/recordsets?wait=served&wait_timeout=1", WWW)
    assert (answer.status, answer.word) == (202, "timeout")


def reported(door: Door, zone: str, *, first: bool, second: bool) -> None:
    """The worker's report: the target has the zone, and these of two nameservers."""
    central = door.system.central
    (task,) = central.call(BeginWork(worker="w", zone_ids=(zone.rpartition("/")[2],)))
    pool = central.call(PoolForWork(pool_id=task.pool_id)).pool
    servers = zip(pool.nameservers, (first, second), strict=True)
    peers = [(server.id, Role.NAMESERVER, ok) for server, ok in servers]
    peers += [(target.id, Role.TARGET, True) for target in pool.targets]
    said = tuple(
        PeerOutcome(peer_id=peer, role=role, ok=ok, present=True, serial=task.serial if ok else None, why=None)
        for peer, role, ok in peers
    )
    outcome = Outcome(zone_id=task.zone_id, revision=task.revision, present=True, peers=said)
    central.call(Report(worker="w", outcomes=(outcome,)))


@pytest.fixture
def half(empty_database: Path, tmp_path: Path) -> Iterator[Door]:
    """With two nameservers, of which one is enough, and which have one try each."""
    settings = CentralSettings(quotas=PLENTY, threshold_percentage=50, poll_max_retries=1)
    system = _system(empty_database, tmp_path, settings)
    first: dict[str, str | int | None] = {"host": "192.0.2.1", "port": 53}
    spec = PoolSpec(id=settings.default_pool_id, name="default", nameservers=(first, first | {"host": "192.0.2.2"}))
    system.central.call(ApplyPool(caller=operator("req-test"), spec=spec))
    with Door(system) as made:
        yield made
    system.store.close()


def test_active_is_what_the_threshold_makes_and_served_is_all_of_them(half: Door) -> None:
    zone = half.zone()
    active = half.begin("POST", f"{zone}/recordsets?wait=active", WWW)
    served = half.begin("PUT", f"{zone}/recordsets?name=b.example.org.&type=A&wait=served", {"records": ["192.0.2.1"]})
    reported(half, zone, first=True, second=False)
    assert got(active).word == "active"
    asked = half.central.asked
    until(lambda: half.central.asked > asked, deadline_s=WAIT_S)
    assert not served.done()
    reported(half, zone, first=True, second=True)
    assert (got(served).status, got(served).word) == (201, "served")


def test_a_zone_in_error_ends_the_wait(half: Door) -> None:
    zone = half.zone()
    waiting = half.begin("POST", f"{zone}/recordsets?wait=active", WWW)
    reported(half, zone, first=False, second=False)
    answer = got(waiting)
    assert (answer.status, answer.word, answer.body["status"]) == (201, "error", "ERROR")


def test_the_zones_end_ends_the_wait(door: Door) -> None:
    zone = door.zone()
    waiting = door.begin("POST", f"{zone}/recordsets?wait=active", WWW)
    door.ask("DELETE", zone)
    door.system.serve()
    assert got(waiting).word == "gone"


def test_nobody_is_asked_where_nobody_waits(door: Door) -> None:
    zone = door.zone()
    assert door.central.asked == 0
    waiting = door.begin("PATCH", f"{zone}?wait=active", {"ttl": 77})
    door.system.serve()
    got(waiting)
    asked = door.central.asked
    assert not door.waits._turn()
    assert door.central.asked == asked


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/v2/zones?wait=served"),
        ("GET", "/v2/zones?owns=a.example.&wait=served"),
        ("GET", "{zone}/recordsets?wait=active"),
        ("GET", "/v2/limits?wait=active"),
        ("POST", "{zone}/tasks/xfr?wait=served"),
        ("GET", "{zone}?wait=true"),
        ("GET", "{zone}?wait="),
        ("GET", "{zone}?wait_timeout=5"),
        ("GET", "{zone}?wait=served&wait=active"),
        ("GET", "{zone}?wait=served&wait_timeout=0"),
        ("GET", "{zone}?wait=served&wait_timeout=301"),
        ("GET", "{zone}?wait=served&wait_timeout=-1"),
        ("GET", "{zone}?wait=served&wait_timeout=1.5"),
        ("GET", "{zone}?wait=served&wait_timeout=1&wait_timeout=2"),
        ("DELETE", "{zone}?wait=yes"),
    ],
)
def test_what_cannot_be_waited_for_is_refused_before_anything_is_done(door: Door, verb: str, path: str) -> None:
    zone = door.zone()
    answer = door.ask(verb, path.format(zone=zone))
    assert (answer.status, answer.body["type"]) == (400, "bad_request")
    assert "wait" in answer.body["message"]
    assert door.ask("GET", zone).body["action"] == "NONE"


def test_a_post_that_is_repeated_waits_for_the_change_of_the_first(door: Door) -> None:
    zone = door.zone()
    first = door.begin("POST", f"{zone}/recordsets?wait=served", WWW, Idempotency_Key="k")
    again = door.begin("POST", f"{zone}/recordsets?wait=active&wait_timeout=20", WWW, Idempotency_Key="k")
    door.system.serve()
    assert (got(first).status, got(again).status) == (201, 201)
    assert got(first).body["id"] == got(again).body["id"]
    assert door.ask("POST", f"{zone}/recordsets", WWW, Idempotency_Key="k").body["id"] == got(first).body["id"]


def test_a_client_that_leaves_is_forgotten(door: Door) -> None:
    zone = door.zone()
    door.ask("PATCH", zone, {"ttl": 77})
    with door.connected() as client:
        path = f"{zone}?wait=active&wait_timeout=300"
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Project-ID: p1\r\n\r\n".encode())
        until(lambda: len(door.waits) == 1, deadline_s=WAIT_S)
    until(lambda: not len(door.waits), deadline_s=WAIT_S)
    until(lambda: not len(door.server.arrivals), deadline_s=WAIT_S)


def read_answers(client: socket.socket, number: int) -> list[bytes]:
    found: list[bytes] = []
    stream = client.makefile("rb")
    for _ in range(number):
        line, length = stream.readline(), 0
        while (field := stream.readline()) != b"\r\n":
            name, _, value = field.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
            line += field
        found.append(line + stream.read(length))
    return found


def test_requests_that_follow_on_the_connection_are_answered_after_it(door: Door) -> None:
    zone = door.zone()
    door.ask("PATCH", zone, {"ttl": 77})
    get = "GET {} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Project-ID: p1\r\n\r\n"
    with door.connected() as client:
        client.sendall(get.format(f"{zone}?wait=active").encode())
        until(lambda: len(door.waits) == 1, deadline_s=WAIT_S)
        client.sendall(get.format(f"{zone}/nameservers").encode())
        door.ask("GET", zone)  # by then the other has arrived
        assert len(door.waits) == 1
        door.system.serve()
        first, second = read_answers(client, 2)
        assert b"x-redesignate-wait: active" in first
        assert b"nameservers" in second
        client.sendall(get.format(zone).encode())
        assert read_answers(client, 1)[0].startswith(b"HTTP/1.1 200")


def test_a_client_of_http_1_0_waits_too(door: Door) -> None:
    zone = door.zone()
    door.ask("PATCH", zone, {"ttl": 77})
    with door.connected() as client:
        client.sendall(f"GET {zone}?wait=active HTTP/1.0\r\nHost: localhost\r\nX-Auth-Project-ID: p1\r\n\r\n".encode())
        until(lambda: len(door.waits) == 1, deadline_s=WAIT_S)
        door.system.serve()
        answer = b""
        while some := client.recv(4096):
            answer += some
    assert b"x-redesignate-wait: active" in answer
    assert b"Connection: close" in answer


def test_a_server_that_stops_answers_those_that_wait(system: System) -> None:
    with Door(system) as door:
        zone = door.zone()
        waiting = [door.begin("PATCH", f"{zone}?wait=active", {"ttl": ttl}) for ttl in (77, 88)]
        door.server.stop()
        assert [(got(one).status, got(one).word) for one in waiting] == [(202, "timeout")] * 2


def test_those_that_wait_take_nobodys_thread_and_nobodys_connection(system: System) -> None:
    with Door(system, connections=8) as door:  # one address may have four
        zone = door.zone()
        threads = threading.active_count()
        door.ask("PATCH", zone, {"ttl": 77})
        get = f"GET {zone}?wait=served HTTP/1.1\r\nHost: localhost\r\nX-Auth-Project-ID: p1\r\n\r\n".encode()
        clients: list[socket.socket] = []
        for _ in range(200):
            clients.append(door.connected())
            clients[-1].sendall(get)
            until(lambda: len(door.waits) == len(clients), deadline_s=WAIT_S)
        assert threading.active_count() <= threads + 1
        assert door.ask("GET", zone).status == 200
        door.system.serve()
        for client in clients:
            assert b"x-redesignate-wait: served" in read_answers(client, 1)[0]
            client.close()


def test_one_project_takes_half_of_the_places_and_the_write_is_made_all_the_same(system: System) -> None:
    with Door(system, most=2) as door:
        zone = door.zone()
        waiting = door.begin("PATCH", f"{zone}?wait=active", {"ttl": 77})
        answer = door.ask("PATCH", f"{zone}?wait=active", {"ttl": 88})
        assert (answer.status, answer.word, answer.body["ttl"]) == (202, "busy", 88)
        theirs = door.begin("POST", "/v2/zones?wait=active", ZONE | {"name": "theirs.example."}, project="p2")
        assert not theirs.done()
        door.system.serve()
        assert (got(waiting).word, got(theirs).word) == ("active", "active")


def test_another_server_answers_at_once(system: System) -> None:
    made = system.client().ask("POST", "/v2/zones?wait=served", ZONE)
    assert made.status == 202
    assert made.headers[HEADER.lower()] == "unsupported"
