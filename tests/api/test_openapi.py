# SPDX-License-Identifier: Apache-2.0
"""The API's description is valid OpenAPI 3.1, complete, and cannot fall behind the code.

That real answers are as it says is asked of every answer of `tests/api` (`described.py`); here is what no answer shows.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from redesignate import api
from redesignate.api import faults, openapi
from redesignate.api.answers import said_of
from redesignate.api.reference import page
from redesignate.api.request import _SWITCHES
from redesignate.api.routes import ADMIN, ALL, ROUTES, Route
from redesignate.auth.identity import Identity
from redesignate.central.rights import CHECKED, NAMED
from redesignate.central.service import ANSWERS, APART
from redesignate.commands.access import CheckAccess
from redesignate.commands.base import Command
from redesignate.config.settings import ApiSettings
from redesignate.model import errors
from redesignate.model.errors import PROBLEMS, Problem, Unauthorized
from tests.api.client import api_client, is_fault
from tests.api.described import faults_of, operation
from tests.api.test_docs import PAGES
from tests.api.test_routes import ROUTES as ASKED

DOCUMENT = openapi.document()
EACH = [(route, verb) for route in ALL for verb in route.verbs]
NAMES = [f"{verb} {route.path}" for route, verb in EACH]
KINDS: tuple[type[Problem], ...] = (*PROBLEMS, Problem)
NEVER_ANSWERED = {
    "MethodNotAllowed": "of verbs that a path does not have",
    "TokenNotFound": "of the command line alone",
}
NOT_OF = {
    "GET /admin/reports/counts": {"report_not_found"},  # its names are there
    "GET /admin/zones/export/{zone_id}": {"over_quota"},  # it takes zones of any size
}
"""What a use-case raises, but not as it is asked here."""
READ_ELSEWHERE = {
    "HTTP_HOST": "of HTTP itself",
    "HTTP_ACCEPT": "of HTTP itself",
    "HTTP_TRANSFER_ENCODING": "of HTTP itself",
    "HTTP_ORIGIN": "of CORS",
    "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "of CORS",
    "HTTP_FORWARDED": "of proxies",
    "HTTP_X_FORWARDED_FOR": "of proxies",
    "HTTP_X_FORWARDED_PROTO": "of proxies",
    "HTTP_X_FORWARDED_HOST": "of proxies",
    "HTTP_X_FORWARDED_PREFIX": "of proxies",
    "HTTP_X_AUTH_TOKEN": "a security scheme",
    "HTTP_X_SERVICE_CATALOG": "keystonemiddleware's word to us",
}


def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert not list(OpenAPIV31SpecValidator({**DOCUMENT, "servers": [{"url": "http://dns.example"}]}).iter_errors())


@pytest.mark.parametrize(("route", "verb"), EACH, ids=NAMES)
def test_every_verb_of_every_route_says_what_it_answers(route: Route, verb: str) -> None:
    """Else: `@answers(…)` above the method."""
    assert said_of(getattr(route.resource, route.method(verb))) is not None
    assert verb.lower() in DOCUMENT["paths"][route.path]


def test_nothing_is_described_that_is_not_routed() -> None:
    described = {(path, verb.upper()) for path, verbs in DOCUMENT["paths"].items() for verb in verbs}
    open_to_all = {("/", "GET"), ("/healthcheck", "GET"), (openapi.PATH, "GET")}
    assert described == {(route.path, verb) for route, verb in EACH} | open_to_all


def test_no_two_operations_are_called_the_same() -> None:
    names = [one["operationId"] for verbs in DOCUMENT["paths"].values() for one in verbs.values()]
    assert len(set(names)) == len(names)


def test_every_operation_is_asked_of_a_running_application() -> None:
    """So that `described.py` sees an answer of each: `tests/api/test_routes.py` has a row for it."""
    asked = set()
    for path, answers in ASKED:
        for verb in answers:
            found = operation(verb, re.sub(r"\{\w+\}", "x", path))
            assert found is not None, (verb, path)
            asked.add((found[0], verb))
    assert {(route.path, verb) for route, verb in EACH} <= asked


# -- failures


@pytest.mark.parametrize(("route", "verb"), EACH, ids=NAMES)
def test_whatever_a_use_case_raises_is_described_of_the_request_that_asks_for_it(route: Route, verb: str) -> None:
    described = _kinds(DOCUMENT["paths"][route.path][verb.lower()])
    raised = {problem.kind for command in _asked_by(route, verb) for problem in _raised(command)}
    assert raised - NOT_OF.get(f"{verb} {route.path}", set()) <= described


def _kinds(said: dict[str, Any]) -> set[str]:
    text = json.dumps(said["responses"])
    return {cls.kind for cls in KINDS if f'schemas/{cls.__name__}"' in text}


def _asked_by(route: Route, verb: str) -> set[type[Command[Any]]]:
    """The commands that a method names, and those that the functions of `api/` name which it calls."""
    method = getattr(route.resource, route.method(verb))
    seen, waiting = {method}, [method]
    found: set[type[Command[Any]]] = set()
    while waiting:
        function = waiting.pop()
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        own = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_self(node.value)]
        named = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
        things = [vars(route.resource).get(name) for name in own]
        things += [vars(inspect.getmodule(function)).get(name) for name in named]
        for thing in things:
            if inspect.isclass(thing) and issubclass(thing, Command):
                found.add(thing)
            elif inspect.isfunction(thing) and thing not in seen and thing.__module__.startswith("redesignate.api."):
                seen.add(thing)
                waiting.append(thing)
    return found


@pytest.mark.parametrize(("route", "verb"), [(route, verb) for route, verb in EACH if verb == "POST"])
def test_the_right_to_every_post_is_asked_for_again_when_it_is_repeated(route: Route, verb: str) -> None:
    """Else: its command in a table of `central/repeats.py`."""
    assert _asked_by(route, verb) - APART - {CheckAccess} <= {*CHECKED, *NAMED}


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _raised(command: type[Command[Any]]) -> set[type[Problem]]:
    """What the docstring of the use-case says that it raises."""
    text = " ".join((ANSWERS[command].__doc__ or "").split())
    named = re.findall(r"Raises ([^.:]*)", text)
    return {getattr(errors, word) for part in named for word in re.findall(r"\w+", part) if hasattr(errors, word)}


def test_every_kind_of_failure_is_described_and_is_somebodys_answer() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for problem in KINDS:
        members = schemas[problem.__name__]["properties"]
        assert members == {"code": {"const": problem.status}, "type": {"const": problem.kind}}
    text = json.dumps(DOCUMENT["paths"])
    unused = {problem.__name__ for problem in PROBLEMS if f'schemas/{problem.__name__}"' not in text}
    assert unused == set(NEVER_ANSWERED)


# -- what a request may carry


def test_every_header_that_the_code_reads_is_described() -> None:
    read: set[str] = set()
    for file in Path(str(api.__file__)).parent.parent.glob("a[pu][it]*/**/*.py"):  # api, auth
        read |= set(re.findall(r"\bHTTP_[A-Z_]+\b", file.read_text()))
    read -= {"HTTP_METHODS"}
    parameters = [*DOCUMENT["components"]["parameters"].values()]
    parameters += [
        one for verbs in DOCUMENT["paths"].values() for said in verbs.values() for one in said.get("parameters", [])
    ]
    described = {"HTTP_" + one["name"].upper().replace("-", "_") for one in parameters if one.get("in") == "header"}
    noauth = {"HTTP_X_AUTH_USER_ID", "HTTP_X_AUTH_PROJECT_ID", "HTTP_X_ROLES"}  # keystone's own words in noauth's mouth
    assert {name for name in read - described - set(READ_ELSEWHERE) - noauth if not _of_keystone(name)} == set()


def _of_keystone(header: str) -> bool:
    """Whether keystonemiddleware sets it, having removed it from the client's request."""
    return header in {
        "HTTP_X_USER_ID",
        "HTTP_X_PROJECT_ID",
        "HTTP_X_TENANT_ID",
        "HTTP_X_USER_DOMAIN_ID",
        "HTTP_X_PROJECT_DOMAIN_ID",
        "HTTP_X_DOMAIN_ID",
        "HTTP_X_IDENTITY_STATUS",
        "HTTP_OPENSTACK_SYSTEM_SCOPE",
        "HTTP_AUTHORIZATION",
    }


