# SPDX-License-Identifier: Apache-2.0
"""The clients that users have: `openstack` (with python-designateclient) and scripts on openstacksdk.

They live in .venv-openstack and see nothing of this machine but what is said here: no clouds.yaml, no OS_ variables.

    at = without_login(url)              # `make serve`, or any service with auth_strategy = noauth
    at = with_token(url, token)          # auth_strategy = token
    at = with_keystone(keystone, user, keystone.catalogue(url))   # finds the DNS service in keystone's catalogue
    openstack(at, "zone", "create", "--email", "me@example.org", "example.org.")   -> the decoded JSON
    sdk(at, "print(json.dumps([z.name for z in dns.zones()]))")                    -> the decoded JSON
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.keystone import REGION, VENV, Keystone, User

DEADLINE_S = 60
PREAMBLE = "import json, openstack\ncloud = openstack.connect()\ndns = cloud.dns\n"


class ClientFailed(AssertionError):
    """The client ended with an error; `told` is what it wrote to stderr."""

    def __init__(self, command: str, told: str) -> None:
        super().__init__(f"{command}\n{told}")
        self.told = told


def without_login(url: str) -> dict[str, str]:
    """The settings for an API at `url` that asks for no login: its endpoint is named outright.

    With no catalogue to look into, designateclient appends its paths to the endpoint just as it is, so that names /v2;
    openstacksdk wants the versions document, which is at the root.
    """
    root = url.rstrip("/")
    return {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": f"{root}/v2", "OS_DNS_ENDPOINT_OVERRIDE": root}


def with_token(url: str, token: str) -> dict[str, str]:
    """The settings for an API at `url` that takes tokens of its own (auth_strategy = token)."""
    root = url.rstrip("/")
    return {
        "OS_AUTH_TYPE": "admin_token",
        "OS_TOKEN": token,
        "OS_ENDPOINT": f"{root}/v2",
        "OS_DNS_ENDPOINT_OVERRIDE": root,
    }


def with_keystone(keystone: Keystone, user: User, region: str = REGION) -> dict[str, str]:
    """The settings of a user in its project (or on the system, where it has no project)."""
    scope = {"OS_PROJECT_NAME": user.project, "OS_PROJECT_DOMAIN_ID": "default"}
    return {
        "OS_AUTH_TYPE": "password",
        "OS_AUTH_URL": keystone.url,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": user.name,
        "OS_PASSWORD": user.password,
        "OS_USER_DOMAIN_ID": "default",
        "OS_REGION_NAME": region,
        **({"OS_SYSTEM_SCOPE": "all"} if user.project is None else {k: v or "" for k, v in scope.items()}),
    }


def openstack(at: Mapping[str, str], *words: str) -> Any:
    """Run `openstack WORDS… -f json`; returns what it printed, decoded (None where it printed nothing).

    Raises ClientFailed. Cost: about two seconds, most of them the client's own start.
    """
    told = _run(at, str(VENV / "bin/openstack"), *words, "-f", "json")
    return json.loads(told) if told.strip() else None


def openstack_plain(at: Mapping[str, str], *words: str) -> str:
    """Run `openstack WORDS…`; returns what a person would see. Raises ClientFailed."""
    return _run(at, str(VENV / "bin/openstack"), *words)


def sdk(at: Mapping[str, str], script: str) -> Any:
    """Run a script with `cloud`, `dns` (openstacksdk) and `json` at hand; returns the JSON it printed, None if none."""
    told = _run(at, str(VENV / "bin/python"), "-W", "ignore", "-c", PREAMBLE + script)
    return json.loads(told) if told.strip() else None


def _run(at: Mapping[str, str], *command: str) -> str:
    if not Path(command[0]).exists():
        raise AssertionError(f"{command[0]} is missing: run `make test`, or scripts/bootstrap.py openstack")
    with tempfile.TemporaryDirectory(prefix="redesignate-client-") as home:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "LANG": "C.UTF-8",
            "PYTHONWARNINGS": "ignore",
            "OS_CLIENT_CONFIG_FILE": f"{home}/clouds.yaml",
            **at,
        }
        done = subprocess.run(
            command, env=env, cwd=home, capture_output=True, text=True, check=False, timeout=DEADLINE_S
        )
    if done.returncode:
        raise ClientFailed(" ".join(command), done.stdout + done.stderr)
    return done.stdout
