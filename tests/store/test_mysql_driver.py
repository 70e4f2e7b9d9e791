# SPDX-License-Identifier: Apache-2.0
"""MariaDB and MySQL are reached through mysqlclient where it is installed, and all that an operator's URL says, and
all that protects the waiting, is the same through PyMySQL."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from redesignate.model.errors import Misconfigured, Unavailable
from redesignate.store import migrate, mysql_driver
from redesignate.store.engine import EngineOptions, engine, normalised
from redesignate.store.mysql_driver import MYSQLCLIENT, PYMYSQL, arguments, at_work
from redesignate.store.unit import Retries, Store, Work
from tests.faults.drills import frozen
from tests.store.makers import add, zone
from tests.support.certificates import certify
from tests.support.mariadb import MariaDB
from tests.support.servers import LOOPBACK

EACH = (pytest.param("mysqlclient", marks=pytest.mark.mysqlclient), "pymysql")


@pytest.mark.mysqlclient
@pytest.mark.parametrize(
    ("url", "driver", "host"),
    [
        ("mysql://u:p@db/d", MYSQLCLIENT, "db"),
        ("mysql+pymysql://u:p@db/d?charset=utf8", MYSQLCLIENT, "db"),
        ("mysql+mysqldb://u:p@db/d", MYSQLCLIENT, "db"),
        ("mysql+oursql://u:p@db/d", MYSQLCLIENT, "db"),
        ("mysql+pymysql://u:p@db/d?driver=mysqlclient", MYSQLCLIENT, "db"),
        ("mysql+mysqldb://u:p@db/d?driver=pymysql", PYMYSQL, "db"),
        ("mysql://u:p@db/d?ssl_ca=/ca&ssl_cert=/c&ssl_key=/k", MYSQLCLIENT, "db"),
        ("mysql://u:p@db/d?ssl_cert=/c&ssl_key=/k", PYMYSQL, "db"),
        ("mysql://u:p@db/d?ssl_ca=/ca&ssl_check_hostname=false", PYMYSQL, "db"),
        ("mysql://u:p@db/d?ssl_verify_cert=true", PYMYSQL, "db"),
        ("mysql://u:p@localhost/d", MYSQLCLIENT, "LOCALHOST"),
        ("mysql://u:p@/d", MYSQLCLIENT, "LOCALHOST"),
        ("mysql://u:p@db/d?unix_socket=/s", MYSQLCLIENT, "localhost"),
        ("mysql://u:p@db/d?unix_socket=/s&ssl_ca=/ca", PYMYSQL, "db"),
        ("mysql://u:p%C3%A4%C3%9F@db/d", PYMYSQL, "db"),
    ],
)
def test_mysqlclient_is_used_where_it_does_all_that_the_url_says(url: str, driver: str, host: str) -> None:
    found = normalised(url)
    assert (found.drivername, found.host) == (driver, host)
    assert "driver" not in found.query


def test_pymysql_is_used_where_mysqlclient_is_not_installed_and_the_log_can_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "MySQLdb", None)
    mysql_driver._missing.cache_clear()
    try:
        store = Store("mysql://u:secret@db/d")
        assert store.engine.url.drivername == PYMYSQL
        assert store.driver == {"used": "pymysql", "not_mysqlclient": "it is not installed"}
        with pytest.raises(Misconfigured, match="not installed"):
            normalised("mysql://u:secret@db/d?driver=mysqlclient")
    finally:
        mysql_driver._missing.cache_clear()


@pytest.mark.mysqlclient
def test_only_the_library_that_was_tried_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    import MySQLdb

    for version, used in (("3.3.8", MYSQLCLIENT), ("3.4.5", PYMYSQL), ("3.1.20", PYMYSQL), ("8.4.0", PYMYSQL)):
        monkeypatch.setattr(MySQLdb, "get_client_info", lambda version=version: version)
        mysql_driver._missing.cache_clear()
        assert normalised("mysql://u:p@127.0.0.1/d?ssl_ca=/ca").drivername == used
    mysql_driver._missing.cache_clear()


@pytest.mark.mysqlclient
def test_the_log_names_the_drivers_of_replicas_too() -> None:
    store = Store("mysql://u:p@db1/d", read_urls=["mysql://u:p@db2/d", "mysql://u:p@db3/d?ssl_verify_cert=true"])
    assert store.driver == {"used": "mysqldb, pymysql", "not_mysqlclient": "it does not heed ssl_verify_cert"}
    assert Store("mysql://u:p@db1/d", read_urls=["mysql://u:p@db2/d"]).driver == {"used": "mysqldb"}


@pytest.mark.parametrize("limit", ["0", "-1", "ten", "1.5", "31536001", "1&connect_timeout=2"])
def test_a_time_limit_that_is_none_is_refused(limit: str) -> None:
    for driver in ("", "&driver=pymysql"):
        with pytest.raises(Misconfigured, match="connect_timeout must be 1 to"):
            engine(f"mysql://u:p@db/d?connect_timeout={limit}{driver}", writes=True)


def test_a_driver_that_is_not_known_is_refused() -> None:
    with pytest.raises(Misconfigured, match="driver=pymysql or driver=mysqlclient"):
        normalised("mysql://u:secret@db/d?driver=asyncmy")


class Connected:
    """What of a connection of PyMySQL `at_work` sets."""

    _read_timeout: int | None = 0


@pytest.mark.parametrize("driver", EACH)
@pytest.mark.parametrize(
    ("more", "statement_s", "connect", "read", "write"),
    [
        ("", 60, 10, 70, 70),
        ("", 0, 10, None, None),
        ("&read_timeout=7&connect_timeout=3", 60, 3, 7, 70),
        ("&read_timeout=7&connect_timeout=3", 0, 3, 7, None),
    ],
)
def test_an_answer_is_waited_for_as_long_as_the_server_may_take_and_a_little_longer(
    driver: str, more: str, statement_s: int, connect: int, read: int | None, write: int | None
) -> None:
    url, made = normalised(f"mysql://u:p@db/d?driver={driver}{more}"), Connected()
    given = arguments(url, statement_s, writes=True)
    at_work(made, url, statement_s)
    assert (given["connect_timeout"], given.get("write_timeout")) == (connect, write)
    if driver == "pymysql":
        assert (given["read_timeout"], made._read_timeout) == (connect, read)
    else:
        assert (given.get("read_timeout"), made._read_timeout) == (read, 0)


# -- at real servers


@pytest.fixture(params=EACH)
def driver(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def own_server() -> Iterator[MariaDB]:
    server = MariaDB.create()
    yield server
    server.close()


@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    """Of an authority and of `localhost`, in a folder that the server's user can read; and in `other`, strangers'."""
    folder = Path(tempfile.mkdtemp(prefix="redesignate-tls-"))
    (folder / "other").mkdir()
    for one in (folder, folder / "other"):
        for file in certify(one, "localhost"):
            file.chmod(0o644)
        one.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def tls_server(certificates: Path) -> Iterator[MariaDB]:
    class Encrypted(MariaDB):
        def command(self) -> list[str]:
            files = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
            return [*super().command(), *(f"--ssl-{what}={certificates / file}" for what, file in files.items())]

    server = Encrypted.create()
    yield server
    server.close()


def ask(url: str, question: str = "SHOW SESSION STATUS LIKE 'Ssl_cipher'") -> Any:
    """The last value of the answer, through an engine of the product's."""
    made = engine(url, writes=False)
    try:
        with made.connect() as connection:
            return connection.execute(text(question)).all()[-1][-1]
    finally:
        made.dispose()


