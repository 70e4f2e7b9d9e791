# SPDX-License-Identifier: Apache-2.0
"""A real keystone of the tests' own: SQLite, Fernet tokens, the identity API v3 on loopback.

Installed from its package into .venv-openstack (`make test` does it). Ready some seconds after `create`, with an
administrator and the role `admin`. `add_user` makes users and projects, `catalogue` says where the DNS API is.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from tests.support.servers import LOOPBACK, Server

VENV = Path(__file__).resolve().parents[2] / ".venv-openstack"
ADMIN_PASSWORD = "for-tests-only"
REGION = "RegionOne"

CONFIG = """\
[DEFAULT]
use_stderr = true
[database]
connection = sqlite:///{folder}/keystone.db
[token]
provider = fernet
[fernet_tokens]
key_repository = {folder}/fernet
[fernet_receipts]
key_repository = {folder}/fernet
[credential]
key_repository = {folder}/credential
[cache]
enabled = true
backend = dogpile.cache.memory
[identity]
password_hash_rounds = 4
"""

# keystone reads sys.argv as its own command line, which is gunicorn's here
APPLICATION = """\
import sys

sys.argv[1:] = []
from keystone.wsgi.api import application
"""


@dataclass(frozen=True)
class User:
    """Who asks: a user with a role in one project (`project` None: a role on the whole system)."""

    name: str
    password: str
    project: str | None
    project_id: str | None
    role: str


class KeystoneRefused(AssertionError):
    """The identity API answered with something else than success; the text is its answer."""


class Keystone(Server):
    """The identity service; `url` is what clients call auth_url."""

    kind = "keystone"
    start_s = 60.0

    @property
    def url(self) -> str:
        """The address of the identity API."""
        return f"http://{LOOPBACK}:{self.port}/v3"

    def prepare(self) -> None:
        """Write keys and settings, make the tables, the administrator and the catalogue's identity entry."""
        if not (VENV / "bin/keystone-manage").exists():
            raise AssertionError(f"{VENV} has no keystone in it: run `make test`, or scripts/bootstrap.py openstack")
        for keys in ("fernet", "credential"):
            (self.folder / keys).mkdir(mode=0o700)
            for number in ("0", "1"):
                (self.folder / keys / number).write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
        (self.folder / "keystone.conf").write_text(CONFIG.format(folder=self.folder))
        (self.folder / "keystone_app.py").write_text(APPLICATION)
        manage = [str(VENV / "bin/keystone-manage"), "--config-file", str(self.folder / "keystone.conf")]
        self.run(*manage, "db_sync")
        addresses = [f"--bootstrap-{face}-url={self.url}" for face in ("admin", "internal", "public")]
        self.run(*manage, "bootstrap", f"--bootstrap-password={ADMIN_PASSWORD}", *addresses,
                 f"--bootstrap-region-id={REGION}")  # fmt: skip

    def command(self) -> list[str]:
        """gunicorn with threads, which `keystone.wsgi` is made for."""
        return [
            str(VENV / "bin/gunicorn"), f"--bind={LOOPBACK}:{self.port}", "--workers=1", "--threads=8",
            f"--chdir={self.folder}", f"--worker-tmp-dir={self.folder}", "--no-control-socket",
            "keystone_app:application",
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Where keystone finds its settings; its libraries' deprecations are not ours to mend."""
        return {"OS_KEYSTONE_CONFIG_FILES": str(self.folder / "keystone.conf"), "PYTHONWARNINGS": "ignore"}

    def answers(self) -> bool:
        """Whether the API says its version."""
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    # -- what a test asks of it

    @property
    def admin(self) -> User:
        """The administrator, in the project `admin`."""
        return User("admin", ADMIN_PASSWORD, "admin", None, "admin")

    def token(self, user: User, *, system: bool = False) -> str:
        """A new token of the user for its project (or, with `system`, for the whole system)."""
        scope: dict[str, Any] = {"project": {"name": user.project, "domain": {"id": "default"}}}
        if system or user.project is None:
            scope = {"system": {"all": True}}
        login = {"name": user.name, "password": user.password, "domain": {"id": "default"}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": login}}, "scope": scope}}
        with self._open("POST", "/auth/tokens", body, None) as answer:
            return str(answer.headers["X-Subject-Token"])

    def add_user(self, name: str, *, project: str | None, role: str = "member") -> User:
        """A user with `role` in `project` (None: on the system), all of which are made where they are missing."""
        password = f"password-of-{name}"
        user_id = self._ensure("user", name, password=password, domain_id="default")
        role_id = self._ensure("role", name=role)
        if project is None:
            self.request("PUT", f"/system/users/{user_id}/roles/{role_id}")
            return User(name, password, None, None, role)
        project_id = self._ensure("project", project, domain_id="default")
        self.request("PUT", f"/projects/{project_id}/users/{user_id}/roles/{role_id}")
        return User(name, password, project, project_id, role)

    def service_user(self, name: str = "designate") -> User:
        """The user that keystonemiddleware validates tokens as: `admin` in the project `service`."""
        return self.add_user(name, project="service", role="admin")

    def catalogue(self, url: str, *, service: str = "designate", kind: str = "dns", region: str | None = None) -> str:
        """Say in the catalogue where a DNS API is (its root, without /v2); returns the region, for `with_keystone`.

        Each API has a region of its own: the catalogue belongs to all tests of a run, and several run at a time.
        """
        region = region or f"region-of-{url.rpartition(':')[2].rstrip('/')}"
        if all(known["id"] != region for known in self.request("GET", "/regions")["regions"]):
            self.request("PUT", f"/regions/{region}", {"region": {}})
        service_id = self._ensure("service", service, type=kind)
        for old in self.request("GET", f"/endpoints?service_id={service_id}&region_id={region}")["endpoints"]:
            self.request("DELETE", f"/endpoints/{old['id']}")
        for interface in ("public", "internal", "admin"):
            endpoint = {"service_id": service_id, "interface": interface, "url": url, "region_id": region}
            self.request("POST", "/endpoints", {"endpoint": endpoint})
        return region

    def middleware(self, user: User) -> dict[str, str]:
        """The options of [keystone_authtoken] with which a service validates tokens here."""
        return {
            "www_authenticate_uri": self.url,
            "auth_url": self.url,
            "auth_type": "password",
            "username": user.name,
            "password": user.password,
            "user_domain_id": "default",
            "project_name": user.project or "",
            "project_domain_id": "default",
            "region_name": REGION,
        }

    def request(
        self, method: str, path: str, body: object = None, *, token: str | None = None, subject: str | None = None
    ) -> Any:
        """Ask the identity API as the administrator, or as `token`; returns the decoded answer.

        `subject` is the token that is asked about. Raises KeystoneRefused.
        """
        with self._open(method, path, body, token or self._admin_token, subject) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    @functools.cached_property
    def _admin_token(self) -> str:
        return self.token(self.admin)

    def _ensure(self, kind: str, name: str, **more: str) -> str:
        found = self.request("GET", f"/{kind}s?name={name}")[f"{kind}s"]
        if not found:
            try:
                found = [self.request("POST", f"/{kind}s", {kind: {"name": name, **more}})[kind]]
            except KeystoneRefused as refused:
                if ": 409 " not in str(refused):
                    raise
                return self._ensure(kind, name, **more)  # another test has just made it
        return str(found[0]["id"])

    def _open(
        self, method: str, path: str, body: object, token: str | None, subject: str | None = None
    ) -> HTTPResponse:
        headers = {"Content-Type": "application/json"}
        headers |= {"X-Auth-Token": token} if token else {}
        headers |= {"X-Subject-Token": subject} if subject else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            answer: HTTPResponse = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            with error:
                raise KeystoneRefused(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return answer
