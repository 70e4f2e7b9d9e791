# SPDX-License-Identifier: Apache-2.0
"""Commands of the producer's periodic tasks."""

from __future__ import annotations

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