def url_of(server: MariaDB, driver: str, more: str = "", host: str = LOOPBACK) -> str:
    return f"mysql://root@{host}:{server.port}/?driver={driver}{more}"


@pytest.mark.external
def test_a_server_that_offers_tls_is_spoken_to_over_it_and_another_in_the_clear(
    driver: str, own_server: MariaDB, tls_server: MariaDB
) -> None:
    assert ask(url_of(tls_server, driver)).startswith("TLS_")
    assert ask(url_of(own_server, driver)) == ""


@pytest.mark.external
def test_with_an_authority_named_only_the_right_server_is_spoken_to(
    driver: str, own_server: MariaDB, tls_server: MariaDB, certificates: Path
) -> None:
    ours, other = f"&ssl_ca={certificates}/ca.pem", f"&ssl_ca={certificates}/other/ca.pem"
    assert ask(url_of(tls_server, driver, ours, "localhost")).startswith("TLS_")
    for server, parameters, host in (
        (tls_server, other, "localhost"),  # of another authority
        (tls_server, ours, LOOPBACK),  # of another name
        (own_server, ours, "localhost"),  # without TLS
        (tls_server, "&ssl_ca=/nonexistent", "localhost"),
    ):
        with pytest.raises((DBAPIError, OSError)):
            ask(url_of(server, driver, parameters, host))


