# SPDX-License-Identifier: Apache-2.0
"""Commands about pools."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand
from redesignate.model.paging import ListQuery, Page
from redesignate.model.pool import Pool, PoolSpec


class ListPools(CallerCommand[Page[Pool]], tag="pool.list", frozen=True):
    query: ListQuery


class GetPool(CallerCommand[Pool], tag="pool.get", frozen=True):
    pool_id: str


class ApplyPool(CallerCommand[Pool], tag="pool.apply", frozen=True):
    """Create the pool, or make the stored one (found by id, or else by name) as the spec says. Idempotent."""

    spec: PoolSpec


class DeletePool(CallerCommand[None], tag="pool.delete", frozen=True):
    pool_id: str
