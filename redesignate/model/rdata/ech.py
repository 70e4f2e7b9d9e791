# SPDX-License-Identifier: Apache-2.0
"""The value of the ech parameter: an ECHConfigList (the TLS Encrypted Client Hello specification, §4)."""

from __future__ import annotations

from redesignate.model.rdata.base import Reader

VERSION = 0xFE0D


def check(wire: bytes) -> None:
    """Raises ValueError unless the octets are one list of at least one configuration.

    A browser discards a list that it cannot read, and with it the site's privacy. Of versions other than the
    published one only the length is known.
    """
    try:
        whole = Reader(wire)
        configs = Reader(whole.take(whole.number(2)))
        whole.end()
        if not configs.more():
            raise ValueError("it has no configuration")
        while configs.more():
            version, body = configs.number(2), configs.take(configs.number(2))
            if version == VERSION:
                _check_contents(Reader(body))
    except ValueError as error:
        raise ValueError(f"ech is not a list of ECH configurations: {error}") from error


def _check_contents(body: Reader) -> None:
    """config_id, kem_id, public key, cipher suites, maximum_name_length, public name, extensions."""
    body.take(3)
    key, suites = body.take(body.number(2)), body.take(body.number(2))
    if not key or not suites or len(suites) % 4:
        raise ValueError("its public key or its cipher suites are empty or incomplete")
    body.take(1)
    if not body.string():
        raise ValueError("its public name is empty")
    extensions = Reader(body.take(body.number(2)))
    body.end()
    while extensions.more():
        extensions.take(2)
        extensions.take(extensions.number(2))
