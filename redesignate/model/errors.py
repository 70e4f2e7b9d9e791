# SPDX-License-Identifier: Apache-2.0
# Long because it is one table: every kind of failure that is published.
"""The failures that the API publishes.

Problem 500, and directly below it, by status:
    400   BadInput · InvalidObject · EmptyBody · InvalidJSON · InvalidUUID · InvalidMarker · MarkerNotFound
          InvalidLimit · InvalidSortKey · InvalidSortDir · InvalidOperation · InvalidZoneName · InvalidRRsetName
          InvalidRRsetLocation · InvalidTTL · ZoneHasSubZone · ZoneIsShared
          SharedZoneHasSubZone · SharedZoneHasRRsets · InvalidTransferRequest · InvalidProject · InvalidTSIGKey
          LastServerKept
    401   Unauthorized · MissingProject
    403   Forbidden · IllegalChild · IllegalParent · InvalidTokenScope · InvalidKey
    404   NotFound · ZoneNotFound · RRsetNotFound · PoolNotFound · NoValidPool · ServiceNotFound · TSIGKeyNotFound
          TokenNotFound · TLDNotFound · BlacklistNotFound · ZoneExportNotFound
          SharedZoneNotFound · ZoneImportNotFound · ReportNotFound
          TransferRequestNotFound · TransferAcceptNotFound
    405   MethodNotAllowed
    409   DuplicateZone · DuplicateRRset · DuplicatePool · DuplicateNSRecord · DuplicateTSIGKey · DuplicateTLD
          DuplicateBlacklist · DuplicateSharedZone · DuplicateTransferRequest
          KeyReused
    412   PreconditionFailed
    413   OverQuota
    415   UnsupportedContentType
    500   NoServersConfigured · MultiplePoolsFound · Misconfigured
    503   Unavailable
    504   IdentityUnavailable · TimedOut

`kind` and `status` are published and never change; the text is for a person. `errors` carries the field errors of
a refused body, in the nesting that clients read. A failure has its own class where callers distinguish it by `kind`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self


class Problem(Exception):
    """A failure that the API answers for: `status` and `kind` are published, the text is for a person."""

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "unknown"

    def __init__(self, message: str = "", *, errors: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.errors = errors


class BadInput(Problem):
    """An invalid request for which there is no more specific error."""

    status, kind = 400, "bad_request"


class InvalidObject(Problem):
    """The body does not fit its shape: either a message, or `errors` with one entry for each fault."""

    status, kind = 400, "invalid_object"

    @classmethod
    def at(cls, path: Sequence[str | int], message: str, *, validator: str = "format", value: Any = None) -> Self:
        """One field error, in the doubly nested form that clients of v2 read."""
        fault = {"path": list(path), "message": message, "validator": validator, "validator_value": value}
        return cls(errors={"errors": [fault]})


class EmptyBody(Problem):
    """The request has no body, but needs one."""

    status, kind = 400, "empty_request_body"


class InvalidJSON(Problem):
    """The body is not JSON."""

    status, kind = 400, "invalid_json"


class InvalidUUID(Problem):
    """An id in the path is not a UUID."""

    status, kind = 400, "invalid_uuid"


class InvalidMarker(Problem):
    """A paging marker is not a UUID."""

    status, kind = 400, "invalid_marker"


class MarkerNotFound(Problem):
    """A paging marker does not name an item that the caller may see."""

    status, kind = 400, "marker_not_found"


class InvalidLimit(Problem):
    """A page size is out of range."""

    status, kind = 400, "invalid_limit"


class InvalidSortKey(Problem):
    """The collection does not have this sort key."""

    status, kind = 400, "invalid_sort_key"


class InvalidSortDir(Problem):
    """The sort direction is neither asc nor desc."""

    status, kind = 400, "invalid_sort_dir"


class InvalidOperation(Problem):
    """The resource exists but does not allow this operation."""

    status, kind = 400, "invalid_operation"


class InvalidZoneName(Problem):
    """This cloud does not accept the zone name: it is too long, a TLD, below none of those listed, or blacklisted."""

    status, kind = 400, "invalid_zone_name"


class InvalidRRsetName(Problem):
    """The owner name is too long or malformed."""

    status, kind = 400, "invalid_recordset_name"


class InvalidRRsetLocation(Problem):
    """The DNS, or another RRset at the name, forbids an RRset there."""

    status, kind = 400, "invalid_recordset_location"


class InvalidTTL(Problem):
    """The TTL is below the operator's minimum."""

    status, kind = 400, "invalid_ttl"


