# SPDX-License-Identifier: Apache-2.0
"""The caller: identity, roles and the switches of one request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A request that may be sent several times and is carried out once.

    key     what the client calls it, unique among the requests of its user in its project
    digest  of what is asked for: the same in each copy
    """

    key: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The authenticated origin of one request, as policy and the journal see it.

    project_id   acts for this project (after `use_sudo`, the one asked for); None on a token without project
    roles        role names as the identity service gave them, lower case
    request_id   "req-<uuid>", in every log line and journal row of the request
    all_projects edit_managed hard_delete   switches; policy has yet to allow them
    repeat       where the request may be a repeated one (`Idempotency-Key`)
    delete_shares  switch: a zone that is deleted loses its shares; open to all that may delete the zone
    """

    request_id: str
    user_id: str | None = None
    project_id: str | None = None
    roles: tuple[str, ...] = ()
    original_project_id: str | None = None
    user_domain_id: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system_scope: str | None = None
    all_projects: bool = False
    edit_managed: bool = False
    hard_delete: bool = False
    sudo: bool = False
    repeat: Repeat | None = None
    delete_shares: bool = False


def operator(request_id: str) -> Caller:
    """Make a caller with every right and no project, for `redesignate manage` and for services among themselves."""
    return Caller(request_id=request_id, user_id="operator", roles=("admin", "member", "reader"), all_projects=True)
