# SPDX-License-Identifier: Apache-2.0
"""Finds the configuration files, and the file that sets an option (for messages that name it)."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from oslo_config import cfg

from redesignate.config.options import OLD_SECTIONS, sections
from redesignate.model.errors import Misconfigured

NAMES = ("designate.conf", "redesignate.conf")
FOLDERS = (Path(), Path("/etc/designate"), Path("/etc/redesignate"))
FOLDER_VARIABLES = ("OS_DESIGNATE_CONFIG_DIR", "OS_REDESIGNATE_CONFIG_DIR")


def default_files(environment: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Files and drop-in folders that are read where the operator names none, in order: later ones win.

    `OS_DESIGNATE_CONFIG_DIR` (what WSGI deployments set) replaces the folders that are searched.
    """
    named = [Path(environment[name]) for name in FOLDER_VARIABLES if environment.get(name)]
    folders = named or list(FOLDERS)
    files = [str(folder / name) for folder in folders for name in NAMES if os.path.isfile(folder / name)]
    drop_ins = [
        str(folder / f"{name}.d") for folder in folders for name in NAMES if os.path.isdir(folder / f"{name}.d")
    ]
    return files, drop_ins


class Sources:
    """The keys that each file sets: the last file that sets a key counts.

    conf   the options as they were read: from files, the environment, and what `[DEFAULT] config_source` names
    """

    def __init__(self, files: Iterable[str], conf: cfg.ConfigOpts) -> None:
        self.files = tuple(files)
        self._conf = conf
        self._where: dict[tuple[str, str], str] = {}
        for file in self.files:
            parsed: dict[str, dict[str, list[str]]] = {}
            cfg.ConfigParser(file, parsed).parse()
            self._where.update({(part, key.replace("-", "_")): file for part, keys in parsed.items() for key in keys})

    def sets(self, section: str, key: str) -> bool:
        """Whether the operator sets the key, wherever that is."""
        found = self._conf.get_location(key, None if section == "DEFAULT" else section)
        return found is not None and bool(found.location.is_user_controlled)

    def file_of(self, section: str, *keys: str) -> str:
        """The file that sets the first of these keys that is set anywhere, else the source that must have set it."""
        for key in keys:
            if file := self._where.get((section, key.replace("-", "_"))):
                return file
        if self._conf.config_source:
            return f"config_source {', '.join(self._conf.config_source)}"
        return self.files[-1] if self.files else "the defaults"

    def unknown(self) -> list[str]:
        """One line for each unknown key in a section of ours, with the likely spelling.

        `[DEFAULT]` and the sections of oslo's libraries are left out: other readers look there too.
        """
        known = _known_keys()
        lines = []
        for (section, key), file in self._where.items():
            if section == "DEFAULT" or section not in known:
                lines.extend(self._section_typo(section, file, known))
            elif key not in known[section]:
                close = difflib.get_close_matches(key, known[section], 1)
                hint = f"; did you mean {close[0]}?" if close else ""
                lines.append(f"{file}: [{section}] {key} is not an option{hint}")
        return list(dict.fromkeys(lines))

    def old_spellings(self) -> list[str]:
        """One line for each option that a file gives by an old name."""
        lines = []
        every = [(section, option) for section, options in sections().items() for option in options]
        for section, option in every:
            for old in option.deprecated_opts:
                key = (old.group or section, (old.name or option.dest).replace("-", "_"))
                if file := self._where.get(key):
                    lines.append(f"{file}: [{key[0]}] {key[1]} is an old spelling of [{section}] {option.dest}")
        return lines

    def _section_typo(self, section: str, file: str, known: Mapping[str, set[str]]) -> list[str]:
        if ":" not in section or section.startswith(OLD_SECTIONS):
            return []
        close = difflib.get_close_matches(section, known, 1, cutoff=0.8)
        return [f"{file}: section [{section}] is not read; did you mean [{close[0]}]?"] if close else []


def _known_keys() -> dict[str, set[str]]:
    known = {}
    for section, options in sections().items():
        names = {option.dest for option in options}
        names |= {old.name.replace("-", "_") for option in options for old in option.deprecated_opts if old.name}
        known[section] = names
    known["oslo_middleware"] |= {"secure_proxy_ssl_header", "http_basic_auth_user_file"}
    known["cors"] |= set()
    known["healthcheck"] |= HEALTHCHECK_REST
    return known


HEALTHCHECK_REST = {
    "path",
    "backends",
    "disable_by_file_paths",
    "enable_by_file_paths",
    "allowed_source_ranges",
    "ignore_proxied_requests",
}


def readable(files: Iterable[str]) -> None:
    """Refuse, in one line, files that an operator named and that cannot be read.

    Raises Misconfigured.
    """
    for file in files:
        path = Path(file)
        if not path.is_file():
            raise Misconfigured(f"{file}: there is no such file; name another with --config-file")
        if not os.access(path, os.R_OK):
            raise Misconfigured(f"{file}: may not be read by this user; change its owner or mode")
