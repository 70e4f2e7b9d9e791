# SPDX-License-Identifier: Apache-2.0
"""The arguments that precede every command: files to read, and oslo.log's own, as existing units and scripts write
them. They are kept as words for oslo.config, whose parser gives them precedence over the files."""

from __future__ import annotations

import argparse

_FILES = {
    "--config-file": ("FILE", "read this file instead of the usual ones; repeatable"),
    "--config-dir": ("FOLDER", "also read the *.conf files of this folder; repeatable"),
}
_LOG_VALUES: dict[tuple[str, ...], tuple[str, str]] = {
    ("--log-file", "--logfile"): ("FILE", "log to this file (of --log-dir, if that is given)"),
    ("--log-dir", "--logdir"): ("FOLDER", "log to a file of this folder, named after the command"),
    ("--log-config-append", "--log-config", "--log_config"): (
        "FILE",
        "set up logging by this file of Python's logging.config; all other log options are ignored",
    ),
    ("--log-date-format",): ("FORMAT", "strftime format of the time in each line"),
    ("--syslog-log-facility",): ("NAME", "facility for --use-syslog (LOG_USER)"),
}
_LOG_SWITCHES = {
    "use-syslog": "log to syslog",
    "use-journal": "log to systemd's journal, with fields (needs Python's systemd bindings)",
    "use-json": "log JSON",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to a parser of ours; `file_words`, `log_words` and `debug` of the namespace hold what was given."""
    parser.set_defaults(file_words=[], log_words=[], debug=None)
    for name, (value, text) in _FILES.items():
        _word(parser, (name,), "file_words", value, text)
    parser.add_argument("--config-source", type=_no_source, help=argparse.SUPPRESS)
    text = "log debug messages, and print the traceback of a failure"
    parser.add_argument("--debug", "-d", dest="debug", action="store_const", const=True, help=text)
    text = "turn this off, even if a file turns it on"
    parser.add_argument("--nodebug", dest="debug", action="store_const", const=False, help=text)
    for names, (value, about) in _LOG_VALUES.items():
        _word(parser, names, "log_words", value, about)
    for name, about in _LOG_SWITCHES.items():
        _switch(parser, f"--{name}", about)
        _switch(parser, f"--no{name}", text)
    text = "accepted, and not needed: a log file that was moved or removed is always opened again"
    parser.add_argument("--watch-log-file", "--nowatch-log-file", dest="watch", action="store_true", help=text)


def oslo_words(arguments: argparse.Namespace) -> list[str]:
    """What was given, for oslo.config's parser with oslo.log's options registered."""
    debug = {None: [], True: ["--debug"], False: ["--nodebug"]}[arguments.debug]
    return [*arguments.file_words, *arguments.log_words, *debug]


def _no_source(_text: str) -> str:
    """Refuse what oslo.config's manual describes and its parser does not know."""
    raise argparse.ArgumentTypeError(
        "a source of options is named in a file: [DEFAULT] config_source = NAME, and in section [NAME] its driver"
    )


def _word(parser: argparse.ArgumentParser, names: tuple[str, ...], dest: str, value: str, text: str) -> None:
    kept = f"{names[0]}={{}}".format
    parser.add_argument(*names, dest=dest, action="append", type=kept, metavar=value, help=text)


def _switch(parser: argparse.ArgumentParser, name: str, text: str) -> None:
    parser.add_argument(name, dest="log_words", action="append_const", const=name, help=text)
