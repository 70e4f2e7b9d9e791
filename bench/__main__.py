# SPDX-License-Identifier: Apache-2.0
"""Measures Redesignate on this machine, and prints tables of the figures.

    python -m bench [GROUP …]                 all groups but direct and hops in a small form, or these in their long one
    python -m bench compare A.json B.json     two files that --json wrote
    python -m bench pictures A.json … FOLDER  pictures of growth and of latency by load

Groups: embedded, split, direct, transfer, questions, fan-out, lists, imports, growth, mixed, floors, hops
(docs/performance.md).
With --compare, the work of embedded and split is done by another deployment too, and the ratios are printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import (
    compare,
    fanout,
    floors,
    growth,
    hops,
    imports,
    lists,
    mixed,
    pictures,
    questions,
    remote,
    system,
    transfer,
)
from bench.figures import Figure, as_json, machine, number, say, tables
from bench.guard import guarded
from bench.options import DATABASES, KINDS, Options

Group = Callable[[Path, Options], Iterator[Figure]]
GROUPS: dict[str, Group] = {
    "embedded": system.embedded,
    "split": system.split,
    "direct": system.direct,
    "transfer": transfer.figures,
    "questions": questions.figures,
    "fan-out": fanout.figures,
    "lists": lists.figures,
    "imports": imports.figures,
    "growth": growth.figures,
    "mixed": mixed.figures,
    "floors": floors.figures,
    "hops": hops.figures,
}
BY_NAME_ALONE = ("direct", "hops")
"""Groups that are measured only where they are named."""
OTHER = "the other"
SMALL = Options(small=True, seconds=1.0, minutes=0.5)
"""All groups within about eight minutes."""


def main(words: Sequence[str]) -> int:
    """Measure and print; 1 where a goal is missed."""
    arguments = _arguments(words)
    if arguments.groups[:1] == ["compare"]:
        print(compare.of_files(*map(Path, arguments.groups[1:])))
        return 0
    if arguments.groups[:1] == ["pictures"]:
        *files, folder = map(Path, arguments.groups[1:])
        print(*pictures.write(files, folder), sep="\n")
        return 0
    return guarded(partial(_measure, arguments))


def _measure(arguments: argparse.Namespace) -> int:
    options, of = _options(arguments), machine()
    figures: list[Figure] = []
    for name in arguments.groups or (name for name in GROUPS if name not in BY_NAME_ALONE):
        figures += _measured(name, GROUPS[name], options)
        _write(arguments.json, figures, of)  # now: what was measured is kept even if a later group fails
    print(f"\n{of}\n\n{tables(figures)}", flush=True)
    if any(one.group == "hops" for one in figures):
        print(f"\n{hops.matrix(figures)}", flush=True)
    theirs: list[Figure] = []
    if arguments.other:
        theirs = _measured(OTHER, partial(_of_other, arguments.other), options)
        _write(arguments.json, [*figures, *theirs], of)
        print(f"\n{tables(theirs)}\n\n### beside {arguments.compare}\n\n{compare.beside(figures, theirs)}")
    return 0 if all(one.met for one in figures) and not list(compare.missed(figures, theirs)) else 1


def _measured(group: str, measure: Group, options: Options) -> list[Figure]:
    say(f"{group} …")
    figures = []
    with tempfile.TemporaryDirectory(prefix="redesignate-bench-") as folder:
        for figure in measure(Path(folder), options):
            say(f"{figure.what}: {number(figure.value)} {figure.unit}")
            figures.append(replace(figure, group=group))
    return figures


def _of_other(where: remote.Other, _: Path, options: Options) -> Iterator[Figure]:
    with remote.other(where) as running:
        yield from remote.as_far_as_it_goes(system.everything(running, options))


def _write(file: Path | None, figures: Sequence[Figure], of: str) -> None:
    if file is not None:
        file.write_text(as_json(figures, of))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP")
    parser.add_argument("--compare", metavar="URL", help="the API of another deployment, which does the same work")
    for option, metavar, words in remote.OPTIONS:
        parser.add_argument(option, metavar=metavar, action="append", help=words)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--small", action="store_true", help="the small form of the groups that are named")
    parser.add_argument("--seconds", type=float, help="of each run; three are made of each (2; small: 1)")
    parser.add_argument("--minutes", type=float, help="of mixed load (5; small: 0.5)")
    parser.add_argument("--loads", type=_numbers, help="shares of full load for latencies (0,0.5,1)")
    parser.add_argument(
        "--sizes", type=_numbers, help="growth, questions, imports: zones, record sets; lists, transfer: one"
    )
    parser.add_argument(
        "--databases",
        type=partial(_among, DATABASES),
        help=f"growth, lists, questions, transfer, imports: {','.join(DATABASES)} (sqlite)",
    )
    parser.add_argument("--of", dest="kinds", type=partial(_among, KINDS), help=f"growth: {','.join(KINDS)} (both)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="growth: keep there what was filled, or use it")
    parser.add_argument("--fill-only", action="store_true", help="growth: measure nothing")
    parser.add_argument("--split", action="store_true", help="lists, imports over a process a service, with RabbitMQ")
    return parser


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    """The command line's words, checked as far as that is possible before anything is started."""
    parser = _parser()
    given = parser.parse_args(words)
    first = given.groups[:1]
    if first == ["compare"]:
        if len(given.groups) != 3:
            parser.error("compare takes two files")
    elif first == ["pictures"]:
        if len(given.groups) < 3:
            parser.error("pictures takes files and a folder")
    elif unknown := set(given.groups) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    try:
        given.other = remote.parsed(given)
        if given.other is not None:
            remote.check(given.other)
    except ValueError as error:
        parser.error(str(error))
    return given


def _options(arguments: argparse.Namespace) -> Options:
    options = SMALL if arguments.small or not arguments.groups else Options()
    given = {name: getattr(arguments, name) for name in ("seconds", "minutes", "loads", "databases", "kinds", "keep")}
    if arguments.sizes:
        given["sizes"] = tuple(int(size) for size in arguments.sizes)
    chosen = {name: value for name, value in given.items() if value is not None}
    return replace(options, split=arguments.split, fill_only=arguments.fill_only, **chosen)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split(","))


def _among(known: Sequence[str], text: str) -> tuple[str, ...]:
    words = tuple(text.split(","))
    if set(words) - set(known):
        raise argparse.ArgumentTypeError(f"{text!r}: choose from {', '.join(known)}")
    return words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