@pytest.mark.external
def test_a_certificate_of_our_own_is_shown(driver: str, tls_server: MariaDB, certificates: Path) -> None:
    tls_server.execute("CREATE OR REPLACE USER shown@'%' REQUIRE SUBJECT '/CN=localhost'")
    ours = f"&ssl_ca={certificates}/ca.pem"
    mine = f"{ours}&ssl_cert={certificates}/cert.pem&ssl_key={certificates}/key.pem"
    assert ask(url_of(tls_server, driver, mine, "localhost").replace("root@", "shown@")).startswith("TLS_")
    with pytest.raises(DBAPIError):
        ask(url_of(tls_server, driver, ours, "localhost").replace("root@", "shown@"))


@pytest.mark.external
def test_a_unix_socket_is_used_where_it_is_named_and_localhost_is_a_host(driver: str, own_server: MariaDB) -> None:
    socket = f"&unix_socket={own_server.folder}/socket"
    user = "SELECT SUBSTRING_INDEX(host, ':', 1) FROM information_schema.processlist WHERE id = CONNECTION_ID()"
    assert ask(f"mysql://root@elsewhere.invalid/?driver={driver}{socket}", user) == "localhost"
    assert ask(url_of(own_server, driver, host="localhost"), user) == LOOPBACK


@pytest.mark.external
def test_who_reads_sends_one_statement_at_a_time_and_nobody_a_file_of_ours(driver: str, own_server: MariaDB) -> None:
    for question in ("SELECT 1; SELECT 2", "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE mysql.func"):
        with pytest.raises(DBAPIError):
            ask(url_of(own_server, driver), question)


@pytest.mark.external
@pytest.mark.mysqlclient
def test_several_rows_are_updated_in_one_message(own_server: MariaDB) -> None:
    made = engine(url_of(own_server, "mysqlclient"), writes=True)
    with made.connect() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE test.numbers (k INT PRIMARY KEY, v INT)"))
        connection.execute(text("INSERT INTO test.numbers VALUES (1, 1), (2, 2), (3, 3)"))
        driver_connection: Any = connection.connection.dbapi_connection
        sent: list[bytes] = []
        cursor = driver_connection.cursor()
        send = cursor._query

        def noted(query: bytes) -> Any:
            sent.append(query)
            return send(query)

        cursor._query = noted
        cursor.executemany("UPDATE test.numbers SET v = v + %s WHERE k = %s", [(1, 1), (1, 3), (1, 4)])
        assert (len(sent), cursor.rowcount) == (1, 2)
    made.dispose()


@pytest.mark.external
def test_octets_of_every_value_are_stored_as_they_are(driver: str, own_server: MariaDB) -> None:
    made = engine(url_of(own_server, driver), writes=True)
    octets = bytes(range(256))
    with made.connect() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE test.octets (o BLOB, t TEXT) CHARACTER SET utf8mb4"))
        connection.execute(text("INSERT INTO test.octets VALUES (:o, :t)"), {"o": octets, "t": "\U0001f600'\\%"})
        assert connection.execute(text("SELECT o, t FROM test.octets")).one() == (octets, "\U0001f600'\\%")
    made.dispose()


CONNECT_S, READ_S = 1, 4
SLACK_S = 2.5
"""For a busy machine: what is waited for otherwise than meant takes longer."""


@pytest.fixture(params=["clear", "tls"])
def freezable(request: pytest.FixtureRequest) -> MariaDB:
    """A server that is spoken to in the clear, and one over TLS."""
    name = {"clear": "own_server", "tls": "tls_server"}[request.param]
    server: MariaDB = request.getfixturevalue(name)
    return server


