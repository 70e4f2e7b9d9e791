# SPDX-License-Identifier: Apache-2.0
"""placeholder until manage lands"""

from redesignate.config.load import Configuration


def manage(configuration: Configuration, argv: list[str]) -> int:
    """Nothing yet."""
    return 2
