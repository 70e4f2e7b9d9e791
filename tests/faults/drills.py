# SPDX-License-Identifier: Apache-2.0
"""What is done to the system: each drill breaks one thing and puts it right again. Waits are for events."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import amqp
import pymysql
from sqlalchemy import Engine, select

from redesignate.bus.broker import Broker
from redesignate.config.settings import BusSettings
from redesignate.store import schema
from tests.support.api import Api
from tests.support.bind import RealBind
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres
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
        deadline = time.monotonic() + 20
        while not all(map(_stopped, family)):  # a thread that runs elsewhere may go on for a moment
            assert time.monotonic() < deadline
        yield
    finally:
        for pid in family:
            os.kill(pid, signal.SIGCONT)


def _stopped(pid: int) -> bool:
    """Whether each thread of a process is stopped."""
    stats = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


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


def cut_database_connections(server: MariaDB) -> int:
    """Kill every client's connection; how many there were."""
    connection = pymysql.connect(host=LOOPBACK, port=server.port, user="root", autocommit=True, connect_timeout=5)
    killed = 0
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user NOT IN ('root', 'system user')")
        for (number,) in cursor.fetchall():
            try:
                cursor.execute(f"KILL {number}")
                killed += 1
            except pymysql.err.OperationalError:  # it has ended by itself
                continue
    return killed


@contextmanager
def row_held(database: Engine, zone_id: str) -> Iterator[None]:
    """Somebody else holds a zone's row locked."""
    with database.connect() as connection:
        connection.execute(select(schema.zones.c.id).where(schema.zones.c.id == zone_id).with_for_update())
        yield
        connection.rollback()


@contextmanager
def read_only(server: MariaDB | Postgres) -> Iterator[None]:
    """The database takes no writes, as while another node is made the primary."""
    if isinstance(server, MariaDB):
        server.execute("SET GLOBAL read_only = 1")
        try:
            yield
        finally:
            server.execute("SET GLOBAL read_only = 0")
        return
    server.configure("default_transaction_read_only", "on")
    try:
        yield
    finally:
        server.configure("default_transaction_read_only", "off")


@contextmanager
def clocks_off(*off: tuple[Process, float]) -> Iterator[None]:
    """Each of these processes is started anew with a clock that is so many seconds ahead, and with the right one at
    the end."""
    _restart({process: ahead_s for process, ahead_s in off})
    try:
        yield
    finally:
        _restart({process: 0.0 for process, _ in off})


def _restart(clocks: dict[Process, float]) -> None:
    for process, ahead_s in clocks.items():
        process.set_clock(ahead_s)
    kill_and_start(*clocks)


MALFORMED = (
    b"",
    b"\x00\xff\xfe",
    b"not JSON",
    b"{}",
    json.dumps({"v": 1}).encode(),
    json.dumps({"v": 1, "questions": 7, "zone_ids": 7, "answers": 7}).encode(),
    json.dumps({"v": 1, "questions": [{"ask": {"op": "zone.get"}, "left": 1}], "zone_ids": [1]}).encode(),
    json.dumps({"v": 2, "questions": [], "zone_ids": [], "answers": []}).encode(),
    json.dumps({"oslo.version": "2.0", "oslo.message": "{"}).encode(),
    json.dumps({"oslo.version": "2.0", "oslo.message": "[]"}).encode(),
    json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps({"method": "ask", "args": 7})}).encode(),
    json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(
        {"priority": "INFO", "event_type": "zone.changed", "publisher_id": "x", "payload": {"zone_ids": 7},
         "message_id": "m", "timestamp": "t"})}).encode(),
)  # fmt: skip
"""Messages that nobody can read: not JSON, no message of ours, of another version of it, of oslo.messaging."""


def poison(transport_url: str, queues: Iterable[str], rounds: int) -> int:
    """Put each malformed message into each of these queues, so many times; how many that were."""
    count = 0
    broker = Broker(BusSettings(transport_url=transport_url))
    with broker.connect("poison") as connection, connection.channel() as channel:
        for queue in queues:
            for body in MALFORMED * rounds:
                words = {"content_type": "application/json", "content_encoding": "utf-8"}
                channel.basic_publish(amqp.Message(body, **words), routing_key=queue)
                count += 1
    return count


class Crowd:
    """Clients of one project that all change one zone, over and over, until the end of the block.

    answers   how often each status was answered
    """

    def __init__(self, apis: Sequence[Api], zone_id: str, clients: int) -> None:
        headers = {"X-Auth-Project-ID": "crowd", "X-Auth-All-Projects": "true"}
        self._apis, self._path = [Api(api.url, headers) for api in apis], f"/v2/zones/{zone_id}"
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._heard: set[int] = set()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(clients)]
        self.answers: Counter[int | None] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a request has had no answer for 60 s"
        for api in self._apis:
            api.close()

    def all_heard(self) -> bool:
        """Whether each client has had an answer."""
        return len(self._heard) == len(self._threads)

    def _run(self, number: int) -> None:
        api = self._apis[number % len(self._apis)]
        while not self._ending.wait(1.0):
            status: int | None
            try:
                status, _ = api.ask("PATCH", self._path, {"description": f"of {number}"})
            except (OSError, http.client.HTTPException):
                status = None
            with self._lock:
                self.answers[status] += 1
                self._heard.add(number)


def wipe(bind: RealBind) -> None:
    """A machine that is set up anew: named is started without a zone, a journal or a list of zones."""
    bind.kill()
    for file in bind.folder.iterdir():
        if file.name not in KEPT_BY_A_WIPE:
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    bind.start()


def copy_database(source: Path, target: Path) -> None:
    """Put SQLite's files of one folder in the place of another's; nobody uses them."""
    for folder, act in ((target, Path.unlink), (source, lambda file: shutil.copy2(file, target))):
        for file in folder.glob("redesignate.db*"):
            act(file)


def together(work: Sequence[Callable[[], object]]) -> None:
    """Do several things at once, and wait for all."""
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def pass_time(seconds: float) -> None:
    """Let time go by while something is frozen: here time itself is the event."""
    threading.Event().wait(seconds)