@contextmanager
def done_within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + SLACK_S


def frozen_store(server: MariaDB, driver: str) -> Store:
    limits = f"read_timeout={READ_S}&write_timeout=4&connect_timeout={CONNECT_S}"
    url = f"{server.database()}?driver={driver}&{limits}"
    migrate.upgrade(url.partition("&")[0])
    return Store(url, retries=Retries(attempts=2), options=EngineOptions(pool_size=1, max_overflow=1))


@pytest.mark.external
def test_a_database_that_is_frozen_is_a_503_in_time_and_comes_back(driver: str, freezable: MariaDB) -> None:
    store, one = frozen_store(freezable, driver), zone()
    add(store, one)
    unlimited = store.url.replace(f"read_timeout={READ_S}&", "")
    asks: list[tuple[float, Callable[[], object]]] = [
        (
            READ_S + CONNECT_S,
            lambda: store.look(lambda work: work.zones.get(one.id)),
        ),  # on one that was open, a new one
        (CONNECT_S, lambda: store.look(lambda work: work.zones.get(one.id))),
        (CONNECT_S, lambda: migrate.current(unlimited)),
        (CONNECT_S, lambda: migrate.upgrade(unlimited)),
    ]
    with frozen(freezable.pid):
        for seconds, each in asks:
            with done_within(seconds), pytest.raises(Unavailable, match=r"The database .*(unavailable|cannot be used)"):
                each()
    assert store.look(lambda work: work.zones.get(one.id))[1] == one
    add(store, zone())
    store.close()


@pytest.mark.external
def test_an_answer_may_take_longer_than_a_connection(driver: str, freezable: MariaDB) -> None:
    store = frozen_store(freezable, driver)
    with store.view() as connection:
        assert connection.execute(text(f"SELECT SLEEP({CONNECT_S + 1})")).scalar() == 0
    store.close()


@pytest.mark.external
def test_a_commit_that_a_frozen_database_does_not_answer_is_unclear_and_its_connection_is_dropped(
    driver: str, freezable: MariaDB
) -> None:
    store, one, tries = frozen_store(freezable, driver), zone(), []
    with ExitStack() as end, done_within(READ_S):

        def do(work: Work) -> None:
            tries.append(1)
            work.zones.add(one, apex_version=1, rrsets=0)
            end.enter_context(frozen(freezable.pid))

        with pytest.raises(Unavailable, match="may have been saved"):
            store.transact(do)
    assert len(tries) == 1
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    store.close()


@pytest.mark.external
@pytest.mark.parametrize("at_commit", [False, True])
def test_a_connection_that_the_server_closes_is_a_lost_one(driver: str, at_commit: bool, freezable: MariaDB) -> None:
    store, one = frozen_store(freezable, driver), zone()
    tries: list[int] = []

    def do(work: Work) -> None:
        if not tries:
            freezable.execute(f"KILL {work.conn.execute(text('SELECT CONNECTION_ID()')).scalar()}")
        tries.append(1)
        if not (at_commit and len(tries) == 1):
            work.zones.add(one, apex_version=1, rrsets=0)

    if at_commit:
        with pytest.raises(Unavailable, match="may have been saved"):
            store.transact(do)
        assert len(tries) == 1
    else:
        store.transact(do)
        assert len(tries) == 2, "run again on a new connection"
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    store.close()


WAITING = """
import signal
import sys
from sqlalchemy import text
from redesignate.store import migrate

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins with it ignored
with migrate._connected(migrate._interruptible(sys.argv[1]), migrate._PATIENT) as connection:
    print("waiting", flush=True)
    connection.execute(text("SELECT SLEEP(30)"))
"""


@pytest.mark.external
def test_an_upgrade_that_waits_is_ended_by_an_interrupt(driver: str, own_server: MariaDB) -> None:
    command = [sys.executable, "-c", WAITING, url_of(own_server, driver)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "waiting\n"
        asked = "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'SELECT SLEEP(30)'"
        deadline = time.monotonic() + 20
        while not ask(url_of(own_server, "pymysql"), asked):
            assert time.monotonic() < deadline
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(10) != 0
