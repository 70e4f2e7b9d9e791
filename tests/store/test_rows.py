# SPDX-License-Identifier: Apache-2.0
"""Every row comes back as it went in, on every database."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from redesignate.model.caller import Caller
from redesignate.model.clock import SECOND, now
from redesignate.model.errors import Misconfigured
from redesignate.model.pool import Pool
from redesignate.model.rrset import seen
from redesignate.model.service import ServiceState
from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.model.work import PeerState, Role
from redesignate.model.zone import Action, Status, Zone
from redesignate.store import schema
from redesignate.store.journal import Entry
from redesignate.store.outbox import NEVER
from redesignate.store.secrets import Secrets
from redesignate.store.services import Said
from redesignate.store.unit import Store
from redesignate.store.zones import Counts, Stale
from tests.store.makers import add, counted, full_pool, full_zone, held, new_id, queued, zone


def get(store: Store, zone_id: str) -> Zone | None:
    with store.read() as work:
        return work.zones.get(zone_id)


@pytest.mark.parametrize("make", [zone, full_zone])
def test_zones(store: Store, make: Any) -> None:
    one = make()
    add(store, one)
    assert get(store, one.id) == one
    with store.read() as work:
        assert work.zones.named([one.name]) == [one]
        assert work.zones.many([one.id]) == {one.id: one}
    with pytest.raises(IntegrityError):
        add(store, structs.replace(one, id=new_id()))


def test_a_zone_moves_only_from_the_revision_it_was_read_at(store: Store) -> None:
    one = zone()
    add(store, one)
    after = structs.replace(one, revision=2, serial=5, description="words", updated_at=3)
    store.transact(lambda work: work.zones.advance(one, after, rrsets=2, records=-1, apex_version=9))
    assert get(store, one.id) == after
    with store.read() as work:
        assert work.zones.lock(one.id) == (after, Counts(2, -1))
        with pytest.raises(Stale):
            work.zones.advance(one, structs.replace(one, revision=2))
        with pytest.raises(Stale):
            work.zones.advance(one, structs.replace(one, revision=2, email="x@y.z"))
        with pytest.raises(Stale):
            work.zones.settle(one, structs.replace(one, confirmed=1))
        with pytest.raises(Stale):
            work.zones.settle(one, structs.replace(one, confirmed=1, deleted_at=4))


def test_a_settled_deletion_frees_the_name(store: Store) -> None:
    one = zone()
    add(store, one)
    gone = structs.replace(one, status=Status.DELETED, action=Action.NONE, deleted_at=77)
    store.transact(lambda work: work.zones.settle(one, gone))
    assert get(store, one.id) is None
    with store.read() as work:
        assert work.zones.many([one.id]) == {one.id: gone}
        assert work.zones.departed(one.name, one.pool_id) == [gone]
    add(store, structs.replace(one, id=new_id()))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"records": ()},
        {
            "ttl": 2**31 - 1, "records": ('"ü\\000😀"', "x" * 70000), "description": "d" * 160, "managed": True,
            "revision": 2**62, "born": 2**62, "updated_at": 2**53, "project_id": None, "type": "TYPE65280",
        },
    ],
)  # fmt: skip
def test_rrsets(store: Store, given: dict[str, Any]) -> None:
    of = zone()
    add(store, of)
    wire = bytes(range(256)) * 300
    one = held(of, **({"rrtype": given.pop("type")} if "type" in given else {}), wire=wire, **given)
    store.transact(lambda work: work.rrsets.add([one]))
    with store.read() as work:
        assert work.rrsets.get(one.id) == seen(one, of)
        assert work.rrsets.held(one.id, of.id) == work.rrsets.held_at(of.id, one.name, one.type) == one
        assert list(work.rrsets.walk(of.id)) == [one]
        assert work.rrsets.around(of, one.name, []) == ({one.type}, [], {})
        assert work.rrsets.get(one.id, zone_id=new_id()) is None
        assert work.rrsets.held(one.id, new_id()) is None
    changed = one._replace(ttl=5, records=("192.0.2.9",), version=2, wire=b"new")
    store.transact(lambda work: work.rrsets.change([changed]))
    with store.read() as work:
        assert work.rrsets.held(one.id, of.id) == changed
    store.transact(lambda work: work.rrsets.remove([one.id]))
    with store.read() as work:
        assert work.rrsets.get(one.id) is None


def test_journal(store: Store) -> None:
    of = zone()
    entry = Entry(
        zone_id=of.id, revision=2**60, serial_from=2**32 - 1, serial_to=1, full=False, removed=bytes(range(256)),
        added=b"\0" * 2**20, soa_from=b"a", soa_to=b"b", at=2**53,
    )  # fmt: skip
    caller = Caller(request_id="r" * 99, user_id="u" * 99, project_id="p" * 99)
    store.transact(lambda work: work.ending.journal(entry, caller))
    with store.read() as work:
        row = work.conn.execute(text("SELECT * FROM journal WHERE zone_id = :i"), {"i": of.id}).one()
    assert (row.revision, row.serial_from, row.serial_to, row.at) == (2**60, 2**32 - 1, 1, 2**53)
    assert (bytes(row.removed), bytes(row.added)) == (entry.removed, entry.added)
    assert (len(row.user_id), len(row.request_id)) == (64, 64)


def test_outbox(store: Store) -> None:
    of = zone()
    of = structs.replace(of, revision=5)
    assert store.transact(lambda work: work.outbox.enqueue([of], 100)) == [of.id]
    row = queued(store, of.id)[of.id]
    assert (row.revision, row.generation, row.lease_until) == (5, 100, NEVER)
    assert row.next_try == 100 or store.engine.dialect.name != "sqlite", "the others have a clock of their own"
    with pytest.raises(Stale), store.read() as work:
        work.outbox.finish([(of.id, 4, 100)])
    with pytest.raises(Stale), store.read() as work:
        work.outbox.finish([(of.id, 5, 99)])
    store.transact(lambda work: work.outbox.finish([(of.id, 5, 100)]))
    assert not queued(store, of.id)


def test_a_row_queued_anew_for_its_pool_is_not_finished_by_who_read_it_before(store: Store) -> None:
    of = zone(pool_id=new_id(), revision=5)
    store.transact(lambda work: work.outbox.enqueue([of], 100))
    assert store.transact(lambda work: work.outbox.lease("w", [of.id], 100, 900)) == 1
    leased = queued(store, of.id)[of.id]
    store.transact(lambda work: work.outbox.enqueue_pool(of.pool_id, 200))
    with pytest.raises(Stale), store.read() as work:
        work.outbox.finish([(of.id, 5, 100)])
    row = queued(store, of.id)[of.id]
    assert (row.generation, row.lease_owner, row.lease_until) == (101, None, leased.lease_until)
    assert row.next_try == 200 or store.engine.dialect.name != "sqlite"


def test_peer_states(store: Store) -> None:
    of = zone()
    add(store, of)
    one = PeerState(peer_id=new_id(), role=Role.TARGET)
    full = PeerState(
        peer_id=new_id(), role=Role.NAMESERVER, present=True, revision=2**60, serial=2**32 - 1, since=2**53, attempts=9,
        error="ü" * 300, next_try=2**53,
    )  # fmt: skip
    empty: dict[str, dict[str, PeerState]] = {of.id: {}}
    given = {of.id: {one.peer_id: one, full.peer_id: full}}
    store.transact(lambda work: work.peers.save(empty, given))
    found = states(store, of)
    assert found == {of.id: {one.peer_id: one, full.peer_id: replace(full, error="ü" * 255)}}
    changed = {of.id: found[of.id] | {one.peer_id: replace(one, attempts=1)}}
    store.transact(lambda work: work.peers.save(found, changed))
    assert states(store, of) == changed
    store.transact(lambda work: work.peers.forget_peers([one.peer_id]))
    store.transact(lambda work: work.peers.forget([of.id]))
    assert states(store, of) == empty


def states(store: Store, of: Zone) -> dict[str, dict[str, PeerState]]:
    """What is known of the zone's peers, as `save` takes it."""
    with store.read() as work:
        return {zone_id: one.states for zone_id, one in work.peers.progress([of.id], work.now).items()}


