# SPDX-License-Identifier: Apache-2.0
"""`pool update`, `pool show-config`, `pool generate-file`: exchange pools between pools.yaml and the database."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from redesignate.backends import registry
from redesignate.commands.pools import ApplyPool, DeletePool, QueuedZones, QueuePoolZones
from redesignate.commands.upkeep import RefreshApexes
from redesignate.manage import poolfile
from redesignate.manage.job import Job
from redesignate.manage.pooltext import changes, document, dump, whole
from redesignate.model.errors import Misconfigured, PoolNotFound, Problem
from redesignate.model.pool import Endpoint, Pool, PoolSpec, Target
from redesignate.observe.progress import Progress

DEFAULT_FILES = (Path("/etc/designate/pools.yaml"), Path("/etc/redesignate/pools.yaml"))
APEXES_A_STEP = 100
_NONE_YET = (
    "Pool not found: there is none yet; write a pools.yaml (docs/pools.md) and run "
    "`redesignate manage pool update --file pools.yaml`"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One pool of the file, with the stored pool."""

    spec: PoolSpec
    stored: Pool | None
    lines: tuple[str, ...]


def update(job: Job) -> int:
    """Change the stored pools to match the file; with `--dry-run`, print what that would change.

    Idempotent: a pool that matches the file is left unchanged, and what an interrupted update left over is done.
    Raises Misconfigured and central's Problems.
    Cost   one transaction a pool that changes; one for each thousand zones where its servers changed, and one for each
           hundred zones whose apex changes with it
    """
    file = _default_file(job.args.file)
    specs = poolfile.read(file)
    if not job.args.skip_verify_drivers:
        _check_backends(file, specs)
    stored = job.pools()
    steps = [_step(file, _with_default_id(job, spec, stored), stored) for spec in specs]
    for step in steps:
        _warn(job, file, step)
    doomed = _doomed(steps, stored) if job.args.delete else []
    if job.args.dry_run:
        _preview(job, steps, doomed)
        return 0
    job.screen.line("Updating Pools Configuration")
    job.screen.line("*" * 28)
    _apply(job, file, steps)
    _queue_zones(job)
    for pool in doomed:
        _remove(job, pool)
    _refresh_apexes(job)
    return 0


def _default_file(given: str | None) -> Path:
    if given is not None:
        return Path(given)
    return next((file for file in DEFAULT_FILES if file.exists()), DEFAULT_FILES[0])


def _with_default_id(job: Job, spec: PoolSpec, stored: Sequence[Pool]) -> PoolSpec:
    """A file's first pool called "default" is the default pool, as it is in databases that were made with one."""
    ident = job.settings.central.default_pool_id
    if (
        spec.id is not None
        or spec.name != "default"
        or any(pool.id == ident or pool.name == "default" for pool in stored)
    ):
        return spec
    return msgspec.structs.replace(spec, id=ident)


def _step(file: Path, spec: PoolSpec, stored: Sequence[Pool]) -> Step:
    """The pool of this id; where the file gives none, the one of this name. Raises Misconfigured."""
    found = next((pool for pool in stored if pool.id == spec.id), None)
    if found is None:
        found = next((pool for pool in stored if pool.name == spec.name), None)
        if found is not None and spec.id is not None:
            raise Misconfigured(
                f"{file}: pool {spec.name}: id: is {found.id} in the database; write that, or another name"
            )
    return Step(spec, found, tuple(changes(found, spec)))


def _doomed(steps: Sequence[Step], stored: Sequence[Pool]) -> list[Pool]:
    kept = {step.stored.id for step in steps if step.stored is not None}
    return [pool for pool in stored if pool.id not in kept]


def _check_backends(file: Path, specs: Sequence[PoolSpec]) -> None:
    """Check that every target's type is an installed backend with these options. Raises Misconfigured."""
    for spec in specs:
        pool = Pool(id=spec.id or "", name=spec.name, version=0, created_at=0)
        for given in spec.targets or ():
            primaries = tuple(Endpoint(host, port) for host, port in given.primaries)
            target = Target(id="", type=given.type, options=given.options, primaries=primaries)
            try:
                registry.parse_options(pool, target)
            except Misconfigured as wrong:
                raise Misconfigured(f"{file}: {wrong.message}") from wrong


def _warn(job: Job, file: Path, step: Step) -> None:
    """Warn of what a pool still lacks; it may be added later, so it is not an error."""
    stored = document(step.stored) if step.stored else {}
    for key, why in (
        ("ns_records", "no zone can be created in it"),
        ("nameservers", "its zones never become ACTIVE"),
        ("targets", "its zones are not created on any server"),
    ):
        if not (getattr(step.spec, key) or (getattr(step.spec, key) is None and stored.get(key))):
            print(f"warning: {file}: pool {step.spec.name}: {key}: there are none, so {why}; add some", file=job.err)


