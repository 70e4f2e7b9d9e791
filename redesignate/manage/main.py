# SPDX-License-Identifier: Apache-2.0
"""`redesignate manage …`: the operator's commands, their arguments and how a failure is reported.

Exit codes: 0 done; 1 an expected failure, one line on standard error; 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Container, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import TextIO, TypeAlias

from redesignate import __version__
from redesignate.bus.port import Central
from redesignate.config.arguments import add_arguments, oslo_words
from redesignate.config.settings import Settings
from redesignate.manage.job import Job
from redesignate.model.clock import Clock, now
from redesignate.model.errors import Problem
from redesignate.observe.setup import coloured

Load = Callable[[Sequence[str]], Settings]
"""From the arguments that precede the command (`redesignate.config.arguments`) to settings."""
Connect = Callable[[Settings], AbstractContextManager[Central]]
"""Central for the time of one command."""


def main(
    argv: Sequence[str],
    *,
    load: Load,
    connect: Connect,
    out: TextIO | None = None,
    err: TextIO | None = None,
    stdin: TextIO | None = None,
    clock: Clock = now,
) -> int:
    """Run one command; its exit code. Neither files nor central are touched by a command that does not need them."""
    out, err = out or sys.stdout, err or sys.stderr
    try:
        args = parser(argv).parse_args(argv)
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 2
    with ExitStack() as stack:
        job = Job(
            args=args,
            load=lambda: load(oslo_words(args)),
            connect=connect,
            out=out,
            err=err,
            stdin=stdin or sys.stdin,
            clock=clock,
            enter=stack.enter_context,
        )
        try:
            run: Callable[[Job], int] = args.run
            return run(job)
        except Problem as problem:
            return _failed(err, problem)
        except BrokenPipeError:
            return 0  # the reader of the output has closed it
        except KeyboardInterrupt:
            print("interrupted", file=err)
            return 1


_V2 = "Provided object is not valid. Got a ValueError error with message "
"""What the v2 API publishes in front of a reason."""


def _failed(err: TextIO, problem: Problem) -> int:
    text = " ".join((problem.message or _faults(problem) or problem.kind).split()).removeprefix(_V2)
    red, plain = ("\x1b[31m", "\x1b[0m") if coloured(err) else ("", "")
    print(f"{red}error:{plain} {text}", file=err)
    return 1


def _faults(problem: Problem) -> str:
    """The field errors of a refused value, for a problem that has no other text."""
    nested = (problem.errors or {}).get("errors", ())
    return "; ".join(f"{'.'.join(map(str, one.get('path', ())))}: {one.get('message')}" for one in nested)


Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def parser(words: Container[str] | None = None) -> argparse.ArgumentParser:
    """Every command, with its help. `words`: those of one command; what only the others need is not imported."""
    top = argparse.ArgumentParser(
        prog="redesignate manage", description="Manage pools, zones, keys, TLDs, tokens, services and the database."
    )
    top.add_argument("--version", action="version", version=f"redesignate {__version__}")
    add_arguments(top)
    groups = top.add_subparsers(required=True, metavar="COMMAND", dest="group")
    for name, text, add in (
        ("pool", "Pools and pools.yaml.", _pool),
        ("database", "The database's schema.", _database),
        ("tsigkey", "TSIG keys.", _tsigkey),
        ("tlds", "Top-level domains: the names below which zones may be created.", _tlds),
        ("token", "The API's own tokens, for [service:api] auth_strategy = token.", _token),
        ("service", "Services and their heartbeats.", _service),
        ("zone", "Zones on their servers.", _zone),
        ("config", "The configuration.", _config),
        ("status", "Checks before an upgrade.", _status),
    ):
        group = groups.add_parser(name, help=text, description=text)
        if words is None or name in words:
            add(group.add_subparsers(required=True, metavar="ACTION"))
    return top


def _action(
    group: Actions, name: str, run: Callable[[Job], int], text: str, *, old: Sequence[str] = ()
) -> argparse.ArgumentParser:
    added = group.add_parser(name, aliases=list(old), help=text, description=text)
    added.set_defaults(run=run)
    return added


def _pool(group: Actions) -> None:
    from redesignate.manage import pools

    update = _action(group, "update", pools.update, "Change the stored pools to match the file.")
    update.add_argument("--file", help="pools.yaml (default: /etc/designate/pools.yaml)")
    update.add_argument("--delete", action="store_true", help="delete pools that the file does not name, if empty")
    update.add_argument("--dry-run", "--dry_run", action="store_true", help="print the changes without making them")
    update.add_argument(
        "--skip-verify-drivers",
        "--skip_verify_drivers",
        action="store_true",
        help="do not check backends' names and options (they may be installed on the worker's host alone)",
    )
    show = _action(group, "show-config", pools.show, "Print a pool in the format of the file.", old=["show_config"])
    show.add_argument("--pool-id", "--pool_id", help="default: the default pool")
    show.add_argument("--all-pools", "--all_pools", "--all", action="store_true", help="every pool")
    generate = _action(
        group, "generate-file", pools.generate, "Write the stored pools to a file.", old=["generate_file"]
    )
    generate.add_argument("--file", help="the file to write (default: /etc/designate/pools.yaml)")


def _database(group: Actions) -> None:
    from redesignate.manage import database

    _action(group, "sync", database.upgrade, "Bring the schema to the newest revision.")
    upgrade = _action(group, "upgrade", database.upgrade, "Bring the schema to a revision.")
    upgrade.add_argument("revision", nargs="?", default="head", help="default: the newest; `history` lists them")
    _action(group, "current", database.current, "Print the database's revision.")
    _action(group, "heads", database.heads, "Print the newest revision.")
    _action(group, "history", database.history, "Print every revision.")
    _action(group, "version", database.version, "Print the database's revision and the newest.")
    after = _action(
        group,
        "restored",
        _restored,
        "After a backup was restored: raise serials above those of the nameservers, and queue every zone.",
    )
    after.add_argument("--dry-run", "--dry_run", action="store_true", help="compare only, without any change")
    after.add_argument("--rate", type=int, default=1000, metavar="N", help="queries a second (default: 1000)")


def _restored(job: Job) -> int:
    from redesignate.manage.restored import restored  # it asks nameservers; the others of its group do not

    return restored(job)


def _tsigkey(group: Actions) -> None:
    from redesignate.manage import tsigkeys
    from redesignate.model.tsigkey import ALGORITHMS

    create = _action(group, "create", tsigkeys.create, "Create a key.")
    create.add_argument("name")
    create.add_argument("--algorithm", default="hmac-sha256", choices=ALGORITHMS)
    create.add_argument(
        "--secret", help="base64; - reads it from standard input; if omitted, one is generated and printed"
    )
    of = create.add_mutually_exclusive_group()
    of.add_argument("--pool", metavar="ID", help="grants access to this pool's zones (default: the default pool)")
    of.add_argument("--zone", metavar="ID", help="grants access to this zone alone")
    show = _action(group, "list", tsigkeys.show, "Print every key.")
    show.add_argument("--show-secrets", action="store_true")
    _action(group, "delete", tsigkeys.delete, "Remove a key.").add_argument("key", metavar="NAME|ID")


def _tlds(group: Actions) -> None:
    from redesignate.manage import tlds

    load = _action(group, "import", tlds.load, "Add the TLDs of a CSV file to the list; those that are there stay.")
    load.add_argument("file", nargs="?", metavar="FILE", help="lines of name[,description]; - reads standard input")
    load.add_argument("--input-file", "--input_file", metavar="FILE", help="the same, as Designate spells it")
    load.add_argument("--delimiter", default=",", metavar="CHARACTER", help="between name and description (default: ,)")
    load.epilog = "Exit status: 0 if every line is in the list, 1 if any was left out."
    _action(group, "list", tlds.show, "Print every TLD.")


def _token(group: Actions) -> None:
    from redesignate.manage import tokens

    create = _action(group, "create", tokens.create, "Create a token; its secret is printed once.")
    create.add_argument("--project", required=True, metavar="ID", help="the project that it belongs to: any word")
    create.add_argument(
        "--role",
        action="append",
        metavar="ROLE",
        help="reader (read), member (change, default), admin (all projects), or one named in policy.yaml; repeatable",
    )
    create.add_argument("--description", metavar="TEXT", help="the purpose of the token")
    create.add_argument("--expires", metavar="WHEN", help="12h, 90d, 1y, or 2027-01-31; default: never")
    create.add_argument("--quiet", action="store_true", help="print only the secret, for scripts")
    _action(group, "list", tokens.show, "Print every token, without its secret.")
    _action(group, "revoke", tokens.revoke, "Remove tokens.").add_argument("token", metavar="ID", nargs="+")


def _service(group: Actions) -> None:
    from redesignate.manage import services

    _action(group, "list", services.show, "Print every service.")
    _action(group, "clean", services.clean, "Remove services that stopped or no longer send heartbeats.")


def _zone(group: Actions) -> None:
    from redesignate.manage import zones

    status = _action(
        group, "status", zones.status, "Print the servers that each zone is on, and why it is missing on the others."
    )
    status.add_argument("zone", metavar="NAME|ID", nargs="*", help="default: every zone; only those that lag are shown")
    status.add_argument("--json", action="store_true", help="print one JSON list with an object for each zone")
    status.add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="first wait until none lags, at most so long",
    )
    status.epilog = "Exit status: 0 if every zone is on every server, else 1."


def _status(group: Actions) -> None:
    from redesignate.manage import status

    text = "Check whether this release can start with the configuration, the policy files and the database."
    upgrade = group.add_parser("upgrade", help=text, description=text)
    check = _action(upgrade.add_subparsers(required=True, metavar="CHECK"), "check", status.check, text)
    check.epilog = "Exit status: 0 if all is well, 1 if there are warnings, 2 if something is wrong."


def _config(group: Actions) -> None:
    shown = _action(group, "sample", _sample, "Print a file with every option, commented out.")
    shown.add_argument("--short", action="store_true", help="without the options of the shared libraries")


def _sample(job: Job) -> int:
    from redesignate.config.sample import sample

    job.screen.text(sample(shared=not job.args.short))
    return 0