def test_progress_is_a_zone_with_its_row_its_pool_and_its_peers(store: Store) -> None:
    pool, at_rest, busy = full_pool(), zone(), full_zone()
    busy = structs.replace(busy, pool_id=pool.id)
    add(store, at_rest, busy)
    store.transact(lambda work: work.pools.add(pool))
    store.transact(lambda work: work.outbox.enqueue([busy], 100))
    state = PeerState(peer_id=new_id(), role=Role.TARGET, present=True)
    store.transact(lambda work: work.peers.save({busy.id: {}}, {busy.id: {state.peer_id: state}}))
    with store.read() as work:
        found = work.peers.progress([at_rest.id, busy.id, new_id()], 7)
    assert found.keys() == {at_rest.id, busy.id}
    one = found[busy.id]
    assert (one.zone, one.pool, one.states, one.hard_delete) == (busy, pool, {state.peer_id: state}, False)
    assert one.row is not None
    assert (one.row.zone_id, one.row.generation, one.row.lease_owner, one.row.attempts) == (busy.id, 100, None, 0)
    rest = found[at_rest.id]
    assert (rest.zone, rest.row, rest.pool, rest.states) == (at_rest, None, None, {})
    assert (rest.now == 7) is (store.engine.dialect.name == "sqlite")


def test_a_pool_is_read_once_a_version(store: Store) -> None:
    one = full_pool()
    store.transact(lambda work: work.pools.add(one))

    def present(version: int | None, updated_at: int | None) -> Pool | None:
        with store.read() as work:
            return work.pools.present({one.id: (version, updated_at)}).get(one.id)

    found = present(7, 9)
    assert found == one
    assert present(7, 9) is found
    changed = replace(one, version=8, catalog=None, updated_at=10)
    store.transact(lambda work: work.pools.change(changed, apex=False))
    assert present(7, 9) is found, "nobody has such a stamp in hand once the row is another"
    again = present(8, 10)
    assert again == changed
    restored = replace(one, version=8, description="from a backup", updated_at=11)
    store.transact(lambda work: work.pools.change(restored, apex=False))
    assert present(8, 11) == restored
    assert present(None, None) is None, "the row is gone"


