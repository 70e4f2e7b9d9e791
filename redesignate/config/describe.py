# SPDX-License-Identifier: Apache-2.0
"""Describes an option in words: what it takes, and its default. Errors, the sample and the page use it."""

from __future__ import annotations

from oslo_config import cfg

_NAMES = {
    "integer value": "whole number",
    "floating point value": "number",
    "boolean value": "true or false",
    "string value": "text",
    "list value": "list, separated by commas",
    "multi valued": "text, may be given several times",
    "unknown value": "text",
}


def takes(option: cfg.Opt) -> str:
    """What may be written: "whole number from 0 up to 100", "one of: keystone, noauth"."""
    choices = getattr(option.type, "choices", None)
    if choices:
        return f"one of: {', '.join(str(choice) for choice in choices)}"
    if isinstance(option, cfg.URIOpt):
        return "URL, such as http://127.0.0.1:9001/"
    if option.multi:
        return _NAMES["multi valued"]
    low, high = getattr(option.type, "min", None), getattr(option.type, "max", None)
    name = getattr(option.type, "type_name", "string value")
    name = _NAMES.get(name, name)
    limits = [f"from {low}"] * (low is not None) + [f"up to {high}"] * (high is not None)
    return " ".join([name, *limits])


def default_text(option: cfg.Opt) -> str:
    """The default as it is written after the `=`; empty where there is none."""
    value = option.default if option.sample_default is None else option.sample_default
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(str(one) for one in value)
    return str(value)


def old_spellings(option: cfg.Opt, section: str) -> list[str]:
    """Older names that are also read, with their section where it differs."""
    return [
        f"[{old.group}] {old.name or option.dest}" if old.group and old.group != section else str(old.name)
        for old in option.deprecated_opts
    ]