class ZoneHasSubZone(Problem):
    """The zone still has child zones."""

    status, kind = 400, "zone_has_sub_zone"


class ZoneIsShared(Problem):
    """The zone is shared, and its shares were not to be deleted with it."""

    status, kind = 400, "zone_is_shared"


class SharedZoneHasSubZone(Problem):
    """The project with which a zone is shared has a zone below it."""

    status, kind = 400, "shared_zone_has_sub_zone"


class SharedZoneHasRRsets(Problem):
    """The project with which a zone is shared has RRsets in it."""

    status, kind = 400, "shared_zone_has_recordsets"


class InvalidTransferRequest(Problem):
    """The transfer request was accepted already."""

    status, kind = 400, "invalid_zone_transfer_request"


class InvalidProject(Problem):
    """The identity service does not know the project."""

    status, kind = 400, "invalid_project"


class InvalidTSIGKey(Problem):
    """A TSIG key is bound to a resource that does not exist."""

    status, kind = 400, "invalid_tsigkey"


class LastServerKept(Problem):
    """A pool would lose its last NS record."""

    status, kind = 400, "last_server_delete_not_allowed"


class Unauthorized(Problem):
    """The request has no token, or one that is not valid."""

    status, kind = 401, "unauthorized"


class MissingProject(Problem):
    """The token has no project, but the operation needs one (v2 publishes 401)."""

    status, kind = 401, "missing_project_id"


class Forbidden(Problem):
    """The policy does not allow this."""

    status, kind = 403, "forbidden"


class IllegalChild(Problem):
    """The zone lies below one of another project."""

    status, kind = 403, "illegal_child"


class IllegalParent(Problem):
    """The zone lies above one of another project."""

    status, kind = 403, "illegal_parent"


class InvalidKey(Problem):
    """The key of a transfer request is wrong, or too many wrong ones were sent."""

    status, kind = 403, "invalid_key"


class InvalidTokenScope(Problem):
    """The token has the wrong scope."""

    status, kind = 403, "invalid_token_scope"


class NotFound(Problem):
    """There is no resource at this path."""

    status, kind = 404, "not_found"


class ZoneNotFound(Problem):
    """The zone does not exist, or the caller may not see it."""

    status, kind = 404, "zone_not_found"


class RRsetNotFound(Problem):
    """The RRset does not exist, or the caller may not see it."""

    status, kind = 404, "recordset_not_found"


class PoolNotFound(Problem):
    """The pool does not exist."""

    status, kind = 404, "pool_not_found"


class NoValidPool(Problem):
    """The scheduler's filters left no pool."""

    status, kind = 404, "no_valid_pool_found"


class ServiceNotFound(Problem):
    """The service status does not exist."""

    status, kind = 404, "service_status_not_found"


class TSIGKeyNotFound(Problem):
    """The TSIG key does not exist."""

    status, kind = 404, "tsigkey_not_found"


class TokenNotFound(Problem):
    """The API token does not exist."""

    status, kind = 404, "token_not_found"


class TLDNotFound(Problem):
    """The TLD is not in the list."""

    status, kind = 404, "tld_not_found"


class BlacklistNotFound(Problem):
    """The pattern is not in the blacklist."""

    status, kind = 404, "blacklist_not_found"


class ZoneExportNotFound(Problem):
    """The export does not exist, or is another project's."""

    status, kind = 404, "zone_export_not_found"


class ZoneImportNotFound(Problem):
    """The import does not exist, or is another project's."""

    status, kind = 404, "zone_import_not_found"


class TransferRequestNotFound(Problem):
    """The transfer request does not exist."""

    status, kind = 404, "zone_transfer_request_not_found"


class TransferAcceptNotFound(Problem):
    """The acceptance does not exist, or is another project's."""

    status, kind = 404, "zone_transfer_accept_not_found"


class SharedZoneNotFound(Problem):
    """The zone does not have this share."""

    status, kind = 404, "shared_zone_not_found"


class ReportNotFound(Problem):
    """The admin API has no such report."""

    status, kind = 404, "report_not_found"


class MethodNotAllowed(Problem):
    """The path exists, but does not support this method."""

    status, kind = 405, "method_not_allowed"


class DuplicateZone(Problem):
    """A zone of this name exists already."""

    status, kind = 409, "duplicate_zone"


class DuplicateRRset(Problem):
    """The zone already has an RRset of this name and type."""

    status, kind = 409, "duplicate_recordset"


class DuplicatePool(Problem):
    """A pool of this name exists already."""

    status, kind = 409, "duplicate_pool"