def test_pools(store: Store) -> None:
    one = full_pool()
    store.transact(lambda work: work.pools.add(one))
    with store.read() as work:
        assert work.pools.get(one.id) == one == work.pools.named(one.name)
        assert work.pools.hold(one.id) == (one, 1)
        assert work.pools.many([one.id]) == {one.id: one}
    changed = replace(one, version=8, catalog=None, description=None)
    store.transact(lambda work: work.pools.change(changed, apex=True))
    with store.read() as work:
        assert work.pools.hold(one.id) == (changed, 2)
        assert work.pools.apex_versions()[one.id] == 2
    store.transact(lambda work: work.pools.remove(one.id))
    with store.read() as work:
        assert work.pools.get(one.id) is None


def test_what_the_rules_on_a_new_rrset_need_is_read_at_once(store: Store) -> None:
    of, owner = zone(project_id=new_id()), zone(project_id=None)
    child, elsewhere = zone(f"b.{of.name}"), zone(f"a.b.{of.name}", pool_id=new_id())
    add(store, of, owner, child, elsewhere)
    assert of.project_id is not None
    limits = {"zones": -1, "zone_records": 2**31 - 1}
    store.transact(lambda work: work.quotas.set(of.project_id or "", limits))
    name = f"www.{child.name}"
    store.transact(
        lambda work: work.rrsets.add([held(of, f"www.b.{of.name}"[: -len(of.name) - 1], kind) for kind in ("A", "TXT")])
    )
    with store.read() as work:
        found = work.rrsets.around(of, name, [name, child.name, elsewhere.name])
        assert found == ({"A", "TXT"}, [child.name], limits)
        assert work.rrsets.around(of, "other." + of.name, ["other." + of.name]) == (set(), [], limits)
        assert work.rrsets.around(owner, owner.name, []) == (set(), [], {})


def test_every_member_of_a_zone_has_a_column_of_its_name() -> None:
    assert set(Zone.__struct_fields__) <= set(schema.zones.c.keys())


def test_quotas_and_counts(store: Store) -> None:
    project = new_id()
    limits = {"zones": -1, "zone_records": 2**31 - 1}
    store.transact(lambda work: work.quotas.set(project, limits))
    store.transact(lambda work: work.quotas.set(project, {"zones": 5}))
    with store.read() as work:
        assert work.quotas.overrides(project) == limits | {"zones": 5}
    store.transact(lambda work: work.quotas.reset(project))
    assert [store.transact(lambda work, by=by: counted(work, project, by)) for by in (1, 1, -1)] == [1, 2, 1]  # type: ignore[misc]
    with store.read() as work:
        assert (work.quotas.overrides(project), work.quotas.zones_of(project)) == ({}, 1)


