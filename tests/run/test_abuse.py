# SPDX-License-Identifier: Apache-2.0
"""What no honest client sends, over real connections to `redesignate serve`: it is refused, and the memory of all of
its processes grows by less than GROWTH meanwhile. (That a body that is never whole is a 408: `test_http.py`.)"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.system import Sandbox, children

pytestmark = [pytest.mark.external, pytest.mark.timeout(180)]

GROWTH = 50 * 2**20
GIGABYTE = 2**30
AT_ONCE = 8
PIECE = b"x" * 2**18
HEAD = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n{more}\r\n"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Warm: each of the requests has been made once, in a small form."""
    with Sandbox(tmp_path_factory.mktemp("abuse")) as made:
        zone = made.api.zone("warm.example.")
        made.api.rrset(zone["id"], "www.warm.example.", "A", ["192.0.2.1"])
        together([lambda: body(made, "/v2/zones", b"[" * 100_000)] * AT_ONCE)
        yield made


def family(pid: int) -> list[int]:
    return [pid, *(one for child in children(pid) for one in family(child))]


def memory(system: Sandbox, field: str) -> int:
    """The octets of memory of all its processes: `VmRSS` now, `VmHWM` at most since `forget`."""
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in family(system.process.pid)]
    lines = [line for text in texts for line in text.splitlines() if line.startswith(field + ":")]
    return sum(int(line.split()[1]) * 1024 for line in lines)


@contextlib.contextmanager
def bounded(system: Sandbox) -> Iterator[None]:
    """The processes' memory at its most, in the block, is less than GROWTH beyond what it was before."""
    for pid in family(system.process.pid):
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # its most is counted anew
    before = memory(system, "VmRSS")
    yield
    assert memory(system, "VmHWM") - before < GROWTH
    assert system.api.ask("GET", "/v2/limits")[0] == 200


def together(acts: list[Callable[[], int]]) -> list[int]:
    """The statuses of requests that are sent at once."""
    found: list[int] = []
    threads = [threading.Thread(target=lambda act=act: found.append(act())) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(found) == len(acts), "a request has had no answer"
    return found


def sent(system: Sandbox, head: str, pieces: Iterator[bytes]) -> int:
    """Send a request until it is answered, or whole; the status."""
    with socket.create_connection(("127.0.0.1", system.port), timeout=60) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(head.encode())
            for piece in pieces:
                client.sendall(piece)
        said = b""
        with contextlib.suppress(ConnectionError):
            while b"\r\n" not in said and (some := client.recv(1000)):
                said += some
    return int(said.split()[1]) if said else 0


def body(system: Sandbox, path: str, data: bytes, kind: str = "application/json") -> int:
    head = HEAD.format(path=path, kind=kind, more=f"Content-Length: {len(data)}\r\n")
    return sent(system, head, iter([data]))


def of_a_gigabyte(*, chunked: bool) -> Iterator[bytes]:
    piece = f"{len(PIECE):x}\r\n".encode() + PIECE + b"\r\n" if chunked else PIECE
    for _ in range(GIGABYTE // len(PIECE)):
        yield piece


@pytest.mark.parametrize("path", ["/v2/zones", "/v2/zones/tasks/imports", "/v2/nothing"])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_of_a_gigabyte_are_refused(system: Sandbox, path: str, *, chunked: bool) -> None:
    kind = "text/dns" if "imports" in path else "application/json"
    more = "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {GIGABYTE}\r\n"
    head = HEAD.format(path=path, kind=kind, more=more)
    with bounded(system):
        statuses = together([lambda: sent(system, head, of_a_gigabyte(chunked=chunked))] * AT_ONCE)
    assert set(statuses) <= {0, 404, 413, 503}, statuses  # 0: cut off amid the body, which was too long to be read
    assert {404, 413} & set(statuses)


def test_a_zone_file_beyond_the_most_is_not_taken_for_its_beginning(system: Sandbox) -> None:
    line = b"$ORIGIN large.example.\n@ 900 IN SOA ns. a.large.example. 1 7200 900 86400 60\n"
    pieces = [line, *[b";" + b"x" * 2**20 + b"\n"] * 33, b"www.large.example. 900 IN A 192.0.2.1\n", b""]
    head = HEAD.format(path="/v2/zones/tasks/imports", kind="text/dns", more="Transfer-Encoding: chunked\r\n")
    assert sent(system, head, (f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)) == 413
    assert system.api.get("/v2/zones/tasks/imports")["imports"] == []


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 110_000,
        b'{"a":' * 20_000,
        b'{"name": "a.warm.example.", "type": "A", "records": [' + b'"192.0.2.1",' * 99_999 + b'"192.0.2.1"]}',
        b'{"name": "a.warm.example.", "type": "A", "records": [' + b'"1",' * 25_000 + b'"1"]}',
        b"[" + b"1," * 50_000 + b"1]",
        b'{"name": "' + b"a" * 100_000 + b'.warm.example.", "email": "a@b.example"}',
        b"1" * 110_000,
    ],
    ids=["deep lists", "deep objects", "100,000 records", "25,000 records", "50,000 numbers", "a name", "a number"],
)
def test_bodies_that_are_deep_or_long_are_refused(system: Sandbox, data: bytes) -> None:
    (zone,) = system.api.get("/v2/zones?name=warm.example.")["zones"]
    with bounded(system):
        for path in ("/v2/zones", f"/v2/zones/{zone['id']}/recordsets"):
            statuses = together([lambda path=path: body(system, path, data)] * AT_ONCE)  # type: ignore[misc]  # bound
            assert all(400 <= status < 500 for status in statuses), statuses


@pytest.mark.parametrize("fields", ["".join(f"X-{n}: y\r\n" for n in range(100_000)), f"X: {'y' * 2**24}\r\n"])
def test_a_flood_of_header_fields_is_refused(system: Sandbox, fields: str) -> None:
    head = HEAD.format(path="/v2/zones", kind="application/json", more=fields)
    with bounded(system):
        statuses = together([lambda: sent(system, head, iter(()))] * AT_ONCE)
    assert set(statuses) <= {0, 431}, statuses
    assert 431 in statuses


def test_many_bodies_that_never_end_take_little(system: Sandbox) -> None:
    """A body of the most that is allowed but for its last octet, on each of many connections."""
    head = HEAD.format(path="/v2/zones", kind="application/json", more="Content-Length: 114688\r\n").encode()
    with bounded(system), contextlib.ExitStack() as held:
        for _ in range(300):
            client = held.enter_context(socket.create_connection(("127.0.0.1", system.port), timeout=60))
            client.sendall(head + b"[" * 114_687)
        assert system.api.ask("GET", "/v2/limits")[0] == 200
