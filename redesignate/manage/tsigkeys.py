# SPDX-License-Identifier: Apache-2.0
"""`tsigkey …`: the keys that sign transfers and NOTIFYs."""

from __future__ import annotations

import uuid

from redesignate.commands.tsigkeys import CreateTSIGKey, DeleteTSIGKey
from redesignate.manage.job import Job
from redesignate.model.errors import InvalidObject, TSIGKeyNotFound
from redesignate.model.tsigkey import NewTSIGKey, Scope, TSIGKey, is_usable


def create(job: Job) -> int:
    """Create a key. If no secret is given, one is generated and printed once; `--secret -` reads standard input."""
    given = job.args.secret
    if given == "-":
        given = job.stdin.readline().strip()
    if given and not is_usable(given):
        raise InvalidObject("The secret is not base64")
    new = NewTSIGKey(
        name=job.args.name,
        algorithm=job.args.algorithm,
        secret=given,
        scope=Scope.ZONE if job.args.zone else Scope.POOL,
        resource_id=job.args.zone or job.args.pool or job.settings.central.default_pool_id,
    )
    made = job.central.call(CreateTSIGKey(caller=job.caller, new=new))
    job.screen.line(f"id         {made.id}")
    job.screen.line(f"name       {made.name}")
    job.screen.line(f"algorithm  {made.algorithm}")
    if not given:
        job.screen.line(f"secret     {made.secret}")
    return 0


def show(job: Job) -> int:
    """Print every key; secrets only on request."""
    keys = sorted(job.tsigkeys(), key=lambda key: key.name)
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
    for key in job.tsigkeys():
        if wanted in (key.id, key.name):
            return key
    raise TSIGKeyNotFound(f"there is no TSIG key {named}; see `tsigkey list`")
