# SPDX-License-Identifier: Apache-2.0
"""Commands of the producer's periodic tasks."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import Command


class PurgeZones(Command[int], tag="zone.purge", frozen=True):
    """Purge zones deleted for longer than `age_s`, at most `limit`, of shards first..last. Returns how many."""

    first_shard: int
    last_shard: int
    age_s: int
    limit: int


class TrimJournal(Command[int], tag="journal.trim", frozen=True):
    """Delete journal rows older than `age_s`, at most `limit`, of shards first..last. Returns how many."""

    first_shard: int
    last_shard: int
    age_s: int
    limit: int


class RefreshApexes(Command[int], tag="zone.apexes", frozen=True):
    """Update at most `limit` zones' apex NS sets and mnames to their pools' current NS records. Returns how many."""

    limit: int = 100


class ForgetQuestions(Command[int], tag="questions.forget", frozen=True):
    """Delete the records of at most `limit` questions carried out more than `age_s` ago. Returns how many."""

    age_s: int
    limit: int


class ForgetTasks(Command[int], tag="tasks.forget", frozen=True):
    """Delete at most `limit` rows of exports, and of imports that failed, more than `age_s` ago (0: any age is kept).
    Returns how many."""

    age_s: int
    limit: int


class UnplacedZones(msgspec.Struct, frozen=True, kw_only=True):
    """One step through the zones by the time of their last change.

    zone_ids  zones of this step in which order keys are missing or wrong
    at after  where the next step begins; `more`: whether any zone follows now
    """

    zone_ids: tuple[str, ...]
    at: int
    after: str
    more: bool


class FindUnplaced(Command[UnplacedZones], tag="rrset.unplaced", frozen=True):
    """Look at the order keys of `limit` zones that were last changed behind (`at` in µs, id `after`)."""

    at: int
    after: str
    limit: int


class PlaceRRsets(Command[int], tag="rrset.place", frozen=True):
    """Write at most `limit` order keys that are missing or wrong in a zone. Returns how many were."""

    zone_id: str
    limit: int
