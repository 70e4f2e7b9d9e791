# SPDX-License-Identifier: Apache-2.0
"""The clients that users have: `openstack` (with python-designateclient) and scripts on openstacksdk.

They live in .venv-openstack and see nothing of this machine but what is said here: no clouds.yaml, no OS_ variables.
`Clients` holds them in one process for many commands and scripts (`client_host.py`), for each start takes two seconds.

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
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

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


class Clients:
    """The clients, in a process that ends with this object, or with this process.

    `used` says what has been called since its start.
    """

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="redesignate-client-")
        command = [_there("python"), "-W", "ignore", str(Path(__file__).with_name("client_host.py"))]
        self._popen = subprocess.Popen(
            command,
            cwd=self._home.name,
            env=self._settings({}),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._one_at_a_time = threading.Lock()

    def openstack(self, at: Mapping[str, str], *words: str) -> Any:
        """What `openstack WORDS… -f json` printed, decoded (None where it printed nothing). Raises ClientFailed."""
        told = self._run(at, "openstack " + " ".join(words), command=[*words, "-f", "json"])
        return json.loads(told) if told.strip() else None

    def openstack_plain(self, at: Mapping[str, str], *words: str) -> str:
        """What a person would see of `openstack WORDS…`. Raises ClientFailed."""
        return self._run(at, "openstack " + " ".join(words), command=list(words))

    def script(self, at: Mapping[str, str], text: str) -> Any:
        """Run a script with `cloud`, `dns` (openstacksdk), `designate` (designateclient) and `json` at hand.

        Returns the JSON that it printed, None if none. Raises ClientFailed.
        """
        told = self._run(at, text, script=text)
        return json.loads(told) if told.strip() else None

    def used(self) -> dict[str, dict[str, list[str]]]:
        """Of each of `command`, `sdk` and `designate`: `all` that there is, and what was `used` and has returned."""
        found: dict[str, dict[str, list[str]]] = self._ask({"used": True})
        return found

    def close(self) -> None:
        """End the process."""
        self._popen.communicate()
        self._home.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _run(self, at: Mapping[str, str], shown: str, **asked: Any) -> str:
        told = self._ask({"settings": self._settings(at), **asked})
        if told["code"]:
            raise ClientFailed(shown, told["out"] + told["err"])
        return str(told["out"])

    def _settings(self, at: Mapping[str, str]) -> dict[str, str]:
        return _settings(self._home.name, at)

    def _ask(self, asked: dict[str, Any]) -> Any:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        late = threading.Timer(DEADLINE_S, self._popen.kill)
        with self._one_at_a_time:
            late.start()
            try:
                self._popen.stdin.write(json.dumps(asked) + "\n")
                self._popen.stdin.flush()
                line = self._popen.stdout.readline()
            finally:
                late.cancel()
        assert line, f"the clients ended, or did not answer within {DEADLINE_S} s: {asked}"
        return json.loads(line)


def openstack(at: Mapping[str, str], *words: str) -> Any:
    """Run `openstack WORDS… -f json`; returns what it printed, decoded (None where it printed nothing).

    Raises ClientFailed. Cost: about two seconds, most of them the client's own start.
    """
    told = openstack_started(at, *words, "-f", "json")
    return json.loads(told) if told.strip() else None


def openstack_plain(at: Mapping[str, str], *words: str) -> str:
    """Run `openstack WORDS…`; returns what a person would see. Raises ClientFailed."""
    return openstack_started(at, *words)


def sdk(at: Mapping[str, str], script: str) -> Any:
    """Run a script with `cloud`, `dns` (openstacksdk) and `json` at hand; returns the JSON it printed, None if none."""
    told = _started(at, _there("python"), "-W", "ignore", "-c", PREAMBLE + script)
    return json.loads(told) if told.strip() else None


def openstack_started(at: Mapping[str, str], *words: str) -> str:
    """What the installed command prints when it is started for this one `openstack WORDS…`. Raises ClientFailed."""
    return _started(at, _there("openstack"), *words)


def _started(at: Mapping[str, str], *command: str) -> str:
    with tempfile.TemporaryDirectory(prefix="redesignate-client-") as home:
        done = subprocess.run(
            command, env=_settings(home, at), cwd=home, capture_output=True, text=True, check=False, timeout=DEADLINE_S
        )
    if done.returncode:
        raise ClientFailed(" ".join(command), done.stdout + done.stderr)
    return done.stdout


def _settings(home: str, at: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONWARNINGS": "ignore",
        "OS_CLIENT_CONFIG_FILE": f"{home}/clouds.yaml",
        **at,
    }


def _there(name: str) -> str:
    path = VENV / "bin" / name
    if not path.exists():
        raise AssertionError(f"{path} is missing: run `make test`, or scripts/bootstrap.py openstack")
    return str(path)
