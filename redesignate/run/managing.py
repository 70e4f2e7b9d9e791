# SPDX-License-Identifier: Apache-2.0
"""`redesignate manage …`: the operator's commands, over central in this process or over the bus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from redesignate.bus.port import Central
from redesignate.config.load import Configuration, read
from redesignate.config.settings import CentralAccess, Settings
from redesignate.manage.main import main
from redesignate.model.errors import Misconfigured
from redesignate.observe.setup import register_log_options, setup_logging


def manage(given: Sequence[str], argv: Sequence[str], *, service: str) -> int:
    """Run one command; its exit code. `given`: the arguments that preceded `manage`.

    Files are read and central is reached only by a command that needs them, which then imports the libraries of
    databases. The log goes to standard error; log options in the files count only beside one on the command line.
    """
    configurations: list[Configuration] = []

    def load(more: Sequence[str]) -> Settings:
        words = [*given, *more]
        logs = any(not word.startswith("--config-") for word in words)
        configurations.append(read(words, register=register_log_options if logs else None))
        if logs:
            setup_logging(configurations[-1].conf, service=service)
        return configurations[-1].settings

    @contextmanager
    def connect(settings: Settings) -> Iterator[Central]:
        from redesignate.run.wiring import make_broker, make_central
        from redesignate.store.migrate import require_head

        if settings.central_access is CentralAccess.DIRECT:
            if settings.store.url is None:
                raise Misconfigured(
                    "Neither a database nor a broker is configured: set [storage:sqlalchemy] connection, or name a "
                    "file with --config-file (for `redesignate serve`: state/redesignate.conf)."
                )
            require_head(settings.store.url)
        with ExitStack() as end:
            yield make_central(configurations[-1], make_broker(configurations[-1].settings), end)

    return main(argv, load=load, connect=connect)
