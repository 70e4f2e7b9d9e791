# SPDX-License-Identifier: Apache-2.0
"""Requests that wait for nameservers: what else ends a wait, or does not."""

from __future__ import annotations

import socket

import pytest

from redesignate.commands.audit import ReportDifferences, ZonesAtRest
from redesignate.commands.work import BeginWork, PoolForWork, Report
from redesignate.model.audit import Difference
from redesignate.model.errors import Unavailable
from redesignate.model.work import Outcome, PeerOutcome, Role
from tests.api.conftest import System
from tests.api.test_waiting import WAIT_S, WWW, ZONE, Door, door, got, half, read_answers
from tests.support.servers import until

__all__ = ["door", "half"]

FILE = (
    "$ORIGIN i.example.\n@ 60 IN SOA ns.i.example. a.b.example. 7 2 3 4 5\n@ 60 IN NS ns.other.\nw 60 IN A 192.0.2.8\n"
)


def get(path: str, *more: str) -> bytes:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: localhost", "X-Auth-Project-ID: p1", *more, "", "")).encode()


def test_an_import_that_is_deleted_while_it_is_waited_for_was_accepted(door: Door) -> None:
    waiting = door.begin("POST", "/v2/zones/tasks/imports?wait=served&wait_timeout=2", {"zonefile": FILE})
    (one,) = door.ask("GET", "/v2/zones/tasks/imports").body["imports"]
    assert door.ask("DELETE", f"/v2/zones/tasks/imports/{one['id']}").status == 204
    answer = got(waiting)
    assert (answer.status, answer.body["id"]) == (202, one["id"])


def test_an_import_was_accepted_though_central_is_away_at_the_deadline(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = door.begin("POST", "/v2/zones/tasks/imports?wait=served&wait_timeout=2", {"zonefile": FILE})

    def away(_command: object) -> object:
        raise Unavailable("The database is unavailable; retry.")

    until(lambda: len(door.waits) == 1, deadline_s=WAIT_S, what="the wait")
    monkeypatch.setattr(door.system.central, "_dispatch", away)
    assert got(waiting).status == 202


def test_what_nameservers_have_lost_is_not_active(door: Door) -> None:
    zone = door.zone()
    door.system.serve()
    (rest,) = door.system.central.call(ZonesAtRest())
    lost = Difference(
        zone_id=rest.zone_id,
        revision=rest.revision,
        peer_id=door.system.pool.nameservers[0].id,
        serial=None,
        why="it does not have the zone",
    )
    door.system.central.call(ReportDifferences(differences=(lost,)))
    answer = door.ask("GET", f"{zone}?wait=active&wait_timeout=1")
    assert (answer.word, answer.body["status"]) == ("timeout", "PENDING")


@pytest.mark.parametrize("word", ["active", "served"])
def test_the_soa_is_served_when_the_zones_last_change_is(door: Door, word: str) -> None:
    zone = door.zone()
    (soa,) = (one for one in door.ask("GET", f"{zone}/recordsets").body["recordsets"] if one["type"] == "SOA")
    door.ask("POST", f"{zone}/recordsets", WWW)
    answer = door.ask("GET", f"{zone}/recordsets/{soa['id']}?wait={word}&wait_timeout=1")
    assert (answer.word, answer.body["status"]) == ("timeout", "PENDING")


def test_a_zone_file_is_not_waited_for(door: Door) -> None:
    zone = door.zone()
    with door.connected() as client:
        client.sendall(get(f"{zone}?wait=served", "Accept: text/dns"))
        assert read_answers(client, 1)[0].startswith(b"HTTP/1.1 400 ")


def test_a_deletion_whose_name_was_taken_anew_is_not_waited_for_any_longer(half: Door) -> None:
    zone = half.zone()
    deleted = half.begin("DELETE", f"{zone}?wait=served&wait_timeout=20")
    central = half.system.central
    until(lambda: len(half.waits) == 1, deadline_s=WAIT_S, what="the wait")
    (task,) = central.call(BeginWork(worker="w", zone_ids=(zone.rpartition("/")[2],)))
    pool = central.call(PoolForWork(pool_id=task.pool_id)).pool
    assert pool is not None
    found = [(one.id, Role.NAMESERVER, n == 0) for n, one in enumerate(pool.nameservers)]
    found += [(one.id, Role.TARGET, True) for one in pool.targets]
    peers = tuple(
        PeerOutcome(peer_id=one, role=role, ok=ok, present=False, serial=None, why=None) for one, role, ok in found
    )
    outcome = Outcome(zone_id=task.zone_id, revision=task.revision, present=False, peers=peers)
    central.call(Report(worker="w", outcomes=(outcome,)))
    assert half.ask("POST", "/v2/zones", ZONE).status == 202
    answer = got(deleted)
    assert (answer.status, answer.word, answer.body["status"]) == (202, "served", "DELETED")


def test_whoever_has_waited_has_no_more_connections_than_others_afterwards(system: System) -> None:
    with Door(system, connections=8) as door:
        zone = door.zone()
        door.ask("PATCH", zone, {"ttl": 77})
        with socket.create_connection(("127.0.0.1", door.port), WAIT_S, source_address=("127.0.0.2", 0)) as other:
            other.sendall(get(zone))
            read_answers(other, 1)
            clients = []
            for _ in range(20):
                clients.append(door.connected())
                clients[-1].sendall(get(f"{zone}?wait=served"))
                until(lambda: len(door.waits) == len(clients), deadline_s=WAIT_S, what="the wait")
            door.system.serve()
            for client in clients:
                assert b"served" in read_answers(client, 1)[0]
            until(lambda: len(door.server.arrivals) <= 8, deadline_s=WAIT_S, what="the end of those too many")
            other.sendall(get(zone))
            assert read_answers(other, 1)
            for client in clients:
                client.close()
