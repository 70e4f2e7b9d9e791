# SPDX-License-Identifier: Apache-2.0
"""Asks a nameserver whether it serves a name, by one datagram, cheaply enough to ask every millisecond."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Sequence

from redesignate.model import names
from redesignate.wire import message

A = 1


class Asker:
    """A client of one nameserver."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((host, port))
        self._socket.settimeout(0.5)

    def counts(self, name: str, rrtype: int = A) -> tuple[int, int] | None:
        """RCODE and number of answers for a name; None where no answer came."""
        ident = random.randrange(65536)
        query = message.build(ident, 0, message.question(names.to_wire(name), rrtype))
        try:
            self._socket.send(query)
            while True:
                answer = self._socket.recv(4096)
                if answer[:2] == query[:2]:
                    return answer[3] & 15, struct.unpack_from("!H", answer, 6)[0]
        except (TimeoutError, ConnectionRefusedError):
            return None

    def serves(self, name: str, rrtype: int = A) -> bool:
        """Whether it answers with records."""
        found = self.counts(name, rrtype)
        return found is not None and found[1] > 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def wait_served(askers: Sequence[Asker], name: str, *, timeout: float = 60.0) -> float:
    """Wait until all of them serve the name; seconds that took. Raises TimeoutError."""
    began, left = time.perf_counter(), list(askers)
    while left:
        left = [asker for asker in left if not asker.serves(name)]
        if left:
            if time.perf_counter() - began > timeout:
                raise TimeoutError(f"{name} is not served after {timeout:.0f} s")
            time.sleep(0.001)
    return time.perf_counter() - began
