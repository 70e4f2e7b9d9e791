# SPDX-License-Identifier: Apache-2.0
"""Authentication by keystone tokens: keystonemiddleware as operators configure it in `[keystone_authtoken]`.

The middleware validates the token (cached in memcached where so configured), answers 401 itself, and passes the
token's data on in headers that it has first removed from the client's request.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import webob.exc  # type: ignore[import-untyped]  # no stubs among our tools
from keystoneauth1 import loading
from keystoneauth1.exceptions import ClientException
from keystonemiddleware.auth_token import AuthProtocol, list_opts

from redesignate.auth.identity import Identity, role_names
from redesignate.model.errors import IdentityUnavailable, InvalidProject, Misconfigured, MissingProject, Unavailable
from redesignate.observe.log import events
from redesignate.threads.bulkhead import aside

log = events(__name__)

GROUP = "keystone"
TOKEN_GROUP = "keystone_authtoken"
TIMEOUT_S = 10
"""How long keystone's answer is waited for, where `[keystone] timeout` (about a project) and `[keystone_authtoken]
http_connect_timeout` (about a token, asked up to four times) do not say."""
UNAVAILABLE = "The identity service is unavailable; retry."
_NEEDS = (
    "set auth_type = password, auth_url, username, password, project_name, user_domain_name and project_domain_name "
    "there, or choose [service:api] auth_strategy = token"
)


def check(conf: Any) -> None:
    """Raise Misconfigured if `[keystone_authtoken]` does not configure how to log in to keystone."""
    loading.register_auth_conf_options(conf, TOKEN_GROUP)
    try:
        found = loading.load_auth_from_conf_options(conf, TOKEN_GROUP)
    except ClientException as wrong:
        raise Misconfigured(f"[{TOKEN_GROUP}]: {' '.join(str(wrong).split())} ({_NEEDS})") from wrong
    if found is None:
        raise Misconfigured(f"auth_strategy = keystone, and [{TOKEN_GROUP}] names no auth_type: {_NEEDS}")


class _Protocol(AuthProtocol):  # type: ignore[misc]  # the library ships no types
    """The middleware, which distinguishes an unavailable keystone from a bad token, and lets other requests run while
    it waits for keystone or memcached. The cache in the process itself never waits."""

    def _create_identity_server(self) -> Any:
        made = super()._create_identity_server()
        made.verify_token = _aside(made.verify_token)
        return made

    def _token_cache_factory(self) -> Any:
        made = super()._token_cache_factory()
        if self._conf.get("memcached_servers"):
            made.get, made.set = _aside(made.get), _aside(made.set)
        return made

    def fetch_token(self, token: str, **kwargs: Any) -> Any:
        try:
            return super().fetch_token(token, **kwargs)
        except webob.exc.HTTPServiceUnavailable as gone:
            raise Unavailable(UNAVAILABLE) from gone


def _aside(ask: Callable[..., Any]) -> Callable[..., Any]:
    def asked(*given: Any, **named: Any) -> Any:
        with aside():
            return ask(*given, **named)

    return asked


class Keystone:
    """Authenticates by keystone tokens. `conf` is an oslo.config object that has read the operator's files."""

    def __init__(self, conf: Any) -> None:
        self._conf = conf
        loading.register_session_conf_options(conf, GROUP)
        loading.register_adapter_conf_options(conf, GROUP)
        conf.set_default("service_type", "identity", GROUP)
        conf.set_default("valid_interfaces", ["internal", "public"], GROUP)
        conf.set_default("timeout", TIMEOUT_S, GROUP)
        for group, options in list_opts():
            conf.register_opts(options, group)
        conf.set_default("http_connect_timeout", TIMEOUT_S, TOKEN_GROUP)

    def wrap(self, app: WSGIApplication) -> WSGIApplication:
        """The application with token validation in front of it.

        Cost    one request to keystone for a token that is not in the cache.
        Raises  Unavailable, from the returned application, if keystone is unavailable.
        """
        # The application could only decide the same later: nothing under /v2 is public.
        protocol = _Protocol(app, {"oslo_config_config": self._conf, "delay_auth_decision": False})

        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            try:
                answer: Iterable[bytes] = protocol(environ, start_response)
            except ClientException as gone:  # no identity endpoint in the catalog, discovery that fails, …
                log.error("identity service unavailable", why=str(gone))
                raise Unavailable(UNAVAILABLE) from gone
            return answer

        return guarded

    def check_project(self, environ: WSGIEnvironment, project_id: str) -> None:
        """Ask keystone, with the sender's token; a project that the sender may not see is assumed to exist.

        Cost    one request to keystone, which waits `[keystone] timeout` seconds at most
        Raises  InvalidProject, IdentityUnavailable
        """
        base = self._conf[GROUP].endpoint_override or self._endpoint(environ.get("HTTP_X_SERVICE_CATALOG", "[]"))
        if base is None:
            raise IdentityUnavailable("The token's catalog has no identity service.")
        base = base.rstrip("/")
        url = f"{base if base.endswith('/v3') else base + '/v3'}/projects/{quote(project_id, safe='')}"
        try:
            session = loading.load_session_from_conf_options(self._conf, GROUP)
            token = {"X-Auth-Token": environ.get("HTTP_X_AUTH_TOKEN", "")}
            with aside():
                status = session.get(url, headers=token, authenticated=False, raise_exc=False).status_code
        except ClientException as gone:
            log.error("identity service unavailable", why=str(gone))
            raise IdentityUnavailable(UNAVAILABLE) from gone
        if status == HTTPStatus.NOT_FOUND:
            raise InvalidProject(f"{project_id} is not a valid project ID.")

    def _endpoint(self, catalog: str) -> str | None:
        """The identity service's address in the catalog that the middleware passes on."""
        wanted = self._conf[GROUP]
        for service in json.loads(catalog or "[]"):
            if service.get("type") != wanted.service_type:
                continue
            for interface in wanted.valid_interfaces:
                for endpoint in service.get("endpoints", ()):
                    found = endpoint.get(f"{interface}URL")
                    if found and wanted.region_name in (None, endpoint.get("region")):
                        return str(found)
        return None

    def identity(self, environ: WSGIEnvironment) -> Identity:
        """The token's data. Raises MissingProject (401) if the middleware did not confirm the token."""
        if environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
            raise MissingProject("The request carries no confirmed token.")
        return Identity(
            user_id=environ.get("HTTP_X_USER_ID"),
            project_id=environ.get("HTTP_X_PROJECT_ID") or environ.get("HTTP_X_TENANT_ID"),
            roles=role_names(environ.get("HTTP_X_ROLES", "")),
            user_domain_id=environ.get("HTTP_X_USER_DOMAIN_ID"),
            project_domain_id=environ.get("HTTP_X_PROJECT_DOMAIN_ID"),
            domain_id=environ.get("HTTP_X_DOMAIN_ID"),
            system_scope=environ.get("HTTP_OPENSTACK_SYSTEM_SCOPE"),
        )
