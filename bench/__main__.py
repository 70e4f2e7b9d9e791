# SPDX-License-Identifier: Apache-2.0
"""`make bench`: measure everything and print the table. `python -m bench transfer` measures one part."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import questions, system, transfer
from bench.figures import Figure, machine, say, table
from tests.support.mariadb import MariaDB
from tests.support.rabbitmq import RabbitMQ


def _split(folder: Path) -> list[Figure]:
    database, broker = MariaDB.create(), RabbitMQ.create()
    try:
        return system.split(folder, database=database.database(), transport_url=broker.transport_url())
    finally:
        broker.close()
        database.close()


PARTS: dict[str, system.Part] = {
    "embedded": system.embedded,
    "split": _split,
    "transfer": transfer.figures,
    "questions": questions.figures,
}


def main() -> int:
    """Measure and print; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    of = machine()
    figures: list[Figure] = []
    for name in arguments.parts or PARTS:
        say(f"{name} …")
        with tempfile.TemporaryDirectory(prefix="redesignate-bench-") as folder:
            figures += PARTS[name](Path(folder))
    print(f"\n{of}\n\n{table(figures)}")
    if arguments.json:
        arguments.json.write_text(system.as_json(figures))
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
