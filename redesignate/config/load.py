# SPDX-License-Identifier: Apache-2.0
"""From an operator's files to `Settings`. A wrong value ends in one line that names file, key and mend."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from oslo_config import cfg

from redesignate.config import build, options
from redesignate.config.files import Sources, default_files, readable
from redesignate.config.reader import Reader
from redesignate.config.settings import Settings
from redesignate.model.errors import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What one process was told, and the oslo object that oslo's libraries register their own options on.

    notes     one line for each key in the files that is old or means nothing, for the log
    """

    settings: Settings
    conf: cfg.ConfigOpts
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
    sources = Sources([*used, *_drop_in_files(folders)])
    with _old_spellings() as old:
        settings = build.settings(Reader(own, sources))
    return Configuration(
        settings=replace(settings, files=sources.files), conf=conf, notes=(*sources.unknown(), *dict.fromkeys(old))
    )


@contextmanager
def _old_spellings() -> Iterator[list[str]]:
    """Collects what oslo.config says of deprecated names, which it would print before there is a log to print to.

    A dash for an underscore is as good as the other.
    """
    lines: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        said = record.args if isinstance(record.args, dict) else {}
        old, new = str(said.get("dep_option")), str(said.get("option"))
        if (moved := said.get("dep_group") != said.get("group")) or old.replace("_", "-") != new:
            group = f"[{said.get('dep_group')}] " if moved else ""
            lines.append(f"{group}{old} is an old spelling of [{said.get('group')}] {new.replace('-', '_')}")
        return False

    logger = logging.getLogger("oslo_config.cfg")
    logger.addFilter(keep)
    try:
        yield lines
    finally:
        logger.removeFilter(keep)


def _parse(conf: cfg.ConfigOpts, argv: list[str], files: list[str], folders: list[str]) -> None:
    try:
        conf(
            args=argv,
            project="designate",
            prog="redesignate",
            default_config_files=files,
            default_config_dirs=folders,
        )
    except cfg.ConfigFilesNotFoundError as gone:
        raise Misconfigured(f"{', '.join(gone.config_files)}: there is no such file; mend --config-file") from gone
    except cfg.ConfigFilesPermissionDeniedError as closed:
        names = ", ".join(closed.config_files)
        raise Misconfigured(f"{names}: may not be read by this user; change its owner or mode") from closed
    except cfg.ConfigDirNotFoundError as gone:
        raise Misconfigured(f"{gone.config_dir}: there is no such folder; mend --config-dir") from gone
    except (cfg.ConfigFileParseError, cfg.ConfigSourceValueError, UnicodeDecodeError) as broken:
        raise Misconfigured(f"{' '.join(str(broken).split())}; write it as `key = value` under a [section]") from broken


def _drop_in_files(folders: list[str]) -> list[str]:
    return [
        os.path.join(folder, name)
        for folder in folders
        for name in sorted(os.listdir(folder))
        if name.endswith(".conf") and not name.startswith(".")
    ]
