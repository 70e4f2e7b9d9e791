# SPDX-License-Identifier: Apache-2.0
"""Zone files that are imported: how they arrive, and what users see of them. What becomes of them: `importing`."""

from __future__ import annotations

from redesignate.central.rules import Answers, Rules, fields, own
from redesignate.central.rules.scheduler import schedule
from redesignate.commands.imports import PART, AddImportPart, CreateImport, DeleteImport, GetImport, ListImports
from redesignate.model.caller import Caller
from redesignate.model.clock import new_id
from redesignate.model.errors import BadInput, MissingProject, OverQuota, ZoneImportNotFound
from redesignate.model.paging import Page
from redesignate.model.zone import NewZone
from redesignate.model.zonetask import TaskStatus, ZoneImport
from redesignate.store.imports import Imports
from redesignate.store.unit import Work

MOST_UNFINISHED = 10
"""Imports of one project that wait or are worked on, and those whose file is still received: they take room."""
MOST_PARTS = 4096


def create_import(rules: Rules, work: Work, command: CreateImport) -> ZoneImport:
    """Begin an import with the first part of its file; once the last is there, it is carried out.

    Raises Forbidden, MissingProject, OverQuota, BadInput, InvalidObject, NoValidPool, MultiplePoolsFound.
    Cost   at most five statements, and a part of a file
    """
    caller = command.caller
    rules.policy.may("create_zone_import", caller, own(caller))
    if caller.project_id is None:
        raise MissingProject("A project is needed to own the zone")
    imports = Imports(work.conn)
    if imports.unfinished(caller.project_id) >= MOST_UNFINISHED:
        raise OverQuota(f"{MOST_UNFINISHED} imports of this project are not finished; wait for one of them.")
    fields.attributes(command.attributes)
    if command.attributes:  # fails now, and not later without anybody who sees it
        schedule(rules, caller, NewZone(name="import.", attributes=command.attributes), work.pools.all())
    made = ZoneImport(
        id=new_id(), project_id=caller.project_id, status=TaskStatus.PENDING, message=None, created_at=work.now
    )
    imports.add(made, caller=caller, attributes=command.attributes, target_id=new_id())
    _add(work, made.id, 0, command.data, last=command.last)
    return made


def add_import_part(_rules: Rules, work: Work, command: AddImportPart) -> ZoneImport:
    """Add a part to the file of an import that this project has begun. Raises ZoneImportNotFound, BadInput. Idempotent.

    Cost   at most four statements, and a part of a file
    """
    imports, caller = Imports(work.conn), command.caller
    task = imports.task(command.import_id, lock=True)
    if task is None or task.project_id is None or task.project_id != caller.project_id:
        raise ZoneImportNotFound("Could not find ZoneImport")
    if not 0 < command.number < MOST_PARTS:
        raise BadInput("The file has too many parts.")
    if task.parts is None and imports.part(task.id, command.number) is None:
        _add(work, task.id, command.number, command.data, last=command.last)
    return ZoneImport(id=task.id, project_id=task.project_id, status=task.status, created_at=work.now)


def get_import(rules: Rules, work: Work, command: GetImport) -> ZoneImport:
    """Return one import of the caller's project. Raises ZoneImportNotFound, Forbidden."""
    rules.policy.may("get_zone_import", command.caller, own(command.caller))
    return _found(work, command.caller, command.import_id)


def list_imports(rules: Rules, work: Work, command: ListImports) -> Page[ZoneImport]:
    """Return a page of the project's imports, or of all with the all-projects switch. Raises Forbidden,
    MarkerNotFound."""
    rules.policy.may("find_zone_imports", command.caller, own(command.caller))
    return Imports(work.conn).listed(command.query, _project(command.caller))


def delete_import(rules: Rules, work: Work, command: DeleteImport) -> None:
    """Remove an import; what it does goes on, and the zone stays. Raises ZoneImportNotFound, Forbidden."""
    rules.policy.may("delete_zone_import", command.caller, own(command.caller))
    imports = Imports(work.conn)
    imports.change(_found(work, command.caller, command.import_id).id, hidden=True)
    imports.remove_ended(command.import_id)


def _add(work: Work, import_id: str, number: int, data: bytes, *, last: bool) -> None:
    if len(data) > PART + PART // 8:
        raise BadInput("A part of the file is too long.")
    Imports(work.conn).add_part(import_id, number, data, last=last)
    if last:
        work.files.append(import_id)


def _project(caller: Caller) -> str | None:
    return None if caller.all_projects else caller.project_id or ""


def _found(work: Work, caller: Caller, import_id: str) -> ZoneImport:
    found = Imports(work.conn).get(import_id, _project(caller))
    if found is None:
        raise ZoneImportNotFound("Could not find ZoneImport")
    return found


ANSWERS: Answers = {
    CreateImport: create_import,
    AddImportPart: add_import_part,
    GetImport: get_import,
    ListImports: list_imports,
    DeleteImport: delete_import,
}
