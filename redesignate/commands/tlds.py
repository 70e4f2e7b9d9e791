# SPDX-License-Identifier: Apache-2.0
"""Commands about top-level domains."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import CallerCommand
from redesignate.model.paging import ListQuery, Page
from redesignate.model.tld import TLD, NewTLD, TLDChange


class ListTLDs(CallerCommand[Page[TLD]], tag="tld.list", frozen=True):
    query: ListQuery


class GetTLD(CallerCommand[TLD], tag="tld.get", frozen=True):
    tld_id: str


class CreateTLD(CallerCommand[TLD], tag="tld.create", frozen=True):
    new: NewTLD


class UpdateTLD(CallerCommand[TLD], tag="tld.update", frozen=True):
    tld_id: str
    change: TLDChange


class DeleteTLD(CallerCommand[None], tag="tld.delete", frozen=True):
    tld_id: str


class ImportedTLDs(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an import. `added`, `present`: how many entries are new, and how many were in the list;
    `refused`: the others, by their place among those that were sent, and why."""

    added: int
    present: int
    refused: dict[int, str]


class ImportTLDs(CallerCommand[ImportedTLDs], tag="tld.import", frozen=True):
    """Add those of the entries, at most 1000, that are valid and not in the list. Idempotent."""

    entries: tuple[NewTLD, ...]
