# SPDX-License-Identifier: Apache-2.0
"""A program that speaks v2 in its own way: its headers on each request, its way through pages, its way to wait."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tests.api.client import HOST, Answer
from tests.api.conftest import System

GOPHERCLOUD = {
    "User-Agent": "HashiCorp Terraform/1.9.8 (+https://www.terraform.io) gophercloud/v2.7.0",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "X-Auth-Token": "gAAAAABm",
}
OPENSTACKSDK = {
    "User-Agent": "openstacksdk/4.22.0 keystoneauth1/5.18.1 python-requests/2.34.2 CPython/3.11.7",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
    "X-Auth-Token": "gAAAAABm",
}
REQUESTS = {
    "User-Agent": "python-requests/2.34.2",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
    "X-Auth-Token": "gAAAAABm",
}


class Tool:
    """One program in one project. Its worker is whoever calls `system.serve`, which `waits` does between two looks."""

    def __init__(
        self, system: System, headers: dict[str, str], project: str = "p1", roles: str = "member,reader"
    ) -> None:
        self.system = system
        self._client = system.client(project, roles, **headers)

    def ask(self, verb: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One request."""
        return self._client.ask(verb, path, body, headers)

    def said(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        ok: Collection[int] = (200,),
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The JSON of an answer whose status must be among those that the program takes for a success."""
        answer = self.ask(verb, path, body, headers)
        assert answer.status in ok, (verb, path, answer.status, answer.content)
        return answer.json if answer.content else None

    def pages(self, path: str, members: str) -> list[Any]:
        """All items: from page to page by `links.next`, as it stands there, until there is none."""
        found: list[Any] = []
        while path:
            page = self.said("GET", path)
            found += page[members]
            path = page["links"].get("next", "").partition(HOST)[2]
        return found

    def waits(self, path: str, target: str, pending: Collection[str]) -> None:
        """Look until the status is the target; any status that is neither that nor `pending` is the program's error.

        A 404 is the status DELETED.
        """
        for look in range(3):
            answer = self.ask("GET", path)
            assert answer.status in (200, 404), answer.content
            status = "DELETED" if answer.status == 404 else answer.json["status"]
            if status == target:
                return
            assert status in pending, f"unexpected state {status!r}, wanted target {target!r}"
            assert look < 2, f"{path} stays {status}"
            self.system.serve()

    def refused(self, status: int, verb: str, path: str, body: Any = None) -> dict[str, Any]:
        """The JSON of a refusal, of which programs show `message`, or all that there is."""
        answer = self.ask(verb, path, body)
        assert answer.status == status, answer.content
        fault: dict[str, Any] = answer.json
        assert fault["code"] == status
        assert isinstance(fault["type"], str)
        return fault
