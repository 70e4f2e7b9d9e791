# SPDX-License-Identifier: Apache-2.0
"""A sample configuration file: every option, commented out, with its help and its default."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Iterator

from oslo_config import cfg

from redesignate.config.describe import default_text, old_spellings, takes
from redesignate.config.options import sections

_HEAD = """\
# Redesignate reads ./, /etc/designate and /etc/redesignate: designate.conf, then redesignate.conf, then what lies in
# designate.conf.d and redesignate.conf.d; later wins. `--config-file` and `--config-dir` replace all of these.
"""


def sample(*, shared: bool = True) -> str:
    """The file's text.

    shared   with the options of oslo's libraries (log, policy) and of keystonemiddleware
    Cost   with `shared`, the import of these libraries: about a second
    """
    known = dict(sections())
    extra = _shared() if shared else {}
    parts = [_HEAD]
    for section in [*known, *(name for name in extra if name not in known)]:
        parts.append(f"\n[{section}]\n")
        ours = known.get(section, [])
        parts += [_option(section, option) for option in ours]
        names = {option.dest for option in ours}
        parts += [_option(section, option) for option in extra.get(section, []) if option.dest not in names]
    return "\n".join(parts)


def _shared() -> dict[str, list[cfg.Opt]]:
    """Options that libraries read by themselves, by section."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what these libraries import and we do not use
        from keystonemiddleware import opts as keystone
        from oslo_log import _options as log
        from oslo_policy import opts as policy

    found: dict[str, list[cfg.Opt]] = {}
    lists = (log.list_opts(), policy.list_opts(), keystone.list_auth_token_opts())
    for group, options in (pair for one in lists for pair in one):
        name = getattr(group, "name", group) or "DEFAULT"
        found.setdefault(str(name), []).extend(options)
    return {name: _unique(options) for name, options in found.items()}


def _unique(options: list[cfg.Opt]) -> list[cfg.Opt]:
    return list({option.dest: option for option in options}.values())


def _option(section: str, option: cfg.Opt) -> str:
    return "\n".join(_lines(section, option)) + "\n"


def _lines(section: str, option: cfg.Opt) -> Iterator[str]:
    text = re.sub(r"\s+", " ", option.help or "").replace("%%", "%").strip()
    if "%(default)s" in text:
        text = text.replace("%(default)s", default_text(option))
    for line in textwrap.wrap(f"{text} ({takes(option)})", 100):
        yield f"# {line}"
    for old in old_spellings(option, section):
        yield f"# Also read as: {old}"
    default = default_text(option)
    yield f"#{option.dest} = {default}".rstrip() if option.dest else ""
