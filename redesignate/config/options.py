# SPDX-License-Identifier: Apache-2.0
"""Every option that we read, by section. Its spelling is the contract's; see `contract` names in docs/configuration.md.

Options of oslo's own libraries (logging, policy, keystone) are registered by those libraries on the
`ConfigOpts` that `config/load.py` hands out, and are listed in the sample by `config/sample.py`.
"""

from __future__ import annotations

import copy

from oslo_config import cfg

from redesignate.config.service_options import SERVICES, task_options
from redesignate.config.shared_options import SHARED

OLD_SECTIONS = (
    "service:pool_manager",
    "service:zone_manager",
    "zone_manager_task:",
    "service:agent",
    "backend:",
    "pool_manager_cache:",
    "handler:",
    "monasca:statsd",
    "pool:",
    "pool_nameserver:",
    "pool_target:",
)
"""Sections (or beginnings of their names) that occur in old files and are ignored."""


def sections() -> dict[str, list[cfg.Opt]]:
    """Section name to its options, in the order of the page and of the sample."""
    return {**SHARED, **SERVICES, **task_options()}


def register(conf: cfg.ConfigOpts) -> None:
    """Make every option of ours known to `conf`, with dashes for underscores as well."""
    for section, options in sections().items():
        group = None if section == "DEFAULT" else cfg.OptGroup(section)
        conf.register_opts([_dashed(option) for option in options], group=group)


def _dashed(option: cfg.Opt) -> cfg.Opt:
    """The option, found under `threshold-percentage` as under `threshold_percentage`.

    oslo looks for `dest` and for the deprecated names; a deprecated name that equals `name` is taken without a warning.
    """
    if "_" not in option.dest:
        return option
    twin = copy.copy(option)
    twin.name = option.dest.replace("_", "-")
    twin.deprecated_opts = [*option.deprecated_opts, cfg.DeprecatedOpt(twin.name)]
    return twin


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """For oslo's sample generator (entry point `oslo.config.opts`)."""
    return list(sections().items())
