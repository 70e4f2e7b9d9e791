# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 messages as bytes (RFC 9112): requests are taken apart as they arrive, answers are put together. No sockets.

What is ambiguous is refused, never guessed: two lengths, two hosts, a folded line, a space before a colon. A server
before us might have read it otherwise, and what follows it as a request of somebody else.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from typing import IO, Any
from urllib.parse import unquote_to_bytes
from weakref import WeakSet
from wsgiref.types import WSGIEnvironment

MOST_HEAD = 65536
"""Octets of a request line with its header fields, and of a chunked body's trailer fields."""
MOST_FIELDS = 256
MOST_FILES = 16
"""Large bodies that are received at a time, a quarter of them of one address: each takes the disk, up to the limit."""
SLOW_S = 2.0
"""How long a large body is received before it may have to give way to another."""
MOST_LINE = 1024
"""Octets of the line before a chunk."""
DISCARDED = 32 * 2**20
"""Octets of a body beyond the limit that are read and discarded, since a client that is still sending would see a
reset instead of the answer. What is larger is answered at once."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods whose requests soon wait for their commit, if they are small. A read may take as long as it has rows."""
COMMON = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.errors": sys.stderr,
}
"""What the WSGI environment of every request says of a server of threads (PEP 3333)."""

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELDS = rf"((?:{_TOKEN}:[\t\x20-\x7e\x80-\xff]*\r\n)*)"
_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Z]+) ([\x21\x22\x24-\x7e\x80-\xff]+) HTTP/1\.([01])\r\n")
_HEAD = re.compile(_LINE.pattern + _FIELDS)
_TRAILER = re.compile(rf"{_TOKEN}:[\t\x20-\x7e\x80-\xff]*")
_FIELD = re.compile(r"([^:\r]+):([^\r]*)\r\n")
_URL = re.compile(
    r"(?i:https?)://((?:[\w.~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?)(/[^?]*)?(?:\?(.*))?", re.ASCII
)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_NOT_SHOWN = ""
_SINGLE = frozenset({"HTTP_HOST", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"})


class Malformed(Exception):
    """A request that is refused without being looked at, after which nothing more is read from its connection."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


@dataclass(slots=True, eq=False, weakref_slot=True)
class Request:
    """One request, of which the body may be yet to come.

    keeps     whether the connection stays open after the answer, as far as the client is concerned
    new       whether the client speaks HTTP/1.1, and not 1.0
    expects   whether the client waits for "100 Continue" before it sends the body
    left      octets of the body, or of the chunk, that are yet to come; None: a chunk's size is
    size      octets of the body, as far as they are known; where they are too many, `body` has none
    most      octets of a body that are kept: in `file`, if there is one, else in `body`
    began     when its file was opened (monotonic); `waits`: whether more of it is to come
    trails    whether only the trailer fields are yet to come; `trailer`: the octets that they take
    """

    environ: WSGIEnvironment
    keeps: bool
    new: bool = True
    expects: bool = False
    chunked: bool = False
    left: int | None = 0
    size: int = 0
    trails: bool = False
    trailer: int = 0
    most: int = 0
    body: bytearray = field(default_factory=bytearray)
    file: IO[bytes] | None = None
    began: float = 0.0
    waits: bool = True


_receiving: WeakSet[Request] = WeakSet()
"""The requests whose bodies are received in files."""
_filing = threading.Lock()  # held by whoever writes to these files, or closes that of another


@dataclass(slots=True, eq=False)
class Incoming:
    """The requests that arrive on one connection, whatever pieces its bytes come in.

    common    what stands in the WSGI environment of each
    most      octets of a body that are kept; of a larger one none, for it is answered with 413
    large     a path to which a POST may have so many octets; they are kept in a file
    more      whether there may be another whole request
    partial   whether anything has arrived that `whole` has not returned
    awaited   whether the client waits for "100 Continue", as `whole` last found it
    """

    common: Mapping[str, Any]
    most: int
    large: tuple[str, int] = ("", 0)
    more: bool = False
    partial: bool = False
    awaited: bool = False
    _buffer: bytearray = field(default_factory=bytearray)
    _looked: int = 0
    _request: Request | None = None

    def whole(self, octets: bytes = b"") -> Request | None:
        """The next request that has arrived whole, now that these have too, or is too large to be waited for.

        Raises Malformed.
        """
        buffer = self._buffer
        buffer += octets
        self.more, self.partial = False, True
        if self._request is None:
            while buffer.startswith(b"\r\n"):  # RFC 9112 §2.2
                del buffer[:2]
            end = buffer.find(b"\r\n\r\n", max(0, self._looked - 3))
            if (len(buffer) if end < 0 else end) > MOST_HEAD:
                raise Malformed(431, f"The header fields take more than {MOST_HEAD} octets")
            if end < 0:
                self._looked, self.partial = len(buffer), bool(buffer)
                return None
            self._request = _parse(buffer[: end + 2].decode("latin-1"), self.common)
            self._request.most = self.most
            if self.large[0] and re.sub("/+", "/", self._request.environ["PATH_INFO"]).rstrip("/") == self.large[0]:
                self._enlarge(self._request)
            del buffer[: end + 4]
            self._looked = 0
        request = self._request
        take = self._filed if request.file is not None else self._chunks if request.chunked else self._octets
        arrived = take(request)
        if not arrived and request.size <= (request.most if request.expects else max(request.most, DISCARDED)):
            self.awaited, request.expects = request.expects and not request.body, False
            return None
        self._request, self.awaited = None, False
        request.keeps = request.keeps and arrived
        self.more = self.partial = bool(buffer)
        if request.chunked:
            del request.environ["HTTP_TRANSFER_ENCODING"]
            request.environ["CONTENT_LENGTH"] = str(request.size)
        if request.file is None:
            request.environ["wsgi.input"] = io.BytesIO(request.body)
        else:
            with _filing:
                _see_open(request.file)
                request.waits = False
            request.file.seek(0)
            request.environ["wsgi.input"] = request.file
        return request

    def close(self) -> None:
        """Forget what has arrived of a request."""
        if self._request is not None and self._request.file is not None:
            self._request.file.close()

    def _enlarge(self, request: Request) -> None:
        """Let a request have a large body. Raises Malformed where too many have one, and none can give way."""
        if request.environ["REQUEST_METHOD"] != "POST" or not (request.chunked or self.most < request.size):
            return
        if request.size <= self.large[1]:
            with _filing:
                _make_place(request.environ.get("REMOTE_ADDR"))
                request.most, request.began = self.large[1], time.monotonic()
                request.file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by whoever has the request
                _receiving.add(request)

    def _filed(self, request: Request) -> bool:
        """Take what has arrived of a large body; whether that is all. Raises Malformed."""
        with _filing:
            assert request.file is not None
            _see_open(request.file)
            return self._chunks(request) if request.chunked else self._octets(request)

    def _octets(self, request: Request) -> bool:
        """Take what has arrived of the body, or of the chunk; whether that is all."""
        left = request.left or 0
        taken = self._buffer[:left]
        del self._buffer[:left]
        request.left = left - len(taken)
        if request.size <= request.most:
            keep: Callable[[bytearray], object] = request.body.extend if request.file is None else request.file.write
            keep(taken)
        return not request.left

    def _chunks(self, request: Request) -> bool:
        """Take what has arrived of a chunked body (RFC 9112 §7.1); whether that is all. Raises Malformed."""
        while not request.trails:
            if request.left is not None and not self._chunk_ends(request):
                return False
            line = self._line()
            if line is None:
                return False
            self._chunk_begins(request, line)
        while (line := self._line()) is not None:
            if not line:
                return True
            request.trailer += len(line)
            if request.trailer > MOST_HEAD or not _TRAILER.fullmatch(line.decode("latin-1")):
                raise Malformed(400, "A trailer field is malformed or too long")
        return False

    def _chunk_begins(self, request: Request, line: bytes) -> None:
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise Malformed(400, "The size of a chunk is malformed")
        request.left = int(found[1], 16)
        request.trails = request.left == 0
        request.size += request.left
        if request.size > request.most:
            request.body.clear()

    def _chunk_ends(self, request: Request) -> bool:
        """Take what has arrived of a chunk, and the line's end behind it; whether that is all."""
        if not self._octets(request) or len(self._buffer) < 2:
            return False
        if not self._buffer.startswith(b"\r\n"):
            raise Malformed(400, "A chunk is longer than its size says")
        del self._buffer[:2]
        request.left = None
        return True

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if (len(self._buffer) if end < 0 else end) > MOST_LINE:
            raise Malformed(400, f"A line of a chunked body takes more than {MOST_LINE} octets")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _see_open(file: IO[bytes]) -> None:
    if file.closed:
        raise Malformed(503, "Too many large requests are being received, and this was the slowest; retry.")


def _make_place(address: str | None) -> None:
    """See that one more file may be opened for an address: where it has its share, or all are taken, the upload that
    received least in a second gives way. Raises Malformed where there is none that has had its time."""
    open_ = [one for one in _receiving if one.file is not None and not one.file.closed]
    mine = [one for one in open_ if one.environ.get("REMOTE_ADDR") == address]
    if len(mine) < MOST_FILES // 4 and len(open_) < MOST_FILES:
        return
    now, some = time.monotonic(), mine if len(mine) >= MOST_FILES // 4 else open_
    slow = [(now - one.began, one.file) for one in some if one.waits and one.file and now - one.began >= SLOW_S]
    if not slow:
        raise Malformed(503, "Too many large requests are being received; retry.")
    min(slow, key=lambda one: one[1].tell() / one[0])[1].close()


def _parse(head: str, common: Mapping[str, Any]) -> Request:
    """A request whose body is yet to come. Raises Malformed."""
    found = _HEAD.fullmatch(head)
    if found is None:
        which = "A header field" if _LINE.match(head) else "The request line"
        raise Malformed(400, f"{which} is malformed (RFC 9112)")
    method, target, minor, listed = found.groups()
    environ = dict(common)
    fields = _FIELD.findall(listed)
    if len(fields) > MOST_FIELDS:
        raise Malformed(431, f"A request has at most {MOST_FIELDS} header fields")
    for name, value in fields:
        key = _key(name)
        if key not in environ:
            environ[key] = value.strip("\t ")
        elif key in _SINGLE:
            raise Malformed(400, f"Exactly one {name} header is required")
        else:
            environ[key] += ", " + value.strip("\t ")
    environ.pop(_NOT_SHOWN, None)
    environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"] = method, f"HTTP/1.{minor}"
    environ["PATH_INFO"], _, environ["QUERY_STRING"] = target.partition("?")
    if target[0] != "/" or target[:2] == "//" or "%" in target:
        _place(method, target, environ)
    new = minor == "1"
    if new and "HTTP_HOST" not in environ:
        raise Malformed(400, "Exactly one Host header is required")
    said = environ.get("HTTP_CONNECTION")
    words = () if said is None else said.lower().replace(" ", "").split(",")
    request = Request(environ, keeps="close" not in words if new else "keep-alive" in words, new=new)
    request.expects = new and environ.get("HTTP_EXPECT", "").lower() == "100-continue"
    length = environ.get("CONTENT_LENGTH", "0")  # RFC 9112 §6.3
    if not (length.isascii() and length.isdigit() and len(length) <= 18):
        raise Malformed(400, "Content-Length is not a number of octets")
    request.left = request.size = int(length)
    if "HTTP_TRANSFER_ENCODING" in environ:
        _decode(request, new=new)
    return request


def _decode(request: Request, *, new: bool) -> None:
    """Take the body as chunked. Raises Malformed where it is anything else."""
    if not new or "CONTENT_LENGTH" in request.environ:
        raise Malformed(400, "Transfer-Encoding is for version 1.1 alone, and is not allowed beside Content-Length")
    if request.environ["HTTP_TRANSFER_ENCODING"].lower() != "chunked":
        raise Malformed(501, "The only Transfer-Encoding that is understood is chunked")
    request.chunked, request.left = True, None


@lru_cache(maxsize=1024)
def _key(name: str) -> str:
    """The WSGI environment's key of a header field.

    A name with an underscore has none: it would be that of the name with a hyphen, which a proxy may have removed.
    """
    if "_" in name:
        return _NOT_SHOWN
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _place(method: str, target: str, environ: WSGIEnvironment) -> None:
    """Put right the path of a request; the host of an absolute target stands for the Host header (RFC 9112 §3.2.2).

    Raises Malformed.
    """
    path: str = environ["PATH_INFO"]
    if target[0] != "/" and (target != "*" or method != "OPTIONS"):
        url = _URL.fullmatch(target)
        if url is None:
            raise Malformed(400, "The target of the request is malformed")
        environ["HTTP_HOST"], path, environ["QUERY_STRING"] = url[1], url[2] or "/", url[3] or ""
    if path.startswith("//"):
        path = "/" + path.lstrip("/")
    environ["PATH_INFO"] = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")


# -- answers


def answer(
    status: str, headers: Iterable[tuple[str, str]], body: bytes | None, *, to: Request | None, keeps: bool
) -> bytes:
    """An answer with all its header fields; HEAD, 204 and 304 get no body.

    body     None: it comes in parts (`sent_in_parts`), of which the header fields tell
    to       the request; None: there is none that could be read
    Raises ValueError for a status or header that would break the message, or a body of another length than it says.
    """
    lines, said = [f"HTTP/1.1 {status}"], None
    for name, value in headers:
        lines.append(f"{name}: {value}")
        if name.lower() == "content-length":
            said = value
    bare = status.startswith(("204", "304"))
    head = to is not None and to.environ["REQUEST_METHOD"] == "HEAD"
    if body is None or bare or head:
        body = b""
    elif said is None:
        lines.append(f"Content-Length: {len(body)}")
    elif said != str(len(body)):
        raise ValueError(f"the answer has {len(body)} octets and says {said}")
    lines.append(_date(int(time.time())))
    if not keeps:
        lines.append("Connection: close")
    elif to is not None and not to.new:
        lines.append("Connection: keep-alive")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError("a header of the answer has more than one line")
    return text.encode("latin-1") + b"\r\n\r\n" + body


def sent_in_parts(parts: Iterable[bytes], *, to: Request) -> Iterator[bytes]:
    """The body of an answer whose length is not known before, as it is sent: each part a chunk (RFC 9112 §7.1), or for
    version 1.0 as it is, and then the connection's end ends it. Raises what the parts raise."""
    for part in filter(None, parts):  # an empty chunk would be the last
        yield b"%x\r\n%b\r\n" % (len(part), part) if to.new else part
    if to.new:
        yield b"0\r\n\r\n"


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}"
