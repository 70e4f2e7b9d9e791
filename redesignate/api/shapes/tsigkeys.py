# SPDX-License-Identifier: Apache-2.0
"""A TSIG key as v2 shows and takes it, its secret included."""

from __future__ import annotations

from redesignate.api.shapes.members import ID, TIME, Member, Null, OneOf, Text, Write
from redesignate.api.shapes.shape import Shape
from redesignate.model.tsigkey import LONGEST, NewTSIGKey, Scope, TSIGKeyChange

SCOPE = OneOf(Scope, ("POOL", "ZONE"))

TSIGKEY: Shape[NewTSIGKey, TSIGKeyChange] = Shape(
    "tsigkey",
    Member("id", ID, "The key's id."),
    Member("name", Text(LONGEST), "Its name in DNS messages.", Write.ALWAYS, required=True, shown_as="shown_name"),
    Member("algorithm", Text(), "How messages are signed: hmac-sha256, for one.", Write.ALWAYS, required=True),
    Member("secret", Text(LONGEST, "byte"), "The shared secret, in base64.", Write.ALWAYS, null=Null.VALUE),
    Member("scope", SCOPE, "What the key opens: the zones of a pool, or one zone.", Write.ALWAYS, required=True),
    Member("resource_id", Text(36, "uuid"), "The id of that pool or zone.", Write.ALWAYS, required=True),
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "When it was last changed.", unset=True),
    link="/v2/tsigkeys/{id}",
    new=NewTSIGKey,
    change=TSIGKeyChange,
)
