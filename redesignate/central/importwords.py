# SPDX-License-Identifier: Apache-2.0
"""The words of an import's message."""

from __future__ import annotations

from redesignate.model.errors import DuplicateZone, InvalidObject, OverQuota, Problem
from redesignate.store.imports import MESSAGE


def said(problem: Problem) -> str:
    """A failure in the words of an import's message."""
    match problem:
        case DuplicateZone():
            return "Duplicate zone."
        case OverQuota():
            return f"Quota exceeded during zone import. {problem.message}"
        case InvalidObject() if problem.errors and not problem.message:
            return "; ".join(str(fault["message"]) for fault in problem.errors["errors"])
        case _:
            return (
                problem.message.removeprefix("Provided object is not valid. Got a ValueError error with message ")
                or problem.kind
            )


def cut(text: str) -> str:
    """A text that fits in an import's message."""
    return text if len(text) <= MESSAGE else text[: MESSAGE - 1] + "…"
