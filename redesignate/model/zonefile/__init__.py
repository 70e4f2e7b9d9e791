# SPDX-License-Identifier: Apache-2.0
"""Zone files: the master files of RFC 1035 §5, as BIND reads and writes them.

    lines      text → statements: quotes, comments, parentheses, bounded sizes
    fields     a record's tokens → what `model/rdata` parses: relative names, units, RFC 3597
    generate   $GENERATE
    reader     statements → records: $ORIGIN, $TTL, owners, TTLs, classes
    runs       sorts rows that memory may not hold
    content    records → one zone's RRsets, and what they must be to each other
    writer     RRsets → text

Everything is streamed. Nothing here knows of users, quotas or a database: which of the RRsets a user may have, and
whether the zone may be made, is central's to say.
"""

from __future__ import annotations

from redesignate.model.zonefile.content import Content, Found, TooManyRecords, gather
from redesignate.model.zonefile.lines import MAX_STATEMENT, ZoneFileError
from redesignate.model.zonefile.reader import NO_ORIGIN, Record, read
from redesignate.model.zonefile.writer import Entry, write, written

__all__ = [
    "MAX_STATEMENT",
    "NO_ORIGIN",
    "Content",
    "Entry",
    "Found",
    "Record",
    "TooManyRecords",
    "ZoneFileError",
    "gather",
    "read",
    "write",
    "written",
]
