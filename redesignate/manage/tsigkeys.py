# SPDX-License-Identifier: Apache-2.0
"""`tsigkey …`: the keys that sign transfers and NOTIFYs."""

from __future__ import annotations

import base64
import secrets
import uuid

from redesignate.commands.tsigkeys import CreateTSIGKey, DeleteTSIGKey, ListTSIGKeys
from redesignate.manage.job import Job
from redesignate.model.errors import TSIGKeyNotFound
from redesignate.model.tsigkey import Scope, TSIGKey


def create(job: Job) -> int:
    """Create a key. If no secret is given, one is generated and printed once; `--secret -` reads standard input."""
    given = job.args.secret
    if given == "-":
        given = job.stdin.readline().strip()
    secret = given or base64.b64encode(secrets.token_bytes(32)).decode()
    scope = Scope.ZONE if job.args.zone else Scope.POOL
    made = job.central.call(
        CreateTSIGKey(
            caller=job.caller,
            name=job.args.name,
            algorithm=job.args.algorithm,
            secret=secret,
            scope=scope,
            resource_id=job.args.zone or job.args.pool or job.settings.central.default_pool_id,
        )
    )
    job.screen.line(f"id         {made.id}")
    job.screen.line(f"name       {made.name}")
    job.screen.line(f"algorithm  {made.algorithm}")
    if not given:
        job.screen.line(f"secret     {secret}")
    return 0


def show(job: Job) -> int:
    """Print every key; secrets only on request."""
    keys = job.central.call(ListTSIGKeys(caller=job.caller))
    heads = ["id", "name", "algorithm", "scope", "of"]
    rows: list[list[object]] = [[k.id, k.name, k.algorithm, k.scope.value, k.resource_id] for k in keys]
    if job.args.show_secrets:
        heads.append("secret")
        rows = [[*row, key.secret] for row, key in zip(rows, keys, strict=True)]
    job.screen.table(heads, rows, "There are no TSIG keys. `redesignate manage tsigkey create NAME` makes one.")
    return 0


def delete(job: Job) -> int:
    """Remove a key by id or name. Raises TSIGKeyNotFound."""
    key = _found(job, job.args.key)
    job.central.call(DeleteTSIGKey(caller=job.caller, key_id=key.id))
    job.screen.line(f"{key.name}: deleted")
    return 0


def _found(job: Job, named: str) -> TSIGKey:
    try:
        wanted = str(uuid.UUID(named))
    except ValueError:
        wanted = named.lower().rstrip(".")
    for key in job.central.call(ListTSIGKeys(caller=job.caller)):
        if wanted in (key.id, key.name):
            return key
    raise TSIGKeyNotFound(f"there is no TSIG key {named}; see `tsigkey list`")
