# SPDX-License-Identifier: Apache-2.0
"""Secrets whose key file was lost, or replaced by another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from redesignate.model.errors import Misconfigured
from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.store.secrets import Secrets
from redesignate.store.unit import Store
from tests.store.makers import full_pool

POOL = full_pool()
KEY = TSIGKey(id=POOL.id, name="k", algorithm="hmac-sha256", secret="b2xk", scope=Scope.POOL, resource_id=POOL.id)
LOST = "TSIG key k, the catalog zone's key of pool " + POOL.name


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    """A database that holds a sealed key and a sealed catalog, and whose key file is no more there."""
    file = tmp_path / "secret.key"
    with closing(Store(url, secrets=Secrets(file))) as before:
        assert before.lost_secrets() is None
        before.transact(lambda work: work.tsigkeys.add(KEY))
        before.transact(lambda work: work.pools.add(POOL))
        assert before.lost_secrets() is None
    file.rename(tmp_path / "kept.key")
    with closing(Store(url, secrets=Secrets(file))) as after:
        yield after


def names(store: Store) -> str:
    """The secrets that are named as lost."""
    return (store.lost_secrets() or "").partition("secrets anew: ")[2].removesuffix(".")


def test_no_key_is_made_beside_secrets_of_a_lost_one(store: Store, tmp_path: Path) -> None:
    with store.read() as work:
        found = work.tsigkeys.get(KEY.id)
    assert found is not None
    assert found.secret.startswith("sealed:")  # and so it signs nothing
    assert names(store) == LOST
    with pytest.raises(Misconfigured, match=r"secret\.key does not exist\. Put the right file back and restart\."):
        store.transact(lambda work: work.tsigkeys.add(replace(KEY, id="2", name="k2")))
    assert not (tmp_path / "secret.key").exists()


def test_a_lost_secret_is_named_until_it_is_made_anew(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"A" * 43 + b"=\n")
    assert names(store) == LOST
    assert "is not the key of" in (store.lost_secrets() or "")
    store.transact(lambda work: work.tsigkeys.remove(KEY.id))
    store.transact(lambda work: work.tsigkeys.add(KEY))
    assert names(store) == LOST.removeprefix("TSIG key k, ")
    store.transact(lambda work: work.pools.change(POOL, apex=False))
    assert store.lost_secrets() is None


def test_a_pool_that_is_changed_meanwhile_keeps_its_sealed_secret(store: Store, url: str, tmp_path: Path) -> None:
    with store.read() as work:
        found = work.pools.get(POOL.id)
    assert found is not None
    store.transact(lambda work: work.pools.change(replace(found, description="new"), apex=False))
    with closing(Store(url, secrets=Secrets(tmp_path / "kept.key"))) as again, again.read() as work:
        assert work.pools.get(POOL.id) == replace(POOL, description="new")
    assert names(store) == LOST
