# SPDX-License-Identifier: Apache-2.0
"""What is done to the system: each drill breaks one thing and puts it right again. Waits are for events."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pymysql

from tests.support.bind import RealBind
from tests.support.mariadb import MariaDB
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import LOOPBACK, Server
from tests.support.system import Process

KEPT_BY_A_WIPE = {"rndc.key", "named.conf", "named"}


def ready(process: Process) -> None:
    """Wait until a process that was started works."""
    process.wait_for(" ready " if process.arguments[-1] != "api" else "Listening at")


def kill_and_start(*processes: Process) -> None:
    """kill -9, of all at once; then start them again."""
    for process in processes:
        process.kill()
    for process in processes:
        process.start()
    for process in processes:
        ready(process)


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end: the process neither works nor notices that time goes by."""
    family = [pid for each in pids for pid in _family(each)]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in family:
            os.kill(pid, signal.SIGCONT)


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in _family(int(child)))]


def kill_server(server: Server, meanwhile: Callable[[], None]) -> None:
    """kill -9 of a database or a broker; `meanwhile` is done without it."""
    server.kill()
    try:
        meanwhile()
    finally:
        server.start()


def empty_broker(broker: RabbitMQ, transport_url: str) -> None:
    """Throw away every message that waits in a queue."""
    vhost = transport_url.rpartition("/")[2]
    broker.eval(f'lists:foreach(fun(Q) -> rabbit_amqqueue:purge(Q) end, rabbit_amqqueue:list(<<"{vhost}">>)), ok')


def cut_broker_connections(broker: RabbitMQ) -> None:
    """Close every client's connection from the broker's side."""
    broker.eval('lists:foreach(fun(C) -> rabbit_networking:close_connection(C, "drill") end, '
                "rabbit_networking:connections()), ok")  # fmt: skip


def cut_database_connections(server: MariaDB) -> int:
    """Kill every client's connection; how many there were."""
    connection = pymysql.connect(host=LOOPBACK, port=server.port, user="root", autocommit=True, connect_timeout=5)
    killed = 0
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = 'root'")
        for (number,) in cursor.fetchall():
            try:
                cursor.execute(f"KILL {number}")
                killed += 1
            except pymysql.err.OperationalError:  # it has ended by itself
                continue
    return killed


@contextmanager
def row_held(database: str, zone_id: str) -> Iterator[None]:
    """Somebody else holds a zone's row locked (MariaDB)."""
    port, name = database.rpartition(":")[2].split("/", 1)
    connection = pymysql.connect(host=LOOPBACK, port=int(port), user="root", database=name.partition("?")[0])
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM zones WHERE id = %s FOR UPDATE", (zone_id,))
        yield
        connection.rollback()


def wipe(bind: RealBind) -> None:
    """A machine that is set up anew: named is started without a zone, a journal or a list of zones."""
    bind.kill()
    for file in bind.folder.iterdir():
        if file.name not in KEPT_BY_A_WIPE:
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    bind.start()


def together(work: Sequence[Callable[[], None]]) -> None:
    """Do several things at once, and wait for all."""
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def pass_time(seconds: float) -> None:
    """Let time go by while something is frozen: here time itself is the event."""
    threading.Event().wait(seconds)