def test_services(store: Store) -> None:
    host = new_id()
    stats = {"audit": {"zones": 2**40, "late": True}}
    store.transact(lambda work: work.services.beat("api", host, Said("a", ServiceState.WARNING, 9, {}), 5))
    store.transact(lambda work: work.services.beat("api", host, Said("a", ServiceState.UP, 9, stats), 6))
    with store.read() as work:
        row = work.conn.execute(text("SELECT id FROM services WHERE hostname = :h"), {"h": host}).one()
        found = work.services.get(row.id)
    assert found is not None
    assert (found.status, found.created_at, found.updated_at) == (ServiceState.UP, 5, 6)
    assert found.heartbeated_at is not None
    assert found.heartbeated_at == 6 or abs(found.heartbeated_at - now()) < 60 * SECOND, "the database's clock"
    assert found.stats == stats


def key(**given: Any) -> TSIGKey:
    values: dict[str, Any] = {
        "id": new_id(), "name": new_id(), "algorithm": "hmac-sha512", "secret": base64.b64encode(b"s" * 110).decode(),
        "scope": Scope.ZONE, "resource_id": new_id(), "created_at": 4,
    }  # fmt: skip
    return TSIGKey(**(values | given))


def test_keys(store: Store) -> None:
    one = key()
    store.transact(lambda work: work.tsigkeys.add(one))
    with store.read() as work:
        assert work.tsigkeys.get(one.id) == work.tsigkeys.named(one.name) == one
        assert work.tsigkeys.of(Scope.ZONE, one.resource_id) == work.tsigkeys.many([one.id]) == (one,)
        assert work.tsigkeys.of(Scope.POOL, one.resource_id) == ()
    assert store.transact(lambda work: work.tsigkeys.remove(one.id))
    assert not store.transact(lambda work: work.tsigkeys.remove(one.id))


# -- secrets at rest


def test_secrets_are_sealed_in_the_tables(shared_url: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    store = Store(shared_url, secrets=Secrets(file))
    one, pool = key(secret="dG9wc2VjcmV0"), full_pool()
    store.transact(lambda work: work.tsigkeys.add(one))
    store.transact(lambda work: work.pools.add(pool))
    assert file.stat().st_mode & 0o777 == 0o600
    with store.engine.connect() as connection:
        raw = connection.execute(text("SELECT secret FROM tsigkeys WHERE id = :i"), {"i": one.id}).scalar_one()
        body = connection.execute(text("SELECT body FROM pools WHERE id = :i"), {"i": pool.id}).scalar_one()
    assert raw.startswith("sealed:")
    assert "dG9wc2VjcmV0" not in raw
    assert "c2VjcmV0" not in body
    with store.read() as work:
        assert work.tsigkeys.get(one.id) == one
        assert work.pools.get(pool.id) == pool
    for wrong in (Secrets(tmp_path / "another"), Secrets(None)):
        other = Store(shared_url, secrets=wrong)
        with other.read() as work:
            assert work.tsigkeys.get(one.id) == replace(one, secret=raw)  # which is not base64, and signs nothing
        other.close()
    store.transact(lambda work: work.tsigkeys.remove(one.id))
    store.transact(lambda work: work.pools.remove(pool.id))
    store.close()


@pytest.mark.parametrize("content", [b"", b"abc\n", None], ids=["empty", "damaged", "a folder"])
def test_a_key_file_that_cannot_be_used_is_named_in_one_line(
    store: Store, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "secret.key"
    file.mkdir() if content is None else file.write_bytes(content)
    with store.read() as work:
        uses: tuple[Callable[[Secrets], str], ...] = (
            lambda secrets: secrets.seal("text", work.conn),
            lambda secrets: secrets.open("sealed:text"),
        )
        for use in uses:
            with pytest.raises(Misconfigured, match=r"secret\.key") as refusal:
                use(Secrets(file))
            assert "\n" not in refusal.value.message


def test_text_compares_and_sorts_by_octet(store: Store) -> None:
    names = ["a.", "A.", "b.", "_.", "-.", "aa.", "a-.", "~."]
    project = new_id()
    add(store, *(zone(name=f"{name}{project}.", project_id=project) for name in names))
    with store.read() as work:
        assert work.zones.named([f"A.{project}."])[0].name.startswith("A.")
        query = text("SELECT name FROM zones WHERE project_id = :p ORDER BY name")
        found = list(work.conn.execute(query, {"p": project}).scalars())
    assert found == sorted(found) == sorted(f"{name}{project}." for name in names)
