# SPDX-License-Identifier: Apache-2.0
"""The tag of a resource as it is: its id and version (RFC 9110 §8.8.3).

It changes with each write of the resource. The progress of a write (status and action) is not part of it, so that a
client may go on with what it has read when the nameservers have followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from redesignate.model.errors import PreconditionFailed

TAG = '"%s-%s"'
"""Made of id and version."""
ANY = "*"


class Versioned(Protocol):
    """What has a tag."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


def check_match(wanted: Sequence[str] | None, found: Versioned | None) -> None:
    """Raise PreconditionFailed where a resource is not one of those wanted, or there is none; None wants nothing.

    Tags are compared strongly (RFC 9110 §13.1.1): a weak one is never that of a resource.
    """
    if wanted is None:
        return
    if found is None:
        raise PreconditionFailed("If-Match: there is no such resource; nothing was changed.")
    if ANY not in wanted and TAG % (found.id, found.version) not in wanted:
        raise PreconditionFailed("If-Match: the resource has changed; nothing was changed. Read it again, and retry.")
