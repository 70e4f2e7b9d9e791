# SPDX-License-Identifier: Apache-2.0
"""State of the v2 API and what is not, as a page: `python -m redesignate.api.state > docs/api/state.md`."""

from __future__ import annotations

import sys

from redesignate.api.covered import COVERED
from redesignate.api.published import PUBLISHED, Published
from redesignate.api.routes import ROUTES

_HEAD = """\
# State of the v2 API

This page is made from the table of routes (`redesignate/api/routes.py`) and the list of what Designate publishes
(`redesignate/api/published.py`) by `python -m redesignate.api.state > docs/api/state.md`; a test holds it.
`tests/api/test_routes.py` walks every path by every verb, `tests/api/test_isolation.py` as every kind of caller, and
`tests/api/test_schemathesis.py` with requests made from the [description](reference.md); the last column names the test
of what the path itself does.

A path that is not there yet answers 404 `not_found` with a text that says so; a verb that is not there, 405. The
[admin API](admin.md) (`/admin`) is off by default. What an answer holds and which rules a
request must keep is on the [other pages](README.md).
"""
_COLUMNS = "| path | there | not there yet | `openstack …` | test |\n| --- | --- | --- | --- | --- |\n"


def page() -> str:
    """The page, in Markdown."""
    verbs = {route.path: route.verbs for route in ROUTES}
    parts = [_HEAD]
    for what in dict.fromkeys(published.what for published in PUBLISHED):
        lines = [_line(one, verbs.get(one.path, ())) for one in PUBLISHED if one.what == what]
        parts.append(f"\n## {what}\n\n{_COLUMNS}" + "".join(lines))
    theirs = {published.path: published.verbs for published in PUBLISHED}
    more = [(route.path, [verb for verb in route.verbs if verb not in theirs.get(route.path, ())]) for route in ROUTES]
    ours = [f"| `{' '.join(verbs)} {path}` | {_test(path)} |\n" for path, verbs in more if verbs]
    parts.append("\n## Beyond Designate\n\n| call | test |\n| --- | --- |\n" + "".join(ours))
    return "".join(parts)


def _line(published: Published, there: tuple[str, ...]) -> str:
    lacking = tuple(verb for verb in published.verbs if verb not in there)
    there = tuple(verb for verb in there if verb in published.verbs)
    command = f"`{published.command}`" if published.command else ""
    shown = f"{' '.join(there) or '–'} | {' '.join(lacking) or '–'} | {command}"
    return f"| `{published.path}` | {shown} | {_test(published.path)} |\n"


def _test(path: str) -> str:
    if path not in COVERED:
        return "–"
    file, name = COVERED[path]
    return f"`{file}::test_{name}`"


if __name__ == "__main__":
    sys.stdout.write(page())