class DuplicateNSRecord(Problem):
    """A pool is to have two NS records of one hostname."""

    status, kind = 409, "duplicate_pool_ns_record"


class DuplicateTSIGKey(Problem):
    """A key of this name exists already."""

    status, kind = 409, "duplicate_tsigkey"


class DuplicateTLD(Problem):
    """The list has this TLD already."""

    status, kind = 409, "duplicate_tld"


class DuplicateBlacklist(Problem):
    """The blacklist has this pattern already."""

    status, kind = 409, "duplicate_blacklist"


class DuplicateTransferRequest(Problem):
    """The zone has a transfer request that is not accepted yet."""

    status, kind = 409, "duplicate_zone_transfer_request"


class DuplicateSharedZone(Problem):
    """The zone is shared with this project already."""

    status, kind = 409, "duplicate_shared_zone"


class KeyReused(Problem):
    """The Idempotency-Key of the request is that of another request."""

    status, kind = 409, "idempotency_key_reused"


class PreconditionFailed(Problem):
    """The resource is not as the request's If-Match or If-None-Match demands (RFC 9110 §13.1)."""

    status, kind = 412, "precondition_failed"


class OverQuota(Problem):
    """The project has reached a quota."""

    status, kind = 413, "over_quota"


class UnsupportedContentType(Problem):
    """The content type of the body is not JSON."""

    status, kind = 415, "unsupported_content_type"


class NoServersConfigured(Problem):
    """The pool has no NS records, so no zone can be created in it."""

    status, kind = 500, "no_servers_configured"


class MultiplePoolsFound(Problem):
    """The scheduler's filters left more than one pool."""

    status, kind = 500, "multiple_pools_found"


class Misconfigured(Problem):
    """The configuration cannot work; the text names file, key and fix."""

    status, kind = 500, "configuration_error"


class Unavailable(Problem):
    """A service that this one depends on is unavailable; retry after `retry_after` seconds."""

    status, kind = 503, "unavailable"
    retry_after: ClassVar[int] = 2


class IdentityUnavailable(Problem):
    """The identity service that confirms projects cannot be found or reached."""

    status, kind = 504, "keystone_communication_failure"


class TimedOut(Problem):
    """No answer came in time; the change may or may not have been made."""

    status, kind = 504, "timeout"


PROBLEMS: tuple[type[Problem], ...] = (
    BadInput,
    InvalidObject,
    EmptyBody,
    InvalidJSON,
    InvalidUUID,
    InvalidMarker,
    MarkerNotFound,
    InvalidLimit,
    InvalidSortKey,
    InvalidSortDir,
    InvalidOperation,
    InvalidZoneName,
    InvalidRRsetName,
    InvalidRRsetLocation,
    InvalidTTL,
    ZoneHasSubZone,
    ZoneIsShared,
    SharedZoneHasSubZone,
    SharedZoneHasRRsets,
    InvalidTransferRequest,
    InvalidProject,
    InvalidTSIGKey,
    LastServerKept,
    Unauthorized,
    MissingProject,
    Forbidden,
    IllegalChild,
    IllegalParent,
    InvalidTokenScope,
    InvalidKey,
    NotFound,
    ZoneNotFound,
    RRsetNotFound,
    PoolNotFound,
    NoValidPool,
    ServiceNotFound,
    TSIGKeyNotFound,
    TokenNotFound,
    TLDNotFound,
    BlacklistNotFound,
    ZoneExportNotFound,
    ZoneImportNotFound,
    SharedZoneNotFound,
    ReportNotFound,
    TransferRequestNotFound,
    TransferAcceptNotFound,
    MethodNotAllowed,
    DuplicateZone,
    DuplicateRRset,
    DuplicatePool,
    DuplicateNSRecord,
    DuplicateTSIGKey,
    DuplicateTLD,
    DuplicateBlacklist,
    DuplicateSharedZone,
    DuplicateTransferRequest,
    KeyReused,
    PreconditionFailed,
    OverQuota,
    UnsupportedContentType,
    NoServersConfigured,
    MultiplePoolsFound,
    Misconfigured,
    Unavailable,
    IdentityUnavailable,
    TimedOut,
)
"""Every kind of failure, written out."""

KINDS: dict[str, type[Problem]] = {cls.kind: cls for cls in PROBLEMS}
"""The class of every published kind, to restore a failure that crossed the bus."""


def restore(kind: str, message: str, errors: Mapping[str, Any] | None) -> Problem:
    """Restore the Problem that another process raised. An unknown kind becomes a plain Problem (500)."""
    return KINDS.get(kind, Problem)(message, errors=errors)
