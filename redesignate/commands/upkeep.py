# SPDX-License-Identifier: Apache-2.0
"""What the producer has done now and then."""

from __future__ import annotations

from redesignate.commands.base import Command


class PurgeZones(Command[int], tag="zone.purge", frozen=True):
    """Forget zones deleted for longer than `age_s`, at most `limit` of shards first..last. How many."""

    first_shard: int
    last_shard: int
    age_s: int
    limit: int


class TrimJournal(Command[int], tag="journal.trim", frozen=True):
    """Drop journal rows older than `age_s`, at most `limit`, of shards first..last. How many."""

    first_shard: int
    last_shard: int
    age_s: int
    limit: int


class RefreshApexes(Command[int], tag="zone.apexes", frozen=True):
    """Bring at most `limit` zones' apex NS sets and mnames to their pools' NS records of now. How many were behind."""

    limit: int = 100


class ForgetQuestions(Command[int], tag="questions.forget", frozen=True):
    """Forget at most `limit` questions that were carried out more than `age_s` ago. How many."""

    age_s: int
    limit: int
