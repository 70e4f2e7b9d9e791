# SPDX-License-Identifier: Apache-2.0
"""Whatever may be sent by the API's own description is answered as it says, and is never a fault of ours (a 500).

Requests and chains of requests (a zone, then what is below it by the id of the answer) are made up by schemathesis.
"""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from redesignate.api.openapi import served
from redesignate.api.routes import ALL
from tests.api.conftest import System

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ADMIN = {"X-Auth-Project-ID": "p1", "X-Roles": "admin,member,reader"}
BOUNDED: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": (Phase.explicit, Phase.generate),
    "suppress_health_check": list(HealthCheck),
}


def _schema(system: System) -> Any:
    schema = schemathesis.openapi.from_dict(json.loads(served("http://127.0.0.1", ALL)), config=SchemathesisConfig())
    schema.app = system.app
    return schema


def test_chains_of_requests_are_answered_as_described(shared_system: System) -> None:
    base: Any = _schema(shared_system).as_state_machine()

    class Machine(base):  # type: ignore[misc]  # made at run time
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": ADMIN}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    Machine.run(settings=settings(max_examples=10, stateful_step_count=10, **BOUNDED))
