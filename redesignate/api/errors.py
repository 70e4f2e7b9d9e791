# SPDX-License-Identifier: Apache-2.0
"""Any failure as the answer that v2 publishes for it. What no Problem describes is a 500, logged and not shown."""

from __future__ import annotations

from typing import Any

import falcon
import msgspec

from redesignate.api.request import Request
from redesignate.model.errors import BadInput, MethodNotAllowed, NotFound, Problem, Unauthorized, Unavailable
from redesignate.observe.log import Seldom, events

log = events(__name__)
_unavailable = Seldom()


def fault(problem: Problem, request_id: str) -> bytes:
    """The JSON body of a failure."""
    body: dict[str, Any] = {"code": problem.status, "type": problem.kind}
    if problem.message:
        body["message"] = problem.message
    if problem.errors:
        body["errors"] = problem.errors
    body["request_id"] = request_id
    return msgspec.json.encode(body)


def headers(problem: Problem) -> dict[str, str]:
    """What stands beside the body: when to retry, and how to log in (RFC 9110 §11.6.1)."""
    if isinstance(problem, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": str(problem.retry_after)} if isinstance(problem, Unavailable) else {}


def unforeseen(error: BaseException, request_id: str, method: str, path: str) -> Problem:
    """An unexpected failure: logged with its traceback, and answered without it."""
    log.exception("request failed", request_id=request_id, method=method, path=path, error=type(error).__name__)
    return Problem()


def on_problem(req: Request, resp: falcon.Response, problem: Problem, _params: object) -> None:
    """Falcon's handler for our own errors."""
    if isinstance(problem, Unavailable):
        more = _unavailable.turn()  # thousands a second, where something hangs; each has its line in the request log
        if more is not None:
            log.warning("request failed", request_id=req.request_id, kind=problem.kind, why=problem.message, **more)
    elif problem.status >= 500:
        log.error("request failed", request_id=req.request_id, kind=problem.kind, why=problem.message)
    resp.status = problem.status
    resp.content_type = "application/json"
    resp.data = fault(problem, req.request_id)
    for name, value in headers(problem).items():
        resp.set_header(name, value)


def on_http(req: Request, resp: falcon.Response, error: falcon.HTTPError, params: object) -> None:
    """Falcon's handler for its own errors: routing, and requests that it cannot read."""
    match error.status_code:
        case 404:
            problem: Problem = NotFound("resource not found")
        case 405:
            problem = MethodNotAllowed()
            for name, value in dict(error.headers or {}).items():
                resp.set_header(name, value)
        case code if code < 500:
            problem = BadInput(error.title or "")
        case _:
            problem = unforeseen(error, req.request_id, req.method, req.path)
    on_problem(req, resp, problem, params)


def on_unforeseen(req: Request, resp: falcon.Response, error: Exception, _params: object) -> None:
    """Falcon's handler for everything else."""
    problem = unforeseen(error, req.request_id, req.method, req.path)
    resp.status = problem.status
    resp.content_type = "application/json"
    resp.data = fault(problem, req.request_id)
