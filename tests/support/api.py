# SPDX-License-Identifier: Apache-2.0
"""A small client of the API for tests: JSON in, JSON out, one kept connection a thread, waiting by asking."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

Answer = tuple[int, Any]


class Api:
    """One project's view of a running API. Safe for use from many threads."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        self._headers = {"Content-Type": "application/json"} | dict(headers or {})
        self._host = urlsplit(url).netloc
        self._local = threading.local()
        self._made: list[http.client.HTTPConnection] = []

    def ask(self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Status and decoded body."""
        response, text = self._exchange(method, path, body, headers)
        kind = response.headers.get("Content-Type", "")
        return response.status, json.loads(text) if text and "json" in kind else text.decode()

    def ask_headers(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, str]]:
        """Status and headers, their names as in "Retry-After"."""
        response, _ = self._exchange(method, path, body, None)
        return response.status, {name.title(): value for name, value in response.headers.items()}

    def _exchange(
        self, method: str, path: str, body: object, headers: Mapping[str, str] | None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """One request. A dropped connection is opened anew once, for reading requests only."""
        data = None if body is None else json.dumps(body)
        for last in (False, True):
            connection = self._connection()
            try:
                connection.request(method, path, data, self._headers | dict(headers or {}))
                response = connection.getresponse()
                text = response.read()
            except (ConnectionError, http.client.HTTPException, OSError):
                connection.close()
                if last or method != "GET":
                    raise
                continue
            return response, text
        raise AssertionError("unreachable")

    def get(self, path: str) -> Any:
        """The body of a 200."""
        status, body = self.ask("GET", path)
        assert status == 200, (path, status, body)
        return body

    def post(self, path: str, body: object) -> Any:
        """The body of a 201 or 202."""
        status, answer = self.ask("POST", path, body)
        assert status in (201, 202), (path, status, answer)
        return answer

    def zone(self, name: str, **more: Any) -> Any:
        """Create a zone."""
        return self.post("/v2/zones", {"name": name, "email": "hostmaster@example.org"} | more)

    def rrset(self, zone_id: str, name: str, rrtype: str, records: list[str], **more: Any) -> Any:
        """Create a record set."""
        return self.post(f"/v2/zones/{zone_id}/recordsets", {"name": name, "type": rrtype, "records": records} | more)

    def active(self, zone_id: str, *, timeout: float = 20.0) -> Any:
        """Wait until a zone is ACTIVE."""
        return self.until(f"/v2/zones/{zone_id}", lambda zone: zone["status"] == "ACTIVE", timeout=timeout)

    def gone(self, path: str, *, timeout: float = 20.0) -> None:
        """Wait until a path answers 404."""
        deadline = time.monotonic() + timeout
        while self.ask("GET", path)[0] != 404:
            assert time.monotonic() < deadline, f"{path} is still there"
            time.sleep(0.02)

    def until(self, path: str, holds: Callable[[Any], bool], *, timeout: float = 20.0) -> Any:
        """Ask a path again and again until what it answers holds."""
        deadline = time.monotonic() + timeout
        while True:
            body = self.get(path)
            if holds(body):
                return body
            assert time.monotonic() < deadline, f"{path} is still {body}"
            time.sleep(0.02)

    def close(self) -> None:
        """Close every thread's connection."""
        for connection in self._made:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection(self._host, timeout=60)
            self._made.append(self._local.connection)
        made: http.client.HTTPConnection = self._local.connection
        return made
