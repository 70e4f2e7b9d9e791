# SPDX-License-Identifier: Apache-2.0
"""Runs in .venv-openstack, which has the clients: one process for many commands and scripts, for its start is slow.

Reads a JSON object a line and answers with one. What it is asked, and what comes back:

    {"settings": {…}, "command": ["zone", "list"]}   {"code": 0, "out": "…", "err": "…"}
    {"settings": {…}, "script": "dns.zones()"}        the same
    {"used": true}                                    {"command": {"all": […], "used": […]}, "sdk": …, "designate": …}

A script has `cloud` and `dns` (openstacksdk), `designate` (python-designateclient's v2 Client) and `json` at hand.
`used` names what of each client has been called and has returned since the start.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import io
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any

Used = dict[str, dict[str, list[str]]]


class Counted:
    """Names of a client's calls, and which of them have returned."""

    def __init__(self) -> None:
        self.all: set[str] = set()
        self.used: set[str] = set()

    def watch(self, kind: type, prefix: str, during: Callable[[], bool]) -> None:
        """Note each public method that the class itself has, whenever it returns (a generator: when it is begun)."""
        for name, function in list(vars(kind).items()):
            if inspect.isfunction(function) and not name.startswith("_"):
                self.all.add(prefix + name)
                setattr(kind, name, self._noted(function, prefix + name, during))

    def _noted(self, function: Callable[..., Any], name: str, during: Callable[[], bool]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*positional: Any, **named: Any) -> Any:
            answer = function(*positional, **named)
            if inspect.isgenerator(answer):
                return self._begun(answer, name, during)
            if during():
                self.used.add(name)
            return answer

        return call

    def _begun(self, answer: Iterator[Any], name: str, during: Callable[[], bool]) -> Iterator[Any]:
        for item in answer:
            if during():
                self.used.add(name)
            yield item
        if during():
            self.used.add(name)


class Host:
    """The clients, and what has been used of them."""

    def __init__(self) -> None:
        self._in_script = False
        self._shell = importlib.import_module("openstackclient.shell")
        self._manager = importlib.import_module("openstackclient.common.clientmanager").ClientManager
        self._cache = importlib.import_module("osc_lib.clientmanager").ClientCache
        self._openstack = importlib.import_module("openstack")
        self._client = importlib.import_module("designateclient.v2.client")
        self.counted = {"command": Counted(), "sdk": Counted(), "designate": Counted()}
        commands = (point.name.replace("_", " ") for point in entry_points(group="openstack.dns.v2"))
        self.counted["command"].all = set(commands)
        proxy = importlib.import_module("openstack.dns.v2._proxy").Proxy
        self.counted["sdk"].watch(proxy, "", lambda: self._in_script)
        session = self._openstack.connection.Connection(auth_type="none", auth={"endpoint": "http://127.0.0.1"}).session
        for name, controller in vars(self._client.Client(session=session)).items():
            if type(controller).__name__.endswith("Controller"):
                self.counted["designate"].watch(type(controller), f"{name}.", lambda: self._in_script)

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """One line's answer."""
        if "used" in asked:
            return {
                name: {"all": sorted(one.all), "used": sorted(one.used & one.all)} for name, one in self.counted.items()
            }
        os.environ.clear()
        os.environ.update(asked["settings"])
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = self._run(asked)
        logging.getLogger().handlers.clear()  # the shell adds its own each time
        return {"code": code, "out": out.getvalue(), "err": err.getvalue()}

    def _run(self, asked: Mapping[str, Any]) -> int:
        try:
            if "script" in asked:
                return self._script(asked["script"])
            return self._command(asked["command"])
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else 1
        except Exception:  # noqa: BLE001  # the asker is told, as of a process that ends with a traceback
            traceback.print_exc()
            return 1

    def _command(self, words: list[str]) -> int:
        for kept in [kept for kind in self._manager.__mro__ for kept in vars(kind).values()]:
            if isinstance(kept, self._cache):
                kept._handle = None  # the login of the command before, perhaps another user's
        code = int(self._shell.main(list(words)) or 0)
        typed = " ".join(words) + " "
        named = [name for name in self.counted["command"].all if typed.startswith(name + " ")]
        if code == 0 and named:
            self.counted["command"].used.add(max(named, key=len))
        return code

    def _script(self, text: str) -> int:
        cloud = self._openstack.connect()
        designate = self._client.Client(session=cloud.session, region_name=os.environ.get("OS_REGION_NAME"))
        self._in_script = True
        try:
            names = {"cloud": cloud, "dns": cloud.dns, "designate": designate, "json": json}
            exec(compile(text, "the script", "exec"), names)  # a test's own
        finally:
            self._in_script = False
        return 0


def main() -> None:
    """Answer each line of stdin."""
    host = Host()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        answers.write(json.dumps(host.answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