def test_every_switch_of_the_query_is_described() -> None:
    assert set(openapi.ARGUMENTS) == set(_SWITCHES)


# -- how it is served


def test_the_page_is_what_the_document_says() -> None:
    """Else: `python -m redesignate.api.reference > docs/api/reference.md`."""
    assert (PAGES / "reference.md").read_text() == page()


def test_whoever_has_no_token_may_read_it() -> None:
    class Closed:
        """A login that lets nobody in."""

        def wrap(self, app: Any) -> Any:
            def refused(environ: Any, start_response: Any) -> Any:
                raise Unauthorized("no")

            return refused

        def check_project(self, environ: Any, project_id: str) -> None:
            raise NotImplementedError

        def identity(self, environ: Any) -> Identity:
            raise NotImplementedError

    client = api_client(auth=Closed())
    assert client.ask("GET", "/v2/zones").status == 401
    answer = client.ask("GET", "/v2/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    of_v2 = openapi.document(ROUTES)
    assert answer.json == {"servers": [{"url": "http://dns.example.net"}], **json.loads(json.dumps(of_v2))}


def test_it_has_what_the_operator_switched_on_of_the_admin_api() -> None:
    def paths(**settings: Any) -> set[str]:
        answer = api_client(settings=ApiSettings(**settings)).ask("GET", "/v2/openapi.json")
        return {path for path in answer.json["paths"] if path.startswith("/admin/")}

    every = {route.path for part in ADMIN.values() for route in part}
    assert paths(enable_api_admin=True, enabled_extensions_admin=(*ADMIN,)) == every
    assert paths(enable_api_admin=True, enabled_extensions_admin=("quotas",)) == {"/admin/quotas/{project_id}"}
    assert paths(enable_api_admin=False, enabled_extensions_admin=(*ADMIN,)) == set()


def test_it_is_read_only() -> None:
    answer = api_client().ask("POST", "/v2/openapi.json")
    assert is_fault(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, OPTIONS"


def test_it_is_not_there_where_v2_is_switched_off() -> None:
    answer = api_client(settings=ApiSettings(enable_api_v2=False)).ask("GET", "/v2/openapi.json")
    assert (answer.status, answer.content) == (404, b"")


def test_the_links_of_the_operator_are_those_of_the_document() -> None:
    settings = ApiSettings(enable_host_header=False, api_base_uri="https://dns.example/")
    answer = api_client(settings=settings).ask("GET", "/v2/openapi.json")
    assert answer.json["servers"] == [{"url": "https://dns.example"}]


# -- the comparison itself

HEADERS = {"content-type": "application/json", "x-openstack-request-id": "req-1"}


def test_an_answer_that_is_not_as_described_is_seen() -> None:
    reach = {"pool_id": "x", "old_ns_records": 0, "unqueued": 0, "pending": 0}
    asked = ("GET", "/v2/pools/x/progress")
    assert faults_of(*asked, 200, HEADERS, reach) == []
    assert "more" in faults_of(*asked, 200, HEADERS, {**reach, "more": 1})[0]
    assert "pending" in faults_of(*asked, 200, HEADERS, {**reach, "pending": "0"})[0]
    assert "status" in faults_of(*asked, 418, HEADERS, reach)[0]
    assert "content type" in faults_of(*asked, 200, {**HEADERS, "content-type": "text/html"}, None)[0]
    assert "missing" in faults_of(*asked, 200, {"content-type": "application/json"}, reach)[0]
    gone = {"code": 404, "type": "pool_not_found", "request_id": "req-1"}
    assert faults_of(*asked, 404, HEADERS, gone) == []
    assert faults_of(*asked, 404, HEADERS, {**gone, "type": "zone_not_found"}) != []


def test_what_every_request_may_be_told_is_written_once() -> None:
    repeated = {
        (route.path, verb): both
        for route, verb in EACH
        if (said := said_of(getattr(route.resource, route.method(verb)))) is not None
        and (both := set(said.raises) & {*faults.EVERY})
    }
    assert not repeated
