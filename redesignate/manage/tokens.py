# SPDX-License-Identifier: Apache-2.0
"""`token …`: the API's own tokens, for installations without keystone."""

from __future__ import annotations

import datetime
import re
import uuid

from redesignate.commands.tokens import CreateToken, ListTokens, RevokeToken
from redesignate.manage.job import Job
from redesignate.manage.screen import moment
from redesignate.model.clock import SECOND
from redesignate.model.errors import BadInput
from redesignate.model.token import Token, digest, new_secret

_UNITS = {"h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_SPAN = re.compile(r"([1-9][0-9]{0,5})([hdwy])")


def create(job: Job) -> int:
    """Create a token and print its secret once: only its digest is sent and stored. Raises BadInput."""
    args = job.args
    secret = new_secret()
    made = job.central.call(
        CreateToken(
            caller=job.caller,
            digest=digest(secret) or "",
            project_id=args.project,
            roles=tuple(args.role or ("member",)),
            description=args.description,
            expires_at=_expiry(args.expires, job.clock()) if args.expires else None,
        )
    )
    if args.quiet:
        job.screen.line(secret)
        return 0
    job.screen.line(f"id       {made.id}")
    job.screen.line(f"project  {made.project_id}")
    job.screen.line(f"roles    {', '.join(made.roles)}")
    job.screen.line(f"expires  {moment(made.expires_at) if made.expires_at else 'never'}")
    job.screen.line(f"token    {secret}")
    job.screen.line("Save the token now: it is not stored and cannot be shown again.", "yellow")
    return 0


def show(job: Job) -> int:
    """Print every token, without its secret, which is not stored."""
    now = job.clock()
    tokens = job.central.call(ListTokens(caller=job.caller))
    rows: list[list[object]] = [
        [
            t.id,
            t.project_id,
            ",".join(t.roles),
            moment(t.created_at),
            moment(t.last_used_at),
            _ends(t, now),
            t.description,
        ]
        for t in tokens
    ]
    heads = ["id", "project", "roles", "created", "last used", "expires", "description"]
    job.screen.table(heads, rows, "There are no tokens. `redesignate manage token create --project ID` makes one.")
    return 0


def revoke(job: Job) -> int:
    """Remove tokens; APIs refuse them within seconds. Raises BadInput, TokenNotFound."""
    for named in job.args.token:
        try:
            token_id = str(uuid.UUID(named))
        except ValueError:
            raise BadInput(f"{named[:40]!r} is not the id of a token; `token list` prints the ids") from None
        gone = job.central.call(RevokeToken(caller=job.caller, token_id=token_id))
        job.screen.line(f"{gone.id} of project {gone.project_id}: revoked")
    return 0


def _ends(token: Token, now: int) -> str:
    if token.expires_at is None:
        return "never"
    return moment(token.expires_at) + (" (expired)" if token.expires_at <= now else "")


def _expiry(text: str, now: int) -> int:
    """The moment, in microseconds, that "90d" or "2027-01-31" (its first second, UTC) means. Raises BadInput."""
    if span := _SPAN.fullmatch(text):
        return now + int(span[1]) * _UNITS[span[2]] * SECOND
    try:
        day = datetime.date.fromisoformat(text)
        return int(datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp()) * SECOND
    except ValueError:
        raise BadInput(f"--expires {text}: write a span such as 12h, 90d or 1y, or a day such as 2027-01-31") from None
