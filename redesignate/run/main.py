# SPDX-License-Identifier: Apache-2.0
"""The `redesignate` command: a word for the service, its own options, and one line for an error."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from redesignate import __version__
from redesignate.config.arguments import add_arguments, oslo_words
from redesignate.model.errors import Problem

SERVICES = {
    "api": "the HTTP API (by gunicorn; or any WSGI server with redesignate.wsgi:application)",
    "central": "all rules and commits, requested over RabbitMQ",
    "mdns": "the hidden primary that nameservers transfer from",
    "worker": "creates zones on the nameservers, and checks that they serve them",
    "producer": "periodic tasks, divided among the producers",
}


_FILES = (
    "All other settings are in the configuration: designate.conf and redesignate.conf of ./, /etc/designate and "
    "/etc/redesignate, or the files named by --config-file before the command. `redesignate manage config sample` "
    "prints every option."
)


def command_parser() -> argparse.ArgumentParser:
    """Every command but those of `manage`, with its help."""
    parser = argparse.ArgumentParser(
        prog="redesignate",
        description="A multi-tenant DNS control plane.",
        epilog="`redesignate serve` runs everything in one process; `redesignate COMMAND --help` says more.",
    )
    parser.add_argument("--version", action="version", version=f"redesignate {__version__}")
    add_arguments(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    text = "everything in one process: no other servers, no login, loopback only"
    serve = commands.add_parser("serve", help=text, description=f"Run {text}; with --listen, on a network with tokens.")
    serve.add_argument("--port", type=_port, default=9001, help="port of the API (9001); 0 finds a free one")
    serve.add_argument(
        "--dns-port", type=_port, default=5354, metavar="PORT", help="port of the nameserver, UDP and TCP (5354)"
    )
    serve.add_argument(
        "--listen",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="serve this address of the machine as well as loopback; callers then need a token. Repeatable",
    )
    serve.add_argument(
        "--state-dir", type=Path, default=Path("state"), metavar="FOLDER", help="database and keys (./state)"
    )
    serve.add_argument("--database", metavar="URL", help="use this database instead of SQLite in the state folder")
    for name, text in SERVICES.items():
        commands.add_parser(name, help=text, description=f"Run {name}: {text}.", epilog=_FILES)
    commands.add_parser(
        "manage", help="pools, zones, database, keys, tokens, services: see `redesignate manage --help`", add_help=False
    )
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: write a number from 0 to 65535")
    return int(text)


def main(argv: Sequence[str] | None = None, *, product: str = "redesignate") -> int:
    """Run a command; the exit code.

    product   what the command's log files are named after: redesignate-worker.log
    An error is one line on standard error, and status 1 (2: the command line itself); `--debug` adds the
    traceback.
    """
    arguments, rest = command_parser().parse_known_args(argv)
    if rest and arguments.command != "manage":
        command_parser().error(
            f"unrecognised arguments: {' '.join(rest)} (--config-file and the like precede the command)"
        )
    try:
        return _run(arguments, rest, product)
    except Problem as problem:
        return _failed(problem.message, debug=arguments.debug)
    except Exception as error:  # noqa: BLE001  # no caller could report it in one line
        text = f"{type(error).__name__}: {' '.join(str(error).split()[:60])}"
        return _failed(f"{text} (this is a bug in Redesignate; --debug shows where)", debug=arguments.debug)
    except KeyboardInterrupt:
        return 130


def designate() -> int:
    """`designate-worker`, `designate-manage` and the like, as operators' units call them. The name is the command."""
    name, given = Path(sys.argv[0]).name.removeprefix("designate-"), sys.argv[1:]
    match name:
        case "manage":
            words = ["manage", *given]
        case "status" if "--version" in given:
            words = ["manage", *given]
        case "status":  # the configuration's arguments precede `upgrade check`
            at = given.index("upgrade") if "upgrade" in given else 0
            words = ["manage", *given[:at], "status", *given[at:]]
        case "sink" if not {"-h", "--help", "--version"} & set(given):
            return _failed(
                "This version has no sink: it makes no records of notifications. Do not start it.", debug=False
            )
        case "sink":
            words = given
        case _:
            words = [*given, name]
    return main(words, product="designate")


def _failed(text: str, *, debug: bool) -> int:
    """Print the error, from within its `except`; the exit code."""
    if debug:
        traceback.print_exc()
    print(f"redesignate: {' '.join(text.split())}", file=sys.stderr)
    return 1


def _run(arguments: argparse.Namespace, rest: list[str], product: str) -> int:
    from redesignate.config.load import read
    from redesignate.observe.log import events
    from redesignate.observe.setup import register_log_options, setup_logging

    service = f"{product}-{arguments.command}"
    if arguments.command == "manage":
        from redesignate.run.managing import manage

        setup_logging(debug=bool(arguments.debug), service=service)
        return manage(oslo_words(arguments), rest, service=service)
    logs = register_log_options if arguments.command in SERVICES or arguments.log_words else None
    given = oslo_words(arguments) if logs else arguments.file_words
    configuration = read(given, files=[] if _sandboxed(arguments) else None, register=logs)
    setup_logging(configuration.conf if logs else None, debug=bool(arguments.debug), service=service)
    for note in configuration.notes:
        events("redesignate.config").warning("configuration", note=note)
    match arguments.command:
        case "serve":
            from redesignate.run.sandbox import Options, serve

            options = Options(
                port=arguments.port,
                dns_port=arguments.dns_port,
                state=arguments.state_dir,
                database=arguments.database,
                listen=tuple(arguments.listen),
            )
            return serve(configuration, options)
        case name:
            from redesignate.run.services import SERVICES as RUN

            return RUN[name](configuration)


def _sandboxed(arguments: argparse.Namespace) -> bool:
    """`serve` reads an operator's file only if it is named."""
    return arguments.command == "serve" and not arguments.file_words


if __name__ == "__main__":
    sys.exit(main())
