# SPDX-License-Identifier: Apache-2.0
"""A memcached of the tests' own."""

from __future__ import annotations

from tests.support.servers import LOOPBACK, Server


class Memcached(Server):
    """Empty at each start."""

    kind = "memcached"

    def command(self) -> list[str]:
        """Listens on loopback alone."""
        return ["memcached", "-l", LOOPBACK, "-p", str(self.port), "-U", "0", "-m", "16", "-u", "root"]
