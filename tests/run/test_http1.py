# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 messages: however their bytes are cut they mean the same, and what could mean two things is refused."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any
from weakref import WeakSet

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.run import http1
from redesignate.run.http1 import (
    DISCARDED,
    MOST_FIELDS,
    MOST_FILES,
    MOST_HEAD,
    SLOW_S,
    Incoming,
    Malformed,
    Request,
    answer,
)

MOST = 100
FAST = settings(deadline=None)


def seen(pieces: Sequence[bytes], *, most: int = MOST) -> list[dict[str, Any] | int]:
    """What an application would see of each request; a refusal as its status, after which nothing is read."""
    incoming, found = Incoming({"wsgi.url_scheme": "http"}, most=most), list[dict[str, Any] | int]()
    for piece in pieces:
        try:
            request = incoming.whole(piece)
            while request is not None:
                body = request.environ.pop("wsgi.input").read()
                found.append({**request.environ, "body": body, "keeps": request.keeps})
                if not request.keeps:
                    return found
                request = incoming.whole()
        except Malformed as refused:
            return [*found, refused.status]
    return found


def cut(octets: bytes, places: Sequence[int]) -> list[bytes]:
    """The bytes in pieces."""
    at = [0, *sorted(place % (len(octets) + 1) for place in places), len(octets)]
    return [octets[one:two] for one, two in pairwise(at)]


def chunked(pieces: Sequence[bytes], trailer: bytes) -> bytes:
    """A chunked body (RFC 9112 §7.1)."""
    parts = [b"%x;note=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece]
    return b"".join(parts) + b"0\r\n" + trailer + b"\r\n"


BODIES = st.binary(max_size=150)
REQUESTS = st.one_of(
    st.builds(
        lambda path: b"GET /%d?a=b HTTP/1.1\r\nHost: a\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n" % path, st.integers(0)
    ),
    st.builds(
        lambda body: b"\r\nPOST /p HTTP/1.1\r\nHost:\ta \r\nContent-Length: %d\r\n\r\n%s" % (len(body), body), BODIES
    ),
    st.builds(
        lambda parts, trailer: (
            b"PUT /c%20d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n" + chunked(parts, trailer)
        ),
        st.lists(BODIES, max_size=4),
        st.sampled_from([b"", b"X-Sum: 5\r\n"]),
    ),
    st.just(b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    st.just(b"GET //last HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n"),
)


@FAST
@given(st.lists(REQUESTS, max_size=5), st.lists(st.integers(0, 10**6), max_size=12))
def test_however_requests_are_cut_they_are_the_same(requests: list[bytes], places: list[int]) -> None:
    octets = b"".join(requests)
    assert seen(cut(octets, places)) == seen([octets])


def test_cut_at_every_octet_requests_are_the_same() -> None:
    octets = (
        b"PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked([b"ab", b"c" * 20], b"T: 1\r\n")
    ) + b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyzGET / HTTP/1.1\r\nHost: a\r\n\r\n"
    whole = seen([octets])
    assert [one["body"] for one in whole if isinstance(one, dict)] == [b"ab" + b"c" * 20, b"xyz", b""]
    assert seen([octets[at : at + 1] for at in range(len(octets))]) == whole
    for at in range(len(octets)):
        assert seen([octets[:at], octets[at:]]) == whole


@FAST
@given(st.lists(st.binary(max_size=80) | REQUESTS | st.sampled_from([b"\r\n\r\n", b"GET / HTTP/1.1\r\n"]), max_size=8))
def test_whatever_arrives_is_a_request_or_refused(pieces: list[bytes]) -> None:
    for one in seen(pieces):
        assert one in (400, 431, 501) if isinstance(one, int) else one["REQUEST_METHOD"]


def test_a_request_is_what_it_says() -> None:
    octets = (
        b"PATCH /v2/zones/a%2Fb%C3%A9?name=%20x HTTP/1.1\r\nHost: dns.example:9001\r\nX-Auth-Token:  s ecret \r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\nX_Auth_Token: other\r\nEmpty:\r\n\r\n{}"
    )
    assert seen([octets]) == [
        {
            "wsgi.url_scheme": "http",
            "REQUEST_METHOD": "PATCH",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "PATH_INFO": "/v2/zones/a/bÃ©",
            "QUERY_STRING": "name=%20x",
            "HTTP_HOST": "dns.example:9001",
            "HTTP_X_AUTH_TOKEN": "s ecret",
            "HTTP_EMPTY": "",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": "2",
            "body": b"{}",
            "keeps": True,
        }
    ]


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("http://other:80/v2?x=1", ("other:80", "/v2", "x=1")),
        ("HTTP://[::1]:9001", ("[::1]:9001", "/", "")),
        ("https://o?y", ("o", "/", "y")),
        ("//v2//x", ("a", "/v2//x", "")),
        ("/?a?b", ("a", "/", "a?b")),
    ],
)
def test_the_target_of_a_request_names_its_place(target: str, place: tuple[str, str, str]) -> None:
    """RFC 9112 §3.2: an absolute target's host stands for the Host header."""
    (one,) = seen([f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()])
    assert isinstance(one, dict)
    assert (one["HTTP_HOST"], one["PATH_INFO"], one["QUERY_STRING"]) == place


POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "octets",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        POST + b"Content-Length: 5, 5\r\n\r\nabcde",
        POST + b"Content-Length: +5\r\n\r\nabcde",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 0x5\r\n\r\nabcde",
        POST + b"Content-Length: 1_0\r\n\r\n0123456789",
        POST + b"Content-Length: \xb2\r\n\r\nab",
        POST + b"Content-Length:\r\n\r\n",
        POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
        POST + b"Content-Length : 5\r\n\r\nabcde",
        POST + b" Content-Length: 5\r\n\r\nabcde",
        POST + b"X: a\r\n folded\r\n\r\n",
        POST + b"X: a\nContent-Length: 5\r\n\r\nabcde",
        POST + b"X: a\rContent-Length: 5\r\n\r\nabcde",
        POST + b"X: a\0b\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n",
        POST + b"Host: b\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
        b"GET / http/1.1\r\nHost: a\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / a HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET a.example:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        CHUNKED + b"-1\r\n\r\n",
        CHUNKED + b"0x1\r\na\r\n0\r\n\r\n",
        CHUNKED + b"\r\n\r\n",
        CHUNKED + b"1\nab\r\n0\r\n\r\n",
        CHUNKED + b"2\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"2\r\nab0\r\n\r\n",
        CHUNKED + b"000000001\r\na\r\n0\r\n\r\n",
        CHUNKED + b"1;" + b"x" * 2000,
        CHUNKED + b"1;a\0\r\na\r\n0\r\n\r\n",
        CHUNKED + b"0\r\nno colon\r\n\r\n",
        CHUNKED + b"0\r\n" + b"X: " + b"a" * 900 + b"\r\n" + b"X: a\r\n" * 20_000,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * MOST_HEAD + b"\r\n\r\n",
        b"a" * (MOST_HEAD + 1),
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * MOST_FIELDS + b"\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(octets: bytes) -> None:
    (one,) = seen([octets + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"])
    assert one in (400, 431, 501), one


def test_what_is_smuggled_in_a_body_is_no_request() -> None:
    inner = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    octets = POST + b"Content-Length: %d\r\n\r\n%s" % (len(inner), inner)
    (one,) = seen([octets])
    assert isinstance(one, dict)
    assert one["body"] == inner


def whole(octets: bytes, *, most: int = MOST) -> Request | None:
    """The one request that these begin."""
    incoming = Incoming({}, most=most)
    return incoming.whole(octets)


def test_of_a_body_beyond_the_limit_nothing_is_kept_and_its_length_is_told() -> None:
    for head, body in (
        (POST + b"Content-Length: 101\r\n\r\n", b"a" * 101),
        (CHUNKED, chunked([b"a" * 60, b"b" * 41], b"")),
    ):
        assert whole(head + body[:-1]) is None
        found = whole(head + body)
        assert found is not None
        assert found.keeps
        assert (found.environ["CONTENT_LENGTH"], found.environ["wsgi.input"].read()) == ("101", b"")


def test_what_is_far_too_large_or_first_asks_whether_it_may_be_sent_is_not_waited_for() -> None:
    for octets in (
        POST + b"Content-Length: %d\r\n\r\n" % (DISCARDED + 1),
        POST + b"Content-Length: 101\r\nExpect: 100-continue\r\n\r\n",
        CHUNKED + b"%x\r\n" % (DISCARDED + 1),
    ):
        found = whole(octets)
        assert found is not None
        assert not found.keeps
        assert int(found.environ["CONTENT_LENGTH"]) > MOST


def test_a_client_that_waits_for_100_continue_is_known_once() -> None:
    incoming = Incoming({}, most=MOST)
    assert incoming.whole(POST + b"Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n") is None
    assert incoming.awaited
    assert incoming.whole() is None
    assert not incoming.awaited
    assert incoming.whole(b"ab") is not None


def test_a_body_that_arrives_octet_by_octet_costs_no_more_than_its_length() -> None:
    incoming = Incoming({}, most=2**20)
    found = incoming.whole(POST + b"Content-Length: 100000\r\n\r\n")
    for _ in range(100_000):
        assert found is None
        found = incoming.whole(b"a")
    assert found is not None
    assert len(found.environ["wsgi.input"].read()) == 100_000


# -- large bodies

UPLOAD = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx"


def begun(address: str, head: bytes = UPLOAD) -> Incoming:
    """A connection from an address on which a large body has begun."""
    incoming = Incoming({"REMOTE_ADDR": address}, MOST, ("/upload", 1000))
    assert incoming.whole(head) is None
    return incoming


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time, which the test moves. No large body is received before."""
    now, files, temporary = [1000.0], list[Any](), tempfile.TemporaryFile

    def opened() -> Any:
        files.append(temporary())
        return files[-1]

    monkeypatch.setattr(http1, "_receiving", WeakSet())
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(tempfile, "TemporaryFile", opened)
    yield now
    for file in files:
        file.close()


def refuses(do: Callable[[], object]) -> bool:
    try:
        do()
    except Malformed as refused:
        return refused.status == 503
    return False


@pytest.mark.usefixtures("moved")
def test_one_address_has_a_share_of_the_places_for_large_bodies() -> None:
    held = [begun("192.0.2.66") for _ in range(MOST_FILES // 4)]
    assert refuses(lambda: begun("192.0.2.66"))
    other = begun("192.0.2.1")
    found = other.whole(b"x" * 999)
    assert found is not None
    assert len(held) == MOST_FILES // 4


def test_where_no_place_is_left_the_slowest_upload_gives_way(moved: list[float]) -> None:
    held = [begun(f"192.0.2.{number // 4}") for number in range(MOST_FILES)]
    assert refuses(lambda: begun("192.0.2.99"))
    moved[0] += SLOW_S
    for number, one in enumerate(held):
        assert one.whole(b"x" * (0 if number == 7 else 100)) is None
    later = begun("192.0.2.99")
    assert refuses(lambda: held[7].whole(b"x"))
    assert held[6].whole(b"x" * 899) is not None
    assert later.whole(b"x" * 999) is not None
    mine = [begun("192.0.2.50", UPLOAD[:-1])]
    assert len(mine) == 1


def test_an_upload_that_is_whole_keeps_its_place(moved: list[float]) -> None:
    whole_ = [begun("192.0.2.66").whole(b"x" * 999) for _ in range(MOST_FILES // 4)]
    moved[0] += 100 * SLOW_S
    assert refuses(lambda: begun("192.0.2.66"))
    for one in whole_:
        assert one is not None
        assert len(one.environ["wsgi.input"].read()) == 1000


@pytest.mark.usefixtures("moved")
def test_the_path_of_large_bodies_may_end_with_a_slash() -> None:
    found = begun("192.0.2.1", UPLOAD.replace(b"/upload", b"/upload/")).whole(b"x" * 999)
    assert found is not None
    assert found.file is not None


# -- answers


def asked(line: str) -> Request:
    found = whole(f"{line}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n".encode())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("line", "status", "body"),
    [
        ("GET / HTTP/1.1", "200 OK", b"four"),
        ("HEAD / HTTP/1.1", "200 OK", b""),
        ("DELETE / HTTP/1.1", "204 No Content", b""),
        ("GET / HTTP/1.1", "304 Not Modified", b""),
    ],
)
def test_an_answer_has_a_body_where_it_may(line: str, status: str, body: bytes) -> None:
    headers, _, content = answer(status, [("X-A", "b")], b"four", to=asked(line), keeps=True).partition(b"\r\n\r\n")
    assert headers.startswith(f"HTTP/1.1 {status}\r\nX-A: b\r\n".encode())
    assert content == body
    assert (b"Content-Length: 4" in headers) == bool(body)
    assert b"\r\nDate: " in headers
    assert b"Connection" not in headers


def test_an_answer_says_whether_the_connection_stays() -> None:
    old, new = asked("GET / HTTP/1.0"), asked("GET / HTTP/1.1")
    assert b"Connection: keep-alive" in answer("200 OK", [], b"", to=old, keeps=True)
    for one in (old, new, None):
        assert b"Connection: close" in answer("200 OK", [], b"", to=one, keeps=False)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("200 OK\r\nX: y", []),
        ("200 OK", [("X", "a\r\nSet-Cookie: b")]),
        ("200 OK", [("X", "a\nb")]),
        ("200 OK", [("X\r", "a")]),
        ("200 OK", [("Content-Length", "3")]),
    ],
)
def test_an_answer_that_would_break_the_message_is_not_sent(status: str, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError):
        answer(status, headers, b"four", to=None, keeps=True)