def _preview(job: Job, steps: Sequence[Step], doomed: Sequence[Pool]) -> None:
    busy = [step for step in steps if step.lines or step.stored is None]
    if not busy and not doomed:
        job.screen.line("No changes: every pool matches the file.")
        return
    job.screen.line("The following changes will occur:")
    job.screen.line("*" * 33)
    for step in busy:
        job.screen.line(f"{'Update' if step.stored else 'Create'} Pool: {step.spec.name}", "bold")
        for line in step.lines:
            job.screen.change(line)
    for pool in doomed:
        job.screen.line(f"Delete Pool: {pool.name}", "bold")


def _apply(job: Job, file: Path, steps: Sequence[Step]) -> None:
    with Progress("pools", len(steps), stream=job.err, clock=job.seconds) as progress:
        for step in progress.each(steps):
            if step.stored is not None and not step.lines:
                continue
            try:
                job.central.call(ApplyPool(caller=job.caller, spec=step.spec))
            except Problem as problem:
                text = f"{file}: pool {step.spec.name}: {problem.message or problem.kind}"
                raise type(problem)(text, errors=problem.errors) from problem
    for step in steps:
        word = "Create" if step.stored is None else "Update" if step.lines else "Unchanged"
        job.screen.line(f"{word} Pool: {step.spec.name}", None if step.lines else "dim")


def _remove(job: Job, pool: Pool) -> None:
    try:
        job.central.call(DeletePool(caller=job.caller, pool_id=pool.id))
    except Problem as problem:
        text = f"pool {pool.name}: {problem.message or problem.kind}; move or delete its zones first"
        raise type(problem)(text, errors=problem.errors) from problem
    job.screen.line(f"Delete Pool: {pool.name}")


def _queue_zones(job: Job) -> None:
    """Queue the zones of pools whose servers changed. The producer goes on where this is interrupted."""
    at = _queue_batch(job, None)
    if not at.more and not at.queued:
        return
    with Progress("zones queued", at.queued + at.left, stream=job.err, clock=job.seconds) as progress:
        progress(at.queued)
        while at.more:
            at = _queue_batch(job, at.left)
            progress(at.queued)
    job.screen.line(f"Queued {progress.count} further zones for their new servers")


def _queue_batch(job: Job, left: int | None) -> QueuedZones:
    try:
        return job.central.call(QueuePoolZones())
    except Problem as problem:
        some = "some" if left is None else f"about {left}"
        text = (
            f"the pools are changed, but {some} zones are not queued for their new servers yet: the producer will do "
            f"that, or repeat the command; {problem.message or problem.kind}"
        )
        raise type(problem)(text, errors=problem.errors) from problem


def _refresh_apexes(job: Job) -> None:
    """Update the apex of every zone to its pool's NS records. The producer would do it too, somewhat later."""
    with Progress("zones with new NS records", stream=job.err, clock=job.seconds) as progress:
        while count := job.central.call(RefreshApexes(limit=APEXES_A_STEP)):
            progress(count)
    if progress.count:
        job.screen.line(f"NS records changed in {progress.count} zones")


def show(job: Job) -> int:
    """Print one pool, or all, in the format of the file, which tools parse. Raises PoolNotFound."""
    pools = job.pools()
    if not job.args.all_pools:
        wanted = job.args.pool_id or job.settings.central.default_pool_id
        try:
            wanted = str(uuid.UUID(wanted))
        except ValueError:
            print(f"Not a valid uuid: {wanted}", file=job.err)
            return 1
        pools = [pool for pool in pools if pool.id == wanted]
        if not pools:
            raise PoolNotFound("Pool not found" if job.pools() else _NONE_YET)
    job.screen.line()
    job.screen.line("Pool Configuration:")
    job.screen.line("-" * 19)
    job.screen.text(dump((whole(pool) for pool in pools), sort_keys=True))
    return 0


def generate(job: Job) -> int:
    """Write every pool into a file that `pool update` can read. It holds secrets: only its owner may read it.

    Raises Misconfigured where the file cannot be written; an earlier file is then unchanged.
    """
    file = _default_file(job.args.file)
    text = dump(document(pool) for pool in job.pools())
    if file.exists() and not file.is_file():  # /dev/stdout, a pipe
        file.write_text(text, encoding="utf-8")
        return 0
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(text)
            os.replace(name, file)
        except OSError:
            os.unlink(name)
            raise
    except OSError as wrong:
        raise Misconfigured(f"{file}: {wrong.strerror}; name another with --file") from wrong
    job.screen.line(f"{file}: written")
    return 0
