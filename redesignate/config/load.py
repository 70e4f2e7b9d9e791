# SPDX-License-Identifier: Apache-2.0
"""Turns an operator's files into `Settings`. A wrong value gives one line that names file, key and fix."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from oslo_config import cfg

from redesignate.config import build, options
from redesignate.config.files import Sources, default_files, readable
from redesignate.config.reader import Reader
from redesignate.config.settings import Settings
from redesignate.model.errors import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One process's settings, and the oslo object that oslo's libraries register their own options on.

    notes     one line for each old or unknown key in the files, for the log
    sources   the keys that each file sets
    """

    settings: Settings
    conf: cfg.ConfigOpts
    sources: Sources
    notes: tuple[str, ...] = ()


def load(argv: Sequence[str] = (), files: Sequence[str] | None = None) -> Settings:
    """The settings alone; see `read`.

    Raises Misconfigured.
    """
    return read(argv, files).settings


def read(
    argv: Sequence[str] = (),
    files: Sequence[str] | None = None,
    *,
    register: Callable[[cfg.ConfigOpts], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Configuration:
    """Read the operator's files.

    argv      `--config-file`, `--config-dir`, and what `register` adds (logging's `--debug`, …)
    files     these instead of searching the usual folders
    register  adds command-line options of oslo's libraries, which must be known before the files are read
    Raises Misconfigured.
    """
    found, drop_ins = default_files(os.environ if environment is None else environment)
    if files is not None:
        readable(files)
        found, drop_ins = list(files), []
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.StrOpt("host"), cfg.StrOpt("state_path", default=Settings().state_path)])
    if register is not None:
        register(conf)
    _parse(conf, list(argv), found, drop_ins)
    own = cfg.ConfigOpts()
    options.register(own)
    used, folders = list(conf.config_file or ()), list(conf.config_dir or ())
    _parse(own, [], used, folders)
    sources = Sources([*used, *_drop_in_files(folders)], own)
    with _quiet():
        settings = build.settings(Reader(own, sources))
    notes = (*sources.unknown(), *sources.old_spellings())
    return Configuration(settings=replace(settings, files=sources.files), conf=conf, sources=sources, notes=notes)


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """Collect the errors that oslo.config logs, and suppress its warnings about deprecated names, which `notes` lists.

    There is no log yet.
    """
    errors: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            errors.append(record.getMessage())
        return False

    logger = logging.getLogger("oslo_config.cfg")
    logger.addFilter(keep)
    try:
        yield errors
    finally:
        logger.removeFilter(keep)


def _parse(conf: cfg.ConfigOpts, argv: list[str], files: list[str], folders: list[str]) -> None:
    try:
        with _quiet() as errors:
            conf(
                args=argv,
                project="designate",
                prog="redesignate",
                default_config_files=files,
                default_config_dirs=folders,
            )
    except cfg.ConfigFilesNotFoundError as gone:
        raise Misconfigured(f"{', '.join(gone.config_files)}: there is no such file; correct --config-file") from gone
    except cfg.ConfigFilesPermissionDeniedError as closed:
        names = ", ".join(closed.config_files)
        raise Misconfigured(f"{names}: may not be read by this user; change its owner or mode") from closed
    except cfg.ConfigDirNotFoundError as gone:
        raise Misconfigured(f"{gone.config_dir}: there is no such folder; correct --config-dir") from gone
    except UnicodeDecodeError as broken:
        raise Misconfigured(f"{_not_text([*files, *argv])}: is not UTF-8 text; save it as UTF-8") from broken
    except (cfg.ConfigFileParseError, cfg.ConfigSourceValueError) as broken:
        raise Misconfigured(f"{' '.join(str(broken).split())}; write it as `key = value` under a [section]") from broken
    if errors:  # of a source that cannot be read: oslo.config would go on without it
        raise Misconfigured(f"[DEFAULT] config_source: {' '.join(errors[0].split())}; correct that section")


def _not_text(words: list[str]) -> str:
    """The first of the words that names a file that is not UTF-8."""
    for file in (word.removeprefix("--config-file=") for word in words):
        if not Path(file).is_file():
            continue
        try:
            Path(file).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return file
    return "a configuration file"


def _drop_in_files(folders: list[str]) -> list[str]:
    return [
        os.path.join(folder, name)
        for folder in folders
        for name in sorted(os.listdir(folder))
        if name.endswith(".conf") and not name.startswith(".")
    ]
