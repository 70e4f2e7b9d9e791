# SPDX-License-Identifier: Apache-2.0
"""placeholder until the producer lands"""

from redesignate.run.wiring import Wiring


def start_producer(wiring: Wiring) -> None:
    """Nothing yet."""
