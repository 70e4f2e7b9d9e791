# SPDX-License-Identifier: Apache-2.0
"""Reads options one by one, so that a wrong value gives one line that names file, key and fix."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from typing import Any, TypeVar

from oslo_config import cfg

from redesignate.config import options
from redesignate.config.describe import takes
from redesignate.config.files import Sources
from redesignate.config.urls import endpoint
from redesignate.model.errors import Misconfigured

S = TypeVar("S")


class Reader:
    """Values by section and key, each checked as it is read."""

    def __init__(self, conf: cfg.ConfigOpts, sources: Sources) -> None:
        self._conf = conf
        self._sources = sources
        self._options = {(part, o.dest): o for part, all_ in options.sections().items() for o in all_}

    def has(self, section: str, key: str) -> bool:
        """Whether the section has such an option."""
        return (section, key) in self._options

    def value(self, section: str, key: str) -> Any:
        """The value as its option's type; lists as tuples.

        Raises Misconfigured.
        """
        try:
            value = self._conf[key] if section == "DEFAULT" else self._conf[section][key]
        except ValueError as wrong:  # oslo.config's own from a file, and the type's from a `config_source`
            raise self.wrong(section, key, _expected(self._options[section, key], wrong)) from wrong
        except (cfg.TemplateSubstitutionError, cfg.NoSuchOptError) as wrong:
            raise self.wrong(section, key, "uses a $name that is not set; write $$ for a dollar sign") from wrong
        return tuple(value) if isinstance(value, list) else value

    def wrong(self, section: str, key: str, fix: str) -> Misconfigured:
        """The one-line error for an invalid value: file, key and fix."""
        option = self._options[section, key]
        old = [o.name for o in option.deprecated_opts if o.name]
        variable = f"OS_{section}__{key}".upper()
        where = f"${variable}" if variable in os.environ else self._sources.file_of(section, key, *old)
        return Misconfigured(f"{where}: [{section}] {key}: {fix}")

    def fill(self, kind: type[S], section: str, **known: Any) -> S:
        """A settings object with every field that the section has, and the ones given."""
        names = {field.name for field in fields(kind)} - known.keys()  # type: ignore[arg-type]  # S is a dataclass
        read = {name: self.value(section, name) for name in names if self.has(section, name)}
        return kind(**read, **known)

    def endpoints(self, section: str, port: int) -> tuple[tuple[str, int], ...]:
        """The section's `listen`, with `port` where none is written.

        Raises Misconfigured.
        """
        try:
            return tuple(endpoint(text, port) for text in self.value(section, "listen"))
        except ValueError as wrong:
            raise self.wrong(section, "listen", str(wrong)) from wrong


def _expected(option: cfg.Opt, wrong: Exception) -> str:
    """What the option takes, and what is wrong with what was found, unless it is a secret."""
    found = re.search(r"is not valid: (.*)", str(wrong), re.DOTALL)
    if found is None or option.secret or isinstance(option, cfg.URIOpt) or getattr(option.type, "choices", None):
        return f"expected {takes(option)}"
    return f"expected {takes(option)} ({' '.join(found[1].split())})"
